import { setImmediate as settle } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Clock } from '../../src/core/clock.ts'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createKubeClient, JSON_PATCH, type KubeClient } from '../../src/kubernetes/kube-client.ts'
import type { KubeError } from '../../src/kubernetes/kube-error.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import type { WatchEvent } from '../../src/kubernetes/watch-events.ts'
import { eventually, within } from '../helpers/eventually.ts'
import { createFakeClock } from '../helpers/fake-clock.ts'
import { answerJson, type ApiDouble, formatCaData, startApiDouble, startGate, writeKubeconfigFolder } from './api-double.ts'

const TOKEN = 'test-token-1'

interface Setup {
  clock?: Clock
  maxConnections?: number
  /** Another way to the API, such as through a gate. */
  url?: string
  proxyUrl?: string
  user?: object
  files?: Record<string, string>
}

async function openClient (t: Test, api: ApiDouble, { clock = systemClock, maxConnections = 2, url = api.url, proxyUrl, user = { token: TOKEN }, files = {} }: Setup = {}): Promise<KubeClient> {
  const cluster = { server: url, 'certificate-authority-data': formatCaData(api), ...(proxyUrl !== undefined && { 'proxy-url': proxyUrl }) }
  const access = await openClusterAccess({ kubeconfigFile: writeKubeconfigFolder(t, { cluster, user }, files) }, clock.monotonicMs)
  const client = createKubeClient(access, clock, { maxConnections })
  t.teardown(async () => client.close())
  return client
}

async function catchError (promise: Promise<unknown>): Promise<KubeError> {
  return within('the failure', promise.then(() => { throw new Error('did not fail') }, (error: KubeError) => error))
}

void t.test('a call carries method, query, body, forms and credential', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { answerJson(response, 201, { kind: 'Note' }) }
  const client = await openClient(t, api)
  const answer = await client.request({ method: 'PATCH', path: '/api/v1/notes/a', query: { fieldManager: 'pull keeper' }, body: [{ op: 'test' }], contentType: JSON_PATCH })
  t.strictSame(answer, { kind: 'Note' })
  t.match(api.received, [{
    method: 'PATCH',
    url: '/api/v1/notes/a?fieldManager=pull+keeper',
    body: '[{"op":"test"}]',
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': JSON_PATCH, accept: 'application/json', 'user-agent': 'pullkeeper' }
  }])
})

void t.test('a hundred calls share a few connections, also after a failure', async (t) => {
  const api = await startApiDouble(t)
  api.respond = ({ url }, response) => { answerJson(response, url.endsWith('7') ? 409 : 200, {}) }
  const client = await openClient(t, api)
  for (let round = 0; round < 10; round++) {
    await Promise.allSettled(Array.from({ length: 10 }, async (_, index) => client.request({ method: 'POST', path: `/${index}`, body: {} })))
  }
  t.equal(api.received.length, 100)
  t.equal(api.countConnections(), 2)
})

void t.test('an error tells the Status and how long to wait', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { answerJson(response, 429, { kind: 'Status', reason: 'TooManyRequests', message: 'later' }, { 'retry-after': '3' }) }
  const client = await openClient(t, api)
  t.match(await catchError(client.request({ method: 'GET', path: '/' })), { name: 'KubeError', status: 429, reason: 'TooManyRequests', message: 'later', retryAfterMs: 3_000 })
})

