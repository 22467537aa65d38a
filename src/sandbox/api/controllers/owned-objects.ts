import { findController, listAt, objectAt, textAt, type KubernetesObject, type ObjectMeta } from '../objects/kubernetes-object.ts'
import type { ObjectStore, StoredChange } from '../objects/object-store.ts'
import { PODS } from '../objects/resource-table.ts'
import type { Resource } from '../objects/resource.ts'
import { createOwnerReference } from './controller-client.ts'

/** `namespace/name`, the key of a reconcile queue. */
export function formatKey ({ metadata }: Pick<KubernetesObject, 'metadata'>): string {
  return `${metadata.namespace ?? ''}/${metadata.name ?? ''}`
}

/** The object of a key; undefined when it is gone or going. */
export function findLive (store: ObjectStore, resource: Resource, key: string): KubernetesObject | undefined {
  const [namespace = '', name = ''] = key.split('/')
  const found = store.get(resource, namespace, name)
  return found?.metadata.deletionTimestamp === undefined ? found : undefined
}

/** The objects of a resource that `owner` controls and that are not going. */
export function listOwned (store: ObjectStore, resource: Resource, owner: KubernetesObject): KubernetesObject[] {
  return store.list(resource, owner.metadata.namespace ?? '').filter((object) => {
    return findController(object)?.uid === owner.metadata.uid && object.metadata.deletionTimestamp === undefined
  })
}

/** The Pods of a workload that have not ended. */
export function listActivePods (store: ObjectStore, owner: KubernetesObject): KubernetesObject[] {
  return listOwned(store, PODS, owner).filter((pod) => !['Succeeded', 'Failed'].includes(textAt(pod, 'status', 'phase')))
}

/** Whether a Pod's Ready condition holds; only a client that plays the kubelet can set it. */
export function isReady (pod: KubernetesObject): boolean {
  return listAt(pod, 'status', 'conditions').some((condition) => textAt(condition, 'type') === 'Ready' && textAt(condition, 'status') === 'True')
}

/** The key of a workload that a change concerns: itself, unless only its status changed, or the owner of what changed. */
export function keyOfChange (resource: Resource, { resource: changed, object, previous }: StoredChange): string | undefined {
  if (changed === resource) return previous !== undefined && isStatusChange(object, previous) ? undefined : formatKey(object)
  const owner = findController(object)
  if (owner?.kind !== resource.kind) return undefined
  return `${object.metadata.namespace ?? ''}/${owner.name}`
}

/** The Pod that a template describes, owned by `owner`. */
export function createPodFromTemplate (owner: KubernetesObject, identity: ObjectMeta): KubernetesObject {
  const template = objectAt(owner, 'spec', 'template')
  const { labels, annotations, finalizers } = objectAt(template, 'metadata') as ObjectMeta
  return structuredClone({
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      ...identity,
      namespace: owner.metadata.namespace ?? '',
      ...(annotations !== undefined && { annotations }),
      ...(finalizers !== undefined && { finalizers }),
      labels: { ...labels, ...identity.labels },
      ownerReferences: [createOwnerReference(owner)]
    },
    spec: objectAt(template, 'spec')
  })
}

function isStatusChange (object: KubernetesObject, previous: KubernetesObject): boolean {
  return object.metadata.generation === previous.metadata.generation && object.metadata.deletionTimestamp === previous.metadata.deletionTimestamp
}
