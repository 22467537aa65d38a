import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createKubeClient } from '../../src/kubernetes/kube-client.ts'
import { openServiceAccountAccess } from '../../src/kubernetes/service-account-access.ts'
import { createCertificateAuthority, issueCertificate } from '../../src/tls/certificates.ts'
import { createFakeClock } from '../helpers/fake-clock.ts'

/** An API server that tells by whose token it was called, and refuses the tokens in `refused`. */
async function startApi (t: Test, refused: Set<string>): Promise<{ port: string, ca: string }> {
  const validity = { notBefore: new Date(Date.now() - 60_000), days: 1 }
  const authority = await createCertificateAuthority({ commonName: 'test CA', ...validity })
  const serving = await issueCertificate(authority, { commonName: 'api', names: ['127.0.0.1'], usage: 'serverAuth', ...validity })
  const server = createServer({ key: serving.privateKey, cert: serving.certificate }, (request, response) => {
    const token = request.headers.authorization ?? ''
    response.statusCode = refused.has(token) ? 401 : 200
    response.end(JSON.stringify({ token }))
  })
  t.teardown(async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return { port: String((server.address() as AddressInfo).port), ca: authority.certificate }
}

async function openPod (t: Test, refused = new Set<string>()) {
  const directory = t.testdir()
  const { port, ca } = await startApi(t, refused)
  await writeFile(join(directory, 'ca.crt'), ca)
  await writeFile(join(directory, 'token'), 'test-token-1\n')
  const clock = createFakeClock()
  const access = await openServiceAccountAccess({ directory, host: '127.0.0.1', port, monotonicMs: clock.monotonicMs })
  const client = createKubeClient(access, clock, { maxConnections: 1 })
  t.teardown(client.close)
  const call = async (): Promise<string> => (await client.request<{ token: string }>({ method: 'GET', path: '/' })).token
  return { directory, clock, call, access }
}

void t.test('a Pod calls the API server with the token and the CA of its files', async (t) => {
  const { call } = await openPod(t)
  t.equal(await call(), 'Bearer test-token-1')
})

void t.test('a renewed token is read within a minute', async (t) => {
  const { directory, clock, call } = await openPod(t)
  await call()
  await writeFile(join(directory, 'token'), 'test-token-2')
  t.equal(await call(), 'Bearer test-token-1', 'not at each call')
  await clock.advance(60_001)
  t.equal(await call(), 'Bearer test-token-2')
})

void t.test('a refused token is read again at once', async (t) => {
  const { directory, call } = await openPod(t, new Set(['Bearer test-token-1']))
  await writeFile(join(directory, 'token'), 'test-token-2')
  await t.rejects(call(), { status: 401 } as never)
  t.equal(await call(), 'Bearer test-token-2')
})

void t.test('an IPv6 address stands in brackets', async (t) => {
  const { directory } = await openPod(t)
  const { origin } = await openServiceAccountAccess({ directory, host: 'fd00::1', port: '443', monotonicMs: () => 0 })
  t.equal(origin, 'https://[fd00::1]:443')
})

void t.test('without its files it says which one is missing', async (t) => {
  await t.rejects(openServiceAccountAccess({ directory: '/nowhere', host: '127.0.0.1', port: '443', monotonicMs: () => 0 }), { code: 'ENOENT', path: '/nowhere/ca.crt' })
})
