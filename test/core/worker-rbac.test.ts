import fc from 'fast-check'
import t from 'tap'
import { listLiteralNamespaces } from '../../src/core/literal-namespaces.ts'
import type { PullSecret, PullSecretConfig } from '../../src/core/pull-secret-config.ts'
import { listSourceSecrets } from '../../src/core/source-secrets.ts'
import { createWorkerManifests, type WorkerRbacOptions } from '../../src/core/worker-rbac.ts'
import { createConfig, createPullSecret, OWN_NAMESPACE, type RuleParts } from '../helpers/policies.ts'

/** What the tests read of the manifests. */
interface Manifest {
  apiVersion: string
  kind: string
  metadata: { name: string, namespace?: string, labels: Record<string, string> }
  rules?: { apiGroups: string[], resources: string[], resourceNames?: string[], verbs: string[] }[]
  roleRef?: object
  subjects?: object[]
}

const COPY_VERBS = 'get,list,watch,create,patch,delete'
const LEASE = 'Role pullkeeper-system: coordination.k8s.io/leases [pullkeeper-sync] get,create,update,patch'
const NAMESPACES = 'ClusterRole: namespaces list,watch'
const EVENTS = 'ClusterRole: events create,patch'

const create = (config: PullSecretConfig, options: Partial<WorkerRbacOptions> = {}): Manifest[] => {
  return createWorkerManifests(config, { ownNamespace: OWN_NAMESPACE, namespaced: false, ...options }) as Manifest[]
}

/** Every right on a line: `KIND [NAMESPACE]: RESOURCE [NAMES] VERBS`. */
const listRights = (manifests: Manifest[]): string[] => manifests.flatMap(({ kind, metadata, rules = [] }) => {
  return rules.map(({ apiGroups, resources, resourceNames, verbs }) => {
    const holder = [kind, metadata.namespace].filter(Boolean).join(' ')
    const resource = [...apiGroups.filter(Boolean), ...resources].join('/')
    return [`${holder}:`, resource, ...(resourceNames === undefined ? [] : [`[${resourceNames.join(' ')}]`]), verbs.join(',')].join(' ')
  })
})

const secret = (namespace: string, name: string) => ({ secret: { namespace, name } })
const key = (namespace: string, name: string) => ({ secret: { namespace, name, key: 'password' } })
const copied = (name: string, namespace: string, source: string): PullSecret => createPullSecret({ name, copyFrom: secret(namespace, source) })
const withRegistries = (name: string, ...credentials: NonNullable<PullSecret['registries']>[number]['credential'][]): PullSecret => {
  return createPullSecret({ name, registries: credentials.map((credential, index) => ({ servers: [`r${index}.example.com`], verify: true, credential })) })
}
const mixed = [
  withRegistries('b-pull', { basic: { usernameFrom: key('shop', 'login'), passwordFrom: key('shop', 'login') } }, { azure: { identity: 'workloadIdentity' } }),
  copied('a-pull', 'default', 'all-icr-io'),
  withRegistries('c-pull', { basic: { username: 'puller', passwordFrom: key('pullkeeper-system', 'hub') } }, { basic: { username: 'puller', passwordFrom: { file: '/etc/password' } } })
]
const inTeams: RuleParts = { pullSecrets: ['example-pull'], namespaces: { include: ['team-b', 'team-a'] } }

