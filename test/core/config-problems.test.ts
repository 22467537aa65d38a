import t from 'tap'
import { listConfigProblems, type ConfigProblem } from '../../src/core/config-problems.ts'
import type { LabelExpression } from '../../src/core/label-selector.ts'
import type { Credential, PullSecretConfig, RegistryCredential } from '../../src/core/pull-secret-config.ts'
import { createConfig, createPullSecret, type RuleParts } from '../helpers/policies.ts'

type Expected = [ConfigProblem['severity'], string, RegExp]

const azure: Credential = { azure: { identity: 'workloadIdentity' } }
const createRegistry = (...servers: string[]): RegistryCredential => ({ servers, credential: azure, verify: true })
const withRegistries = (...registries: RegistryCredential[]): PullSecretConfig => createConfig([], { pullSecrets: [createPullSecret({ registries })] })
const withBasic = (basic: Credential['basic']): PullSecretConfig => withRegistries(createRegistry('a.io'), { ...createRegistry('b.io'), credential: basic ? { basic } : azure })
const withExpression = (expression: LabelExpression): PullSecretConfig => createConfig([{ namespaces: { selector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'c', operator: 'Exists' }, expression] } } }])
const selectTeam = (team: string): RuleParts => ({ name: team, namespaces: { selector: { matchLabels: { team } } } })
const passwordFrom = { file: '/etc/pullkeeper/password' }

