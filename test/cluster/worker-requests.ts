import type { Test } from 'tap'
import { openCluster, type ClusterRequest, type Credentials } from '../../src/sandbox/cluster-request.ts'

/** A request, and the status that it gets. */
export type Row = [name: string, request: ClusterRequest, status: number]

export const CREATED = 201
export const OK = 200
export const FORBIDDEN = 403
const UNPROCESSABLE = 422

const RBAC = '/apis/rbac.authorization.k8s.io/v1'

export const TOKEN_REQUEST = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }

export const read = (path: string): ClusterRequest => ({ method: 'GET', path })
export const remove = (path: string): ClusterRequest => ({ method: 'DELETE', path })
export const post = (path: string, body: object): ClusterRequest => ({ method: 'POST', path, body })
export const patch = (path: string, body: object): ClusterRequest => ({ method: 'PATCH', path, body, contentType: 'application/merge-patch+json' })
export const apply = (path: string, body: object): ClusterRequest => {
  return { method: 'PATCH', path: `${path}?fieldManager=pullkeeper&force=true`, body, contentType: 'application/apply-patch+yaml' }
}

export const namespacePath = (namespace: string): string => `/api/v1/namespaces/${namespace}`
export const secretsPath = (namespace?: string): string => namespace === undefined ? '/api/v1/secrets' : `${namespacePath(namespace)}/secrets`
export const byName = (path: string, name: string): string => `${path}?fieldSelector=metadata.name=${name}`
const leasesPath = (namespace: string): string => `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`

export const createSecret = (name: string, labels: Record<string, string> = {}): object => {
  const data = { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') }
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name, labels }, type: 'kubernetes.io/dockerconfigjson', data }
}
const createLease = (name: string, holderIdentity: string): object => ({ apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name }, spec: { holderIdentity } })
export const createEvent = (namespace: string): object => ({
  apiVersion: 'v1', kind: 'Event', metadata: { name: 'acr-pull.1' }, involvedObject: { apiVersion: 'v1', kind: 'Secret', namespace, name: 'acr-pull' }, reason: 'Copied', type: 'Normal'
})

/** Everything that a copy needs in a namespace. */
export const copyRows = (namespace: string, name: string): Row[] => {
  const secret = `${secretsPath(namespace)}/${name}`
  return [
    [`${secret}: an apply creates`, apply(secret, createSecret(name)), CREATED],
    [`${secret}: an apply updates`, apply(secret, createSecret(name, { changed: 'true' })), OK],
    [`${secret}: get`, read(secret), OK],
    [`${secret}: list by name`, read(byName(secretsPath(namespace), name)), OK],
    [`${secret}: watch by name`, read(`${byName(secretsPath(namespace), name)}&watch=true&timeoutSeconds=1`), OK],
    [`${secret}: delete`, remove(secret), OK]
  ]
}

export const sourceRows = (namespace: string, name: string): Row[] => [
  [`source ${namespace}/${name}: get`, read(`${secretsPath(namespace)}/${name}`), OK],
  [`source ${namespace}/${name}: list by name`, read(byName(secretsPath(namespace), name)), OK],
  [`source ${namespace}/${name}: watch by name`, read(`${byName(secretsPath(namespace), name)}&watch=true&timeoutSeconds=1`), OK],
  ...forbid([
    ['patch', patch(`${secretsPath(namespace)}/${name}`, { data: {} })],
    ['apply', apply(`${secretsPath(namespace)}/${name}`, createSecret(name))],
    ['delete', remove(`${secretsPath(namespace)}/${name}`)],
    ['the same name elsewhere', read(`${secretsPath('team-b')}/${name}`)],
    ['the same name in all namespaces', read(byName(secretsPath(), name))]
  ], `source ${namespace}/${name}: `)
]

export const eventRows = (namespace: string): Row[] => [
  [`an Event in ${namespace}`, post(`${namespacePath(namespace)}/events`, createEvent(namespace)), CREATED],
  [`the same Event again in ${namespace}`, patch(`${namespacePath(namespace)}/events/acr-pull.1`, { count: 2 }), OK]
]

export const leaseRows = (own: string): Row[] => {
  const leases = leasesPath(own)
  const lease = `${leases}/pullkeeper-sync`
  return [
    ['the Lease: an apply creates', apply(lease, createLease('pullkeeper-sync', 'one')), CREATED],
    ['the Lease: an apply updates', apply(lease, createLease('pullkeeper-sync', 'two')), OK],
    ['the Lease: get', read(lease), OK],
    ['the Lease: merge patch', patch(lease, { spec: { holderIdentity: 'three' } }), OK],
    ['the Lease: put, which is refused for its missing version only', { method: 'PUT', path: lease, body: createLease('pullkeeper-sync', 'four') }, UNPROCESSABLE],
    ...forbid([
      ['another Lease: apply', apply(`${leases}/other`, createLease('other', 'one'))],
      ['another Lease: get', read(`${leases}/other`)],
      ['the Leases: list', read(leases)],
      ['the Lease elsewhere', apply(`${leasesPath('kube-system')}/pullkeeper-sync`, createLease('pullkeeper-sync', 'one'))],
      ['the Lease: delete', remove(lease)]
    ])
  ]
}