const ANSWERS: { title: string, status: number, body: string, expected: object }[] = [
  { title: 'a page of a proxy', status: 502, body: '<html>test-password-1</html>', expected: { status: 502, reason: 'HTTP502' } },
  { title: 'no answer at all', status: 200, body: '', expected: { status: 200, reason: 'InvalidAnswer' } },
  { title: 'a page instead of JSON', status: 200, body: '<html>test-password-1</html>', expected: { status: 200, reason: 'InvalidAnswer' } },
  { title: 'half an answer', status: 200, body: '{"kind":"Secret","data":"test-password-1', expected: { status: 200, reason: 'InvalidAnswer' } },
  { title: 'a redirect, which is not followed', status: 302, body: '', expected: { status: 302, reason: 'HTTP302' } }
]
for (const { title, status, body, expected } of ANSWERS) {
  void t.test(`the answer is ${title}: an error without a word of it`, async (t) => {
    const api = await startApiDouble(t)
    api.respond = (_request, response) => { response.writeHead(status, { location: 'https://127.0.0.1:9/test-password-1', 'x-note': 'test-password-1' }).end(body) }
    const client = await openClient(t, api)
    const error = await catchError(client.request({ method: 'POST', path: '/', body: { password: 'test-password-1' } }))
    t.match(error, expected)
    t.notMatch(describeWholly(error), /test-password-1|test-token-1/)
    t.equal(api.received.length, 1)
  })
}

/** All that a careless logger could print of an error. */
function describeWholly (error: Error): string {
  return [error.stack, JSON.stringify(error, Object.getOwnPropertyNames(error)), String(error.cause)].join('\n')
}

void t.test('a cut connection is an error without a word of what was sent', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { response.destroy() }
  const client = await openClient(t, api)
  const error = await catchError(client.request({ method: 'POST', path: '/', body: { password: 'test-password-1' } }))
  t.match(error, { name: 'KubeError', status: 0, reason: 'Unreachable' })
  t.notMatch(describeWholly(error), /test-password-1|test-token-1/)
  t.equal(api.received.length, 1, 'a write is not sent again by itself')
})

void t.test('an API server that is not there is named by the code of the error', async (t) => {
  const api = await startApiDouble(t)
  const client = await openClient(t, api, { url: 'https://127.0.0.1:1' })
  t.match(await catchError(client.request({ method: 'GET', path: '/' })), { reason: 'Unreachable', message: 'the API server can not be reached: ECONNREFUSED' })
})

void t.test('a call without an answer ends at its deadline', async (t) => {
  const api = await startApiDouble(t)
  api.respond = () => {}
  const clock = createFakeClock()
  const client = await openClient(t, api, { clock })
  const failure = catchError(client.request({ method: 'GET', path: '/', timeoutMs: 5_000 }))
  await eventually('the request', () => api.received.length === 1)
  await clock.advance(4_999)
  await clock.advance(1)
  t.match(await failure, { status: 0, reason: 'CallTimeout' })
  t.equal(clock.countWaiting(), 0)
})

void t.test('an answer that does not end ends at the deadline', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { response.writeHead(200).write('{') }
  const clock = createFakeClock()
  const client = await openClient(t, api, { clock })
  const failure = catchError(client.request({ method: 'GET', path: '/', timeoutMs: 5_000 }))
  await eventually('the request', () => api.received.length === 1)
  await clock.advance(5_000)
  t.match(await failure, { reason: 'CallTimeout' })
})

void t.test('a call ends with its signal', async (t) => {
  const api = await startApiDouble(t)
  api.respond = () => {}
  const client = await openClient(t, api)
  const ending = new AbortController()
  const failure = catchError(client.request({ method: 'GET', path: '/', signal: ending.signal }))
  await eventually('the request', () => api.received.length === 1)
  ending.abort()
  t.match(await failure, { status: 0, reason: 'CalledOff' })
})

void t.test('a call with a signal that has ended is never sent', async (t) => {
  const api = await startApiDouble(t)
  const client = await openClient(t, api)
  t.match(await catchError(client.request({ method: 'POST', path: '/late', signal: AbortSignal.abort() })), { reason: 'CalledOff' })
  await client.request({ method: 'GET', path: '/next' })
  t.strictSame(api.received.map(({ url }) => url), ['/next'])
})

