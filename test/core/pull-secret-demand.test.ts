import t from 'tap'
import { compileDemand } from '../../src/core/pull-secret-demand.ts'
import { createConfig, createPullSecret, OWN_NAMESPACE, type RuleParts } from '../helpers/policies.ts'

const PAYMENTS = { team: 'payments' }

const cases: [string, RuleParts[], [name: string, labels?: Record<string, string>], string[]][] = [
  ['a rule without namespaces is for all', [{ pullSecrets: ['a'] }], ['team-a'], ['a']],
  ['a namespace wants the union of its rules', [{ pullSecrets: ['a', 'b'] }, { pullSecrets: ['b', 'c'], namespaces: { include: ['team-*'] } }], ['team-a'], ['a', 'b', 'c']],
  ['a rule for other namespaces does not count', [{ pullSecrets: ['a'], namespaces: { include: ['other'] } }], ['team-a'], []],
  ['exclude wins', [{ pullSecrets: ['a'], namespaces: { include: ['team-*'], exclude: ['team-a'] } }], ['team-a'], []],
  ['a selector must hold', [{ pullSecrets: ['a'], namespaces: { selector: { matchLabels: PAYMENTS } } }], ['team-a', { team: 'other' }], []],
  ['a selector that holds counts', [{ pullSecrets: ['a'], namespaces: { selector: { matchLabels: PAYMENTS } } }], ['team-a', PAYMENTS], ['a']],
  ['a selector must hold beside the name', [{ pullSecrets: ['a'], namespaces: { include: ['other'], selector: { matchLabels: PAYMENTS } } }], ['team-a', PAYMENTS], []],
  ['an empty selector is none', [{ pullSecrets: ['a'], namespaces: { selector: {} } }], ['team-a'], ['a']],
  ['Kubernetes\' own namespaces want nothing', [{ pullSecrets: ['a'] }], ['kube-system'], []],
  ['unless a rule names them', [{ pullSecrets: ['a'], namespaces: { include: ['kube-system'] } }], ['kube-system'], ['a']],
  ['nor does pullkeeper\'s', [{ pullSecrets: ['a'] }], [OWN_NAMESPACE], []],
  ['a namespace that opted out wants nothing', [{ pullSecrets: ['a'] }], ['team-a', { 'pullkeeper.dev/inject': 'false' }], []],
  ['even if a rule names it: the webhook is not called for it', [{ pullSecrets: ['a'], namespaces: { include: ['team-a'] } }], ['team-a', { 'pullkeeper.dev/inject': 'false' }], []],
  ['only the value false opts out', [{ pullSecrets: ['a'] }], ['team-a', { 'pullkeeper.dev/inject': 'true' }], ['a']],
  ['images do not count: a Pod may come', [{ pullSecrets: ['a'], always: true }], ['team-a'], ['a']],
  ['a rule without pull secrets wants none', [{ pullSecrets: [] }], ['team-a'], []],
  ['without rules nothing is wanted', [], ['team-a'], []]
]

for (const [name, rules, [namespace, labels = {}], expected] of cases) {
  t.test(name, async (t) => {
    t.strictSame([...compileDemand(createConfig(rules), OWN_NAMESPACE)({ name: namespace, labels })], expected)
  })
}

t.test('a Secret that somebody else keeps is not wanted of us', async (t) => {
  const config = { ...createConfig([{ pullSecrets: ['a', 'theirs'] }]), pullSecrets: [createPullSecret({ name: 'a' })] }
  t.strictSame([...compileDemand(config, OWN_NAMESPACE)({ name: 'team-a', labels: {} })], ['a'])
})
