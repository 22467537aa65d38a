import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { json } from 'node:stream/consumers'
import type { KubernetesObject } from '@kubernetes/client-node'
import t from 'tap'
import type { Test } from 'tap'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { openCluster } from '../../src/sandbox/cluster-request.ts'
import { startControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'
import { type FaultProxy, startFaultProxy } from '../../src/sandbox/fault-proxy.ts'
import type { Fault } from '../../src/sandbox/faults/fault.ts'
import { createRequestLog } from '../../src/sandbox/faults/request-log.ts'
import { type ClusterClient, createClient, listClusterKinds, startCluster, type WatchEvent } from '../helpers/cluster.ts'
import { eventually, within } from '../helpers/eventually.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'

const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'
const SECRETS = '/api/v1/namespaces/default/secrets'

/** A watch that is read as it comes. */
interface RunningWatch {
  events: string[]
  isOpen: boolean
  /** `error` when the connection failed. */
  ended: Promise<{ error?: string }>
}

interface ProxyAndClient {
  proxy: FaultProxy
  client: ClusterClient
}

async function startProxy (t: Test, target: Cluster): Promise<ProxyAndClient> {
  const proxy = await startFaultProxy(target)
  t.teardown(proxy.close)
  const client = createClient(proxy)
  t.teardown(client.close)
  return { proxy, client }
}

/** Watches from now on; resolves when the watch is open. */
async function openWatch (t: Test, { proxy, client }: ProxyAndClient, path = CONFIG_MAPS): Promise<RunningWatch> {
  const { body } = await client.list(path)
  const before = countAnsweredWatches(proxy)
  const left = new AbortController()
  t.teardown(() => { left.abort() })
  const events = client.watch(path, body.metadata?.resourceVersion ?? '', left.signal)
  const watch: RunningWatch = { events: [], isOpen: true, ended: Promise.resolve({}) }
  watch.ended = readWatch(watch, events)
  await eventually('the watch is answered', () => countAnsweredWatches(proxy) > before)
  return watch
}

async function readWatch (watch: RunningWatch, events: AsyncIterable<WatchEvent<KubernetesObject>>): Promise<{ error?: string }> {
  try {
    for await (const { type, object } of events) watch.events.push(`${type} ${object.metadata?.name ?? ''}`)
    return {}
  } catch (error) {
    return { error: String((error as NodeJS.ErrnoException).code) }
  } finally {
    watch.isOpen = false
  }
}

function countAnsweredWatches (proxy: FaultProxy): number {
  return proxy.requests().filter(({ isWatch, status }) => isWatch && status === 200).length
}

function configMap (name: string): KubernetesObject & { data: Record<string, string> } {
  return { metadata: { name }, data: { key: 'value' } }
}

for (const kind of listClusterKinds()) {
  void t.test(kind, { timeout: 120_000 }, async (t) => {
    const cluster = await startCluster(t, kind)
    const direct = createClient(cluster)
    t.teardown(direct.close)
    const { proxy, client } = await startProxy(t, cluster)
    t.beforeEach(() => { proxy.forgetRequests() })

    const withFault = async <T>(fault: Fault, run: () => Promise<T>): Promise<T> => {
      const off = proxy.inject(fault)
      try {
        return await within(fault.kind, run())
      } finally {
        off()
        off()
      }
    }
    const exists = async (name: string): Promise<boolean> => (await direct.get(`${CONFIG_MAPS}/${name}`)).status === 200

    await t.test('without faults it is the cluster', async (t) => {
      t.match(await client.create(CONFIG_MAPS, configMap('plain')), { status: 201, body: { metadata: { name: 'plain' } } })
      t.match(await client.patch(`${CONFIG_MAPS}/plain`, 'merge', { data: { key: 'other' } }), { status: 200, body: { data: { key: 'other' } } })
      t.match(await client.get(`${CONFIG_MAPS}/plain`), await direct.get(`${CONFIG_MAPS}/plain`))
      t.match(await client.delete(`${CONFIG_MAPS}/plain`, { gracePeriodSeconds: 0 }), { status: 200 })
      t.match(await client.get(`${CONFIG_MAPS}/plain`), { status: 404, body: { reason: 'NotFound' } })
      t.match(await client.get('/readyz'), { status: 200, body: 'ok' })
    })

    await t.test('passes on large bodies and the tokens of others', async (t) => {
      const large = 'x'.repeat(500_000)
      t.match(await client.create(CONFIG_MAPS, { ...configMap('large'), data: { large } }), { status: 201 })
      t.match(await client.get(`${CONFIG_MAPS}/large`), { body: { data: { large } } })
      const stranger = createClient({ ...proxy, token: 'test-token-of-nobody' })
      t.teardown(stranger.close)
      t.match(await stranger.get(CONFIG_MAPS), { status: 401, body: { reason: 'Unauthorized' } })
    })

    await t.test('streams the events of watches as they come', async (t) => {
      const watch = await openWatch(t, { proxy, client })
      for (const name of ['first', 'second', 'third']) {
        await direct.create(CONFIG_MAPS, configMap(name))
        await eventually(`the event of ${name}`, () => watch.events.includes(`ADDED ${name}`))
      }
      t.ok(watch.isOpen)
    })

    const ANSWERS = [
      { status: 401, reason: 'Unauthorized' },
      { status: 403, reason: 'Forbidden' },
      { status: 404, reason: 'NotFound' },
      { status: 410, reason: 'Expired' },
      { status: 418, reason: undefined },
      { status: 429, reason: 'TooManyRequests', retryAfterSeconds: 7 },
      { status: 429, reason: 'TooManyRequests' },
      { status: 500, reason: 'InternalError' },
      { status: 503, reason: 'ServiceUnavailable', retryAfterSeconds: 1 },
      { status: 504, reason: 'Timeout' }
    ]
    for (const { status, reason, retryAfterSeconds } of ANSWERS) {
      await t.test(`answers ${status} ${retryAfterSeconds === undefined ? '' : 'with Retry-After '}in the API's place`, async (t) => {
        const fault: Fault = { kind: 'answer', status, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) }
        const answer = await withFault(fault, async () => {
          const body = configMap('refused')
          const response = await openCluster(proxy, { method: 'POST', path: CONFIG_MAPS, body })
          return { status: response.statusCode, retryAfter: response.headers['retry-after'], body: await json(response) as Record<string, unknown> }
        })
        t.equal(answer.status, status)
        t.equal(answer.retryAfter, retryAfterSeconds?.toString())
        t.match(answer.body, { kind: 'Status', apiVersion: 'v1', status: 'Failure', message: /\S/, code: status })
        t.equal(answer.body['reason'], reason)
        if (retryAfterSeconds !== undefined) t.match(answer.body, { details: { retryAfterSeconds } })
        t.notOk(await exists('refused'))
        t.equal((await client.get(SECRETS)).status, 200, 'and asks it again afterwards')
      })
    }

    await t.test('a watch that is refused has the status', async (t) => {
      await withFault({ kind: 'answer', status: 410 }, async () => {
        await t.rejects(client.watch(CONFIG_MAPS, '1', new AbortController().signal).next(), /410 .*Expired/)
      })
    })

    await t.test('an expired watch has one ERROR event, as the API itself would send it', async (t) => {
      const events = await withFault({ kind: 'expire-watch' }, async () => {
        t.equal((await client.list(CONFIG_MAPS)).status, 200, 'a list goes through')
        const events: WatchEvent<KubernetesObject>[] = []
        for await (const event of client.watch(CONFIG_MAPS, '5', new AbortController().signal)) events.push(event)
        return events
      })
      t.match(events, [{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old resource version: 5 (6)' } }])
      t.equal(events.length, 1)
    })

    await t.test('a stalled watch stays open, and what happens meanwhile never comes', async (t) => {
      const [stalled, other] = [await openWatch(t, { proxy, client }), await openWatch(t, { proxy, client }, SECRETS)]
      const off = proxy.inject({ kind: 'stall' }, ({ path }) => path === CONFIG_MAPS)
      const unanswered = client.create(CONFIG_MAPS, configMap('never-seen')).catch((error: NodeJS.ErrnoException) => error.code)
      await direct.create(CONFIG_MAPS, configMap('lost'))
      await direct.create(SECRETS, { metadata: { name: 'shown' } })
      await eventually('the event of a watch that is not stalled', () => other.events.includes('ADDED shown'))
      t.ok(stalled.isOpen)
      off()
      t.strictSame(await within('the cut', stalled.ended), { error: 'ECONNRESET' })
      t.strictSame(stalled.events, [])
      t.equal(await within('the cut', unanswered), 'ECONNRESET')
      t.notOk(await exists('never-seen'))
      t.ok(other.isOpen)
      off()
      t.equal((await client.get(`${CONFIG_MAPS}/lost`)).status, 200)
    })

    await t.test('a delay is waited for, and added to other faults', async (t) => {
      const offFirst = proxy.inject({ kind: 'delay', delayMs: 60 })
      const offSecond = proxy.inject({ kind: 'delay', delayMs: 60 })
      const startMs = performance.now()
      t.equal((await client.create(CONFIG_MAPS, configMap('delayed'))).status, 201)
      t.ok(performance.now() - startMs > 115)
      offSecond()
      const refusedMs = performance.now()
      t.equal((await withFault({ kind: 'answer', status: 500 }, async () => client.get(CONFIG_MAPS))).status, 500)
      t.ok(performance.now() - refusedMs > 55)
      offFirst()
    })

    await t.test('a fault that is switched off during the delay does not strike', async (t) => {
      const offDelay = proxy.inject({ kind: 'delay', delayMs: 200 })
      const offAnswer = proxy.inject({ kind: 'answer', status: 500 })
      const answered = client.get(CONFIG_MAPS)
      await eventually('the request has come', () => proxy.requests().length > 0)
      offAnswer()
      offDelay()
      t.equal((await answered).status, 200)
    })

    await t.test('a client that leaves during the delay has asked nothing', async (t) => {
      const off = proxy.inject({ kind: 'delay', delayMs: 100 })
      const left = new AbortController()
      const answered = openCluster(proxy, { method: 'POST', path: CONFIG_MAPS, body: configMap('left'), signal: left.signal })
      await eventually('the request has come', () => proxy.requests().length > 0)
      left.abort()
      await t.rejects(answered, { name: 'AbortError' })
      // It is delayed as long, but later: when it is answered, the other one would have been.
      t.equal((await client.get(CONFIG_MAPS)).status, 200)
      t.notOk(await exists('left'))
      off()
    })

    await t.test('a reset comes before the API is asked, and after a write when it should', async (t) => {
      await withFault({ kind: 'reset' }, async () => t.rejects(client.create(CONFIG_MAPS, configMap('unwritten')), { code: 'ECONNRESET' }))
      t.notOk(await exists('unwritten'))
      await withFault({ kind: 'reset-after-write' }, async () => t.rejects(client.create(CONFIG_MAPS, configMap('written')), { code: 'ECONNRESET' }))
      t.ok(await exists('written'))
      t.strictSame(proxy.requests().map(({ status }) => status), [undefined, undefined])
    })

    await t.test('a rejected token is answered with 401, others are passed on', async (t) => {
      await withFault({ kind: 'reject-token', token: 'test-token-of-nobody' }, async () => {
        t.equal((await client.get(CONFIG_MAPS)).status, 200)
      })
      await withFault({ kind: 'reject-token', token: proxy.token }, async () => {
        t.match(await client.get(CONFIG_MAPS), { status: 401, body: { reason: 'Unauthorized', code: 401 } })
      })
      t.equal((await client.get(CONFIG_MAPS)).status, 200)
    })

    await t.test('of several faults the one that came first strikes', async (t) => {
      const off = proxy.inject({ kind: 'answer', status: 429 })
      t.equal((await withFault({ kind: 'reset' }, async () => client.get(CONFIG_MAPS))).status, 429)
      off()
    })

    await t.test('watches are ended and cut on demand, those that match', async (t) => {
      const [configMaps, secrets] = [await openWatch(t, { proxy, client }), await openWatch(t, { proxy, client }, SECRETS)]
      proxy.cutWatches('end', ({ path }) => path === CONFIG_MAPS)
      t.strictSame(await within('the end', configMaps.ended), {})
      t.ok(secrets.isOpen)
      const again = await openWatch(t, { proxy, client })
      proxy.cutWatches('reset')
      t.strictSame(await within('the cut', again.ended), { error: 'ECONNRESET' })
      t.strictSame(await within('the cut', secrets.ended), { error: 'ECONNRESET' })
    })

    await t.test('a stalled watch can be ended', async (t) => {
      const watch = await openWatch(t, { proxy, client })
      const off = proxy.inject({ kind: 'stall' })
      proxy.cutWatches('end')
      t.strictSame(await within('the end', watch.ended), {})
      off()
    })

    await t.test('logs what was asked and answered', async (t) => {
      await openWatch(t, { proxy, client })
      await client.get(`${CONFIG_MAPS}/absent`)
      await withFault({ kind: 'answer', status: 503 }, async () => client.create(CONFIG_MAPS, configMap('refused')))
      const requests = proxy.requests()
      t.match(requests, [
        { method: 'GET', path: CONFIG_MAPS, query: '', isWatch: false, status: 200 },
        { method: 'GET', path: CONFIG_MAPS, query: /^watch=true&resourceVersion=\d+$/, isWatch: true, status: 200 },
        { method: 'GET', path: `${CONFIG_MAPS}/absent`, query: '', isWatch: false, status: 404 },
        { method: 'POST', path: CONFIG_MAPS, query: '', isWatch: false, status: 503 }
      ])
      t.equal(requests.length, 4)
      const times = requests.map(({ atMs }) => atMs)
      t.strictSame(times, times.toSorted((a, b) => a - b))
      t.notMatch(JSON.stringify(requests), proxy.token)
      proxy.forgetRequests()
      t.strictSame(proxy.requests(), [])
    })

    await t.test('closing ends all connections and leaves the cluster', async (t) => {
      const closing = await startProxy(t, cluster)
      const watch = await openWatch(t, closing)
      closing.proxy.inject({ kind: 'delay', delayMs: 3_600_000 }, ({ path }) => path === SECRETS)
      const delayed = closing.client.get(SECRETS)
      const silent = connect(Number(new URL(closing.proxy.url).port), '127.0.0.1')
      await once(silent, 'connect')
      const silenced = new Promise((resolve) => { silent.on('error', () => {}).once('close', resolve) })
      await Promise.all([
        within('the close', closing.proxy.close()),
        within('the end of a silent connection', silenced),
        t.rejects(delayed, { code: 'ECONNRESET' })
      ])
      t.strictSame(await within('the end of the watch', watch.ended), { error: 'ECONNRESET' })
      await closing.proxy.close()
      t.equal((await direct.get(CONFIG_MAPS)).status, 200)
    })
  })
}

void t.test('survives that the API server is killed and started again', process.env['KUBEBUILDER_ASSETS'] === undefined ? { skip: 'KUBEBUILDER_ASSETS is not set' } : { timeout: 120_000 }, async (t) => {
  const plane = await startControlPlane({ binaries: process.env['KUBEBUILDER_ASSETS'] ?? '' })
  t.teardown(plane.close)
  const { proxy, client } = await startProxy(t, plane)
  const watch = await openWatch(t, { proxy, client })
  await plane.killApiServer()
  t.strictSame(await within('the end of the watch', watch.ended), { error: 'ECONNRESET' })
  await t.rejects(within('the failure', client.get(CONFIG_MAPS)), { code: 'ECONNRESET' })
  await plane.startApiServer()
  t.equal((await client.create(CONFIG_MAPS, configMap('after'))).status, 201)
  const again = await openWatch(t, { proxy, client })
  await client.delete(`${CONFIG_MAPS}/after`)
  await eventually('the event', () => again.events.includes('DELETED after'))
})

/** An API of which the test says what it answers, and sees the connections. */
interface ScriptedApi extends Cluster {
  readonly connections: number
  /** Answers that were begun and not yet ended. */
  readonly open: Set<ServerResponse>
}

async function startScriptedApi (t: Test, answer: (response: ServerResponse) => void): Promise<ScriptedApi> {
  const authority = await createTestAuthority()
  const { certificate, privateKey } = await authority.issueServer()
  const open = new Set<ServerResponse>()
  const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    request.resume()
    open.add(response)
    response.once('close', () => { open.delete(response) })
    answer(response)
  })
  let connections = 0
  server.on('connection', () => { connections++ })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const close = async (): Promise<void> => {
    server.close()
    server.closeAllConnections()
  }
  t.teardown(close)
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caCertificate: authority.certificate,
    token: 'test-token-1',
    open,
    get connections () { return connections },
    close
  }
}