for (const way of ['the TLS handshake', 'the CONNECT of a proxy'] as const) {
  void t.test(`a write that waits for ${way} ends at its deadline and is never sent`, async (t) => {
    const api = await startApiDouble(t)
    const clock = createFakeClock()
    const gate = await startGate(t, api.port)
    const setup = way === 'the TLS handshake' ? { url: `https://127.0.0.1:${gate.port}` } : { proxyUrl: `http://127.0.0.1:${gate.port}` }
    const client = await openClient(t, api, { clock, ...setup })
    const failure = catchError(client.request({ method: 'POST', path: '/late', body: {}, timeoutMs: 5_000 }))
    await eventually('the connection', () => gate.countWaiting() === 1)
    await clock.advance(5_000)
    t.match(await failure, { reason: 'CallTimeout' })
    if (way === 'the CONNECT of a proxy') return
    gate.open()
    await within('the next call', client.request({ method: 'GET', path: '/next' }))
    t.strictSame(api.received.map(({ url }) => url), ['/next'])
  })
}

void t.test('a write that waits for a connection ends at its deadline and is never sent', async (t) => {
  const api = await startApiDouble(t)
  const clock = createFakeClock()
  const held: (() => void)[] = []
  api.respond = (_request, response) => { held.push(() => { answerJson(response, 200, {}) }) }
  const client = await openClient(t, api, { clock, maxConnections: 1 })
  const first = client.request({ method: 'GET', path: '/first', timeoutMs: 60_000 })
  await eventually('the first request', () => held.length === 1)
  const failure = catchError(client.request({ method: 'POST', path: '/late', body: {}, timeoutMs: 5_000 }))
  await clock.advance(5_000)
  t.match(await failure, { reason: 'CallTimeout' })
  held[0]?.()
  await first
  const next = client.request({ method: 'GET', path: '/next' })
  await eventually('the next request', () => held.length === 2)
  held[1]?.()
  await next
  t.strictSame(api.received.map(({ url }) => url), ['/first', '/next'])
})

void t.test('a process that was stopped past the deadline does not send what had waited', async (t) => {
  const api = await startApiDouble(t)
  const clock = createFakeClock()
  const held: (() => void)[] = []
  api.respond = (_request, response) => { held.push(() => { answerJson(response, 200, {}) }) }
  const client = await openClient(t, api, { clock, maxConnections: 1 })
  const first = client.request({ method: 'GET', path: '/first', timeoutMs: 60_000 })
  await eventually('the first request', () => held.length === 1)
  const failure = catchError(client.request({ method: 'POST', path: '/late', body: {}, timeoutMs: 5_000 }))
  await settle()
  // The sockets are served before the timers.
  clock.stop(20_000)
  held[0]?.()
  await first
  t.match(await failure, { reason: 'CallTimeout' })
  const next = client.request({ method: 'GET', path: '/next' })
  await eventually('the next request', () => held.length === 2)
  held[1]?.()
  await next
  t.strictSame(api.received.map(({ url }) => url), ['/first', '/next'])
})

void t.test('a credential plugin that hangs ends with the deadline', async (t) => {
  const api = await startApiDouble(t)
  const clock = createFakeClock()
  let isAsked = false
  const client = createKubeClient({
    ...await openClusterAccess({ kubeconfigFile: writeKubeconfigFolder(t, { cluster: { server: api.url } }) }, clock.monotonicMs),
    async authorize () {
      isAsked = true
      return new Promise(() => {})
    }
  }, clock, { maxConnections: 1 })
  t.teardown(async () => client.close())
  const failure = catchError(client.request({ method: 'GET', path: '/', timeoutMs: 5_000 }))
  t.ok(isAsked)
  await clock.advance(5_000)
  t.match(await failure, { reason: 'CallTimeout' })
  t.equal(api.received.length, 0)
})

async function collect (client: KubeClient, options: { signal?: AbortSignal, onOpen?: () => void, onEvent?: (event: WatchEvent<object>) => void } = {}): Promise<WatchEvent<object>[]> {
  const events: WatchEvent<object>[] = []
  for await (const event of client.watch<object>({ path: '/api/v1/notes', query: { resourceVersion: '7' }, signal: new AbortController().signal, ...options })) {
    events.push(event)
    options.onEvent?.(event)
  }
  return events
}

