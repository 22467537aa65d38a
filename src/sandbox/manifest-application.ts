import { setTimeout as delay } from 'node:timers/promises'
import { asArray, asObject, asString, type UnknownObject } from '../core/unknown.ts'
import { requestCluster, type ClusterAnswer, type Credentials } from './cluster-request.ts'

/** An object that the API server refused, or whose kind the sandbox does not know. */
export interface RefusedObject {
  /** `Kind namespace/name`. */
  object: string
  message: string
}

/** What became of a set of manifests. */
export interface AppliedManifests {
  refused: RefusedObject[]
  /** How many Pods there will be once the controllers have made theirs. */
  expectedPods: number
}

/** Where each kind lives; `isNamespaced` is false for Namespaces only. */
const COLLECTIONS: Record<string, { prefix: string, plural: string, isNamespaced?: boolean }> = {
  Namespace: { prefix: '/api/v1', plural: 'namespaces', isNamespaced: false },
  Pod: { prefix: '/api/v1', plural: 'pods' },
  Secret: { prefix: '/api/v1', plural: 'secrets' },
  ServiceAccount: { prefix: '/api/v1', plural: 'serviceaccounts' },
  ConfigMap: { prefix: '/api/v1', plural: 'configmaps' },
  Deployment: { prefix: '/apis/apps/v1', plural: 'deployments' },
  ReplicaSet: { prefix: '/apis/apps/v1', plural: 'replicasets' },
  StatefulSet: { prefix: '/apis/apps/v1', plural: 'statefulsets' },
  DaemonSet: { prefix: '/apis/apps/v1', plural: 'daemonsets' },
  Job: { prefix: '/apis/batch/v1', plural: 'jobs' }
}

/** What must be there before the things that need it. */
const ORDER = ['Namespace', 'ServiceAccount', 'Secret', 'ConfigMap']
const SERVICE_ACCOUNT_DEADLINE_MS = 20_000
const RETRY_MS = 50

/**
 * Creates the objects of manifests, Namespaces first; a namespace that no manifest makes is made, what exists is merged.
 * What is refused does not keep the rest from being applied.
 */
export async function applyManifests (cluster: Credentials, documents: unknown[], defaultNamespace: string): Promise<AppliedManifests> {
  const objects = documents.flatMap(listObjects)
  const namespaces = [...new Set(objects.filter(isNamespaced).map((object) => namespaceOf(object, defaultNamespace)))]
  const made: UnknownObject[] = namespaces.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
  const given = objects.filter(({ kind }) => kind === 'Namespace').map((object) => readMetadata(object).name)
  const all = [...made.filter((namespace) => !given.includes(readMetadata(namespace).name)), ...objects]
  all.sort((a, b) => rank(a) - rank(b))
  const refused: RefusedObject[] = []
  let expectedPods = 0
  for (const object of all) {
    const message = await applyObject(cluster, object, defaultNamespace)
    if (message !== undefined) refused.push({ object: describe(object, defaultNamespace), message })
    else expectedPods += countPodsOf(String(object.kind), asObject(object.spec) ?? {})
  }
  return { refused, expectedPods }
}

/** How many Pods an object makes where no kubelet runs: a StatefulSet waits for its first Pod for ever. */
function countPodsOf (kind: string, { replicas, parallelism }: UnknownObject): number {
  switch (kind) {
    case 'Pod': return 1
    case 'Deployment':
    case 'ReplicaSet': return typeof replicas === 'number' ? replicas : 1
    case 'StatefulSet': return replicas === 0 ? 0 : 1
    case 'Job': return typeof parallelism === 'number' ? parallelism : 1
    default: return 0
  }
}

async function applyObject (cluster: Credentials, object: UnknownObject, defaultNamespace: string): Promise<string | undefined> {
  const collection = COLLECTIONS[String(object.kind)]
  if (collection === undefined) return `the sandbox does not know this kind; it knows ${Object.keys(COLLECTIONS).join(', ')}`
  const path = `${collection.prefix}${isNamespaced(object) ? `/namespaces/${namespaceOf(object, defaultNamespace)}` : ''}/${collection.plural}`
  const deadline = AbortSignal.timeout(SERVICE_ACCOUNT_DEADLINE_MS)
  for (;;) {
    const { status, body } = await createOrMerge(cluster, path, object)
    if (status < 300) return undefined
    const message = body.message ?? `HTTP ${status}`
    if (!isServiceAccountMissing(message) || deadline.aborted) return message
    await delay(RETRY_MS)
  }
}

/** What is there already, such as the ServiceAccount `default`, is merged with what the manifest says. */
async function createOrMerge (cluster: Credentials, path: string, object: UnknownObject): Promise<ClusterAnswer<{ message?: string }>> {
  const created = await requestCluster<{ message?: string }>(cluster, { method: 'POST', path, body: object })
  if (created.status !== 409) return created
  const { name } = readMetadata(object)
  return requestCluster(cluster, { method: 'PATCH', path: `${path}/${name}`, body: object, contentType: 'application/merge-patch+json' })
}

/** In a new namespace the controller manager makes the account, and before 1.21 its token, a moment later. */
function isServiceAccountMissing (message: string): boolean {
  return /service ?account .*not found|no API token found for service account/i.test(message)
}

function listObjects (document: unknown): UnknownObject[] {
  const object = asObject(document)
  if (object === undefined) return []
  return asString(object.kind)?.endsWith('List') === true ? asArray(object.items).flatMap(listObjects) : [object]
}

function isNamespaced ({ kind }: UnknownObject): boolean {
  const collection = COLLECTIONS[String(kind)]
  return collection !== undefined && collection.isNamespaced !== false
}

function namespaceOf (object: UnknownObject, defaultNamespace: string): string {
  return readMetadata(object).namespace ?? defaultNamespace
}

function readMetadata (object: UnknownObject): { name?: string, namespace?: string } {
  const metadata = asObject(object.metadata)
  const name = asString(metadata?.name)
  const namespace = asString(metadata?.namespace)
  return { ...(name !== undefined && { name }), ...(namespace !== undefined && { namespace }) }
}

function rank ({ kind }: UnknownObject): number {
  const index = ORDER.indexOf(String(kind))
  return index === -1 ? ORDER.length : index
}

function describe (object: UnknownObject, defaultNamespace: string): string {
  const { name = '(no name)' } = readMetadata(object)
  return isNamespaced(object) ? `${String(object.kind)} ${namespaceOf(object, defaultNamespace)}/${name}` : `${String(object.kind)} ${name}`
}
