import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Operation } from 'rfc6902'
import t from 'tap'
import { decideAdmission, type Decision } from '../../src/core/admission-decision.ts'
import { createDecisionRecord, sealRecord } from '../../src/core/decision-record.ts'
import { listPullSecrets, readAnnotation } from '../../src/core/pod.ts'
import type { Policy } from '../../src/core/policy.ts'
import { asArray, asObject, type UnknownObject } from '../../src/core/unknown.ts'
import { pods, rules } from '../helpers/arbitraries.ts'
import { patchPod, stripInjection } from '../helpers/patches.ts'
import { createPolicy, type RuleParts } from '../helpers/policies.ts'
import { createRequest } from '../helpers/reviews.ts'

const ANNOTATION = 'pullkeeper.dev/injected'

const decide = (policy: Policy, path: string, pod: unknown): Decision => decideAdmission(policy, path, createRequest({ pod }))

const listOf = (pod: UnknownObject): unknown[] => asArray(asObject(pod['spec'])?.['imagePullSecrets'])

const namesIn = (annotation: string | undefined): string[] => (annotation ?? '').split(',').filter((name) => name !== '')

/** One call after another, each seeing what those before it did, as the API server makes them. */
interface Call {
  path: string
  before: UnknownObject
  decision: Decision
  after: UnknownObject
}

function callEntries (policy: Policy, paths: string[], pod: UnknownObject): Call[] {
  const calls: Call[] = []
  for (const path of paths) {
    const before = calls.at(-1)?.after ?? pod
    const decision = decide(policy, path, before)
    calls.push({ path, before, decision, after: patchPod(before, decision.patch) })
  }
  return calls
}

interface Scenario {
  rules: RuleParts[]
  policy: Policy
  pod: UnknownObject
  /** Entries in any order, some of them twice: reinvocations. */
  paths: string[]
}

const scenarios = fc.tuple(rules(), pods()).chain(([rules, pod]) => {
  const policy = createPolicy(rules)
  const paths = [...policy.entries.keys()]
  return fc.shuffledSubarray([...paths, ...paths], { minLength: 1 }).map((paths): Scenario => ({ rules, policy, pod, paths }))
})

t.test('a second call changes nothing', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    for (const { path, decision, after } of callEntries(policy, paths, pod)) {
      const again = decide(policy, path, after)
      assert.deepEqual({ patch: again.patch, injected: again.injected, rules: again.rules }, { patch: [], injected: [], rules: decision.rules })
      assert.equal(again.outcome, 'unchanged')
      assert.equal(again.reason, decision.outcome === 'injected' ? 'already-present' : decision.reason)
    }
  }))
})

t.test('once each entry was called, in whatever order, no call changes anything', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    const all = [...paths, ...policy.entries.keys()]
    const settled = callEntries(policy, all, pod).at(-1)?.after ?? pod
    for (const path of policy.entries.keys()) assert.deepEqual(decide(policy, path, settled).patch, [])
  }))
})

t.test('what was in the list stays in front, in its order, and what is appended is new', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    for (const { before, decision, after } of callEntries(policy, paths, pod)) {
      const appended = listOf(after).slice(listOf(before).length)
      assert.deepEqual(listOf(after).slice(0, listOf(before).length), listOf(before))
      assert.deepEqual(appended, decision.injected.map((name) => ({ name })))
      assert.equal(new Set(decision.injected).size, decision.injected.length)
      assert.deepEqual(decision.injected.filter((name) => listPullSecrets(before)?.includes(name)), [])
    }
  }))
})

t.test('only the list and the one annotation change', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    const after = callEntries(policy, paths, pod).at(-1)?.after ?? pod
    assert.deepEqual(stripInjection(after), stripInjection(pod))
  }))
})

t.test('a patch has the fewest operations, all of them add', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    for (const { before, decision: { injected, patch } } of callEntries(policy, paths, pod)) {
      const isPresent = Array.isArray(asObject(before['spec'])?.['imagePullSecrets'])
      const expected = injected.length === 0 ? 0 : (isPresent ? injected.length : 1) + 1
      assert.equal(patch.length, expected)
      assert.ok(patch.every(({ op }: Operation) => op === 'add'))
    }
  }))
})

