import { spawn } from 'node:child_process'
import { createHash, X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import t from 'tap'
import { eventually } from '../helpers/eventually.ts'
import { createPod } from '../helpers/pods.ts'
import { needsProgram } from '../helpers/programs.ts'
import type { MetricsPage } from '../helpers/prometheus-text.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig } from '../helpers/webhook-files.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'

const CONFIG = formatConfig({ more: '  - { name: nothing, matchImages: ["nodes.example.com"], pullSecrets: [] }\nunmatched: deny\n' })
const ADMISSIONS = 'pullkeeper_admissions_total'

/** Every metric with its type; what is not here is not the webhook's. */
const TYPES: Record<string, string> = {
  pullkeeper_admissions_total: 'counter',
  pullkeeper_rule_admissions_total: 'counter',
  pullkeeper_admission_duration_seconds: 'histogram',
  pullkeeper_admissions_in_flight: 'gauge',
  pullkeeper_rejected_requests_total: 'counter',
  pullkeeper_config_reloads_total: 'counter',
  pullkeeper_config_valid: 'gauge',
  pullkeeper_config_info: 'gauge',
  pullkeeper_certificate_reloads_total: 'counter',
  pullkeeper_certificate_valid: 'gauge',
  pullkeeper_certificate_expiry_timestamp_seconds: 'gauge',
  pullkeeper_decision_log_write_failures_total: 'counter',
  pullkeeper_decision_log_dropped_records_total: 'counter',
  pullkeeper_decision_log_failing: 'gauge'
}

const authority = await createTestAuthority()
const keyPair = await authority.issueServer()
const fixture = await startWebhookFixture(t, { authority, keyPair, config: CONFIG })
const { client, webhook, metrics } = fixture

/** What is posted, and how it is counted. */
const calls: [object, { outcome: string, reason: string }, string[]][] = [
  [createReview(), { outcome: 'injected', reason: 'rule-matched' }, ['example']],
  [createReview({ pod: createPod({ name: 'again' }) }), { outcome: 'injected', reason: 'rule-matched' }, ['example']],
  [createReview({ pod: createPod({ pullSecrets: ['example-pull'] }) }), { outcome: 'unchanged', reason: 'already-present' }, ['example']],
  [createReview({ pod: createPod({ images: ['nodes.example.com/a'] }) }), { outcome: 'unchanged', reason: 'no-secret-needed' }, ['nothing']],
  [createReview({ pod: createPod({ images: ['NO'] }) }), { outcome: 'unchanged', reason: 'no-rule' }, []],
  [createReview({ pod: createPod({ images: ['nginx'] }) }), { outcome: 'denied', reason: 'unmatched-image' }, []],
  [createReview({ operation: 'UPDATE' }), { outcome: 'skipped', reason: 'not-pod-create' }, []],
  [createReview({ pod: createPod({ annotations: { 'pullkeeper.dev/inject': 'false' } }) }), { outcome: 'skipped', reason: 'opted-out' }, []],
  [createReview({ namespace: 'kube-system' }), { outcome: 'skipped', reason: 'reserved-namespace' }, []]
]

const settle = async (): Promise<MetricsPage> => eventually('nothing in flight', async () => {
  const page = await metrics()
  return page.value('pullkeeper_admissions_in_flight') === 0 && page
})

t.test('before the first call', async (t) => {
  const page = await metrics()
  t.match(page.contentType, /^text\/plain; version=0\.0\.4; charset=utf-8$/)
  const types = [...page.text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type])
  t.strictSame(Object.fromEntries(types), TYPES)
  const helps = [...page.text.matchAll(/^# HELP (\S+) (.+)$/gm)].map(([, name]) => name)
  t.strictSame(helps.sort(), Object.keys(TYPES).sort(), 'each says what it is')
  t.equal(page.value('pullkeeper_admissions_in_flight'), 0)
  t.equal(page.value('pullkeeper_config_valid'), 1)
  t.strictSame(page.labelsOf('pullkeeper_config_info'), [{ hash: createHash('sha256').update(CONFIG).digest('hex') }])
  t.equal(page.value('pullkeeper_certificate_valid'), 1)
  t.equal(page.value('pullkeeper_certificate_expiry_timestamp_seconds'), Date.parse(new X509Certificate(keyPair.certificate).validTo) / 1000)
  for (const name of ['decision_log_failing', 'decision_log_write_failures_total', 'decision_log_dropped_records_total']) t.equal(page.value(`pullkeeper_${name}`), 0, name)
})

t.test('admissions are counted by outcome and reason, rules by outcome, and all are timed', async (t) => {
  for (const [review] of calls) await client.post('/mutate', review)
  const page = await settle()
  const count = (labels: { outcome: string, reason: string }): number => calls.filter(([, expected]) => JSON.stringify(expected) === JSON.stringify(labels)).length
  for (const [, labels] of calls) t.equal(page.value(ADMISSIONS, labels), count(labels), JSON.stringify(labels))
  t.equal(page.labelsOf(ADMISSIONS).length, new Set(calls.map(([, labels]) => JSON.stringify(labels))).size)
  t.equal(page.value('pullkeeper_rule_admissions_total', { rule: 'example', outcome: 'injected' }), 2)
  t.equal(page.value('pullkeeper_rule_admissions_total', { rule: 'example', outcome: 'unchanged' }), 1)
  t.equal(page.value('pullkeeper_rule_admissions_total', { rule: 'nothing', outcome: 'unchanged' }), 1)
  const duration = 'pullkeeper_admission_duration_seconds'
  t.equal(page.value(`${duration}_count`), calls.length)
  t.equal(page.value(`${duration}_bucket`, { le: '+Inf' }), calls.length)
  const sum = page.value(`${duration}_sum`) ?? 0
  t.ok(sum > 0 && sum < 60, 'in seconds')
})

t.test('what is no AdmissionReview is counted by status, and is no admission', async (t) => {
  const before = (await metrics()).value('pullkeeper_admission_duration_seconds_count')
  await client.send({ body: 'x', headers: { 'content-type': 'text/plain' } })
  await client.send({ path: '/nowhere' })
  const page = await settle()
  t.equal(page.value('pullkeeper_rejected_requests_total', { status: '415' }), 1)
  t.equal(page.value('pullkeeper_rejected_requests_total', { status: '404' }), 1)
  t.equal(page.value('pullkeeper_admission_duration_seconds_count'), before)
})

t.test('nothing that a request holds becomes a label', async (t) => {
  const before = (await metrics()).text.split('\n').length
  for (let index = 0; index < 20; index++) {
    await client.post(`/mutate/unknown-${index}`, createReview({ uid: `uid-${index}`, namespace: `namespace-${index}`, username: `user-${index}` }))
  }
  const page = await settle()
  t.equal(page.value(ADMISSIONS, { outcome: 'skipped', reason: 'unknown-entry' }), 20)
  t.equal(page.text.split('\n').length, before + 1)
})

t.test('probes', async (t) => {
  for (const path of ['/livez', '/readyz']) {
    const response = await fetch(`${webhook.metricsUrl}${path}`)
    t.match({ status: response.status, type: response.headers.get('content-type'), body: await response.text() }, { status: 200, type: /^text\/plain/, body: 'ok\n' })
  }
  t.equal((await fetch(`${webhook.metricsUrl}/mutate`, { method: 'POST' })).status, 404, 'no admission over plain HTTP')
})

t.test('promtool finds nothing to say', needsProgram('promtool', 'prometheus'), async (t) => {
  const promtool = spawn('promtool', ['check', 'metrics'])
  promtool.stdin.end((await metrics()).text)
  const [output, errors, [code]] = await Promise.all([text(promtool.stdout), text(promtool.stderr), once(promtool, 'close')])
  t.strictSame({ output, errors, code }, { output: '', errors: '', code: 0 })
})
