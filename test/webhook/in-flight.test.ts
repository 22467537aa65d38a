import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { listAddedSecrets, readAnsweredReview } from '../helpers/admission-answers.ts'
import { readDecisionLog, verifyChain } from '../helpers/decision-chain.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient, type HttpsAnswer, type HttpsClient, type OpenRequest } from '../helpers/https-client.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig, writeWebhookFiles, type WebhookFiles } from '../helpers/webhook-files.ts'
import { startWebhookProcess, type WebhookProcess } from '../helpers/webhook-process.ts'

const REQUESTS = 200
const authority = await createTestAuthority()
const [keyPair, otherKeyPair] = await Promise.all([authority.issueServer(), authority.issueServer()])

interface Scene {
  files: WebhookFiles
  webhook: WebhookProcess
  client: HttpsClient
}

const startScene = async (t: Test, drainSeconds: number): Promise<Scene> => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  const webhook = await startWebhookProcess(t, files, { args: ['--drain-seconds', String(drainSeconds)] })
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  t.teardown(client.close)
  return { files, webhook, client }
}

interface InFlight { uid: string, request: OpenRequest }

/** Half-sent requests, each on a connection of its own, that the webhook has begun to read. */
const openRequests = async ({ client, webhook }: Scene): Promise<InFlight[]> => {
  const inFlight = await Promise.all(Array.from({ length: REQUESTS }, async () => {
    const uid = randomUUID()
    return { uid, request: await client.open('/mutate', createReview({ uid })) }
  }))
  await eventually('all requests are in flight', async () => (await fetchMetrics(webhook.metricsUrl)).value('pullkeeper_admissions_in_flight') === REQUESTS)
  return inFlight
}

/** Sends what is missing and checks each answer. */
const finishRequests = async (t: Test, inFlight: InFlight[], pullSecret = 'example-pull'): Promise<HttpsAnswer[]> => {
  return Promise.all(inFlight.map(async ({ uid, request }) => {
    const answer = await request.finish()
    const review = readAnsweredReview(answer)
    if (review.uid !== uid || !review.allowed || listAddedSecrets(review.patch).join() !== pullSecret) t.fail('a wrong answer', { uid, review })
    return answer
  }))
}

const isReady = async ({ metricsUrl }: WebhookProcess): Promise<boolean> => (await fetch(`${metricsUrl}/readyz`)).status === 200
const takesConnections = async ({ url }: WebhookProcess): Promise<boolean> => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  return once(socket, 'connect').then(() => true, () => false).finally(() => { socket.destroy() })
}

/** Waits for the end of the webhook and checks that its log has these calls, each once, in one chain. */
const expectRecorded = async (t: Test, { webhook, files }: Scene, uids: string[]): Promise<void> => {
  t.equal(await webhook.waitForExit(), 0, 'exit code')
  const records = await readDecisionLog(files.decisionLogFile)
  verifyChain(records)
  t.strictSame(records.map(({ uid }) => uid).sort(), uids.toSorted(), 'every call is recorded once')
}

t.test('a swap of the certificate drops none of 200 requests in flight', async (t) => {
  const scene = await startScene(t, 0)
  const inFlight = await openRequests(scene)
  await writeFile(scene.files.privateKeyFile, otherKeyPair.privateKey)
  await writeFile(scene.files.certificateFile, otherKeyPair.certificate)
  await eventually('the certificate is swapped', async () => ((await fetchMetrics(scene.webhook.metricsUrl)).value('pullkeeper_certificate_reloads_total', { result: 'success' }) ?? 0) > 0)
  const answers = await finishRequests(t, inFlight)
  t.equal(answers.length, REQUESTS)
  scene.webhook.signal('SIGTERM')
  await expectRecorded(t, scene, inFlight.map(({ uid }) => uid))
})

t.test('a swap of the configuration drops none of 200 requests in flight; they are decided by the new one', async (t) => {
  const scene = await startScene(t, 0)
  const inFlight = await openRequests(scene)
  await writeFile(scene.files.configFile, formatConfig({ pullSecret: 'other-pull' }))
  await eventually('the configuration is swapped', async () => ((await fetchMetrics(scene.webhook.metricsUrl)).value('pullkeeper_config_reloads_total', { result: 'success' }) ?? 0) > 0)
  const answers = await finishRequests(t, inFlight, 'other-pull')
  t.equal(answers.length, REQUESTS)
  scene.webhook.signal('SIGTERM')
  await expectRecorded(t, scene, inFlight.map(({ uid }) => uid))
})

t.test('SIGTERM drops none of 200 requests in flight, whether they end before or after the drain', async (t) => {
  const scene = await startScene(t, 0.5)
  const inFlight = await openRequests(scene)
  scene.webhook.signal('SIGTERM')
  await eventually('readyz turns', async () => !await isReady(scene.webhook))
  const first = await finishRequests(t, inFlight.slice(0, REQUESTS / 2))
  await eventually('the drain is over', async () => !await takesConnections(scene.webhook))
  t.notOk(await isReady(scene.webhook), 'still not ready, and still there')
  const second = await finishRequests(t, inFlight.slice(REQUESTS / 2))
  const asked = [...first, ...second].filter(({ headers }) => headers.connection === 'close')
  t.equal(asked.length, REQUESTS, 'every answer asks its client to connect elsewhere')
  await expectRecorded(t, scene, inFlight.map(({ uid }) => uid))
})

t.test('while it drains, it is not ready and still serves, on old connections and new ones', async (t) => {
  const scene = await startScene(t, 3)
  await scene.client.post('/mutate', createReview({ uid: 'before' }))
  scene.webhook.signal('SIGTERM')
  await eventually('readyz turns', async () => !await isReady(scene.webhook))
  for (const uid of ['old-connection', 'new-connection']) {
    const answer = await scene.client.post('/mutate', createReview({ uid }))
    t.match(readAnsweredReview(answer), { uid, allowed: true })
    t.match(answer, { isReused: uid === 'old-connection', headers: { connection: 'close' } })
  }
  t.equal(await scene.webhook.waitForExit(), 0)
  t.strictSame((await readDecisionLog(scene.files.decisionLogFile)).map(({ uid }) => uid), ['before', 'old-connection', 'new-connection'])
})
