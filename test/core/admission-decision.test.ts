import t from 'tap'
import { decideAdmission, failOpenOrClosed, OUTCOMES, REASONS, skip, type Decision, type Outcome, type Reason } from '../../src/core/admission-decision.ts'
import type { Policy } from '../../src/core/policy.ts'
import type { UnknownObject } from '../../src/core/unknown.ts'
import { createPod } from '../helpers/pods.ts'
import { createPolicy, findEntryPath, OWN_NAMESPACE, type ConfigParts, type RuleParts } from '../helpers/policies.ts'
import { createRequest, type ReviewParts } from '../helpers/reviews.ts'

const decide = (policy: Policy, pod: UnknownObject, parts: ReviewParts = {}, path = '/mutate'): Decision => {
  return decideAdmission(policy, path, createRequest({ pod, ...parts }))
}

const acr: RuleParts = { name: 'acr', matchImages: ['*.azurecr.io'], excludeImages: ['public.azurecr.io'], pullSecrets: ['acr-pull'] }
const team: RuleParts = { name: 'team', matchImages: ['registry.example.com'], pullSecrets: ['team-pull'], namespaces: { include: ['team-*'], exclude: ['team-x'] } }
const node: RuleParts = { name: 'node', matchImages: ['node.example.net'], pullSecrets: [] }
const debug: RuleParts = { name: 'debug', always: true, pullSecrets: ['debug-pull'], namespaces: { include: ['debug-*'] } }
const system: RuleParts = { name: 'system', matchImages: ['*.azurecr.io'], pullSecrets: ['system-pull'], namespaces: { include: ['kube-system', OWN_NAMESPACE] } }
const policy = createPolicy([acr, team, node, debug, system])

interface Expected {
  outcome: Outcome
  reason: Reason
  rules?: string[]
  injected?: string[]
}

