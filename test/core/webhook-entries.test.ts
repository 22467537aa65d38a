import t from 'tap'
import type { LabelSelector } from '../../src/core/label-selector.ts'
import type { Rule } from '../../src/core/pull-secret-config.ts'
import { createWebhookConfiguration, formatEntryName, listWebhookEntries, type RegistrationOptions } from '../../src/core/webhook-entries.ts'
import { createConfig, createRule, type ConfigParts, type RuleParts } from '../helpers/policies.ts'

const teamA: LabelSelector = { matchLabels: { team: 'a' } }
const teamAByExpression: LabelSelector = { matchExpressions: [{ key: 'team', operator: 'In', values: ['a'] }] }
const teamB: LabelSelector = { matchLabels: { team: 'b' } }

const select = (name: string, selector?: LabelSelector): Rule => createRule({ name, ...(selector && { namespaces: { selector } }) })

const groupings: [string, Rule[], string[][]][] = [
  ['no rule at all leaves the default entry', [], [[]]],
  ['rules without a selector share the default entry', [select('one'), select('two')], [['one', 'two']]],
  ['an empty selector is none', [select('one', {}), select('two', { matchLabels: {}, matchExpressions: [] })], [['one', 'two']]],
  ['a rule with a selector has its own entry, before the default one', [select('one'), select('two', teamA)], [['two'], ['one']]],
  ['the default entry stands last, also without a rule', [select('one', teamA)], [['one'], []]],
  ['rules with equal selectors share one', [select('one', teamA), select('two', teamAByExpression)], [['one', 'two'], []]],
  ['entries stand in the order of the first rule of each', [select('one', teamB), select('two', teamA), select('three', teamB)], [['one', 'three'], ['two'], []]]
]

for (const [name, rules, expected] of groupings) {
  t.test(name, async (t) => {
    const entries = listWebhookEntries(rules)
    t.strictSame(entries.map((entry) => entry.rules.map((rule) => rule.name)), expected)
    t.match(entries.at(-1), { name: 'pods.pullkeeper.dev', path: '/mutate' })
    t.notOk('selector' in (entries.at(-1) ?? {}))
  })
}

t.test('names and paths carry a short hash of the selector, which nothing else changes', async (t) => {
  const [first] = listWebhookEntries([select('one', teamA)])
  const [, second] = listWebhookEntries([select('other', teamB), select('two', teamAByExpression)])
  t.match(first?.path, /^\/mutate\/[0-9a-f]{10}$/)
  t.equal(first?.name, `${first?.path.slice('/mutate/'.length)}.rules.pullkeeper.dev`)
  t.strictSame([second?.name, second?.path], [first?.name, first?.path])
})

t.test('a request path has the name of its entry, also when no rule has it', async (t) => {
  t.equal(formatEntryName('/mutate'), 'pods.pullkeeper.dev')
  t.equal(formatEntryName('/mutate/0123456789'), '0123456789.rules.pullkeeper.dev')
  for (const { name, path } of listWebhookEntries([select('one', teamA), select('two')])) t.equal(formatEntryName(path), name)
})

const options: RegistrationOptions = { target: { service: { namespace: 'pullkeeper-system', name: 'pullkeeper', port: 8443 } }, caBundle: 'test bundle' }

/** What the tests read of a MutatingWebhookConfiguration. */
interface Registration {
  webhooks: { name: string, clientConfig: object, namespaceSelector: LabelSelector, failurePolicy: string, timeoutSeconds: number }[]
}

const register = (rules: RuleParts[], overrides: ConfigParts = {}, parts: Partial<RegistrationOptions> = {}): Registration => {
  return createWebhookConfiguration(createConfig(rules, overrides), { ...options, ...parts }) as Registration
}

