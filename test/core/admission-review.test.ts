import fc from 'fast-check'
import t from 'tap'
import { createAdmissionReview, parseAdmissionReview, type AdmissionAnswer, type AdmissionRequest } from '../../src/core/admission-review.ts'
import { createPod } from '../helpers/pods.ts'
import { createRequest, createReview, REVIEW_UID, type ReviewParts } from '../helpers/reviews.ts'

const pod = createPod()

t.test('a review is read', async (t) => {
  t.strictSame(parseAdmissionReview(createReview({ pod, dryRun: true })), {
    request: {
      apiVersion: 'admission.k8s.io/v1',
      uid: REVIEW_UID,
      operation: 'CREATE',
      isPodCreation: true,
      namespace: 'team-a',
      dryRun: true,
      user: 'jane',
      object: pod
    }
  })
})

const errors: [string, unknown, RegExp][] = [
  ['nothing', undefined, /AdmissionReview/],
  ['null', null, /AdmissionReview/],
  ['a text', 'AdmissionReview', /AdmissionReview/],
  ['a list', [createReview()], /AdmissionReview/],
  ['an empty object', {}, /kind/],
  ['another kind', { ...createReview(), kind: 'Pod' }, /kind/],
  ['no version', { kind: 'AdmissionReview', request: { uid: 'u' } }, /admission\.k8s\.io\/v1 and admission\.k8s\.io\/v1beta1/],
  ['an unknown version', createReview({ apiVersion: 'admission.k8s.io/v2' }), /admission\.k8s\.io\/v1 and admission\.k8s\.io\/v1beta1/],
  ['no request', { ...createReview(), request: undefined }, /uid/],
  ['a request that is a list', { ...createReview(), request: [] }, /uid/],
  ['no uid', createReview({ request: { uid: undefined } }), /uid/],
  ['an empty uid', createReview({ uid: '' }), /uid/],
  ['a uid that is a number', createReview({ request: { uid: 1 } }), /uid/]
]

for (const [name, body, message] of errors) {
  t.test(`${name} is refused in words`, async (t) => {
    t.match(parseAdmissionReview(body), { error: message })
  })
}

const readings: [string, ReviewParts, Partial<AdmissionRequest>][] = [
  ['v1beta1 is read as v1 is', { apiVersion: 'admission.k8s.io/v1beta1' }, { apiVersion: 'admission.k8s.io/v1beta1', isPodCreation: true }],
  ['an update is no creation', { operation: 'UPDATE' }, { operation: 'UPDATE', isPodCreation: false }],
  ['a deletion has no object', { operation: 'DELETE', pod: null }, { isPodCreation: false, object: undefined }],
  ['an operation that is no text is none', { request: { operation: 1 } }, { operation: '', isPodCreation: false }],
  ['an empty subresource is none', { request: { subResource: '' } }, { isPodCreation: true }],
  ['a subresource is no creation of a Pod', { request: { subResource: 'ephemeralcontainers' } }, { isPodCreation: false }],
  ['another kind is no Pod', { request: { kind: { group: '', version: 'v1', kind: 'Binding' } } }, { isPodCreation: false }],
  ['a Pod of another group is no Pod', { request: { kind: { group: 'example.com', version: 'v1', kind: 'Pod' } } }, { isPodCreation: false }],
  ['a Pod of another version is no Pod', { request: { kind: { group: '', version: 'v2', kind: 'Pod' } } }, { isPodCreation: false }],
  ['a kind without a group is of the core group', { request: { kind: { version: 'v1', kind: 'Pod' } } }, { isPodCreation: true }],
  ['a kind that is none is no Pod', { request: { kind: 'Pod' } }, { isPodCreation: false }],
  ['the namespace of the request counts', { namespace: 'team-b', pod }, { namespace: 'team-b' }],
  ['without one, that of the object does', { request: { namespace: undefined }, pod }, { namespace: 'team-a' }],
  ['without any, there is none', { request: { namespace: undefined }, pod: { metadata: null } }, { namespace: '' }],
  ['only true is a dry run', { request: { dryRun: 'true' } }, { dryRun: false }],
  ['an absent dryRun is none', { request: { dryRun: undefined } }, { dryRun: false }],
  ['a user without a name is unknown', { request: { userInfo: {} } }, { user: undefined }],
  ['a userInfo that is none is unknown', { request: { userInfo: 'jane' } }, { user: undefined }],
  ['an object that is none is absent', { pod: 'pod' }, { object: undefined }]
]

for (const [name, parts, expected] of readings) {
  t.test(name, async (t) => {
    t.match(createRequest(parts), expected)
  })
}

t.test('no JSON makes it throw', async () => {
  const review = fc.record({ kind: fc.constant('AdmissionReview'), apiVersion: fc.constant('admission.k8s.io/v1'), request: fc.oneof(fc.jsonValue(), fc.record({ uid: fc.string(), kind: fc.jsonValue(), object: fc.jsonValue(), userInfo: fc.jsonValue() })) })
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), review), (body) => Object.keys(parseAdmissionReview(body)).length === 1))
})

const answer: AdmissionAnswer = { allowed: true, patch: [], warnings: [] }
const answers: [string, Partial<AdmissionAnswer>, object][] = [
  ['a plain answer says no more than that it is allowed', {}, { uid: REVIEW_UID, allowed: true }],
  ['a patch is base64 of its JSON', { patch: [{ op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'é' }] }] }, {
    uid: REVIEW_UID,
    allowed: true,
    patchType: 'JSONPatch',
    patch: Buffer.from('[{"op":"add","path":"/spec/imagePullSecrets","value":[{"name":"é"}]}]').toString('base64')
  }],
  ['warnings are passed on', { warnings: ['one', 'two'] }, { uid: REVIEW_UID, allowed: true, warnings: ['one', 'two'] }],
  ['audit annotations are passed on', { auditAnnotations: { key: 'value' } }, { uid: REVIEW_UID, allowed: true, auditAnnotations: { key: 'value' } }],
  ['a denial carries its message', { allowed: false, message: 'no' }, { uid: REVIEW_UID, allowed: false, status: { code: 403, reason: 'Forbidden', message: 'no' } }]
]

for (const [name, parts, response] of answers) {
  for (const apiVersion of ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1']) {
    t.test(`${name}, in ${apiVersion}`, async (t) => {
      const review = createAdmissionReview(createRequest({ apiVersion }), { ...answer, ...parts })
      t.strictSame(JSON.parse(JSON.stringify(review)), { kind: 'AdmissionReview', apiVersion, response })
    })
  }
}