t.test('the annotation names what these calls added, and nothing that is not in the list', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    const calls = callEntries(policy, paths, pod)
    const injected = calls.flatMap(({ decision }) => decision.injected)
    const after = calls.at(-1)?.after ?? pod
    const value = readAnnotation(after, ANNOTATION)
    if (injected.length === 0) {
      assert.equal(value, readAnnotation(pod, ANNOTATION))
      return
    }
    const names = namesIn(value)
    assert.deepEqual(injected.filter((name) => !names.includes(name)), [])
    assert.deepEqual(names.filter((name) => !listPullSecrets(after)?.includes(name) || !policy.pullSecretNames.has(name)), [])
    assert.deepEqual(names.filter((name) => !injected.includes(name) && !namesIn(readAnnotation(pod, ANNOTATION)).includes(name)), [])
    assert.equal(new Set(names).size, names.length)
  }))
})

t.test('the order of entries changes the order of secrets only', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod }) => {
    const paths = [...policy.entries.keys()]
    const [forwards, backwards] = [paths, paths.toReversed()].map((order) => callEntries(policy, order, pod).at(-1)?.after ?? pod)
    assert.deepEqual(listPullSecrets(forwards ?? {})?.sort(), listPullSecrets(backwards ?? {})?.sort())
  }))
})

t.test('the outcome tells whether there is a patch, also where images are denied', async () => {
  fc.assert(fc.property(scenarios, fc.constantFrom('allow', 'warn', 'deny'), ({ rules, pod }, unmatched) => {
    const policy = createPolicy(rules, { unmatched })
    return [...policy.entries.keys()].every((path) => {
      const { outcome, patch, injected, warnings, message } = decide(policy, path, pod)
      const isConsistent = (outcome === 'injected') === (patch.length > 0) && (injected.length > 0) === (patch.length > 0)
      return isConsistent && (outcome === 'denied') === (message !== undefined) && warnings.length <= 5
    })
  }))
})

function hasUndefined (value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value === undefined
  return Object.values(value).some(hasUndefined)
}

t.test('every decision gives a record without undefined, and a line that parses to it', async () => {
  fc.assert(fc.property(scenarios, ({ policy, pod, paths }) => {
    for (const { before, decision } of callEntries(policy, paths, pod)) {
      const request = createRequest({ pod: before })
      const record = createDecisionRecord(decision, { entry: 'pods.pullkeeper.dev', namespace: request.namespace, operation: request.operation, object: request.object, config: policy.configHash })
      assert.ok(!hasUndefined(record))
      const link = { time: '2026-01-02T03:04:05.678Z', instance: 'host-1', seq: 0 }
      assert.deepEqual(JSON.parse(sealRecord(record, link, request, 1).line), { ...link, uid: request.uid, user: 'jane', dryRun: false, ...structuredClone(record), durationMs: 1 })
    }
  }))
})

t.test('no JSON makes a decision throw, and any patch applies', async () => {
  const policy = createPolicy([{ name: 'always', always: true, pullSecrets: ['a'] }, { name: 'images', matchImages: ['*', '*.*'], pullSecrets: ['b'] }], { unmatched: 'warn' })
  const part = fc.oneof(fc.jsonValue(), fc.array(fc.record({ name: fc.jsonValue(), image: fc.jsonValue() })))
  const shapes = fc.record({
    metadata: fc.oneof(fc.jsonValue(), fc.record({ annotations: fc.jsonValue(), labels: fc.jsonValue() })),
    spec: fc.oneof(fc.jsonValue(), fc.record({ containers: part, volumes: part, imagePullSecrets: part }))
  })
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), shapes), (pod) => {
    const { patch } = decide(policy, '/mutate', pod)
    if (patch.length > 0) patchPod(pod as UnknownObject, patch)
  }))
})

t.test('a Pod of 7 MB is decided in one pass', async (t) => {
  const policy = createPolicy([{ name: 'images', matchImages: ['*.*'] }], { unmatched: 'deny' })
  const images = ['a/'.repeat(3_500_000), 'a.'.repeat(3_500_000), `registry.io/${'a-'.repeat(3_500_000)}`]
  for (const image of images) {
    t.match(decide(policy, '/mutate', { metadata: {}, spec: { containers: [{ name: 'app', image }] } }), { outcome: 'unchanged', reason: 'no-rule' })
  }
  const many = Array.from({ length: 50_000 }, (_, index) => ({ name: `c-${index}`, image: `registry.io/app-${index}` }))
  t.match(decide(policy, '/mutate', { metadata: {}, spec: { containers: many } }), { outcome: 'injected', injected: ['example-pull'] })
})
