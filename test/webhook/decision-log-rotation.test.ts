import { randomUUID } from 'node:crypto'
import { readFile, rename, stat } from 'node:fs/promises'
import t from 'tap'
import { parseDecisionLog, readDecisionLog, verifyChain } from '../helpers/decision-chain.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient, type HttpsClient } from '../helpers/https-client.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { writeWebhookFiles } from '../helpers/webhook-files.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'
import { startWebhookProcess } from '../helpers/webhook-process.ts'

const ROTATIONS = 4
const SENDERS = 8
const MIN_CALLS = 20

const authority = await createTestAuthority()
const keyPair = await authority.issueServer()

/** Posts reviews, several at a time, until it is told to stop; gives the uids of those that were answered. */
const keepPosting = (client: HttpsClient): { uids: string[], stop: () => Promise<void> } => {
  const uids: string[] = []
  const stopping = new AbortController()
  const senders = Array.from({ length: SENDERS }, async () => {
    while (!stopping.signal.aborted) {
      const uid = randomUUID()
      await client.post('/mutate', createReview({ uid }))
      uids.push(uid)
    }
  })
  return {
    uids,
    async stop () {
      stopping.abort()
      await Promise.all(senders)
    }
  }
}

/** Moves the log away as logrotate does, asks for a new one, and goes on when there are records in it. */
const rotate = async (file: string, number: number, reopen: () => unknown): Promise<string> => {
  const old = `${file}.${number}`
  await rename(file, old)
  await reopen()
  await eventually('the new log has records', async () => (await stat(file).catch(() => undefined))?.size)
  return old
}

t.test('SIGHUP opens the log anew after a rotation: no line is lost or torn', async (t) => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  const webhook = await startWebhookProcess(t, files, { args: ['--drain-seconds', '0'] })
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  t.teardown(client.close)
  const posting = keepPosting(client)
  const rotated: string[] = []
  for (let number = 0; number < ROTATIONS; number++) {
    const answered = posting.uids.length
    await eventually('calls between rotations', () => posting.uids.length >= answered + MIN_CALLS)
    rotated.push(await rotate(files.decisionLogFile, number, () => { webhook.signal('SIGHUP') }))
  }
  await posting.stop()
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
  const parts = await Promise.all([...rotated, files.decisionLogFile].map(async (file) => parseDecisionLog(await readFile(file))))
  t.ok(parts.every((part) => part.length > 0), `lines per file: ${parts.map((part) => part.length).join(', ')}`)
  verifyChain(parts.flat())
  t.strictSame(parts.flat().map(({ uid }) => uid).sort(), posting.uids.toSorted())
})

t.test('the same when it is asked for within the process, also without a rotation and twice at once', async (t) => {
  const { client, files, webhook, records } = await startWebhookFixture(t, { authority, keyPair })
  const posting = keepPosting(client)
  await eventually('calls', () => posting.uids.length >= MIN_CALLS)
  await webhook.reopenDecisionLog()
  const old = await rotate(files.decisionLogFile, 0, async () => Promise.all([webhook.reopenDecisionLog(), webhook.reopenDecisionLog()]))
  await posting.stop()
  await webhook.reopenDecisionLog()
  const logged = [...await readDecisionLog(old), ...await readDecisionLog(files.decisionLogFile)]
  verifyChain(logged)
  t.equal(logged.length, records().length)
})

t.test('a directory that is gone keeps the old file in use, and says so', async (t) => {
  const parent = t.testdir({ logs: {} })
  const directory = `${parent}/logs`
  const { client, webhook, metrics, log } = await startWebhookFixture(t, { authority, keyPair, directory: parent, decisionLogFile: `${directory}/decisions.log` })
  await client.post('/mutate', createReview())
  await webhook.reopenDecisionLog()
  await rename(directory, `${directory}-old`)
  await webhook.reopenDecisionLog()
  t.equal((await metrics()).value('pullkeeper_decision_log_write_failures_total'), 1)
  t.match(log().filter(({ level }) => level === 'error'), [{ err: { code: 'ENOENT' }, msg: /decision log/ }])
  await client.post('/mutate', createReview())
  await eventually('the record is in the old file', async () => (await readDecisionLog(`${directory}-old/decisions.log`)).length === 2)
  verifyChain(await readDecisionLog(`${directory}-old/decisions.log`))
})