const EVENT = '{"type":"ADDED","object":{}}\n'

void t.test('a watch gives its events until the API server ends it', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { response.writeHead(200).end(EVENT + EVENT) }
  const client = await openClient(t, api)
  let opened = 0
  t.equal((await collect(client, { onOpen: () => { opened++ } })).length, 2)
  t.equal(opened, 1)
  t.match(api.received, [{ method: 'GET', url: '/api/v1/notes?resourceVersion=7&watch=true', headers: { authorization: `Bearer ${TOKEN}` } }])
})

void t.test('a watch that is cut is an error', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { response.writeHead(200).write(EVENT, () => { response.destroy() }) }
  const client = await openClient(t, api)
  t.match(await catchError(collect(client)), { status: 0, reason: 'Unreachable' })
})

void t.test('a watch that is refused is an error, and never open', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { answerJson(response, 410, { reason: 'Expired', message: 'too old' }) }
  const client = await openClient(t, api)
  t.match(await catchError(collect(client, { onOpen: () => { t.fail('open') } })), { status: 410, reason: 'Expired' })
})

void t.test('a watch ends with its signal, be it running or waiting for its connection', async (t) => {
  const api = await startApiDouble(t)
  api.respond = (_request, response) => { response.writeHead(200).write(EVENT) }
  const ending = new AbortController()
  const running = await openClient(t, api)
  t.match(await catchError(collect(running, { signal: ending.signal, onEvent: () => { ending.abort() } })), { reason: 'CalledOff' })

  const gate = await startGate(t, api.port)
  const waiting = createKubeClient(await openClusterAccess({ kubeconfigFile: writeKubeconfigFolder(t, { cluster: { server: `https://127.0.0.1:${gate.port}` } }) }, systemClock.monotonicMs), systemClock, { maxConnections: 1 })
  t.teardown(async () => waiting.close())
  const calling = new AbortController()
  const failure = catchError(collect(waiting, { signal: calling.signal }))
  await eventually('the connection', () => gate.countWaiting() === 1)
  calling.abort()
  t.match(await failure, { reason: 'CalledOff' })
})

void t.test('watches keep no call waiting', async (t) => {
  const api = await startApiDouble(t)
  api.respond = ({ url }, response) => {
    if (url.includes('watch=true')) response.writeHead(200).write(EVENT)
    else answerJson(response, 200, {})
  }
  const client = await openClient(t, api, { maxConnections: 1 })
  const ending = new AbortController()
  let events = 0
  const watching = Promise.allSettled([1, 2, 3].map(async () => collect(client, { signal: ending.signal, onEvent: () => { events++ } })))
  await eventually('three watches', () => events === 3)
  t.strictSame(await within('the call', client.request({ method: 'GET', path: '/' })), {})
  ending.abort()
  await watching
})

void t.test('long calls keep no write waiting, and end at their deadline', async (t) => {
  const api = await startApiDouble(t)
  api.respond = ({ method }, response) => { if (method !== 'GET') answerJson(response, 200, {}) }
  const clock = createFakeClock()
  const client = await openClient(t, api, { clock, maxConnections: 1 })
  const lists = ['/a', '/b', '/c'].map(async (path) => catchError(client.request({ method: 'GET', path, isLong: true, timeoutMs: 30_000 })))
  await eventually('three lists', () => api.received.length === 3)
  t.strictSame(await within('the write', client.request({ method: 'PATCH', path: '/', body: {} })), {})
  await clock.advance(30_000)
  for (const failure of await within('the end of the lists', Promise.all(lists))) t.match(failure, { status: 0, reason: 'CallTimeout' })
})

void t.test('after close no call is made', async (t) => {
  const api = await startApiDouble(t)
  const client = await openClient(t, api)
  await client.close()
  t.match(await catchError(client.request({ method: 'GET', path: '/' })), { status: 0, reason: 'Unreachable' })
})
