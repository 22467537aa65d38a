import { writeFile } from 'node:fs/promises'
import type { AgentOptions } from 'node:https'
import t from 'tap'
import { listAddedSecrets, readAnsweredReview } from '../helpers/admission-answers.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient } from '../helpers/https-client.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'

const [authority, clientAuthority, foreignAuthority] = await Promise.all([createTestAuthority(), createTestAuthority(), createTestAuthority()])
const [keyPair, otherKeyPair, client, foreignClient, ownServer] = await Promise.all([
  authority.issueServer(), authority.issueServer(), clientAuthority.issueClient(), foreignAuthority.issueClient(), clientAuthority.issueServer()
])
const directory = t.testdir({ 'client-ca.crt': clientAuthority.certificate })
const fixture = await startWebhookFixture(t, { authority, keyPair, directory, clientCaFile: `${directory}/client-ca.crt` })

/** `served`, or the error's code; always over a connection of its own. */
const call = async (options: AgentOptions): Promise<string> => {
  const caller = createHttpsClient(fixture.webhook.url, { ca: authority.certificate, ...options })
  try {
    return listAddedSecrets(readAnsweredReview(await caller.post('/mutate', createReview())).patch).join() === 'example-pull' ? 'served' : 'wrong'
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? 'error'
  } finally {
    caller.close()
  }
}

/** What a client sees of a refusal depends on the TLS version and on how far it has come. */
const REFUSED = /^(ERR_SSL_|ECONNRESET|EPIPE|EPROTO)/
const right = { cert: client.certificate, key: client.privateKey }

/** Who calls, and what comes of it. */
const callers: [string, AgentOptions, string | RegExp][] = [
  ['the right certificate', right, 'served'],
  ['no certificate', {}, REFUSED],
  ['a certificate of another CA of the same name', { cert: foreignClient.certificate, key: foreignClient.privateKey }, REFUSED],
  ['a certificate of the CA of the serving certificate', { cert: keyPair.certificate, key: keyPair.privateKey }, REFUSED],
  ['a serving certificate of the right CA', { cert: ownServer.certificate, key: ownServer.privateKey }, REFUSED],
  ['the right certificate, over TLS 1.2', { ...right, maxVersion: 'TLSv1.2' }, 'served'],
  ['no certificate, over TLS 1.2', { maxVersion: 'TLSv1.2' }, REFUSED],
  ['the right certificate, over TLS 1.1', { ...right, minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' }, REFUSED]
]

for (const [name, options, expected] of callers) {
  t.test(`a client with ${name}`, async (t) => {
    t.match(await call(options), expected)
    t.equal(await call(right), 'served', 'the next one is served')
  })
}

t.test('who is refused is not recorded, and a swap of the certificate keeps the rule', async (t) => {
  const recorded = fixture.records().length
  t.match(await call({}), REFUSED)
  t.equal(fixture.records().length, recorded)
  await writeFile(fixture.files.certificateFile, otherKeyPair.certificate)
  await writeFile(fixture.files.privateKeyFile, otherKeyPair.privateKey)
  await eventually('the swap', async () => ((await fixture.metrics()).value('pullkeeper_certificate_reloads_total', { result: 'success' }) ?? 0) > 0)
  t.match(await call({}), REFUSED)
  t.match(await call({ cert: foreignClient.certificate, key: foreignClient.privateKey }), REFUSED)
  t.equal(await call(right), 'served')
})