const cases: [string, PullSecretConfig, Expected[]][] = [
  ['an ordinary configuration has no problem', createConfig(), []],
  ['an empty configuration has no problem', createConfig([]), []],

  ['a pull secret needs a source', createConfig([], { pullSecrets: [{ name: 'a', onConflict: 'skip', onExpired: 'keep', serviceAccounts: [] }] }), [['error', 'pullSecrets/0', /registries.*copyFrom/]]],
  ['a pull secret has one source only', createConfig([], { pullSecrets: [createPullSecret(), createPullSecret({ name: 'b', registries: [createRegistry('a.io')], copyFrom: { file: '/a' } })] }), [['error', 'pullSecrets/1/copyFrom', /exactly one/]]],
  ['a pull secret stands once', createConfig([], { pullSecrets: [createPullSecret({ name: 'a' }), createPullSecret({ name: 'b' }), createPullSecret({ name: 'a' })] }), [['error', 'pullSecrets/2/name', /"a".*unique/]]],
  ['a user name may be written', withBasic({ username: 'puller', passwordFrom }), []],
  ['a user name may come from a file', withBasic({ usernameFrom: { file: '/etc/pullkeeper/username' }, passwordFrom }), []],
  ['a user name is needed', withBasic({ passwordFrom }), [['error', 'pullSecrets/0/registries/1/credential/basic', /exactly one of username and usernameFrom/]]],
  ['a user name is given once', withBasic({ username: 'puller', usernameFrom: { file: '/a' }, passwordFrom }), [['error', 'pullSecrets/0/registries/1/credential/basic', /exactly one of username and usernameFrom/]]],
  ['a server stands once in a registry', withRegistries(createRegistry('a.io', 'b.io', 'a.io')), [['error', 'pullSecrets/0/registries/0/servers/2', /"a.io" stands twice/]]],
  ['a server stands once in a Secret', withRegistries(createRegistry('a.io'), createRegistry('b.io', 'a.io')), [['error', 'pullSecrets/0/registries/1/servers/1', /"a.io" stands twice/]]],
  ['a server may not stand in a Secret in two spellings', withRegistries(createRegistry('a.io', 'https://a.io/v1/')), [['error', 'pullSecrets/0/registries/0/servers/1', /"https:\/\/a.io\/v1\/" is to the kubelet the same as "a.io"/]]],
  ['a server that the kubelet would ignore is refused', withRegistries(createRegistry('a.io', 'b.io:*')), [['error', 'pullSecrets/0/registries/0/servers/1', /"b.io:\*" is no registry/]]],
  ['a path below a server is another one', withRegistries(createRegistry('a.io'), createRegistry('a.io/team/')), []],
  ['two Secrets may hold the same server', createConfig([], { pullSecrets: ['a', 'b'].map((name) => createPullSecret({ name, registries: [createRegistry('a.io')] })) }), []],

  ['a retired name stands once', createConfig([], { retired: ['a', 'b', 'a'] }), [['error', 'retired/2', /"a".*unique/]]],
  ['a name that is kept can not be retired', createConfig([{ pullSecrets: ['a'] }], { retired: ['b', 'a'] }), [['error', 'retired/1', /"a" is kept/], ['error', 'rules/0/pullSecrets/0', /"a" is retired/]]],
  ['a rule can not name a retired secret', createConfig([{ pullSecrets: ['a'] }], { retired: ['a'], pullSecrets: [] }), [['error', 'rules/0/pullSecrets/0', /"a" is retired/]]],

  ['a rule stands once', createConfig([{ name: 'a' }, { name: 'a' }]), [['error', 'rules/1/name', /"a".*unique/]]],
  ['a rule needs images', createConfig([{}, { name: 'b', matchImages: [] }]), [['error', 'rules/1', /write matchImages, or always: true/]]],
  ['always needs no images', createConfig([{ always: true }]), []],
  ['always stands beside no images', createConfig([{ always: true, matchImages: ['a.io'] }]), [['error', 'rules/0/always', /exactly one/]]],
  ['always excludes no images', createConfig([{ always: true, excludeImages: ['a.io'] }]), [['error', 'rules/0/excludeImages', /remove it/]]],
  ['a pattern that never matches is told of', createConfig([{ matchImages: ['a.io', 'https://b.io'] }]), [['warning', 'rules/0/matchImages/1', /^"https:\/\/b\.io" never matches/]]],
  ['so is one among those that are excluded', createConfig([{ excludeImages: ['registry.example.com/Team/'] }]), [['warning', 'rules/0/excludeImages/0', /never matches/]]],
  ['a rule names a secret once', createConfig([{ pullSecrets: ['a', 'b', 'a'] }]), [['error', 'rules/0/pullSecrets/2', /"a".*unique/]]],
  ['a secret that nobody keeps is told of', createConfig([{ pullSecrets: ['a', 'b'] }], { pullSecrets: [createPullSecret({ name: 'a' })] }), [['warning', 'rules/0/pullSecrets/1', /"b"/]]],
  ['a rule may name no secret', createConfig([{ pullSecrets: [] }]), []],

  ['In needs values', withExpression({ key: 'a', operator: 'In' }), [['error', 'rules/0/namespaces/selector/matchExpressions/1', /In needs values/]]],
  ['NotIn needs values', withExpression({ key: 'a', operator: 'NotIn', values: [] }), [['error', 'rules/0/namespaces/selector/matchExpressions/1', /NotIn needs values/]]],
  ['Exists takes no values', withExpression({ key: 'a', operator: 'Exists', values: ['b'] }), [['error', 'rules/0/namespaces/selector/matchExpressions/1/values', /Exists takes no values/]]],
  ['DoesNotExist takes no values', withExpression({ key: 'a', operator: 'DoesNotExist', values: ['b'] }), [['error', 'rules/0/namespaces/selector/matchExpressions/1/values', /DoesNotExist takes no values/]]],
  ['In with values is well', withExpression({ key: 'a', operator: 'In', values: ['b'] }), []],
  ['Exists with an empty list of values is well', withExpression({ key: 'a', operator: 'Exists', values: [] }), []],

  ['unmatched: deny needs a secret in a rule with a selector', createConfig([{ ...selectTeam('a'), pullSecrets: [] }], { unmatched: 'deny' }), [['error', 'rules/0/pullSecrets', /unmatched: deny/]]],
  ['so does unmatched: warn', createConfig([{ ...selectTeam('a'), pullSecrets: [] }], { unmatched: 'warn' }), [['error', 'rules/0/pullSecrets', /unmatched: warn/]]],
  ['unmatched: allow does not', createConfig([{ ...selectTeam('a'), pullSecrets: [] }]), []],
  ['unmatched: deny needs none in a rule without a selector', createConfig([{ pullSecrets: [] }], { unmatched: 'deny' }), []],
  ['unmatched: deny is well with a secret in a rule with a selector', createConfig([selectTeam('a')], { unmatched: 'deny' }), []],

  ['four webhook entries are well', createConfig(['a', 'b', 'c'].map(selectTeam)), []],
  ['five are told of', createConfig(['a', 'b', 'c', 'd'].map(selectTeam)), [['warning', 'rules', /5 webhook entries.*at most 3/]]],
  ['rules that share a selector count once', createConfig([...['a', 'b', 'c'].map(selectTeam), { ...selectTeam('a'), name: 'd' }]), []]
]

for (const [name, config, expected] of cases) {
  t.test(name, async (t) => {
    const problems = listConfigProblems(config)
    t.strictSame(problems.map(({ severity, path }) => [severity, path.join('/')]), expected.map(([severity, path]) => [severity, path]))
    t.match(problems.map(({ message }) => message), expected.map(([, , message]) => message))
  })
}

t.test('all problems are found at once', async (t) => {
  const config = createConfig([{ matchImages: ['https://a.io'] }, { matchImages: [] }, selectTeam('a')], {
    pullSecrets: [createPullSecret({ registries: [createRegistry('a.io', 'a.io')] })],
    retired: ['example-pull']
  })
  t.strictSame(listConfigProblems(config).map(({ path }) => path.join('/')).sort(), [
    'pullSecrets/0/registries/0/servers/1', 'retired/0', 'rules/0/matchImages/0', 'rules/0/pullSecrets/0',
    'rules/1', 'rules/1/name', 'rules/1/pullSecrets/0', 'rules/2/pullSecrets/0'
  ])
})
