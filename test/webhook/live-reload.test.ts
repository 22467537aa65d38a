import { createHash, X509Certificate } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import t from 'tap'
import { listAddedSecrets, readAnsweredReview } from '../helpers/admission-answers.ts'
import { eventually } from '../helpers/eventually.ts'
import { createMountedVolume } from '../helpers/mounted-volume.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig } from '../helpers/webhook-files.ts'
import { startWebhookFixture, type WebhookFixture } from '../helpers/webhook-fixture.ts'

const RELOADS = 'pullkeeper_config_reloads_total'
const VALID = 'pullkeeper_config_valid'
const BAD_CONFIG = formatConfig({ more: 'unmached: deny\n' })

const authority = await createTestAuthority()
const keyPair = await authority.issueServer()

const hashOf = (content: string): string => createHash('sha256').update(content).digest('hex')
const injectedBy = async ({ client }: WebhookFixture): Promise<string> => listAddedSecrets(readAnsweredReview(await client.post('/mutate', createReview())).patch).join()
const waitForReload = async ({ metrics }: WebhookFixture, result: 'success' | 'failure', count: number): Promise<void> => {
  await eventually(`${count} reloads with ${result}`, async () => ((await metrics()).value(RELOADS, { result }) ?? 0) >= count)
}

t.test('a mounted ConfigMap is followed, swap after swap', async (t) => {
  const directory = t.testdir()
  const volume = await createMountedVolume(`${directory}/config`, { 'config.yaml': formatConfig() })
  const fixture = await startWebhookFixture(t, { authority, keyPair, directory, configFile: volume.path('config.yaml') })
  t.equal(await injectedBy(fixture), 'example-pull')
  for (const [index, pullSecret] of ['first-pull', 'second-pull', 'third-pull'].entries()) {
    const config = formatConfig({ pullSecret })
    await volume.swap({ 'config.yaml': config })
    await waitForReload(fixture, 'success', index + 1)
    t.equal(await injectedBy(fixture), pullSecret)
    t.strictSame((await fixture.metrics()).labelsOf('pullkeeper_config_info'), [{ hash: hashOf(config) }])
    t.match(JSON.parse(fixture.records().at(-1) ?? ''), { config: hashOf(config) })
  }
  t.equal(fixture.webhook.policy().configHash, hashOf(formatConfig({ pullSecret: 'third-pull' })))
})

t.test('a plain file is followed when it is written and when another takes its place', async (t) => {
  const fixture = await startWebhookFixture(t, { authority, keyPair })
  const { configFile } = fixture.files
  await writeFile(configFile, formatConfig({ pullSecret: 'written-pull' }))
  await eventually('the written file is in force', async () => await injectedBy(fixture) === 'written-pull')
  await writeFile(`${configFile}.new`, formatConfig({ pullSecret: 'renamed-pull' }))
  await rename(`${configFile}.new`, configFile)
  await eventually('the other file is in force', async () => await injectedBy(fixture) === 'renamed-pull')
})

t.test('a change whose event is missed is found by the poll', async (t) => {
  const fixture = await startWebhookFixture(t, { authority, keyPair, intervals: { debounceMs: 3_600_000, pollMs: 10 } })
  await writeFile(fixture.files.configFile, formatConfig({ pullSecret: 'polled-pull' }))
  await eventually('the file is in force', async () => await injectedBy(fixture) === 'polled-pull')
})

t.test('a bad file keeps the old one, is logged with its place, counted, and shown until it is repaired', async (t) => {
  const directory = t.testdir()
  const volume = await createMountedVolume(`${directory}/config`, { 'config.yaml': formatConfig() })
  const fixture = await startWebhookFixture(t, { authority, keyPair, directory, configFile: volume.path('config.yaml') })
  t.equal((await fixture.metrics()).value(VALID), 1)
  for (const [index, bad] of [BAD_CONFIG, '', 'rules: [', '\u0000', `${formatConfig()}---\n${formatConfig()}`].entries()) {
    await volume.swap({ 'config.yaml': bad })
    await waitForReload(fixture, 'failure', index + 1)
    t.equal((await fixture.metrics()).value(VALID), 0)
    t.strictSame((await fixture.metrics()).labelsOf('pullkeeper_config_info'), [{ hash: hashOf(formatConfig()) }], 'the old one is in force')
    t.equal(await injectedBy(fixture), 'example-pull')
    t.match(fixture.log().at(-1), { level: 'error', file: volume.path('config.yaml'), err: { message: /config\.yaml:\d+:\d+: error: / }, msg: /old one stays in force/ })
  }
  t.match(fixture.log().find(({ level }) => level === 'error')?.err?.message, /config\.yaml:10:1: .*unmached.*unmatched/, 'says what to write instead')
  await volume.swap({ 'config.yaml': formatConfig({ pullSecret: 'good-pull' }) })
  await waitForReload(fixture, 'success', 1)
  t.equal((await fixture.metrics()).value(VALID), 1)
  t.equal(await injectedBy(fixture), 'good-pull')
})

t.test('a bad file that is taken back is forgotten', async (t) => {
  const fixture = await startWebhookFixture(t, { authority, keyPair })
  await writeFile(fixture.files.configFile, BAD_CONFIG)
  await waitForReload(fixture, 'failure', 1)
  await writeFile(fixture.files.configFile, formatConfig())
  await eventually('the gauge is 1 again', async () => (await fixture.metrics()).value(VALID) === 1)
  t.equal(await injectedBy(fixture), 'example-pull')
})

t.test('a file that is gone for a while keeps the old configuration, and the gauge says so only for that while', async (t) => {
  const fixture = await startWebhookFixture(t, { authority, keyPair })
  await rm(fixture.files.configFile)
  await eventually('the gauge is 0', async () => (await fixture.metrics()).value(VALID) === 0)
  t.equal(await injectedBy(fixture), 'example-pull')
  await writeFile(fixture.files.configFile, formatConfig())
  await eventually('the gauge is 1 again', async () => (await fixture.metrics()).value(VALID) === 1)
})

t.test('a rule with a new selector is served at its entry as soon as it is in force', async (t) => {
  const fixture = await startWebhookFixture(t, { authority, keyPair })
  const selected = '  - name: selected\n    matchImages: ["registry.example.com"]\n    namespaces: { selector: { matchLabels: { team: a } } }\n    pullSecrets: [example-pull]\n'
  await writeFile(fixture.files.configFile, formatConfig().replace('rules:\n', `rules:\n${selected}`))
  await waitForReload(fixture, 'success', 1)
  const [path = ''] = [...fixture.webhook.policy().entries.keys()]
  t.match(path, /^\/mutate\/[0-9a-f]{10}$/)
  t.strictSame(listAddedSecrets(readAnsweredReview(await fixture.client.post(path, createReview())).patch), ['example-pull'])
})

t.test('the gauge of the certificate\'s end is its own', async (t) => {
  const { metrics } = await startWebhookFixture(t, { authority, keyPair })
  t.equal((await metrics()).value('pullkeeper_certificate_expiry_timestamp_seconds'), Date.parse(new X509Certificate(keyPair.certificate).validTo) / 1000)
  t.equal((await metrics()).value('pullkeeper_certificate_valid'), 1)
})