void t.test('asks the API over connections that stay open', async (t) => {
  const api = await startScriptedApi(t, (response) => { response.end('ok') })
  const { client } = await startProxy(t, api)
  for (let asked = 0; asked < 20; asked++) t.equal((await client.create('/', { asked })).status, 200)
  t.equal(api.connections, 1)
})

void t.test('hands status, headers and bytes on as they are, before the answer has ended', async (t) => {
  const api = await startScriptedApi(t, (response) => {
    response.writeHead(203, 'As It Is', ['Warning', '299 - "one"', 'Warning', '299 - "two"', 'Content-Type', 'text/plain', 'Keep-Alive', 'timeout=1'])
    response.write('begun')
  })
  const { proxy } = await startProxy(t, api)
  const response = await openCluster(proxy, { method: 'GET', path: '/any?a=b' })
  const [chunk] = await within('the first bytes', once(response, 'data')) as [Buffer]
  t.equal(chunk.toString(), 'begun')
  t.match(response, { statusCode: 203, statusMessage: 'As It Is', headersDistinct: { warning: ['299 - "one"', '299 - "two"'], 'content-type': ['text/plain'] } })
  t.not(response.headers['keep-alive'], 'timeout=1')
  response.destroy()
  await eventually('the request to the API ends with the client', () => api.open.size === 0)
})

