import t from 'tap'
import { isConfigDocument } from '../../src/config/schema-problems.ts'

const header = { apiVersion: 'pullkeeper.dev/v1alpha1', kind: 'PullSecretConfig' }
const azure = { azure: { identity: 'workloadIdentity' } }

const inDocument = (parts: object): object => ({ ...header, rules: [], ...parts })
const inRule = (parts: object): object => inDocument({ rules: [{ name: 'a', pullSecrets: [], ...parts }] })
const inNamespaces = (namespaces: unknown): object => inRule({ namespaces })
const inPullSecret = (parts: object): object => inDocument({ pullSecrets: [{ name: 'a', ...parts }] })
const inRegistry = (parts: object): object => inPullSecret({ registries: [{ servers: ['a.io'], credential: azure, ...parts }] })
const label = (length: number): string => 'a'.repeat(length)

/** Where a value stands, the values that are accepted there, and those that are not. */
const cases: [string, (value: unknown) => object, unknown[], unknown[]][] = [
  ['apiVersion', (apiVersion) => inDocument({ apiVersion }), ['pullkeeper.dev/v1alpha1'], ['pullkeeper.dev/v1', 'v1alpha1', 1, null]],
  ['kind', (kind) => inDocument({ kind }), ['PullSecretConfig'], ['Config', 'pullSecretConfig', null]],
  ['the key of the document', (key) => inDocument({ [String(key)]: [] }), ['retired', 'pullSecrets'], ['rule', 'metadata', 'toString']],
  ['rules', (rules) => inDocument({ rules }), [[]], [null, {}, 'a', [null], ['a']]],
  ['unmatched', (unmatched) => inDocument({ unmatched }), ['allow', 'warn', 'deny'], ['Deny', true, null, '']],
  ['retired', (retired) => inDocument({ retired }), [[], ['a', 'b.c']], ['a', ['A'], [1]]],

  ['the name of a rule', (name) => inRule({ name }), ['a', '0', 'a-b', label(63)], ['', 'A', 'a.b', 'a_b', '-a', 'a-', label(64), 1, 'a\n']],
  ['matchImages', (matchImages) => inRule({ matchImages }), [['a.io'], ['https://a.io', '*']], [[], 'a.io', [''], [1], null]],
  ['excludeImages', (excludeImages) => inRule({ excludeImages }), [[], ['a.io']], ['a.io', [''], null]],
  ['always', (always) => inRule({ always }), [true, false], ['true', 1, null]],
  ['the pull secrets of a rule', (pullSecrets) => inRule({ pullSecrets }), [[], ['a', 'a.b-c']], ['a', ['A'], ['a_b'], [''], [{ name: 'a' }], null]],
  ['the key of a rule', (key) => inRule({ [String(key)]: ['a'] }), ['matchImages', 'excludeImages'], ['images', 'match_images']],
  ['include', (include) => inNamespaces({ include }), [['*'], ['team-?', 'kube-system'], [label(63)]], [[], ['Team'], ['a.b'], ['[ab]'], [''], [label(64)], '*']],
  ['exclude', (exclude) => inNamespaces({ exclude }), [[], ['kube-*']], [['Team'], 'kube-*']],
  ['matchLabels', (matchLabels) => inNamespaces({ selector: { matchLabels } }),
    [{}, { team: 'a' }, { 'example.com/team': '' }, { 'pullkeeper.dev/Tier_1': 'A_b.c-d' }, { toString: 'a' }, { [label(63)]: label(63) }],
    [{ '': 'a' }, { 'a b': 'c' }, { 'Example.com/a': 'b' }, { '/a': 'b' }, { 'a/b/c': 'd' }, { team: '-a' }, { team: 'a b' }, { team: 1 }, { team: null }, { [label(64)]: 'a' }, { a: label(64) }, ['a']]],
  ['an expression', (expression) => inNamespaces({ selector: { matchExpressions: [expression] } }),
    [{ key: 'a', operator: 'Exists' }, { key: 'a.io/b', operator: 'In', values: ['a', ''] }, { key: 'a', operator: 'NotIn', values: [] }, { key: 'a', operator: 'DoesNotExist' }],
    [{ key: 'a' }, { operator: 'Exists' }, { key: 'a', operator: 'exists' }, { key: 'a', operator: 'In', values: 'a' }, { key: 'a', operator: 'In', values: ['a b'] }, { key: '', operator: 'Exists' }, null]],
  ['the key of a selector', (key) => inNamespaces({ selector: { [String(key)]: [] } }), ['matchExpressions'], ['matchLabels', 'team']],

  ['the name of a pull secret', (name) => inPullSecret({ name }),
    ['a', 'a.b', 'a-b.c-d', label(63), `${label(63)}.${label(63)}.${label(63)}.${label(61)}`, label(64), label(253)],
    ['', 'A', 'a_b', '.a', 'a.', 'a..b', '-a', 'a-', label(254), 1]],
  ['onConflict', (onConflict) => inPullSecret({ onConflict }), ['skip', 'adopt', 'overwrite'], ['Skip', true, null]],
  ['onExpired', (onExpired) => inPullSecret({ onExpired }), ['keep', 'withdraw'], ['delete', null]],
  ['serviceAccounts', (serviceAccounts) => inPullSecret({ serviceAccounts }), [[], ['*'], ['default', 'a.b']], ['*', ['A'], ['a-'], [''], ['a*']]],
  ['copyFrom', (copyFrom) => inPullSecret({ copyFrom }),
    [{ file: '/a' }, { secret: { namespace: 'a', name: 'b' } }],
    [{}, { file: 'a' }, { file: '/' }, { secret: { name: 'b' } }, { secret: { namespace: 'a' } }, { secret: { namespace: 'a', name: 'b', key: 'c' } }, { file: '/a', secret: { namespace: 'a', name: 'b' } }, { url: '/a' }, null]],
  ['registries', (registries) => inPullSecret({ registries }), [[{ servers: ['a.io'], credential: azure }]], [[], {}, [{}], [{ servers: ['a.io'] }], [{ credential: azure }]]],
  ['servers', (servers) => inRegistry({ servers }), [['a.io'], ['a.io:5000/b/', 'https://index.docker.io/v1/']], [[], ['a b'], [''], 'a.io']],
  ['verify', (verify) => inRegistry({ verify }), [true, false], ['no', null]],
  ['caFile', (caFile) => inRegistry({ caFile }), ['/etc/ca.crt'], ['ca.crt', '', null]],
  ['allowedRealms', (allowedRealms) => inRegistry({ allowedRealms }), [[], ['auth.example.com']], ['a', ['']]],
  ['credential', (credential) => inRegistry({ credential }),
    [azure, { basic: { username: 'a', passwordFrom: { file: '/a' } } }, { basic: { usernameFrom: { file: '/a' }, passwordFrom: { secret: { namespace: 'a', name: 'b', key: '.dockerconfigjson' } } } }],
    [{}, { ...azure, basic: { username: 'a', passwordFrom: { file: '/a' } } }, { basic: { username: 'a' } }, { basic: { username: 'a', password: 'b' } }, { basic: { username: '', passwordFrom: { file: '/a' } } }, { token: {} }, null]],
  ['a value source', (passwordFrom) => inRegistry({ credential: { basic: { username: 'a', passwordFrom } } }),
    [{ file: '/a' }, { secret: { namespace: 'a', name: 'b', key: 'a_b.C-d' } }],
    [{}, 'a', { secret: { namespace: 'a', name: 'b' } }, { secret: { namespace: 'a', name: 'b', key: 'a/b' } }, { secret: { namespace: 'A', name: 'b', key: 'c' } }, { file: '/a', secret: { namespace: 'a', name: 'b', key: 'c' } }]],
  ['the identity of azure', (identity) => inRegistry({ credential: { azure: { identity } } }), ['workloadIdentity', 'managedIdentity', 'clientSecret', 'clientCertificate'], ['workload', null]],

  ['onError', (onError) => inDocument({ webhook: { onError } }), ['allow', 'deny'], ['ignore', true]],
  ['annotate', (annotate) => inDocument({ webhook: { annotate } }), [true, false], ['yes', 0]],
  ['failurePolicy', (failurePolicy) => inDocument({ webhook: { failurePolicy } }), ['Ignore', 'Fail'], ['ignore', null]],
  ['timeoutSeconds', (timeoutSeconds) => inDocument({ webhook: { timeoutSeconds } }), [1, 3, 30], [0, 31, 2.5, '3', null]],
  ['manageRegistration', (manageRegistration) => inDocument({ webhook: { manageRegistration } }), [true, false], ['true']],
  ['pruneAfter', (pruneAfter) => inDocument({ sync: { pruneAfter } }), ['0s', '250ms', '30s', '10m', '1h', '7d'], ['10', '10 m', '1.5h', '-1s', '1w', 'm', '', 10, '10m ']],
  ['recover', (recover) => inDocument({ sync: { recover } }), ['off', 'report', 'evict'], [false, 'on']]
]

const show = (value: unknown): string => String(JSON.stringify(value)).slice(0, 80)

for (const [name, create, valid, invalid] of cases) {
  t.test(`${name} is what Kubernetes and the reference of the configuration say`, async (t) => {
    for (const value of valid) t.ok(isConfigDocument(create(value)), `accepted: ${show(value)}`)
    for (const value of invalid) t.notOk(isConfigDocument(create(value)), `refused: ${show(value)}`)
  })
}

t.test('nothing is filled in, coerced or taken away', async (t) => {
  const document = inRule({ namespaces: {} })
  const copy = structuredClone(document)
  isConfigDocument(document)
  isConfigDocument({ ...document, foreign: true })
  t.strictSame(document, copy)
})