t.test('the registered configuration is the one of the API', async (t) => {
  t.strictSame(createWebhookConfiguration(createConfig(), options), {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'pullkeeper', labels: { 'app.kubernetes.io/name': 'pullkeeper' } },
    webhooks: [{
      name: 'pods.pullkeeper.dev',
      clientConfig: { service: { namespace: 'pullkeeper-system', name: 'pullkeeper', port: 8443, path: '/mutate' }, caBundle: Buffer.from('test bundle').toString('base64') },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
      namespaceSelector: {
        matchExpressions: [
          { key: 'pullkeeper.dev/inject', operator: 'NotIn', values: ['false'] },
          { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['kube-system', 'kube-public', 'kube-node-lease', 'pullkeeper-system'] }
        ]
      },
      sideEffects: 'None',
      reinvocationPolicy: 'IfNeeded',
      failurePolicy: 'Ignore',
      timeoutSeconds: 3,
      admissionReviewVersions: ['v1', 'v1beta1']
    }]
  })
})

t.test('every entry is registered in order, with its own path', async (t) => {
  const rules = [{ name: 'one', namespaces: { selector: teamA } }, { name: 'two' }]
  const entries = listWebhookEntries(rules.map(createRule))
  const { webhooks } = register(rules, {}, { target: { url: 'https://127.0.0.1:8443' } })
  t.strictSame(webhooks.map(({ name, clientConfig }) => ({ name, clientConfig })), entries.map(({ name, path }) => {
    return { name, clientConfig: { url: `https://127.0.0.1:8443${path}`, caBundle: Buffer.from('test bundle').toString('base64') } }
  }))
})

t.test('the settings of the webhook hold for each entry', async (t) => {
  const { webhooks } = register([{ name: 'one', namespaces: { selector: teamA } }], { webhook: { failurePolicy: 'Fail', timeoutSeconds: 10 } })
  t.strictSame(webhooks.map(({ failurePolicy, timeoutSeconds }) => ({ failurePolicy, timeoutSeconds })), [
    { failurePolicy: 'Fail', timeoutSeconds: 10 }, { failurePolicy: 'Fail', timeoutSeconds: 10 }
  ])
})

const optedOut = { key: 'pullkeeper.dev/inject', operator: 'NotIn', values: ['false'] }
const reserved = (...values: string[]): object => ({ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values })
const selectors: [string, RuleParts[], string | undefined, object][] = [
  ['the labels of a selector stay', [{ namespaces: { selector: teamA } }], undefined, { ...teamA, matchExpressions: [optedOut, reserved('kube-system', 'kube-public', 'kube-node-lease', 'pullkeeper-system')] }],
  ['the expressions of a selector stay in front', [{ namespaces: { selector: teamAByExpression } }], undefined, {
    matchExpressions: [{ key: 'team', operator: 'In', values: ['a'] }, optedOut, reserved('kube-system', 'kube-public', 'kube-node-lease', 'pullkeeper-system')]
  }],
  ['a namespace that a rule names is let through', [{ namespaces: { include: ['kube-system', 'team-*'] } }], undefined, { matchExpressions: [optedOut, reserved('kube-public', 'kube-node-lease', 'pullkeeper-system')] }],
  ['pullkeeper may run elsewhere', [{}], 'platform', { matchExpressions: [optedOut, reserved('kube-system', 'kube-public', 'kube-node-lease', 'platform')] }],
  ['where all are named, none is kept out', [{ namespaces: { include: ['kube-system', 'kube-public', 'kube-node-lease', 'platform'] } }], 'platform', { matchExpressions: [optedOut] }]
]

for (const [name, rules, ownNamespace, expected] of selectors) {
  t.test(`of the registered namespaceSelector, ${name}`, async (t) => {
    const { webhooks } = register(rules, {}, { ...(ownNamespace !== undefined && { ownNamespace }) })
    t.strictSame(webhooks[0]?.namespaceSelector, expected)
  })
}

t.test('a name in one entry opens nothing in another', async (t) => {
  const { webhooks } = register([{ name: 'one', namespaces: { include: ['kube-system'], selector: teamA } }, { name: 'two' }])
  const closed = webhooks.map(({ namespaceSelector }) => JSON.stringify(namespaceSelector).includes('"kube-system"'))
  t.strictSame(closed, [false, true])
})
