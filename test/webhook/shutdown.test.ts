import t, { type Test } from 'tap'
import { readAnsweredReview } from '../helpers/admission-answers.ts'
import { readDecisionLog, verifyChain } from '../helpers/decision-chain.ts'
import { createHttpsClient } from '../helpers/https-client.ts'
import { openRawConnection } from '../helpers/raw-connection.ts'
import { createReview, REVIEW_UID } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { writeWebhookFiles, type WebhookFiles } from '../helpers/webhook-files.ts'
import { startWebhookProcess, type WebhookProcess } from '../helpers/webhook-process.ts'

/** Far below the 15 s after which the process is given up, far above what it needs. */
const SOON_MS = 8000

const authority = await createTestAuthority()
const keyPair = await authority.issueServer()

const start = async (t: Test): Promise<{ files: WebhookFiles, webhook: WebhookProcess }> => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  return { files, webhook: await startWebhookProcess(t, files, { args: ['--drain-seconds', '0'] }) }
}

const postReview = async (webhook: WebhookProcess): Promise<void> => {
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  readAnsweredReview(await client.post('/mutate', createReview()))
  client.close()
}

const expectSoon = async (t: Test, { files, webhook }: { files: WebhookFiles, webhook: WebhookProcess }): Promise<void> => {
  const startedMs = performance.now()
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0, 'exit code')
  t.ok(performance.now() - startedMs < SOON_MS, `ended soon: after ${Math.round(performance.now() - startedMs)} ms`)
  const records = await readDecisionLog(files.decisionLogFile)
  verifyChain(records)
  t.strictSame(records.map(({ uid }) => uid), [REVIEW_UID], 'what waited is written')
}

t.test('an idle connection does not hold up the end', async (t) => {
  const scene = await start(t)
  const client = createHttpsClient(scene.webhook.url, { ca: authority.certificate })
  t.teardown(client.close)
  readAnsweredReview(await client.post('/mutate', createReview()))
  await expectSoon(t, scene)
})

t.test('connections that never carried a request do not hold up the end', async (t) => {
  const scene = await start(t)
  await Promise.all(Array.from({ length: 10 }, async () => openRawConnection(scene.webhook.url, authority.certificate)))
  await postReview(scene.webhook)
  await expectSoon(t, scene)
})

t.test('nor do they after a client has cut a request', async (t) => {
  const scene = await start(t)
  const cut = await openRawConnection(scene.webhook.url, authority.certificate)
  cut.write('POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: 100\r\nexpect: 100-continue\r\n\r\n')
  await cut.readAnswer()
  cut.cut()
  await openRawConnection(scene.webhook.url, authority.certificate)
  await postReview(scene.webhook)
  await expectSoon(t, scene)
})

t.test('Ctrl-C ends it without a drain', async (t) => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  const webhook = await startWebhookProcess(t, files, { args: ['--drain-seconds', '60'] })
  await postReview(webhook)
  webhook.signal('SIGINT')
  t.equal(await webhook.waitForExit(), 0)
  t.equal((await readDecisionLog(files.decisionLogFile)).length, 1)
})

t.test('SIGHUP does not end it', async (t) => {
  const { files, webhook } = await start(t)
  await postReview(webhook)
  webhook.signal('SIGHUP')
  t.equal((await fetch(`${webhook.metricsUrl}/livez`)).status, 200)
  await expectSoon(t, { files, webhook })
})

t.test('signals are handled as soon as it says that it is ready', async (t) => {
  const { webhook } = await start(t)
  webhook.signal('SIGHUP')
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
})