const rights: [string, PullSecretConfig, Partial<WorkerRbacOptions>, string[]][] = [
  ['a Secret from a file needs its name, Namespaces, Events and the Lease', createConfig(), {},
    [`ClusterRole: secrets [example-pull] ${COPY_VERBS}`, NAMESPACES, EVENTS, LEASE]],
  ['without any name there is no right on Secrets at all', createConfig([], { pullSecrets: [] }), {}, [NAMESPACES, EVENTS, LEASE]],
  ['retired names keep their rights', createConfig([], { pullSecrets: [createPullSecret({ name: 'm' })], retired: ['z', 'a'] }), {},
    [`ClusterRole: secrets [a m z] ${COPY_VERBS}`, NAMESPACES, EVENTS, LEASE]],
  ['only retired names', createConfig([], { pullSecrets: [], retired: ['old'] }), {}, [`ClusterRole: secrets [old] ${COPY_VERBS}`, NAMESPACES, EVENTS, LEASE]],
  ['a name of a rule that nothing keeps gives no right', createConfig([{}], { pullSecrets: [] }), {}, [NAMESPACES, EVENTS, LEASE]],
  ['sources are read in their own namespaces', createConfig([], { pullSecrets: mixed }), {}, [
    `ClusterRole: secrets [a-pull b-pull c-pull] ${COPY_VERBS}`, NAMESPACES, EVENTS,
    'Role default: secrets [all-icr-io] get,list,watch', LEASE, 'Role pullkeeper-system: secrets [hub] get,list,watch', 'Role shop: secrets [login] get,list,watch'
  ]],
  ['ServiceAccounts are patched only where one is named', createConfig([], { pullSecrets: [createPullSecret({ serviceAccounts: ['default'] })] }), {},
    [`ClusterRole: secrets [example-pull] ${COPY_VERBS}`, NAMESPACES, EVENTS, 'ClusterRole: serviceaccounts list,watch,patch', LEASE]],
  ['namespaced: the namespaces of the rules and the own one', createConfig([inTeams]), { namespaced: true }, [
    `Role pullkeeper-system: secrets [example-pull] ${COPY_VERBS}`, 'Role pullkeeper-system: events create,patch', LEASE,
    ...['team-a', 'team-b'].flatMap((namespace) => [`Role ${namespace}: secrets [example-pull] ${COPY_VERBS}`, `Role ${namespace}: events create,patch`])
  ]],
  ['namespaced: a source elsewhere is read, and its Events are written', createConfig([{ ...inTeams, pullSecrets: [] }], { pullSecrets: [copied('example-pull', 'vault', 'login')] }), { namespaced: true }, [
    `Role pullkeeper-system: secrets [example-pull] ${COPY_VERBS}`, 'Role pullkeeper-system: events create,patch', LEASE,
    'Role vault: events create,patch', 'Role vault: secrets [login] get,list,watch'
  ]],
  ['namespaced: ServiceAccounts where Pods are, not in the own namespace', createConfig([{ ...inTeams, namespaces: { include: ['team-a'] } }], { pullSecrets: [createPullSecret({ serviceAccounts: ['*'] })] }), { namespaced: true }, [
    `Role pullkeeper-system: secrets [example-pull] ${COPY_VERBS}`, 'Role pullkeeper-system: events create,patch', LEASE,
    `Role team-a: secrets [example-pull] ${COPY_VERBS}`, 'Role team-a: events create,patch', 'Role team-a: serviceaccounts list,watch,patch'
  ]]
]

for (const [name, config, options, expected] of rights) {
  t.test(`rights: ${name}`, async (t) => { t.strictSame(listRights(create(config, options)), expected) })
}

t.test('the objects are those of the API, in the order in which they are applied', async (t) => {
  const labels = { 'app.kubernetes.io/name': 'pullkeeper', 'app.kubernetes.io/component': 'sync' }
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' }
  const subjects = [{ kind: 'ServiceAccount', name: 'robot', namespace: 'own' }]
  const [account, ...others] = create(createConfig(), { ownNamespace: 'own', serviceAccountName: 'robot' })
  t.strictSame(account, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace: 'own', labels } })
  t.match(others, [
    { ...rbac, kind: 'ClusterRole', metadata: { name: 'pullkeeper-sync', labels } },
    { ...rbac, kind: 'ClusterRoleBinding', metadata: { name: 'pullkeeper-sync', labels }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'pullkeeper-sync' }, subjects },
    { ...rbac, kind: 'Role', metadata: { name: 'pullkeeper-sync', namespace: 'own', labels } },
    { ...rbac, kind: 'RoleBinding', metadata: { name: 'pullkeeper-sync', namespace: 'own', labels }, roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'pullkeeper-sync' }, subjects }
  ])
  t.equal(others.length, 4)
})

