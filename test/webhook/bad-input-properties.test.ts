import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import type { UnknownObject } from '../../src/core/unknown.ts'
import { listAddedSecrets, readAnsweredProblem, readAnsweredReview } from '../helpers/admission-answers.ts'
import { pods } from '../helpers/arbitraries.ts'
import { patchPod, stripInjection } from '../helpers/patches.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'

const JSON_HEADERS = { 'content-type': 'application/json' }
const CONFIG = `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
pullSecrets:
  - { name: a-pull, copyFrom: { file: /etc/pullkeeper/a.json } }
  - { name: b-pull, copyFrom: { file: /etc/pullkeeper/b.json } }
rules:
  - { name: everything, always: true, pullSecrets: [a-pull] }
  - { name: example, matchImages: ["*.example.com", "*.*"], pullSecrets: [b-pull] }
unmatched: warn
`
const authority = await createTestAuthority()
const { client, log, records } = await startWebhookFixture(t, { authority, keyPair: await authority.issueServer(), config: CONFIG })

/** An AdmissionReview in which anything may stand where something is read. */
const damagedReviews = () => {
  const anything = fc.jsonValue({ maxDepth: 4 })
  const maybe = (good: fc.Arbitrary<unknown>) => fc.oneof({ weight: 3, arbitrary: good }, { weight: 1, arbitrary: anything })
  const container = maybe(fc.record({ name: maybe(fc.string()), image: maybe(fc.constantFrom('registry.example.com/a', 'a', 'A')) }, { requiredKeys: [] }))
  const metadata = fc.record({
    name: maybe(fc.string()),
    annotations: maybe(fc.dictionary(fc.constantFrom('pullkeeper.dev/injected', 'pullkeeper.dev/inject', '__proto__', 'a'), maybe(fc.constantFrom('a-pull', 'false')))),
    labels: maybe(fc.constant({})),
    ownerReferences: maybe(fc.array(maybe(fc.record({ kind: maybe(fc.string()), name: maybe(fc.string()), controller: maybe(fc.boolean()) }))))
  }, { requiredKeys: [] })
  const spec = fc.record({
    containers: maybe(fc.array(container, { maxLength: 3 })),
    initContainers: maybe(fc.array(container, { maxLength: 2 })),
    volumes: maybe(fc.array(maybe(fc.record({ name: maybe(fc.string()), image: maybe(fc.record({ reference: maybe(fc.string()) })) })), { maxLength: 2 })),
    imagePullSecrets: maybe(fc.array(maybe(fc.record({ name: maybe(fc.constantFrom('a-pull', 'own')) })), { maxLength: 3 })),
    serviceAccountName: maybe(fc.string())
  }, { requiredKeys: [] })
  const request = fc.record({
    uid: maybe(fc.uuid()),
    kind: maybe(fc.constant({ group: '', version: 'v1', kind: 'Pod' })),
    namespace: maybe(fc.string()),
    operation: maybe(fc.constant('CREATE')),
    dryRun: maybe(fc.boolean()),
    userInfo: maybe(fc.record({ username: maybe(fc.string()) })),
    object: maybe(fc.record({ metadata: maybe(metadata), spec: maybe(spec) }, { requiredKeys: [] }))
  }, { requiredKeys: ['uid', 'kind', 'operation'] })
  return fc.record({
    kind: maybe(fc.constant('AdmissionReview')),
    apiVersion: maybe(fc.constantFrom('admission.k8s.io/v1', 'admission.k8s.io/v1beta1')),
    request: maybe(request)
  })
}

t.test('a generated Pod gets what is missing, and nothing else of it changes', async (t) => {
  await fc.assert(fc.asyncProperty(pods(), fc.uuid(), async (pod, uid) => {
    const sent = JSON.parse(JSON.stringify(pod)) as UnknownObject
    const review = readAnsweredReview(await client.post('/mutate', createReview({ pod: sent, uid })))
    if (!review.allowed || review.uid !== uid) return false
    const patched = patchPod(sent, review.patch)
    const again = readAnsweredReview(await client.post('/mutate', createReview({ pod: patched })))
    assert.deepEqual(stripInjection(patched), stripInjection(sent))
    assert.deepEqual(again.patch, [], 'a second call finds nothing to do')
    return true
  }), { numRuns: 200 })
  t.pass('for every Pod')
})

t.test('a damaged AdmissionReview is answered by a review that can be applied, or refused with a reason', async (t) => {
  let reviews = 0
  await fc.assert(fc.asyncProperty(damagedReviews(), async (body) => {
    const answer = await client.post('/mutate', body)
    if (answer.status === 400) return readAnsweredProblem(answer).code === 'INVALID_ADMISSION_REVIEW'
    const review = readAnsweredReview(answer)
    reviews++
    const { uid, object } = body.request as { uid: string, object: UnknownObject }
    if (review.patch.length > 0) patchPod(object, review.patch)
    return review.allowed && review.uid === uid
  }), { numRuns: 500 })
  t.ok(reviews > 50, `${reviews} of them were reviews`)
})

t.test('any JSON is a review or a refusal, on any path below /mutate', async (t) => {
  await fc.assert(fc.asyncProperty(fc.json({ maxDepth: 6 }), fc.webSegment({ size: 'small' }), async (body, key) => {
    const answer = await client.send({ path: key === '' || key.startsWith('.') ? '/mutate' : `/mutate/${key}`, headers: JSON_HEADERS, body })
    return (answer.status === 400 || answer.status === 404) && readAnsweredProblem(answer).message !== ''
  }), { numRuns: 200 })
  t.pass('always a clear 4xx')
})

t.test('any bytes are refused', async (t) => {
  await fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
    const answer = await client.send({ headers: JSON_HEADERS, body: Buffer.from(bytes) })
    return answer.status === 400 && readAnsweredProblem(answer).message !== ''
  }), { numRuns: 200 })
  t.pass('always a clear 400')
})

t.test('after all of it the webhook serves, and has met no defect of its own', async (t) => {
  const review = readAnsweredReview(await client.post('/mutate', createReview()))
  t.strictSame(listAddedSecrets(review.patch), ['a-pull', 'b-pull'])
  t.strictSame(log().filter(({ level }) => level === 'error'), [])
  t.notOk(records().some((line) => (JSON.parse(line) as { reason: string }).reason === 'internal-error'))
})
