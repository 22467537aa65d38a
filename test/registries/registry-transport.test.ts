import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import type { Test } from 'tap'
import { createRegistryTransport, RegistryUnreachable, type ProxyEnvironment, type RegistryAnswer } from '../../src/registries/registry-transport.ts'
import { within } from '../helpers/eventually.ts'
import { startFakeRegistry } from './fake-registry.ts'

async function get (url: string, caCertificate: string | undefined, options: { environment?: ProxyEnvironment, timeoutMs?: number } = {}, authorization?: string): Promise<RegistryAnswer> {
  const connection = createRegistryTransport({ environment: {}, ...options }).open(caCertificate)
  try {
    return await connection.get(new URL(url), authorization)
  } finally {
    await connection.close()
  }
}

/** Why no answer came. */
async function failure (answer: Promise<RegistryAnswer>): Promise<RegistryUnreachable> {
  return answer.then(() => { throw new Error('there was an answer') }, (error: unknown) => {
    if (error instanceof RegistryUnreachable) return error
    throw error
  })
}

/** A proxy that knows CONNECT only. */
async function startProxy (t: Test, status = 200): Promise<{ host: string, tunnels: { target: string, authorization: string | undefined }[] }> {
  const tunnels: { target: string, authorization: string | undefined }[] = []
  const sockets = new Set<Socket>()
  const server = createHttpServer((_request, response) => { response.writeHead(405).end() })
  server.on('connect', (request, client: Socket) => {
    tunnels.push({ target: request.url ?? '', authorization: request.headers['proxy-authorization'] })
    sockets.add(client.on('error', () => {}))
    if (status !== 200) { client.end(`HTTP/1.1 ${status} No\r\n\r\n`); return }
    const target = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      target.pipe(client).pipe(target)
    })
    sockets.add(target.on('error', () => {}))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy()
    server.closeAllConnections()
    await new Promise((resolve) => { server.close(resolve) })
  })
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, tunnels }
}

t.test('an answer comes as it is, whatever its status', async (t) => {
  const registry = await startFakeRegistry(t, () => ({ status: 302, headers: { location: '/b', 'www-authenticate': ['Basic', 'Bearer'] }, body: 'päth' }))
  const answer = await get(`https://${registry.host}/a?b=c`, registry.caCertificate, {}, 'Basic YTpi')
  t.match(answer, { status: 302, headers: { location: '/b', 'www-authenticate': ['Basic', 'Bearer'] }, body: 'päth' })
  t.strictSame(registry.questions, [{ path: '/a?b=c', authorization: 'Basic YTpi' }])
})

t.test('calls of one conversation share a connection', async (t) => {
  const registry = await startFakeRegistry(t, () => ({ status: 200 }))
  const connection = createRegistryTransport({ environment: {} }).open(registry.caCertificate)
  const times = 5
  for (let call = 0; call < times; call++) t.match(await connection.get(new URL(`https://${registry.host}/v2/`)), { status: 200 })
  t.equal(registry.connections(), 1)
  await connection.close()
})

t.test('nothing is ever asked over http', async (t) => {
  await t.rejects(get('http://127.0.0.1:1/v2/', undefined, {}, 'Basic YTpi'), { message: /only asked over https/ })
})

t.test('through a proxy', async (t) => {
  const registry = await startFakeRegistry(t, () => ({ status: 200 }))
  const url = `https://${registry.host}/v2/`
  const cases: [string, (proxy: string) => ProxyEnvironment, boolean][] = [
    ['HTTPS_PROXY leads out', (proxy) => ({ HTTPS_PROXY: `http://${proxy}` }), true],
    ['so does https_proxy', (proxy) => ({ https_proxy: `http://${proxy}` }), true],
    ['a proxy needs no scheme', (proxy) => ({ HTTPS_PROXY: proxy }), true],
    ['an empty variable is none', (proxy) => ({ HTTPS_PROXY: '', https_proxy: proxy }), true],
    ['HTTP_PROXY is not for https', (proxy) => ({ HTTP_PROXY: `http://${proxy}` }), false],
    ['NO_PROXY names a host', (proxy) => ({ HTTPS_PROXY: proxy, NO_PROXY: 'a.io, localhost' }), false],
    ['NO_PROXY names a host and its port', (proxy) => ({ HTTPS_PROXY: proxy, NO_PROXY: registry.host }), false],
    ['NO_PROXY names another port', (proxy) => ({ HTTPS_PROXY: proxy, NO_PROXY: 'localhost:1' }), true],
    ['NO_PROXY names all', (proxy) => ({ HTTPS_PROXY: proxy, no_proxy: '*' }), false],
    ['NO_PROXY names another host', (proxy) => ({ HTTPS_PROXY: proxy, NO_PROXY: 'host' }), true]
  ]
  for (const [name, environment, isUsed] of cases) {
    await t.test(name, async (t) => {
      const proxy = await startProxy(t)
      t.match(await get(url, registry.caCertificate, { environment: environment(proxy.host) }), { status: 200 })
      t.strictSame(proxy.tunnels.map(({ target }) => target), isUsed ? [registry.host] : [])
    })
  }

  await t.test('a proxy may ask for a password', async (t) => {
    const proxy = await startProxy(t)
    await get(url, registry.caCertificate, { environment: { HTTPS_PROXY: `http://user:test-password-1@${proxy.host}` } })
    t.equal(proxy.tunnels[0]?.authorization, `Basic ${Buffer.from('user:test-password-1').toString('base64')}`)
  })

  await t.test('the registry\'s certificate is checked all the same', async (t) => {
    const proxy = await startProxy(t)
    t.match(await failure(get(url, undefined, { environment: { HTTPS_PROXY: proxy.host } })), { reason: 'tls' })
  })

  for (const status of [407, 502]) {
    await t.test(`a proxy that answers ${status} is to blame`, async (t) => {
      const proxy = await startProxy(t, status)
      t.match(await failure(get(url, registry.caCertificate, { environment: { HTTPS_PROXY: proxy.host } })), { reason: 'proxy' })
    })
  }
})

