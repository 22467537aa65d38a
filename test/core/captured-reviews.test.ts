import { readFile, readdir } from 'node:fs/promises'
import t from 'tap'
import { decideAdmission, type Decision } from '../../src/core/admission-decision.ts'
import { createAdmissionReview, type AdmissionRequest } from '../../src/core/admission-review.ts'
import { createDecisionRecord, type DecisionRecord } from '../../src/core/decision-record.ts'
import type { UnknownObject } from '../../src/core/unknown.ts'
import type { Operation } from 'rfc6902'
import { patchPod, stripInjection } from '../helpers/patches.ts'
import { createPolicy } from '../helpers/policies.ts'
import { parseReview } from '../helpers/reviews.ts'

const FIXTURES = new URL('../fixtures/admission/', import.meta.url)

const policy = createPolicy([
  { name: 'acr', matchImages: ['*.azurecr.io'], pullSecrets: ['acr-secret', 'acr-mirror'] },
  { name: 'icr', matchImages: ['*.icr.io/payments/'], pullSecrets: ['all-icr-io'] },
  { name: 'ecr', matchImages: ['*.dkr.ecr.*.amazonaws.com'], pullSecrets: ['ecr-pull'] },
  { name: 'mesh', matchImages: ['registry.example.com:5000/mesh/'], pullSecrets: ['mesh-pull'] },
  { name: 'hub', matchImages: ['docker.io/library/'], pullSecrets: ['hub-pull'] }
])

interface Expected {
  /** Pull secrets of the Pod afterwards, in order. */
  list: string[]
  /** The annotation. */
  injected: string
  record: Partial<DecisionRecord>
}

const cases: [string, Expected][] = [
  ['bare-pod-acr', { list: ['acr-secret', 'acr-mirror'], injected: 'acr-secret,acr-mirror', record: { pod: 'my-awesome-app-pod', serviceAccount: 'default' } }],
  ['deployment-pod', { list: ['acr-secret', 'acr-mirror'], injected: 'acr-secret,acr-mirror', record: { pod: 'nginx0-deployment-5fdff4c46-', owner: { kind: 'ReplicaSet', name: 'nginx0-deployment-5fdff4c46' } } }],
  ['job-pod', { list: ['acr-secret', 'acr-mirror'], injected: 'acr-secret,acr-mirror', record: { pod: 'batch-', owner: { kind: 'Job', name: 'batch' } } }],
  ['dry-run', { list: ['acr-secret', 'acr-mirror'], injected: 'acr-secret,acr-mirror', record: { pod: 'dry' } }],
  ['image-volume', { list: ['acr-secret', 'acr-mirror', 'hub-pull'], injected: 'acr-secret,acr-mirror,hub-pull', record: { rules: ['acr', 'hub'] } }],
  ['many-images', { list: ['all-icr-io', 'ecr-pull', 'mesh-pull', 'hub-pull'], injected: 'all-icr-io,ecr-pull,mesh-pull,hub-pull', record: { rules: ['icr', 'ecr', 'mesh', 'hub'] } }],
  ['own-pull-secrets', { list: ['acr-secret', 'other', 'acr-mirror'], injected: 'acr-mirror', record: { present: ['acr-secret', 'other'] } }],
  ['service-account-pull-secret', { list: ['sa-regcred', 'acr-secret', 'acr-mirror'], injected: 'acr-secret,acr-mirror', record: { serviceAccount: 'with-pull-secret', present: ['sa-regcred'] } }]
]

const untouched: [string, Partial<Decision>][] = [
  ['mirror-pod', { outcome: 'skipped', reason: 'mirror-pod' }],
  ['update', { outcome: 'skipped', reason: 'not-pod-create' }]
]

const readFixture = async (name: string): Promise<AdmissionRequest & { object: UnknownObject }> => {
  const request = parseReview(JSON.parse(await readFile(new URL(`${name}.json`, FIXTURES), 'utf8')))
  return { ...request, object: request.object ?? {} }
}

t.test('the tables name every captured review', async (t) => {
  const names = [...cases, ...untouched].map(([name]) => `${name}.json`)
  t.strictSame(names.sort(), (await readdir(FIXTURES)).sort())
})

for (const [name, expected] of cases) {
  t.test(`${name} gets its pull secrets and the annotation, and nothing else changes`, async (t) => {
    const request = await readFixture(name)
    const decision = decideAdmission(policy, '/mutate', request)
    const patched = patchPod(request.object, decision.patch)
    t.match(patched, { spec: { imagePullSecrets: expected.list.map((name) => ({ name })) } })
    t.match(patched, { metadata: { annotations: { 'pullkeeper.dev/injected': expected.injected } } })
    t.strictSame(stripInjection(patched), stripInjection(request.object))

    const again = decideAdmission(policy, '/mutate', { ...request, object: patched })
    t.match(again, { outcome: 'unchanged', reason: 'already-present', patch: [] })
  })

  t.test(`${name} is recorded`, async (t) => {
    const request = await readFixture(name)
    const context = { entry: 'pods.pullkeeper.dev', namespace: request.namespace, operation: request.operation, object: request.object, config: policy.configHash }
    const record = createDecisionRecord(decideAdmission(policy, '/mutate', request), context)
    t.match(record, { namespace: 'awesomeapps', operation: 'CREATE', outcome: 'injected', reason: 'rule-matched', ...expected.record })
    t.equal(record.injected.join(), expected.injected)
  })

  t.test(`${name} is answered with the same patch in the version that asked`, async (t) => {
    const request = await readFixture(name)
    const { patch } = decideAdmission(policy, '/mutate', request)
    for (const apiVersion of ['admission.k8s.io/v1', 'admission.k8s.io/v1beta1'] as const) {
      const review = createAdmissionReview({ ...request, apiVersion }, { allowed: true, patch, warnings: [] }) as { response: { patch: string } }
      t.match(review, { kind: 'AdmissionReview', apiVersion, response: { uid: request.uid, allowed: true, patchType: 'JSONPatch' } })
      const decoded = JSON.parse(Buffer.from(review.response.patch, 'base64').toString()) as Operation[]
      t.strictSame(patchPod(request.object, decoded), patchPod(request.object, patch))
    }
  })
}

for (const [name, expected] of untouched) {
  t.test(`${name} is left alone`, async (t) => {
    t.match(decideAdmission(policy, '/mutate', await readFixture(name)), { ...expected, patch: [], injected: [], warnings: [] })
  })
}

t.test('only the dry run is one', async (t) => {
  for (const [name] of [...cases, ...untouched]) t.equal((await readFixture(name)).dryRun, name === 'dry-run', name)
})
