import { createHash } from 'node:crypto'
import t from 'tap'
import { decideAdmission, skip } from '../../src/core/admission-decision.ts'
import { createAuditAnnotation, createDecisionRecord, hashLine, sealRecord, type ChainLink, type DecisionRecord } from '../../src/core/decision-record.ts'
import type { UnknownObject } from '../../src/core/unknown.ts'
import { createPod } from '../helpers/pods.ts'
import { CONFIG_HASH, createPolicy } from '../helpers/policies.ts'
import { createRequest, REVIEW_UID } from '../helpers/reviews.ts'

const sha256 = (text: string): string => createHash('sha256').update(Buffer.from(text)).digest('hex')

const policy = createPolicy([{ name: 'example', matchImages: ['registry.example.com'], pullSecrets: ['a', 'b'] }])
const pod = createPod({
  images: ['registry.example.com/team/app:1', 'Not An Image'],
  pullSecrets: ['b'],
  metadata: { name: undefined, generateName: 'web-', ownerReferences: [{ kind: 'ReplicaSet', name: 'web', controller: true }] },
  spec: { serviceAccountName: 'builder' }
})
const request = createRequest({ pod: JSON.parse(JSON.stringify(pod)) })
const decision = decideAdmission(policy, '/mutate', request)
const context = { entry: 'pods.pullkeeper.dev', namespace: 'team-a', operation: 'CREATE', object: request.object, config: CONFIG_HASH }
const link: ChainLink = { time: '2026-01-02T03:04:05.678Z', instance: 'host-1f2e3d', seq: 0 }

t.test('a record says what was decided and why', async (t) => {
  const record = createDecisionRecord(decision, context)
  t.strictSame({ ...record, images: record.images.slice(0, 1) }, {
    entry: 'pods.pullkeeper.dev',
    namespace: 'team-a',
    pod: 'web-',
    owner: { kind: 'ReplicaSet', name: 'web' },
    serviceAccount: 'builder',
    operation: 'CREATE',
    outcome: 'injected',
    reason: 'rule-matched',
    rules: ['example'],
    images: [{
      container: 'container-0',
      field: 'containers',
      image: 'registry.example.com/team/app:1',
      reference: { domain: 'registry.example.com', path: 'team/app', tag: '1' },
      rules: ['example']
    }],
    present: ['b'],
    injected: ['a'],
    config: CONFIG_HASH
  })
  t.match(record.images[1], { container: 'container-1', image: 'Not An Image', error: /./, rules: [] })
  t.notOk('reference' in (record.images[1] ?? {}))
})

t.test('a record of explain lacks what only an admission call has', async (t) => {
  const record = createDecisionRecord(decision, context)
  for (const key of ['time', 'instance', 'seq', 'prev', 'uid', 'user', 'dryRun', 'durationMs']) t.notOk(key in record, key)
})

const unknowns: [string, UnknownObject | undefined][] = [
  ['an object that is absent', undefined],
  ['an object without metadata', {}],
  ['metadata that says nothing', { metadata: {}, spec: {} }]
]

for (const [name, object] of unknowns) {
  t.test(`${name} leaves no key without a value`, async (t) => {
    t.strictSame(createDecisionRecord(skip('unknown-entry'), { ...context, object }), {
      entry: 'pods.pullkeeper.dev',
      namespace: 'team-a',
      operation: 'CREATE',
      outcome: 'skipped',
      reason: 'unknown-entry',
      rules: [],
      images: [],
      present: [],
      injected: [],
      config: CONFIG_HASH
    })
  })
}

t.test('a sealed line is the record with its place in the chain', async (t) => {
  const record = createDecisionRecord(decision, context)
  const { line } = sealRecord(record, link, request, 1.25)
  t.strictSame(JSON.parse(line), { ...record, ...link, uid: REVIEW_UID, user: 'jane', dryRun: false, durationMs: 1.25 })
  t.notMatch(line, /[\n\r]/)
})

t.test('keys stand in the order of the schema', async (t) => {
  const { line } = sealRecord(createDecisionRecord(decision, context), { ...link, seq: 1, prev: CONFIG_HASH }, request, 1)
  t.strictSame(Object.keys(JSON.parse(line)), [
    'time', 'instance', 'seq', 'prev', 'uid', 'user', 'dryRun', 'entry', 'namespace', 'pod', 'owner', 'serviceAccount',
    'operation', 'outcome', 'reason', 'rules', 'images', 'present', 'injected', 'config', 'durationMs'
  ])
})

t.test('a request without a user leaves no key for it', async (t) => {
  const { line } = sealRecord(createDecisionRecord(decision, context), link, createRequest({ request: { userInfo: {} } }), 1)
  t.notOk('user' in JSON.parse(line))
})

t.test('the hash is SHA-256 of the bytes of the line, also beyond ASCII', async (t) => {
  const sealed = sealRecord({ ...createDecisionRecord(decision, context), namespace: 'é\u2028😀' }, link, request, 1)
  t.equal(sealed.hash, sha256(sealed.line))
  t.equal(hashLine(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

t.test('each record but the first names the one before', async (t) => {
  const record = createDecisionRecord(decision, context)
  const lines: string[] = []
  let prev: string | undefined
  for (let seq = 0; seq < 5; seq++) {
    const sealed = sealRecord(record, { ...link, seq, ...(prev !== undefined && { prev }) }, request, seq)
    lines.push(sealed.line)
    prev = sealed.hash
  }
  const records = lines.map((line) => JSON.parse(line) as DecisionRecord)
  t.strictSame(records.map(({ seq }) => seq), [0, 1, 2, 3, 4])
  t.strictSame(records.map(({ prev }) => prev), [undefined, ...lines.slice(0, -1).map(sha256)])
})

t.test('the witness in the audit log names the line under a key of its own', async (t) => {
  const sealed = sealRecord(createDecisionRecord(decision, context), { ...link, seq: 7 }, request, 1)
  const annotations = createAuditAnnotation(REVIEW_UID, { ...link, seq: 7 }, sealed, decision)
  t.strictSame(Object.keys(annotations), [`record.${REVIEW_UID}`])
  t.strictSame(JSON.parse(annotations[`record.${REVIEW_UID}`] ?? ''), {
    record: `host-1f2e3d/7/${sha256(sealed.line)}`, outcome: 'injected', rules: ['example'], injected: ['a']
  })
})
