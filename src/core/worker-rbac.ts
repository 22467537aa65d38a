import { listLiteralNamespaces } from './literal-namespaces.ts'
import type { PullSecretConfig } from './pull-secret-config.ts'
import { listSourceSecrets } from './source-secrets.ts'

/** Where and under which name the sync worker runs. */
export interface WorkerRbacOptions {
  /** The worker's own namespace: its ServiceAccount, its Lease and the canonical copies. */
  ownNamespace: string
  /** Roles in the namespaces that the rules list by name, instead of a ClusterRole. */
  namespaced: boolean
  /** The worker's ServiceAccount. Default: `pullkeeper-sync`. */
  serviceAccountName?: string
}

/** The name of the worker's ServiceAccount, of its roles and their bindings, and of its Lease. */
export const WORKER_NAME = 'pullkeeper-sync'

/** PolicyRule of `rbac.authorization.k8s.io/v1`. */
interface PolicyRule {
  apiGroups: string[]
  resources: string[]
  /** Never empty: an empty list would mean every name. */
  resourceNames?: [string, ...string[]]
  verbs: string[]
}

type Scope = { kind: 'ClusterRole' } | { kind: 'Role', namespace: string }

const RBAC_GROUP = 'rbac.authorization.k8s.io'
const LABELS = { 'app.kubernetes.io/name': 'pullkeeper', 'app.kubernetes.io/component': 'sync' }
const READ_VERBS = ['get', 'list', 'watch']

/**
 * The ServiceAccount, roles and bindings that the sync worker needs for a configuration, and nothing beyond: Secrets by
 * name only. `list` and `watch` with `fieldSelector=metadata.name=NAME` are authorized by resourceNames
 * (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources), and so is a `create` by
 * server-side apply, whose request carries the name (KEP-555). The order depends on names only, so that a diff shows
 * what changed.
 * @throws Error when `namespaced` and a rule does not list its namespaces by name
 */
export function createWorkerManifests (config: PullSecretConfig, options: WorkerRbacOptions): object[] {
  const { ownNamespace, namespaced, serviceAccountName = WORKER_NAME } = options
  const subject = { kind: 'ServiceAccount', name: serviceAccountName, namespace: ownNamespace }
  return [
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: serviceAccountName, namespace: ownNamespace, labels: LABELS } },
    ...(namespaced ? [] : createGrant({ kind: 'ClusterRole' }, listClusterRules(config), subject)),
    ...listNamespaceRules(config, options).flatMap(([namespace, rules]) => createGrant({ kind: 'Role', namespace }, rules, subject))
  ]
}

function listClusterRules (config: PullSecretConfig): PolicyRule[] {
  return [...allowCopies(config), allow('', 'namespaces', ['list', 'watch']), allowEvents(), ...allowServiceAccounts(config)]
}

/** What the worker may do in single namespaces: its own, those of its sources and, when namespaced, those of its copies. */
function listNamespaceRules (config: PullSecretConfig, { ownNamespace, namespaced }: WorkerRbacOptions): [string, PolicyRule[]][] {
  const sources = Map.groupBy(listSourceSecrets(config), ({ namespace }) => namespace)
  const wanted = new Set(namespaced ? listLiteralNamespaces(config, ownNamespace) : [])
  const namespaces = [...new Set([ownNamespace, ...wanted, ...sources.keys()])].toSorted()
  return namespaces.map((namespace) => {
    const isOwn = namespace === ownNamespace
    return [namespace, [
      ...(wanted.has(namespace) || (namespaced && isOwn) ? allowCopies(config) : []),
      ...(namespaced ? [allowEvents()] : []),
      ...(wanted.has(namespace) ? allowServiceAccounts(config) : []),
      ...(isOwn ? allowNamed('coordination.k8s.io', 'leases', [WORKER_NAME], ['get', 'create', 'update', 'patch']) : []),
      ...allowNamed('', 'secrets', (sources.get(namespace) ?? []).map(({ name }) => name), READ_VERBS)
    ]]
  })
}

function allowCopies ({ pullSecrets, retired }: PullSecretConfig): PolicyRule[] {
  return allowNamed('', 'secrets', [...pullSecrets.map(({ name }) => name), ...retired], [...READ_VERBS, 'create', 'patch', 'delete'])
}

/** Events stand beside what they are about: copies, and sources. */
function allowEvents (): PolicyRule {
  return allow('', 'events', ['create', 'patch'])
}

function allowServiceAccounts ({ pullSecrets }: PullSecretConfig): PolicyRule[] {
  const isWanted = pullSecrets.some(({ serviceAccounts }) => serviceAccounts.length > 0)
  return isWanted ? [allow('', 'serviceaccounts', ['list', 'watch', 'patch'])] : []
}

function allow (apiGroup: string, resource: string, verbs: string[]): PolicyRule {
  return { apiGroups: [apiGroup], resources: [resource], verbs }
}

/** No rule at all where there is no name. */
function allowNamed (apiGroup: string, resource: string, names: string[], verbs: string[]): PolicyRule[] {
  const [first, ...others] = names.toSorted()
  return first === undefined ? [] : [{ apiGroups: [apiGroup], resources: [resource], resourceNames: [first, ...others], verbs }]
}

function createGrant (scope: Scope, rules: PolicyRule[], subject: object): object[] {
  const metadata = { name: WORKER_NAME, ...(scope.kind === 'Role' && { namespace: scope.namespace }), labels: LABELS }
  const apiVersion = `${RBAC_GROUP}/v1`
  return [
    { apiVersion, kind: scope.kind, metadata, rules },
    { apiVersion, kind: `${scope.kind}Binding`, metadata, roleRef: { apiGroup: RBAC_GROUP, kind: scope.kind, name: WORKER_NAME }, subjects: [subject] }
  ]
}