/** Every way to a Secret of another name, or to a managed one that is not by its name. */
export const otherSecretRows = (namespace: string): Row[] => {
  const secrets = secretsPath(namespace)
  return forbid([
    ['get', read(`${secrets}/other`)],
    ['list', read(secrets)],
    ['list by another name', read(byName(secrets, 'other'))],
    ['list all but a managed name', read(`${secrets}?fieldSelector=metadata.name!=acr-pull`)],
    ['list by label', read(`${secrets}?labelSelector=app.kubernetes.io/managed-by=pullkeeper`)],
    ['watch', read(`${secrets}?watch=true&timeoutSeconds=1`)],
    ['watch by another name', read(`${byName(secrets, 'other')}&watch=true&timeoutSeconds=1`)],
    ['watch by the old path', read(`/api/v1/watch/namespaces/${namespace}/secrets/other?timeoutSeconds=1`)],
    ['create by POST', post(secrets, createSecret('other'))],
    ['create a managed name by POST, which carries no name to authorize', post(secrets, createSecret('acr-pull'))],
    ['apply', apply(`${secrets}/other`, createSecret('other'))],
    ['apply what is not there', apply(`${secrets}/absent`, createSecret('absent'))],
    ['patch', patch(`${secrets}/other`, { data: {} })],
    ['put', { method: 'PUT', path: `${secrets}/other`, body: createSecret('other') }],
    ['put of a managed name', { method: 'PUT', path: `${secrets}/acr-pull`, body: createSecret('acr-pull') }],
    ['delete', remove(`${secrets}/other`)],
    ['delete all', remove(secrets)],
    ['delete all by a managed name', remove(byName(secrets, 'acr-pull'))]
  ], `other Secrets of ${namespace}: `)
}

export const otherKindRows = (own: string): Row[] => [
  ...forbid([
    ['Namespaces: get', read(namespacePath('team-a'))],
    ['Namespaces: create', post('/api/v1/namespaces', { metadata: { name: 'new' } })],
    ['Namespaces: patch', patch(namespacePath('team-a'), { metadata: { labels: { team: 'b' } } })],
    ['Namespaces: delete', remove(namespacePath('team-a'))],
    ['Events: list', read(`${namespacePath('team-a')}/events`)],
    ['Pods: list', read('/api/v1/pods')],
    ['Pods: create', post(`${namespacePath('team-a')}/pods`, { metadata: { name: 'web' }, spec: { containers: [{ name: 'web', image: 'web' }] } })],
    ['ConfigMaps: get', read(`${namespacePath(own)}/configmaps/pullkeeper`)],
    ['ConfigMaps: list', read('/api/v1/configmaps')],
    ['Deployments: list', read('/apis/apps/v1/deployments')],
    ['the own ServiceAccount: a token', post(`${namespacePath(own)}/serviceaccounts/pullkeeper-sync/token`, TOKEN_REQUEST)],
    ['another ServiceAccount: a token', post(`${namespacePath('team-a')}/serviceaccounts/default/token`, TOKEN_REQUEST)],
    ['the own roles: patch', patch(`${RBAC}/clusterroles/pullkeeper-sync`, { rules: [] })],
    ['the own roles in the own namespace: patch', patch(`${RBAC}/namespaces/${own}/roles/pullkeeper-sync`, { rules: [] })],
    ['webhook registrations: list', read('/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations')]
  ])
]

export const serviceAccountRows = (status: number, path: string): Row[] => [
  ['ServiceAccounts: list', read(path), status],
  ['ServiceAccounts: watch', read(`${path}?watch=true&timeoutSeconds=1`), status],
  ['ServiceAccounts: patch', patch(`${namespacePath('team-a')}/serviceaccounts/default`, { imagePullSecrets: [{ name: 'acr-pull' }] }), status],
  ['ServiceAccounts: get', read(`${namespacePath('team-a')}/serviceaccounts/default`), FORBIDDEN],
  ['ServiceAccounts: create', post(`${namespacePath('team-a')}/serviceaccounts`, { metadata: { name: 'new' } }), FORBIDDEN]
]

export function forbid (requests: [string, ClusterRequest][], prefix = ''): Row[] {
  return requests.map(([name, request]) => [prefix + name, request, FORBIDDEN])
}

/** The Event that the tests before have made. */
export function patchedEvent (namespace: string): Row {
  return [`an Event of before in ${namespace}`, patch(`${namespacePath(namespace)}/events/acr-pull.1`, { count: 3 }), OK]
}

/** Only the status: the answer to a watch has no end that is worth waiting for. */
export async function askStatus (worker: Credentials, request: ClusterRequest): Promise<number | undefined> {
  const response = await openCluster(worker, request)
  response.destroy()
  return response.statusCode
}

export async function checkRows (t: Test, worker: Credentials, rows: Row[]): Promise<void> {
  for (const [name, request, status] of rows) t.equal(await askStatus(worker, request), status, `${status}: ${name}`)
}
