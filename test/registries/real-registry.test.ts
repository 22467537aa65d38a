import t from 'tap'
import { formatDockerConfig } from '../../src/core/docker-config.ts'
import { createRegistryTransport } from '../../src/registries/registry-transport.ts'
import { verifyCredential } from '../../src/registries/registry-verification.ts'
import { needsRegistry, startRegistry } from '../helpers/registry-program.ts'
import { startTokenServer } from './token-server.ts'

const USERNAME = 'puller'
const PASSWORD = 'test-password-1'
const transport = createRegistryTransport({ environment: {} })

t.test('a registry with Basic authentication', needsRegistry(), async (t) => {
  const registry = await startRegistry(t, { username: USERNAME, password: PASSWORD })
  const { host, caCertificate: caCertificates } = registry
  const image = `${host}/team/app`
  await registry.pushImage('team/app')

  await t.test('accepts the right credential, under any spelling of its name', async (t) => {
    for (const server of [host, `https://${host}`, `https://${host}/v2/`, `${host}/team/`]) {
      t.match(await verifyCredential({ server, username: USERNAME, password: PASSWORD, caCertificates }, transport), { verdict: 'accepted', reason: 'accepted' })
    }
  })

  await t.test('rejects a wrong one', async (t) => {
    for (const [username, password] of [[USERNAME, 'test-password-2'], ['other', PASSWORD]] as const) {
      t.match(await verifyCredential({ server: host, username, password, caCertificates }, transport), { verdict: 'rejected', reason: 'rejected', message: /HTTP 401/ })
    }
  })

  await t.test('is not trusted without its CA', async (t) => {
    t.match(await verifyCredential({ server: host, username: USERNAME, password: PASSWORD }, transport), { verdict: 'unknown', reason: 'tls', message: /caFile/ })
  })

  await t.test('lets an image be pulled with what is written for the kubelet', async (t) => {
    const other = { servers: ['quay.io'], username: 'other', password: 'test-password-3' }
    for (const server of [host, `https://${host}/v2/`]) {
      t.match(await registry.pullWithAuthFile(image, formatDockerConfig([other, { servers: [server], username: USERNAME, password: PASSWORD }])), { isPulled: true })
    }
    t.match(await registry.pullWithAuthFile(image, formatDockerConfig([{ servers: [host], username: USERNAME, password: 'test-password-2' }])), { isPulled: false, output: /unauthorized|authentication required|invalid username/ })
  })

  await t.test('forgets the old password when it is changed', async (t) => {
    const password = 'test:pässword"4'
    await registry.setPassword(password)
    t.match(await verifyCredential({ server: host, username: USERNAME, password: PASSWORD, caCertificates }, transport), { verdict: 'rejected' })
    t.match(await verifyCredential({ server: host, username: USERNAME, password, caCertificates }, transport), { verdict: 'accepted' })
    t.match(await registry.pullWithAuthFile(image, formatDockerConfig([{ servers: [host], username: USERNAME, password }])), { isPulled: true })
  })

  await t.test('says nothing once it is gone', async (t) => {
    await registry.close()
    t.match(await verifyCredential({ server: host, username: USERNAME, password: PASSWORD, caCertificates }, transport), { verdict: 'unknown', reason: 'unreachable', message: /ECONNREFUSED/ })
  })
})

t.test('a registry with a token server', needsRegistry(), async (t) => {
  const tokens = await startTokenServer(t, { username: USERNAME, password: PASSWORD })
  const { host, caCertificate } = await startRegistry(t, { username: USERNAME, password: PASSWORD, auth: tokens.auth })
  const caCertificates = caCertificate + tokens.caCertificate
  const request = { server: host, username: USERNAME, password: PASSWORD, caCertificates }

  t.match(await verifyCredential(request, transport), { verdict: 'accepted' })
  t.match(await verifyCredential({ ...request, password: 'test-password-2' }, transport), { verdict: 'rejected', reason: 'rejected', message: /token server/ })
  tokens.setIssuer('somebody else')
  t.match(await verifyCredential(request, transport), { verdict: 'rejected', reason: 'token-rejected', message: /HTTP 401/ })
})