const cases: [string, { pod: UnknownObject } & ReviewParts, Expected][] = [
  ['a rule that matches injects', { pod: createPod({ images: ['my.azurecr.io/a'] }) }, { outcome: 'injected', reason: 'rule-matched', rules: ['acr'], injected: ['acr-pull'] }],
  ['all rules that match apply, in their order', { pod: createPod({ images: ['registry.example.com/a', 'my.azurecr.io/a'] }) }, { outcome: 'injected', reason: 'rule-matched', rules: ['acr', 'team'], injected: ['acr-pull', 'team-pull'] }],
  ['a secret that is there is not injected', { pod: createPod({ images: ['my.azurecr.io/a'], pullSecrets: ['x', 'acr-pull'] }) }, { outcome: 'unchanged', reason: 'already-present', rules: ['acr'] }],
  ['only what lacks is injected', { pod: createPod({ images: ['registry.example.com/a', 'my.azurecr.io/a'], pullSecrets: ['acr-pull'] }) }, { outcome: 'injected', reason: 'rule-matched', rules: ['acr', 'team'], injected: ['team-pull'] }],
  ['a rule without a secret injects none', { pod: createPod({ images: ['node.example.net/a'] }) }, { outcome: 'unchanged', reason: 'no-secret-needed', rules: ['node'] }],
  ['an excluded image injects none', { pod: createPod({ images: ['public.azurecr.io/a'] }) }, { outcome: 'unchanged', reason: 'no-rule' }],
  ['an image of nobody injects none', { pod: createPod({ images: ['quay.io/a'] }) }, { outcome: 'unchanged', reason: 'no-rule' }],
  ['a Pod without images injects none', { pod: createPod({ images: [] }) }, { outcome: 'unchanged', reason: 'no-rule' }],
  ['an excluded namespace injects none', { pod: createPod(), namespace: 'team-x' }, { outcome: 'unchanged', reason: 'no-rule' }],
  ['a namespace that is not included injects none', { pod: createPod(), namespace: 'other' }, { outcome: 'unchanged', reason: 'no-rule' }],
  ['an always rule applies whatever the images are', { pod: createPod({ images: ['quay.io/a'] }), namespace: 'debug-1' }, { outcome: 'injected', reason: 'rule-matched', rules: ['debug'], injected: ['debug-pull'] }],
  ['an always rule applies to a Pod without images', { pod: createPod({ images: [] }), namespace: 'debug-1' }, { outcome: 'injected', reason: 'rule-matched', rules: ['debug'], injected: ['debug-pull'] }],
  ['an unparsable image is matched by nothing', { pod: createPod({ images: ['my.azurecr.io/A'] }) }, { outcome: 'unchanged', reason: 'no-rule' }],
  ['an image volume counts', { pod: createPod({ images: [], spec: { volumes: [{ name: 'm', image: { reference: 'my.azurecr.io/m' } }] } }) }, { outcome: 'injected', reason: 'rule-matched', rules: ['acr'], injected: ['acr-pull'] }],
  ['an init container counts', { pod: createPod({ images: [], spec: { initContainers: [{ name: 'i', image: 'my.azurecr.io/i' }] } }) }, { outcome: 'injected', reason: 'rule-matched', rules: ['acr'], injected: ['acr-pull'] }],
  ['a dry run is decided like any other', { pod: createPod({ images: ['my.azurecr.io/a'] }), dryRun: true }, { outcome: 'injected', reason: 'rule-matched', rules: ['acr'], injected: ['acr-pull'] }],

  ['an update is skipped', { pod: createPod(), operation: 'UPDATE' }, { outcome: 'skipped', reason: 'not-pod-create' }],
  ['a subresource is skipped', { pod: createPod(), request: { subResource: 'ephemeralcontainers' } }, { outcome: 'skipped', reason: 'not-pod-create' }],
  ['a creation without an object is skipped', { pod: createPod(), request: { object: null } }, { outcome: 'skipped', reason: 'not-pod-create' }],
  ['a Pod without a spec is skipped', { pod: { metadata: {} } }, { outcome: 'skipped', reason: 'malformed-pod' }],
  ['a Pod without metadata is skipped', { pod: { spec: {} } }, { outcome: 'skipped', reason: 'malformed-pod' }],
  ['a list of pull secrets that is none is skipped', { pod: createPod({ spec: { imagePullSecrets: 'acr-pull' } }) }, { outcome: 'skipped', reason: 'malformed-pod' }],
  ['a mirror Pod is skipped', { pod: createPod({ annotations: { 'kubernetes.io/config.mirror': 'x' } }) }, { outcome: 'skipped', reason: 'mirror-pod' }],
  ['a mirror Pod of kube-system is one in the first place', { pod: createPod({ annotations: { 'kubernetes.io/config.mirror': 'x' } }), namespace: 'kube-public' }, { outcome: 'skipped', reason: 'mirror-pod' }],
  ['an opt-out by annotation is skipped', { pod: createPod({ annotations: { 'pullkeeper.dev/inject': 'false' } }) }, { outcome: 'skipped', reason: 'opted-out' }],
  ['an opt-out by label is skipped', { pod: createPod({ labels: { 'pullkeeper.dev/inject': 'false' } }) }, { outcome: 'skipped', reason: 'opted-out' }],
  ['a reserved namespace is skipped', { pod: createPod({ images: ['my.azurecr.io/a'] }), namespace: 'kube-public' }, { outcome: 'skipped', reason: 'reserved-namespace' }],
  ['a reserved namespace that a rule names is that rule\'s only', { pod: createPod({ images: ['my.azurecr.io/a'] }), namespace: OWN_NAMESPACE }, { outcome: 'injected', reason: 'rule-matched', rules: ['system'], injected: ['system-pull'] }]
]

for (const [name, { pod, ...parts }, expected] of cases) {
  t.test(name, async (t) => {
    const decision = decide(policy, pod, parts)
    const { outcome, reason, rules, injected } = decision
    t.strictSame({ outcome, reason, rules, injected }, { rules: [], injected: [], ...expected })
    t.equal(decision.patch.length > 0, outcome === 'injected')
    t.equal(decision.message, undefined)
  })
}

t.test('an entry that no rule has (any more) is skipped', async (t) => {
  t.strictSame(decide(policy, createPod(), {}, '/mutate/0123456789'), skip('unknown-entry'))
})

