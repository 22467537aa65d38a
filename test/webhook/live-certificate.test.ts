import { X509Certificate } from 'node:crypto'
import { rm, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import type { KeyPair } from '../../src/tls/certificates.ts'
import { eventually } from '../helpers/eventually.ts'
import { createMountedVolume, type MountedVolume } from '../helpers/mounted-volume.ts'
import type { MetricsPage } from '../helpers/prometheus-text.ts'
import { openRawConnection, type RawConnection } from '../helpers/raw-connection.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { startWebhookFixture, type WebhookFixture } from '../helpers/webhook-fixture.ts'

const authority = await createTestAuthority()
const [first, second, third] = await Promise.all([authority.issueServer({ days: 3 }), authority.issueServer({ days: 4 }), authority.issueServer({ days: 5 })])
const REQUEST = (() => {
  const body = JSON.stringify(createReview())
  return `POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
})()

const filesOf = ({ certificate, privateKey }: KeyPair) => ({ 'tls.crt': certificate, 'tls.key': privateKey })
const fingerprintOf = ({ certificate }: KeyPair): string => new X509Certificate(certificate).fingerprint256
const expectAnswer = async (t: Test, connection: RawConnection): Promise<void> => {
  connection.write(REQUEST)
  t.match(await connection.readAnswer(), /^HTTP\/1\.1 200 /)
}
const reloadsOf = (page: MetricsPage, result: string): number => page.value('pullkeeper_certificate_reloads_total', { result }) ?? 0

interface Scene extends WebhookFixture {
  volume: MountedVolume
  connect: () => Promise<RawConnection>
}

const startMounted = async (t: Test): Promise<Scene> => {
  const directory = t.testdir()
  const volume = await createMountedVolume(`${directory}/tls`, filesOf(first))
  const fixture = await startWebhookFixture(t, { authority, keyPair: first, directory, certificateFile: volume.path('tls.crt'), privateKeyFile: volume.path('tls.key') })
  return { ...fixture, volume, connect: async () => openRawConnection(fixture.webhook.url, authority.certificate) }
}

t.test('a mounted pair is followed by new connections, swap after swap, while an open one goes on', async (t) => {
  const { volume, connect, metrics } = await startMounted(t)
  const open = await connect()
  t.equal(open.servedBy, fingerprintOf(first))
  for (const [index, pair] of [second, third].entries()) {
    await volume.swap(filesOf(pair))
    await eventually('the pair is in use', async () => reloadsOf(await metrics(), 'success') === index + 1)
    const fresh = await connect()
    t.equal(fresh.servedBy, fingerprintOf(pair))
    await expectAnswer(t, fresh)
    fresh.cut()
    await expectAnswer(t, open)
    t.equal((await metrics()).value('pullkeeper_certificate_expiry_timestamp_seconds'), Date.parse(new X509Certificate(pair.certificate).validTo) / 1000)
  }
  open.cut()
})

t.test('a pair that does not match keeps the old one, until it does', async (t) => {
  const { volume, connect, metrics, log } = await startMounted(t)
  await volume.swap({ 'tls.crt': second.certificate, 'tls.key': first.privateKey })
  await eventually('the pair is refused', async () => reloadsOf(await metrics(), 'failure') === 1)
  t.equal((await metrics()).value('pullkeeper_certificate_valid'), 0)
  t.equal((await metrics()).value('pullkeeper_certificate_expiry_timestamp_seconds'), Date.parse(new X509Certificate(first.certificate).validTo) / 1000)
  t.match(log().at(-1), { level: 'error', err: { message: 'the private key does not belong to the certificate' }, msg: /the old one stays in use/ })
  const old = await connect()
  t.equal(old.servedBy, fingerprintOf(first))
  old.cut()
  await volume.swap(filesOf(second))
  await eventually('the pair is in use', async () => (await metrics()).value('pullkeeper_certificate_valid') === 1)
  const fresh = await connect()
  t.equal(fresh.servedBy, fingerprintOf(second))
  fresh.cut()
})

/** What is no pair, and what the log says. */
const unusable: [string, Record<string, string>, RegExp][] = [
  ['no certificate', { 'tls.crt': 'hello', 'tls.key': first.privateKey }, /no PEM certificate/],
  ['no key', { 'tls.crt': first.certificate, 'tls.key': '' }, /no unencrypted PEM private key/],
  ['a key where the certificate belongs', { 'tls.crt': first.privateKey, 'tls.key': first.privateKey }, /no PEM certificate/]
]

for (const [name, files, expected] of unusable) {
  t.test(`${name} keeps the old pair and shows no key`, async (t) => {
    const { volume, connect, metrics, log, logText } = await startMounted(t)
    await volume.swap(files)
    await eventually('the pair is refused', async () => reloadsOf(await metrics(), 'failure') > 0)
    t.match(log().at(-1)?.err?.message, expected)
    t.notMatch(logText(), /PRIVATE KEY|BEGIN/)
    const connection = await connect()
    t.equal(connection.servedBy, fingerprintOf(first))
    connection.cut()
  })
}

t.test('plain files that are written one after the other are followed', async (t) => {
  const { files, webhook } = await startWebhookFixture(t, { authority, keyPair: first })
  await writeFile(files.certificateFile, second.certificate)
  await writeFile(files.privateKeyFile, second.privateKey)
  await eventually('the pair is in use', async () => {
    const connection = await openRawConnection(webhook.url, authority.certificate)
    connection.cut()
    return connection.servedBy === fingerprintOf(second)
  })
})

t.test('a key that is gone for a while keeps the pair in use, and the gauge says so only for that while', async (t) => {
  const { files, metrics } = await startWebhookFixture(t, { authority, keyPair: first })
  await rm(files.privateKeyFile)
  await eventually('the gauge is 0', async () => (await metrics()).value('pullkeeper_certificate_valid') === 0)
  await writeFile(files.privateKeyFile, first.privateKey)
  await eventually('the gauge is 1 again', async () => (await metrics()).value('pullkeeper_certificate_valid') === 1)
})
