import t, { type Test } from 'tap'
import { listAddedSecrets, readAnsweredProblem, readAnsweredReview } from '../helpers/admission-answers.ts'
import { eventually } from '../helpers/eventually.ts'
import type { HttpsAnswer, HttpsQuestion } from '../helpers/https-client.ts'
import { createPod } from '../helpers/pods.ts'
import { createReview, REVIEW_UID } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'

const MIB = 1024 * 1024
const LEVELS = 100_000
const JSON_HEADERS = { 'content-type': 'application/json' }

const authority = await createTestAuthority()
const fixture = await startWebhookFixture(t, { authority, keyPair: await authority.issueServer() })
const { client } = fixture
const goodBody = JSON.stringify(createReview())

const expectServed = async (t: Test): Promise<HttpsAnswer> => {
  const answer = await client.send({ headers: JSON_HEADERS, body: goodBody })
  t.strictSame(listAddedSecrets(readAnsweredReview(answer).patch), ['example-pull'], 'the next request is served')
  return answer
}
const withPod = (pod: unknown): string => JSON.stringify(createReview({ pod }))
/** For what JSON.stringify can not write. */
const withPodText = (pod: string): string => JSON.stringify(createReview({ pod: '@' })).replace('"@"', () => pod)
const nest = (open: string, close: string): string => open.repeat(LEVELS) + close.repeat(LEVELS)
const review = (parts: object): string => JSON.stringify({ ...createReview(), ...parts })
const pad = (bytes: number): string => withPod(createPod({ annotations: { padding: 'x'.repeat(bytes) } }))