void t.test('an answer that breaks off, breaks off for the client', async (t) => {
  const api = await startScriptedApi(t, (response) => { response.writeHead(200, { 'content-length': 100 }).write('half') })
  const { client } = await startProxy(t, api)
  const answered = client.get('/any')
  await eventually('the answer has begun', () => api.open.size > 0)
  await api.close()
  await t.rejects(within('the failure', answered), { code: 'ECONNRESET' })
  await t.rejects(within('the failure', client.get('/any')), { code: 'ECONNRESET' }, 'and nobody listens any more')
})

void t.test('a stalled connection stays open, also when the API has ended it', async (t) => {
  const api = await startScriptedApi(t, (response) => { response.writeHead(200).write('{}\n') })
  const { proxy } = await startProxy(t, api)
  const response = await openCluster(proxy, { method: 'GET', path: '/any?watch=1' })
  let received = ''
  let isOver = false
  response.setEncoding('utf8').on('data', (text: string) => { received += text }).on('error', () => {}).once('close', () => { isOver = true })
  await eventually('the first event', () => received === '{}\n')
  const off = proxy.inject({ kind: 'stall' })
  for (const open of api.open) open.end('{"lost":true}\n'.repeat(100_000))
  await eventually('the API has got rid of it all', () => api.open.size === 0)
  await api.close()
  t.notOk(isOver)
  off()
  await eventually('the cut', () => isOver)
  t.equal(received, '{}\n')
})

void t.test('a client that leaves while it is stalled is forgotten by the API, too', async (t) => {
  const api = await startScriptedApi(t, (response) => { response.flushHeaders() })
  const { proxy } = await startProxy(t, api)
  const response = await openCluster(proxy, { method: 'GET', path: '/any?watch=1' })
  const off = proxy.inject({ kind: 'stall' })
  response.destroy()
  await eventually('the watch ends', () => api.open.size === 0)
  off()
})

void t.test('the log of requests keeps the last ones only', async (t) => {
  const log = createRequestLog(3)
  const paths = (): string[] => log.list().map(({ path }) => path)
  const add = (path: string): void => { log.add({ method: 'GET', path, query: '', isWatch: false, atMs: 0 }) }
  t.strictSame(paths(), [])
  for (const path of ['/1', '/2', '/3', '/4', '/5', '/6', '/7']) add(path)
  t.strictSame(paths(), ['/5', '/6', '/7'])
  log.clear()
  add('/8')
  t.strictSame(paths(), ['/8'])
})