t.test('every image says which rules match it, always rules not among them', async (t) => {
  const pod = createPod({ images: ['my.azurecr.io/a:1', 'quay.io/b', 'Wrong'], pullSecrets: ['own'] })
  const decision = decide(policy, pod, { namespace: 'debug-1' })
  t.strictSame(decision.rules, ['acr', 'debug'])
  t.strictSame(decision.present, ['own'])
  t.strictSame(decision.images.map(({ image, rules }) => ({ image, rules })), [
    { image: 'my.azurecr.io/a:1', rules: ['acr'] }, { image: 'quay.io/b', rules: [] }, { image: 'Wrong', rules: [] }
  ])
  t.match(decision.images[0], { container: 'container-0', field: 'containers', reference: { domain: 'my.azurecr.io', path: 'a', tag: '1' } })
  t.match(decision.images[2], { error: /./ })
})

t.test('a skipped Pod still shows its images and pull secrets, matched by nothing', async (t) => {
  const pod = createPod({ images: ['my.azurecr.io/a'], pullSecrets: ['own'], labels: { 'pullkeeper.dev/inject': 'false' } })
  const { images, present, rules } = decide(policy, pod)
  t.strictSame({ images: images.map(({ image, rules }) => ({ image, rules })), present, rules }, { images: [{ image: 'my.azurecr.io/a', rules: [] }], present: ['own'], rules: [] })
})

const selected: RuleParts = { name: 'selected', matchImages: ['quay.io'], pullSecrets: ['quay-pull'], namespaces: { selector: { matchLabels: { team: 'a' } }, exclude: ['team-x'] } }
const forEveryTeam: RuleParts = { ...team, namespaces: {} }

interface UnmatchedCase extends ReviewParts {
  rules?: RuleParts[]
  images: string[]
  pullSecrets?: string[]
}

/** Each with the images that no rule matches. */
const unmatchedCases: [string, UnmatchedCase, string[]][] = [
  ['an image of a rule is matched', { images: ['registry.example.com/a'] }, []],
  ['an image of a rule without secrets is matched', { images: ['node.example.net/a'], rules: [node] }, []],
  ['an image of nobody is unmatched', { images: ['registry.example.com/a', 'ghcr.io/a', 'ghcr.io/b'] }, ['ghcr.io/a', 'ghcr.io/b']],
  ['an excluded image is unmatched', { images: ['public.azurecr.io/a'], rules: [acr] }, ['public.azurecr.io/a']],
  ['an image of a rule for other namespaces is unmatched', { images: ['registry.example.com/a'], rules: [team], namespace: 'other' }, ['registry.example.com/a']],
  ['an always rule matches no image', { images: ['ghcr.io/a'], rules: [debug], namespace: 'debug-1' }, ['ghcr.io/a']],
  ['an unparsable image is the business of the kubelet', { images: ['ghcr.io/A', 'Wrong'] }, []],
  ['a Pod without images has none unmatched', { images: [] }, []],
  ['an image of a rule with a selector is matched once its secret is there', { images: ['quay.io/a'], pullSecrets: ['quay-pull'] }, []],
  ['an image of a rule with a selector is unmatched without its secret', { images: ['quay.io/a'], pullSecrets: ['other'] }, ['quay.io/a']],
  ['all secrets of such a rule must be there', { images: ['quay.io/a'], pullSecrets: ['quay-pull'], rules: [{ ...selected, pullSecrets: ['quay-pull', 'second'] }] }, ['quay.io/a']],
  ['its secret does not vouch for other images', { images: ['quay.io/a', 'ghcr.io/a'], pullSecrets: ['quay-pull'] }, ['ghcr.io/a']],
  ['its secret does not vouch where the rule does not hold', { images: ['quay.io/a'], pullSecrets: ['quay-pull'], namespace: 'team-x' }, ['quay.io/a']],
  ['an always rule with a selector vouches for nothing', { images: ['ghcr.io/a'], pullSecrets: ['debug-pull'], rules: [{ ...debug, namespaces: { selector: { matchLabels: { team: 'a' } } } }] }, ['ghcr.io/a']]
]