/** What is sent, and the status and code that come back. */
const refused: [string, HttpsQuestion, number, string][] = [
  ['an empty body', { headers: JSON_HEADERS, body: '' }, 400, 'EMPTY_BODY'],
  ['an empty body of an entry with a selector', { path: '/mutate/0123456789', headers: JSON_HEADERS, body: '' }, 400, 'EMPTY_BODY'],
  ['no body and no content type', {}, 400, 'EMPTY_BODY'],
  ['a body without content type', { body: goodBody }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['an empty content type', { headers: { 'content-type': '' }, body: goodBody }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['text/plain', { headers: { 'content-type': 'text/plain' }, body: goodBody }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['protobuf', { headers: { 'content-type': 'application/vnd.kubernetes.protobuf' }, body: goodBody }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['YAML', { headers: { 'content-type': 'application/yaml' }, body: 'kind: AdmissionReview' }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['a content type that is none', { headers: { 'content-type': '%%%' }, body: goodBody }, 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ['JSON that ends early', { headers: JSON_HEADERS, body: goodBody.slice(0, -1) }, 400, 'INVALID_JSON'],
  ['JSON with more behind it', { headers: JSON_HEADERS, body: `${goodBody}}` }, 400, 'INVALID_JSON'],
  ['bytes that are no text', { headers: JSON_HEADERS, body: Buffer.from([0xff, 0xfe, 0x00, 0x80]) }, 400, 'INVALID_JSON'],
  ['arrays that are never closed', { headers: JSON_HEADERS, body: '['.repeat(LEVELS) }, 400, 'INVALID_JSON'],
  ['null', { headers: JSON_HEADERS, body: 'null' }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['a number', { headers: JSON_HEADERS, body: '42' }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['a string', { headers: JSON_HEADERS, body: '"AdmissionReview"' }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['an array', { headers: JSON_HEADERS, body: `[${goodBody}]` }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['an empty object', { headers: JSON_HEADERS, body: '{}' }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['another kind', { headers: JSON_HEADERS, body: review({ kind: 'ConversionReview' }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['an unknown version', { headers: JSON_HEADERS, body: review({ apiVersion: 'admission.k8s.io/v2' }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['no version', { headers: JSON_HEADERS, body: JSON.stringify({ kind: 'AdmissionReview', request: createReview().request }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['no request', { headers: JSON_HEADERS, body: review({ request: null }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['a request that is an array', { headers: JSON_HEADERS, body: review({ request: [] }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['a request without uid', { headers: JSON_HEADERS, body: review({ request: {} }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['an empty uid', { headers: JSON_HEADERS, body: review({ request: { uid: '' } }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['a uid that is a number', { headers: JSON_HEADERS, body: review({ request: { uid: 7 } }) }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['deep arrays', { headers: JSON_HEADERS, body: nest('[', ']') }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['deep objects', { headers: JSON_HEADERS, body: `${'{"kind":'.repeat(LEVELS)}1${'}'.repeat(LEVELS)}` }, 400, 'INVALID_ADMISSION_REVIEW'],
  ['GET', { method: 'GET' }, 404, 'NOT_FOUND'],
  ['PUT', { method: 'PUT', headers: JSON_HEADERS, body: goodBody }, 404, 'NOT_FOUND'],
  ['DELETE', { method: 'DELETE' }, 404, 'NOT_FOUND'],
  ['a method of WebDAV', { method: 'PROPFIND' }, 404, 'NOT_FOUND'],
  ['an unknown path', { path: '/', headers: JSON_HEADERS, body: goodBody }, 404, 'NOT_FOUND'],
  ['a path below an entry', { path: '/mutate/0123456789/more', headers: JSON_HEADERS, body: goodBody }, 404, 'NOT_FOUND'],
  ['a path of the probe port', { method: 'GET', path: '/metrics' }, 404, 'NOT_FOUND'],
  ['a path that can not be decoded', { path: '/mutate/%zz', headers: JSON_HEADERS, body: goodBody }, 400, 'BAD_REQUEST']
]

for (const [name, question, status, code] of refused) {
  t.test(`refused with ${status}: ${name}`, async (t) => {
    const answer = await client.send(question)
    t.equal(answer.status, status)
    t.match(answer.headers['content-type'], /^application\/json/)
    const problem = readAnsweredProblem(answer)
    t.equal(problem.code, code)
    t.match(problem.message, /\S+ \S+/, 'says what to do')
    t.notMatch(problem.message, /FST_|node_modules|\bat .*:\d+/, 'shows nothing of what is inside')
    await expectServed(t)
  })
}

/** What is sent, and the record's outcome and reason. */
const answered: [string, string, string, string][] = [
  ['a Pod without spec', withPod({ apiVersion: 'v1', kind: 'Pod', metadata: {} }), 'skipped', 'malformed-pod'],
  ['a spec that is a string', withPod({ ...createPod(), spec: 'none' }), 'skipped', 'malformed-pod'],
  ['a spec that is an array', withPod({ ...createPod(), spec: [] }), 'skipped', 'malformed-pod'],
  ['a Pod without metadata', withPod({ spec: createPod().spec }), 'skipped', 'malformed-pod'],
  ['metadata that is null', withPod({ ...createPod(), metadata: null }), 'skipped', 'malformed-pod'],
  ['pull secrets that are a string', withPod(createPod({ spec: { imagePullSecrets: 'example-pull' } })), 'skipped', 'malformed-pod'],
  ['pull secrets that are an object', withPod(createPod({ spec: { imagePullSecrets: { name: 'example-pull' } } })), 'skipped', 'malformed-pod'],
  ['a Pod that is null', withPod(null), 'skipped', 'not-pod-create'],
  ['a Pod that is an array', withPod([createPod()]), 'skipped', 'not-pod-create'],
  ['a Pod of deep arrays', withPodText(nest('[', ']')), 'skipped', 'not-pod-create'],
  ['containers that are a string', withPod(createPod({ spec: { containers: 'app' } })), 'unchanged', 'no-rule'],
  ['containers that are null', withPod(createPod({ spec: { containers: [null, 1, [], 'a'] } })), 'unchanged', 'no-rule'],
  ['images that are no strings', withPod(createPod({ spec: { containers: [{ image: 1 }, { image: null }, { image: {} }] } })), 'unchanged', 'no-rule'],
  ['images that can not be parsed', withPod(createPod({ images: ['UPPER/Case', 'a b', ':', '@sha256:', 'x'.repeat(10_000), '\u0000\u2028', '\ud800'] })), 'unchanged', 'no-rule'],
  ['a deep spec beside an image', withPodText(`{"metadata":{},"spec":{"containers":[{"image":"registry.example.com/a"}],"deep":${nest('[', ']')}}}`), 'injected', 'rule-matched'],
  ['a deep image', withPodText(`{"metadata":{},"spec":{"containers":[{"image":${nest('[', ']')}}]}}`), 'unchanged', 'no-rule'],
  ['__proto__ keys', withPodText('{"__proto__":{"spec":1},"metadata":{"__proto__":{"a":1},"annotations":{"__proto__":{}}},"spec":{"__proto__":{"imagePullSecrets":[{"name":"example-pull"}]},"constructor":{"prototype":{}},"containers":[{"image":"registry.example.com/a"}]}}'), 'injected', 'rule-matched'],
  ['5 MiB', pad(5 * MIB), 'injected', 'rule-matched'],
  ['1,000 images', withPod(createPod({ images: Array.from({ length: 1000 }, (_, index) => `registry.example.com/team/app-${index}:1`) })), 'injected', 'rule-matched'],
  ['1,000 images that can not be parsed', withPod(createPod({ images: Array.from({ length: 1000 }, (_, index) => `NO/${index}`) })), 'unchanged', 'no-rule'],
  ['an UPDATE without object', JSON.stringify(createReview({ operation: 'UPDATE', pod: null })), 'skipped', 'not-pod-create'],
  ['a request with nothing but a uid', review({ request: { uid: REVIEW_UID } }), 'skipped', 'not-pod-create']
]

for (const [name, body, outcome, reason] of answered) {
  t.test(`answered with a review: ${name}`, async (t) => {
    const review = readAnsweredReview(await client.send({ path: '/mutate?timeout=3s', headers: JSON_HEADERS, body }))
    t.match(review, { uid: REVIEW_UID, allowed: true })
    t.strictSame(listAddedSecrets(review.patch), outcome === 'injected' ? ['example-pull'] : [])
    t.match(JSON.parse(fixture.records().at(-1) ?? ''), { uid: REVIEW_UID, outcome, reason })
    t.ok(review.warnings.length <= 5 && review.warnings.every((warning) => Buffer.byteLength(warning) <= 256), 'warnings are few and short')
    await expectServed(t)
  })
}

t.test('an unknown entry is allowed and skipped', async (t) => {
  for (const key of ['0123456789', '__proto__', 'constructor', 'a%20b', '%F0%9F%90%B3', 'x'.repeat(200)]) {
    const review = readAnsweredReview(await client.send({ path: `/mutate/${key}`, headers: JSON_HEADERS, body: goodBody }))
    t.match(review, { allowed: true, patch: [] }, key)
    t.match(JSON.parse(fixture.records().at(-1) ?? ''), { entry: `${decodeURIComponent(key)}.rules.pullkeeper.dev`, outcome: 'skipped', reason: 'unknown-entry' })
  }
})

t.test('each version is answered in itself', async (t) => {
  for (const apiVersion of ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1']) {
    const review = readAnsweredReview(await client.post('/mutate', createReview({ apiVersion })))
    t.match(review, { apiVersion, uid: REVIEW_UID, allowed: true })
    t.strictSame(listAddedSecrets(review.patch), ['example-pull'])
  }
})

t.test('after a refusal the connection goes on', async (t) => {
  for (const [name, question] of refused) {
    await client.send(question)
    t.ok((await expectServed(t)).isReused, name)
  }
})

t.test('every refusal was counted by status, none was recorded, and nothing is in flight', async (t) => {
  const metrics = await fixture.metrics()
  const before = fixture.records().length
  for (const [, question] of refused) await client.send(question)
  const after = await eventually('nothing in flight', async () => {
    const page = await fixture.metrics()
    return page.value('pullkeeper_admissions_in_flight') === 0 && page
  })
  const counted = (status: string): number => (after.value('pullkeeper_rejected_requests_total', { status }) ?? 0) - (metrics.value('pullkeeper_rejected_requests_total', { status }) ?? 0)
  for (const status of [400, 404, 415]) {
    t.equal(counted(String(status)), refused.filter(([, , expected]) => expected === status).length, String(status))
  }
  t.equal(fixture.records().length, before)
  t.strictSame(after.labelsOf('pullkeeper_rejected_requests_total').filter(({ status }) => String(status).startsWith('5')), [])
  t.strictSame(fixture.log().filter(({ level }) => level === 'error'), [], 'none of it is an error of ours')
})