for (const address of ['http://user:test-password-1@a b', 'ftp://user:test-password-1@a', 'http://user:%test-password-1@a']) {
  t.test(`${address} is refused as a proxy at once, without a word of it`, async (t) => {
    t.throws(() => createRegistryTransport({ environment: { HTTPS_PROXY: address } }), { message: /^HTTPS_PROXY is not the URL of a proxy$/ })
  })
}

t.test('the environment of the process plays no part', async (t) => {
  const before = process.env['HTTPS_PROXY']
  process.env['HTTPS_PROXY'] = 'http://127.0.0.1:1'
  t.teardown(() => { if (before === undefined) delete process.env['HTTPS_PROXY']; else process.env['HTTPS_PROXY'] = before })
  const registry = await startFakeRegistry(t, () => ({ status: 200 }))
  t.match(await get(`https://${registry.host}/v2/`, registry.caCertificate), { status: 200 })
})

t.test('a CA of NODE_EXTRA_CA_CERTS is trusted, with and without a bundle', async (t) => {
  const registry = await startFakeRegistry(t, () => ({ status: 200 }))
  const directory = t.testdir({ 'ca.crt': registry.caCertificate })
  const module = fileURLToPath(new URL('../../src/registries/registry-transport.ts', import.meta.url))
  const script = `
    import { createRegistryTransport } from ${JSON.stringify(module)}
    for (const bundle of [undefined, 'no certificate']) {
      const connection = createRegistryTransport({ environment: {} }).open(bundle)
      console.log((await connection.get(new URL('https://${registry.host}/v2/'))).status)
      await connection.close()
    }`
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], { env: { ...process.env, NODE_EXTRA_CA_CERTS: `${directory}/ca.crt` }, timeout: 20_000 })
  t.equal(stdout, '200\n200\n')
})

t.test('every call has a deadline', async (t) => {
  const registry = await startFakeRegistry(t, () => 'silent')
  const sockets = new Set<Socket>()
  const mute = createServer((socket) => { sockets.add(socket.on('error', () => {})) }).listen(0, '127.0.0.1')
  await once(mute, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    mute.close()
  })
  const port = (mute.address() as AddressInfo).port
  const cases: [string, string, ProxyEnvironment][] = [
    ['a server that does not answer', `https://${registry.host}/`, {}],
    ['a server that does not begin with TLS', `https://127.0.0.1:${port}/`, {}],
    ['a proxy that does not answer', `https://${registry.host}/`, { HTTPS_PROXY: `127.0.0.1:${port}` }]
  ]
  for (const [name, url, environment] of cases) {
    const answer = get(url, registry.caCertificate, { environment, timeoutMs: 200 })
    t.match(await failure(within(name, answer)), { reason: 'timeout' }, name)
  }
})

t.test('a body is read up to 1 MiB', async (t) => {
  const registry = await startFakeRegistry(t, ({ path }) => ({ status: 200, body: Buffer.alloc(1024 * 1024 + (path === '/more' ? 1 : 0), 'a') }))
  t.equal((await get(`https://${registry.host}/`, registry.caCertificate)).body.length, 1024 * 1024)
  t.match(await failure(get(`https://${registry.host}/more`, registry.caCertificate)), { reason: 'oversized' })
})
