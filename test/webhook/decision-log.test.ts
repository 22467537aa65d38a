import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import t, { type Test } from 'tap'
import { readAnsweredReview } from '../helpers/admission-answers.ts'
import { parseDecisionLog, readDecisionLog, verifyChain } from '../helpers/decision-chain.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient, type HttpsClient } from '../helpers/https-client.ts'
import { createPod } from '../helpers/pods.ts'
import { listSchemaErrors } from '../helpers/record-schema.ts'
import { createReview, type TestReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig, writeWebhookFiles } from '../helpers/webhook-files.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'
import { startWebhookProcess, type WebhookProcess } from '../helpers/webhook-process.ts'

const FLUSH_MS = 100
const FIXTURES = new URL('../fixtures/admission/', import.meta.url)

const authority = await createTestAuthority()
const keyPair = await authority.issueServer()

/** Reviews captured from a kube-apiserver, and some that take every other way through a decision. */
const reviews: TestReview[] = [
  ...readdirSync(FIXTURES).map((name) => JSON.parse(readFileSync(new URL(name, FIXTURES), 'utf8')) as TestReview),
  createReview({ uid: randomUUID() }),
  createReview({ uid: randomUUID(), dryRun: true, request: { userInfo: {} } }),
  createReview({ uid: randomUUID(), pod: createPod({ images: ['nginx', 'NO', 'user:name@registry.example.com/a\u0000b'] }) }),
  createReview({ uid: randomUUID(), pod: createPod({ annotations: { 'pullkeeper.dev/inject': 'false' } }) }),
  createReview({ uid: randomUUID(), namespace: 'kube-system' }),
  createReview({ uid: randomUUID(), pod: { metadata: { ownerReferences: [{ kind: 'ReplicaSet', name: 'web', controller: true }] }, spec: null } }),
  createReview({ uid: randomUUID(), pod: createPod({ metadata: { name: '\ud800 🐳 \u2028' }, spec: { containers: [{ image: 'registry.example.com/app:1' }] } }) }),
  createReview({ uid: '__proto__', request: { name: null } }),
  createReview({ uid: '', request: { uid: 'an "odd" \\ uid\n', kind: null } })
]

const startProcess = async (t: Test, logToFile: boolean): Promise<{ webhook: WebhookProcess, client: HttpsClient, file: string }> => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  const webhook = await startWebhookProcess(t, files, { logToFile, args: ['--drain-seconds', '0'] })
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  t.teardown(client.close)
  return { webhook, client, file: files.decisionLogFile }
}

for (const unmatched of ['allow', 'warn', 'deny']) {
  t.test(`unmatched: ${unmatched}: every call is one record by the schema, in one chain that the answers witness`, async (t) => {
    const { client, files, records } = await startWebhookFixture(t, { authority, keyPair, config: formatConfig({ more: `unmatched: ${unmatched}\n` }) })
    const answers = []
    for (const review of reviews) answers.push(readAnsweredReview(await client.post('/mutate', review)))
    answers.push(readAnsweredReview(await client.post('/mutate/0123456789', reviews[0])))
    const logged = await eventually('all is written', async () => {
      const logged = await readDecisionLog(files.decisionLogFile).catch(() => [])
      return logged.length === records().length && logged
    })
    verifyChain(logged)
    t.notOk('prev' in (logged[0] ?? {}), 'the first record follows none')
    t.match(logged[0]?.instance, new RegExp(`^${hostname()}-[0-9a-f]{8}$`))
    for (const [index, { lineHash, ...record }] of logged.entries()) {
      t.strictSame(listSchemaErrors(record), [], record.uid)
      const { [`record.${record.uid}`]: witness = '{}', ...others } = answers[index]?.auditAnnotations ?? {}
      t.strictSame(others, {}, 'one annotation')
      t.strictSame(JSON.parse(witness), { record: `${record.instance}/${record.seq}/${lineHash}`, outcome: record.outcome, rules: record.rules, injected: record.injected })
      t.equal(answers[index]?.allowed, record.outcome !== 'denied')
    }
  })
}

t.test('each start has a chain of its own, behind the one before in the same file', async (t) => {
  const directory = t.testdir()
  for (const run of ['first', 'second']) {
    const files = await writeWebhookFiles(directory, keyPair)
    const webhook = await startWebhookProcess(t, files, { args: ['--drain-seconds', '0'] })
    const client = createHttpsClient(webhook.url, { ca: authority.certificate })
    for (let index = 0; index < 3; index++) await client.post('/mutate', createReview({ uid: `${run}-${index}` }))
    client.close()
    webhook.signal('SIGTERM')
    t.equal(await webhook.waitForExit(), 0)
  }
  const logged = await readDecisionLog(`${directory}/decisions.log`)
  verifyChain(logged.slice(0, 3))
  verifyChain(logged.slice(3))
  t.not(logged[0]?.instance, logged[3]?.instance)
})

t.test('without a file the records go to standard output, and nothing else does', async (t) => {
  const { webhook, client } = await startProcess(t, false)
  for (const review of reviews) await client.post('/mutate', review)
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
  const logged = parseDecisionLog(Buffer.from(webhook.stdout()))
  verifyChain(logged)
  t.strictSame(logged.map(({ uid }) => uid), reviews.map(({ request }) => request['uid']))
})

/**
 * Both ends of the delay are written by the machine's clock: the record's `time` and the file's modification time, so
 * that it does not count how late this process looks. The median of several is compared: one late flush on a machine
 * that does something else is no defect, a flush that takes too long as a rule is.
 */
t.test('a record is handed to the operating system within 100 ms', async (t) => {
  const { client, file } = await startProcess(t, true)
  const delaysMs: number[] = []
  for (let index = 0; index < 11; index++) {
    await client.post('/mutate', createReview({ uid: `call-${index}` }))
    const record = await eventually('the record is written', async () => (await readDecisionLog(file).catch(() => []))[index])
    delaysMs.push((await stat(file)).mtimeMs - Date.parse(record.time ?? ''))
  }
  const median = delaysMs.toSorted((a, b) => a - b)[5] ?? Infinity
  t.ok(median < FLUSH_MS, `${median.toFixed(1)} ms`, { delaysMs })
})

t.test('what waits is flushed on SIGTERM', async (t) => {
  const { webhook, client, file } = await startProcess(t, true)
  const uids = Array.from({ length: 100 }, () => randomUUID())
  await Promise.all(uids.map(async (uid) => client.post('/mutate', createReview({ uid }))))
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
  const logged = await readDecisionLog(file)
  verifyChain(logged)
  t.strictSame(logged.map(({ uid }) => uid).sort(), uids.sort())
})