t.test('sources stand once each, by namespace and name, whatever they are used for', async (t) => {
  const twice = [...mixed, copied('d-pull', 'shop', 'login'), copied('e-pull', 'shop', 'another')]
  t.strictSame(listSourceSecrets({ pullSecrets: twice }), [
    { namespace: 'default', name: 'all-icr-io' }, { namespace: 'pullkeeper-system', name: 'hub' }, { namespace: 'shop', name: 'another' }, { namespace: 'shop', name: 'login' }
  ])
})

const literals: [string, RuleParts[], string[]][] = [
  ['each name once', [inTeams, { name: 'second', namespaces: { include: ['team-a'] } }], ['team-a', 'team-b']],
  ['an exclude wins', [{ namespaces: { include: ['team-a', 'team-b'], exclude: ['*-b'] } }], ['team-a']],
  ['reserved namespaces count when they are named', [{ namespaces: { include: ['kube-system', OWN_NAMESPACE] } }], ['kube-system', OWN_NAMESPACE]],
  ['a rule without a kept Secret needs nothing', [{ pullSecrets: [] }], []]
]

for (const [name, rules, expected] of literals) {
  t.test(`namespaces by name: ${name}`, async (t) => { t.strictSame(listLiteralNamespaces(createConfig(rules), OWN_NAMESPACE), expected) })
}

const refused: [string, RuleParts, RegExp][] = [
  ['no include', { name: 'all' }, /^rule "all" is for every namespace; write namespaces: \{ include: \[NAME, \.\.\.\] \}/m],
  ['a glob', { name: 'teams', namespaces: { include: ['shop', 'team-*', 'dev-?'] } }, /^rule "teams" is for the namespaces "team-\*", "dev-\?"; write namespaces: \{ include:/m],
  ['a selector', { name: 'paid', namespaces: { selector: { matchLabels: { team: 'a' } } } }, /^rule "paid" selects namespaces by their labels; remove namespaces\.selector and write/m]
]

for (const [name, rule, expected] of refused) {
  t.test(`namespaced refuses ${name}, and says what to write`, async (t) => {
    t.throws(() => create(createConfig([inTeams, rule]), { namespaced: true }), { message: expected })
    t.doesNotThrow(() => create(createConfig([inTeams, rule])))
  })
}

t.test('every rule that stands in the way is named at once', async (t) => {
  const rules = refused.map(([, rule]) => rule)
  for (const [, , expected] of refused) t.throws(() => create(createConfig(rules), { namespaced: true }), { message: expected })
})

const names = fc.uniqueArray(fc.stringMatching(/^[a-z0-9]{1,4}$/), { maxLength: 6 })

t.test('whatever the configuration: no Secret and no Lease without its name, and no verb or resource beyond the list', async () => {
  const allowed = new Set(['secrets', 'namespaces', 'events', 'leases', 'serviceaccounts'])
  fc.assert(fc.property(names, names, names, fc.boolean(), (managed, retired, sources, namespaced) => {
    const pullSecrets = managed.map((name, index) => copied(name, sources[index] ?? 'ns', sources.at(-1) ?? 'source'))
    const config = createConfig([{ pullSecrets: managed, namespaces: { include: ['team-a'] } }], { pullSecrets, retired })
    return create(config, { namespaced }).flatMap(({ rules = [] }) => rules).every(({ resources, resourceNames, verbs }) => {
      const isBound = !resources.some((resource) => resource === 'secrets' || resource === 'leases') || (resourceNames?.length ?? 0) > 0
      return isBound && resources.every((resource) => allowed.has(resource)) && verbs.every((verb) => verb !== '*')
    })
  }))
})

t.test('the order of the configuration changes nothing', async (t) => {
  fc.assert(fc.property(fc.shuffledSubarray(mixed, { minLength: mixed.length }), fc.shuffledSubarray(['x', 'y'], { minLength: 2 }), (pullSecrets, retired) => {
    t.strictSame(create(createConfig([], { pullSecrets, retired })), create(createConfig([], { pullSecrets: mixed, retired: ['x', 'y'] })))
  }), { numRuns: 12 })
})
