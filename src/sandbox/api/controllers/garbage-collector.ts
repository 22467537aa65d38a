import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { RESOURCES } from '../objects/resource-table.ts'
import { createControllerClient, type ControllerContext } from './controller-client.ts'
import type { Controller } from './controllers.ts'

/**
 * Deletes what the deleted object owned, unless another owner lives: Deployment, then ReplicaSets, then Pods.
 * https://kubernetes.io/docs/concepts/architecture/garbage-collection/#cascading-deletion
 */
export function createGarbageCollector (context: ControllerContext): Controller {
  const { store } = context
  const client = createControllerClient(context, 'generic-garbage-collector')
  /** Only what ever owned something is worth a look at everything. */
  const owners = new Set<string>()

  async function reconcile (ownerUid: string): Promise<void> {
    for (const resource of RESOURCES) {
      for (const object of store.list(resource, '')) {
        if (isOrphanOf(object, ownerUid)) await client.remove(resource, object)
      }
    }
  }

  function isOrphanOf ({ metadata }: KubernetesObject, ownerUid: string): boolean {
    const owners = metadata.ownerReferences ?? []
    if (!owners.some(({ uid }) => uid === ownerUid)) return false
    return !owners.some(({ uid, kind, name }) => uid !== ownerUid && RESOURCES.some((resource) => {
      return resource.kind === kind && store.get(resource, resource.namespaced ? metadata.namespace ?? '' : '', name)?.metadata.uid === uid
    }))
  }

  return {
    reconcile,
    keyOf ({ type, object: { metadata } }) {
      for (const { uid } of metadata.ownerReferences ?? []) owners.add(uid)
      return type === 'DELETED' && owners.has(metadata.uid ?? '') ? metadata.uid : undefined
    }
  }
}