for (const [name, { rules = [forEveryTeam, selected], images, pullSecrets, ...parts }, expected] of unmatchedCases) {
  const pod = createPod({ images, ...(pullSecrets && { pullSecrets }) })
  const decideUnmatched = (unmatched: ConfigParts['unmatched'] & string): Decision => decide(createPolicy(rules, { unmatched }), pod, parts)

  t.test(`unmatched: deny, ${name}`, async (t) => {
    const allowed = decideUnmatched('allow')
    const { outcome, reason, injected, patch, message } = decideUnmatched('deny')
    const denied = { outcome: 'denied', reason: 'unmatched-image', injected: [], patch: [] }
    const undenied = { outcome: allowed.outcome, reason: allowed.reason, injected: allowed.injected, patch: allowed.patch }
    t.strictSame({ outcome, reason, injected, patch }, expected.length > 0 ? denied : undenied)
    for (const image of images) t.equal(message?.includes(`"${image}"`) ?? false, expected.includes(image), image)
  })

  t.test(`unmatched: warn, ${name}`, async (t) => {
    const allowed = decideUnmatched('allow')
    const { outcome, reason, patch, warnings } = decideUnmatched('warn')
    t.strictSame({ outcome, reason, patch }, { outcome: allowed.outcome, reason: allowed.reason, patch: allowed.patch })
    const told = warnings.filter((warning) => warning.includes('no rule'))
    t.strictSame(told.map((warning) => /"([^"]*)"/.exec(warning)?.[1]), expected)
    t.strictSame(allowed.warnings, warnings.filter((warning) => !told.includes(warning)))
  })
}

const undeniable: [string, UnknownObject, string][] = [
  ['a mirror Pod', createPod({ images: ['ghcr.io/a'], annotations: { 'kubernetes.io/config.mirror': 'x' } }), 'team-a'],
  ['a Pod that opted out', createPod({ images: ['ghcr.io/a'], labels: { 'pullkeeper.dev/inject': 'false' } }), 'team-a'],
  ['a Pod of a reserved namespace', createPod({ images: ['ghcr.io/a'] }), 'kube-system']
]

for (const [name, pod, namespace] of undeniable) {
  t.test(`unmatched: deny, ${name} is never denied nor warned of`, async (t) => {
    const { outcome, warnings } = decide(createPolicy([team], { unmatched: 'deny' }), pod, { namespace })
    t.strictSame({ outcome, warnings }, { outcome: 'skipped', warnings: [] })
  })
}

t.test('only the default entry denies and warns', async (t) => {
  for (const unmatched of ['warn', 'deny'] as const) {
    const denying = createPolicy([team, selected], { unmatched })
    const { outcome, warnings } = decide(denying, createPod({ images: ['ghcr.io/a', 'quay.io/a', 'Wrong'] }), {}, findEntryPath(denying, 'selected'))
    t.strictSame({ outcome, warnings }, { outcome: 'injected', warnings: [] })
  }
})

t.test('an entry evaluates its own rules only, and the default one sees what it added', async (t) => {
  const policy = createPolicy([forEveryTeam, selected])
  const pod = createPod({ images: ['registry.example.com/a', 'quay.io/a'] })
  const first = decide(policy, pod, {}, findEntryPath(policy, 'selected'))
  t.strictSame([first.rules, first.injected], [['selected'], ['quay-pull']])
  const second = decide(policy, { ...pod, spec: { ...pod.spec, imagePullSecrets: [{ name: 'quay-pull' }] } })
  t.strictSame([second.rules, second.present, second.injected], [['team'], ['quay-pull'], ['team-pull']])
})

t.test('without annotate only the list changes', async (t) => {
  const { patch } = decide(createPolicy([team], { webhook: { annotate: false } }), createPod())
  t.strictSame(patch, [{ op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'team-pull' }] }])
})

const failures: [string, Decision, Partial<Decision>][] = [
  ['an internal error lets the Pod go', failOpenOrClosed('allow', 'internal-error'), { outcome: 'error', reason: 'internal-error' }],
  ['or denies it', failOpenOrClosed('deny', 'internal-error'), { outcome: 'denied', reason: 'internal-error' }],
  ['a decision log that fails denies the Pod', failOpenOrClosed('deny', 'decision-log-unavailable'), { outcome: 'denied', reason: 'decision-log-unavailable' }]
]

for (const [name, decision, expected] of failures) {
  t.test(name, async (t) => {
    t.match(decision, { ...expected, patch: [], injected: [] })
    if (decision.outcome === 'denied') t.match(decision, { message: /^pullkeeper: / })
    else t.match(decision, { warnings: [/no pull secret was injected/] })
    t.equal('message' in decision, decision.outcome === 'denied')
  })
}

t.test('every reason says first which outcome it has', async (t) => {
  for (const [reason, meaning] of Object.entries(REASONS)) {
    t.ok(OUTCOMES.some((outcome) => meaning.startsWith(outcome)), reason)
  }
})
