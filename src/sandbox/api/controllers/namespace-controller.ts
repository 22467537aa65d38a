import { objectAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { completeNewObject } from '../objects/object-metadata.ts'
import type { StoredChange } from '../objects/object-store.ts'
import { CRON_JOBS, DAEMON_SETS, DEPLOYMENTS, EVENTS, JOBS, NAMESPACES, PODS, REPLICA_SETS, RESOURCES, SERVICE_ACCOUNTS, STATEFUL_SETS } from '../objects/resource-table.ts'
import { createControllerClient, type ControllerContext } from './controller-client.ts'
import type { Controller } from './controllers.ts'

const MAKERS = [CRON_JOBS, DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, JOBS, REPLICA_SETS]
/** What makes Pods goes before the Pods, and Events, which deletions could still cause, last. */
const DELETION_ORDER = [...MAKERS, PODS, ...RESOURCES.filter((resource) => resource.namespaced && ![...MAKERS, PODS, EVENTS].includes(resource)), EVENTS]

/**
 * Empties a namespace that is being deleted, and then lets it go.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/
 */
export function createNamespaceController (context: ControllerContext): Controller {
  const { store } = context
  const client = createControllerClient(context, 'namespace-controller')

  async function reconcile (name: string): Promise<void> {
    const namespace = store.get(NAMESPACES, '', name)
    if (namespace?.metadata.deletionTimestamp === undefined) return
    for (const resource of DELETION_ORDER) {
      for (const object of store.list(resource, name)) await client.remove(resource, object)
    }
    const isEmpty = DELETION_ORDER.every((resource) => store.list(resource, name).length === 0)
    if (isEmpty) release(namespace)
  }

  function release (namespace: KubernetesObject): void {
    const { finalizers = [] } = namespace.metadata
    const emptied = { ...namespace, spec: {} }
    if (finalizers.length === 0) store.remove(NAMESPACES, emptied)
    // Someone's finalizers keep it: each further change of nothing would bring us back here.
    else if (Object.keys(objectAt(namespace, 'spec')).length > 0) store.put(NAMESPACES, emptied)
  }

  return { reconcile, keyOf: (change) => keyOf(change) }

  function keyOf ({ resource, object, type }: StoredChange): string | undefined {
    const name = resource === NAMESPACES ? object.metadata.name : type === 'DELETED' ? object.metadata.namespace : undefined
    if (name === undefined) return undefined
    return store.get(NAMESPACES, '', name)?.metadata.deletionTimestamp === undefined ? undefined : name
  }
}

/**
 * Gives a namespace its ServiceAccount `default`, at once with the namespace's creation and again when it was deleted.
 * Without it no Pod is accepted. Returns the function that ends it.
 */
export function keepDefaultServiceAccounts ({ store, now }: ControllerContext): () => void {
  return store.subscribe(({ type, resource, object }) => {
    const isNew = resource === NAMESPACES && type === 'ADDED'
    const isLost = resource === SERVICE_ACCOUNTS && type === 'DELETED' && object.metadata.name === 'default'
    const name = isNew ? object.metadata.name : isLost ? object.metadata.namespace : undefined
    if (name === undefined) return
    const namespace = store.get(NAMESPACES, '', name)
    if (namespace === undefined || namespace.metadata.deletionTimestamp !== undefined) return
    store.put(SERVICE_ACCOUNTS, completeNewObject(SERVICE_ACCOUNTS, { kind: 'ServiceAccount', apiVersion: 'v1', metadata: { name: 'default', namespace: name } }, now()))
  })
}
