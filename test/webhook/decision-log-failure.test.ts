import { randomUUID } from 'node:crypto'
import { rename, symlink } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { listAddedSecrets, readAnsweredReview, type AnsweredReview } from '../helpers/admission-answers.ts'
import { readDecisionLog, verifyChain } from '../helpers/decision-chain.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient, type HttpsClient } from '../helpers/https-client.ts'
import { createPod } from '../helpers/pods.ts'
import { fetchMetrics, type MetricsPage } from '../helpers/prometheus-text.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig, writeWebhookFiles } from '../helpers/webhook-files.ts'
import { startWebhookFixture, type WebhookFixture } from '../helpers/webhook-fixture.ts'
import { startWebhookProcess } from '../helpers/webhook-process.ts'

const FAILING = 'pullkeeper_decision_log_failing'
const FAILURES = 'pullkeeper_decision_log_write_failures_total'
const DROPPED = 'pullkeeper_decision_log_dropped_records_total'

const authority = await createTestAuthority()
const keyPair = await authority.issueServer()

/** A log whose disk is full: a link that can be pointed elsewhere. */
const createFullLog = async (directory: string): Promise<{ file: string, freeDisk: () => Promise<string> }> => {
  const file = `${directory}/full.log`
  await symlink('/dev/full', file)
  return {
    file,
    async freeDisk () {
      await symlink(`${directory}/good.log`, `${file}.new`)
      await rename(`${file}.new`, file)
      return `${directory}/good.log`
    }
  }
}

const start = async (t: Test, onError: 'allow' | 'deny'): Promise<WebhookFixture & { freeDisk: () => Promise<string> }> => {
  const directory = t.testdir()
  const { file, freeDisk } = await createFullLog(directory)
  const config = formatConfig({ more: `webhook: { onError: ${onError} }\n` })
  return { ...await startWebhookFixture(t, { authority, keyPair, directory, config, decisionLogFile: file }), freeDisk }
}
const post = async (client: HttpsClient, parts = {}): Promise<AnsweredReview> => readAnsweredReview(await client.post('/mutate', createReview({ uid: randomUUID(), ...parts })))
const waitForMetric = async (metrics: () => Promise<MetricsPage>, name: string, predicate: (value: number) => boolean): Promise<void> => {
  await eventually(name, async () => predicate((await metrics()).value(name) ?? NaN))
}
const errorsOf = ({ log }: WebhookFixture) => log().filter(({ level }) => level === 'error')

t.test('onError: allow: a full disk is counted, logged once and shown; Pods go on, and what waits is written later', async (t) => {
  const fixture = await start(t, 'allow')
  const { client, webhook, metrics, freeDisk, records } = fixture
  t.equal((await metrics()).value(FAILING), 0)
  t.strictSame(listAddedSecrets((await post(client)).patch), ['example-pull'])
  await waitForMetric(metrics, FAILING, (value) => value === 1)
  for (let index = 0; index < 20; index++) t.strictSame(listAddedSecrets((await post(client)).patch), ['example-pull'])
  await waitForMetric(metrics, FAILURES, (count) => count >= 2)
  t.match(errorsOf(fixture), [{ err: { code: 'ENOSPC' }, msg: /decision log/ }], 'logged once')
  const good = await freeDisk()
  await webhook.reopenDecisionLog()
  t.equal((await metrics()).value(FAILING), 0)
  t.match(fixture.log().at(-1), { level: 'info', msg: /written again/ })
  const logged = await readDecisionLog(good)
  t.equal(logged.length, records().length)
  verifyChain(logged)
  t.equal((await metrics()).value(DROPPED), 0)
})

t.test('onError: deny: no Pod passes unrecorded, until the log can be written again', async (t) => {
  const fixture = await start(t, 'deny')
  const { client, webhook, metrics, freeDisk, records } = fixture
  await post(client)
  await waitForMetric(metrics, FAILING, (value) => value === 1)
  const denied = await post(client)
  t.match(denied, { allowed: false, patch: [], message: /can not be recorded/ })
  t.match(JSON.parse(records().at(-1) ?? ''), { outcome: 'denied', reason: 'decision-log-unavailable' })
  t.equal((await metrics()).value('pullkeeper_admissions_total', { outcome: 'denied', reason: 'decision-log-unavailable' }), 1)
  t.match(await post(client, { operation: 'UPDATE' }), { allowed: true }, 'what is never touched is not denied')
  t.match(await post(client, { namespace: 'kube-system' }), { allowed: true })
  const good = await freeDisk()
  await webhook.reopenDecisionLog()
  t.strictSame(listAddedSecrets((await post(client)).patch), ['example-pull'])
  await eventually('all is written', async () => (await readDecisionLog(good).catch(() => [])).length === records().length)
  verifyChain(await readDecisionLog(good))
})

t.test('what waits is bounded: records are dropped and counted, and their numbers show the gap', async (t) => {
  const { client, webhook, metrics, freeDisk, records } = await start(t, 'allow')
  const pod = createPod({ images: Array.from({ length: 1000 }, (_, index) => `registry.example.com/${'team/'.repeat(20)}app-${index}:1`) })
  await eventually('records are dropped', async () => {
    await Promise.all(Array.from({ length: 10 }, async () => post(client, { pod })))
    return ((await metrics()).value(DROPPED) ?? 0) > 0
  })
  const good = await freeDisk()
  await webhook.reopenDecisionLog()
  t.match(await post(client), { allowed: true })
  const dropped = (await metrics()).value(DROPPED) ?? 0
  const logged = await eventually('all but the dropped is written', async () => {
    const logged = await readDecisionLog(good).catch(() => [])
    return logged.length === records().length - dropped && logged
  })
  const last = logged.at(-1)
  t.equal(last?.seq, records().length - 1, 'a dropped record keeps its number')
  t.not(last?.prev, logged.at(-2)?.lineHash, 'the chain shows that something is missing')
  verifyChain(logged.slice(0, -1))
})

t.test('a process with a full disk stays up, and SIGHUP brings it back', async (t) => {
  const directory = t.testdir()
  const { file, freeDisk } = await createFullLog(directory)
  const files = { ...await writeWebhookFiles(directory, keyPair), decisionLogFile: file }
  const webhook = await startWebhookProcess(t, files, { args: ['--drain-seconds', '0'] })
  const metrics = async (): Promise<MetricsPage> => fetchMetrics(webhook.metricsUrl)
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  t.teardown(client.close)
  t.match(await post(client), { allowed: true })
  await waitForMetric(metrics, FAILING, (value) => value === 1)
  t.match(await post(client), { allowed: true })
  const good = await freeDisk()
  webhook.signal('SIGHUP')
  await waitForMetric(metrics, FAILING, (value) => value === 0)
  t.match(await post(client), { allowed: true })
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
  const logged = await readDecisionLog(good)
  verifyChain(logged)
  t.equal(logged.length, 3)
})

t.test('a process whose disk stays full ends nevertheless', async (t) => {
  const directory = t.testdir()
  const { file } = await createFullLog(directory)
  const webhook = await startWebhookProcess(t, { ...await writeWebhookFiles(directory, keyPair), decisionLogFile: file }, { args: ['--drain-seconds', '0'] })
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  await post(client)
  client.close()
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
})
