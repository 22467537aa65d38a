import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { realpath, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { listAddedSecrets, readAnsweredReview } from '../helpers/admission-answers.ts'
import { readDecisionLog } from '../helpers/decision-chain.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient } from '../helpers/https-client.ts'
import type { RecordedEvent } from '../helpers/process-recorder.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig, writeWebhookFiles, type WebhookFiles } from '../helpers/webhook-files.ts'
import { CLEAN_ENV, NODE, startWebhookProcess } from '../helpers/webhook-process.ts'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const RECORDER = new URL('../helpers/process-recorder.ts', import.meta.url).href

/** Libraries that speak to somebody, or that other processes of pullkeeper need. */
const FOREIGN = /\/node_modules\/(@kubernetes\/|@azure\/|@aws-sdk\/|google-auth-library|undici|openid-client|node-forge|rfc6902)/

const authority = await createTestAuthority()
const [keyPair, otherKeyPair] = await Promise.all([authority.issueServer(), authority.issueServer()])

/** All that a webhook does in its life: reviews, bad requests, both swaps, a rotation, metrics, and its end. */
const live = async (t: Test, files: WebhookFiles, nodeArgs: string[], env: Record<string, string> = {}): Promise<void> => {
  const webhook = await startWebhookProcess(t, files, { nodeArgs, env, args: ['--drain-seconds', '0.1'] })
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  t.strictSame(listAddedSecrets(readAnsweredReview(await client.post('/mutate', createReview())).patch), ['example-pull'])
  t.equal((await client.send({ body: '{' })).status, 415)
  await writeFile(files.configFile, formatConfig({ pullSecret: 'other-pull' }))
  await writeFile(files.certificateFile, otherKeyPair.certificate)
  await writeFile(files.privateKeyFile, otherKeyPair.privateKey)
  for (const name of ['pullkeeper_config_reloads_total', 'pullkeeper_certificate_reloads_total']) {
    await eventually(name, async () => ((await fetchMetrics(webhook.metricsUrl)).value(name, { result: 'success' }) ?? 0) > 0)
  }
  t.strictSame(listAddedSecrets(readAnsweredReview(await client.post('/mutate', createReview())).patch), ['other-pull'])
  client.close()
  webhook.signal('SIGTERM')
  t.equal(await webhook.waitForExit(), 0)
  t.equal((await readDecisionLog(files.decisionLogFile)).length, 2)
}

const readEvents = (file: string): RecordedEvent[] => readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as RecordedEvent)

t.test('the recorder notes what it has to find', async (t) => {
  const record = `${t.testdir()}/record.jsonl`
  const script = `
    import { lookup } from 'node:dns/promises'
    import { connect } from 'node:net'
    import '@kubernetes/client-node'
    await lookup('localhost')
    connect(1, '127.0.0.1').on('error', () => {})
    await fetch('http://127.0.0.1:2').catch(() => {})`
  const { status } = spawnSync(NODE, ['--import', RECORDER, '--input-type=module', '--eval', script], { cwd: ROOT, env: { ...CLEAN_ENV, PULLKEEPER_TEST_RECORD: record } })
  t.equal(status, 0)
  const events = readEvents(record)
  t.ok(events.some(({ kind, what }) => kind === 'module' && FOREIGN.test(what)))
  t.ok(events.some(({ kind, what }) => kind === 'lookup' && what.includes('localhost')))
  t.equal(events.filter(({ kind }) => kind === 'connection').length, 2)
})

t.test('the webhook never loads the Kubernetes client, and turns to nobody', async (t) => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  const record = `${files.directory}/record.jsonl`
  await live(t, files, ['--import', RECORDER], {
    PULLKEEPER_TEST_RECORD: record,
    KUBERNETES_SERVICE_HOST: '127.0.0.1',
    KUBERNETES_SERVICE_PORT: '6443',
    KUBECONFIG: `${files.directory}/kubeconfig`
  })
  const events = readEvents(record)
  const modules = [...new Set(events.filter(({ kind }) => kind === 'module').map(({ what }) => what))]
  t.ok(modules.some((url) => url.endsWith('/src/webhook/webhook.ts')) && modules.some((url) => url.includes('/node_modules/fastify/')), `${modules.length} modules were noted`)
  t.strictSame(modules.filter((url) => FOREIGN.test(url)), [])
  t.strictSame(modules.filter((url) => /\/src\/(kubernetes|registries|sync|register|audit|sandbox)\//.test(url)), [])
  t.strictSame(events.filter(({ kind }) => kind !== 'module' && kind !== 'lookup'), [], 'no connection, datagram or process')
  const lookups = events.filter(({ kind }) => kind === 'lookup').map(({ what }) => (JSON.parse(what) as string[])[0])
  t.strictSame(lookups.filter((name) => name !== '127.0.0.1'), [], 'no name but the address that it listens on')
})

/**
 * Node's permission model refuses every file outside the program and the directory of the test: neither a kubeconfig
 * nor a ServiceAccount's token can be read, no process started, no native addon loaded.
 */
t.test('it needs to read nothing but itself and the files that it was given, and to write nothing but its log', async (t) => {
  const files = await writeWebhookFiles(t.testdir(), keyPair)
  const readable = [ROOT, await realpath(`${ROOT}node_modules`), files.directory]
  await live(t, files, ['--permission', ...readable.map((path) => `--allow-fs-read=${path}`), `--allow-fs-write=${files.decisionLogFile}`])
})
