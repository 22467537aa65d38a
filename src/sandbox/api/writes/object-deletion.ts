import type { UnknownObject } from '../../../core/unknown.ts'
import type { AdmissionAttributes, ApiCall } from '../admission/admission-attributes.ts'
import { listAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { formatTime } from '../objects/object-metadata.ts'
import { getStored, type ResourceApiContext } from './resource-api.ts'
import { NAMESPACES, PODS, RESOURCES } from '../objects/resource-table.ts'
import { conflict } from '../status-error.ts'

/**
 * Deletes an object by DeleteOptions (preconditions, propagationPolicy). There is no kubelet to wait for: a Pod goes at once,
 * as an unscheduled one does. What finalizers hold, and a namespace with its content, is marked and goes later.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/delete-options/
 */
export async function deleteObject ({ store, admission, now }: ResourceApiContext, call: ApiCall, options: UnknownObject): Promise<{ object: KubernetesObject, isGone: boolean }> {
  const { resource, dryRun } = call
  const current = getStored(store, call)
  checkPreconditions(call, current, objectAt(options, 'preconditions'))
  const attributes: AdmissionAttributes = { ...call, operation: 'DELETE', oldObject: current }
  await admission.mutate(attributes)
  // kube-apiserver asks a second time for a Pod: once to mark it, which its grace period needs, and once to remove it.
  if (resource === PODS) await admission.mutate(attributes)
  // Gone or changed while a webhook was asked: the last state counts.
  const last = getStored(store, call)
  if (last.metadata.deletionTimestamp !== undefined && isHeld(last)) return { object: last, isGone: false }
  const marked = mark(last, resource === NAMESPACES, formatTime(now()))
  if (dryRun) return { object: marked, isGone: !isHeld(marked) }
  if (isHeld(marked)) return { object: store.put(resource, marked), isGone: false }
  if (textAt(options, 'propagationPolicy') === 'Orphan') releaseDependents(store, last)
  return { object: store.remove(resource, marked), isGone: true }
}

function checkPreconditions ({ resource, name }: ApiCall, { metadata }: KubernetesObject, preconditions: UnknownObject): void {
  const { uid, resourceVersion } = preconditions
  // The API server names the Kind here, not the resource: mirrored for people who search for the message.
  const named = { ...resource, plural: resource.kind }
  if (uid !== undefined && uid !== metadata.uid) {
    throw conflict(named, name, `the UID in the precondition (${String(uid)}) does not match the UID in record (${metadata.uid ?? ''}). The object might have been deleted and then recreated`)
  }
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw conflict(named, name, `the ResourceVersion in the precondition (${String(resourceVersion)}) does not match the ResourceVersion in record (${metadata.resourceVersion ?? ''}). The object might have been modified`)
  }
}

function mark (object: KubernetesObject, isNamespace: boolean, time: string): KubernetesObject {
  return {
    ...object,
    metadata: { ...object.metadata, deletionTimestamp: object.metadata.deletionTimestamp ?? time, ...(!isNamespace && { deletionGracePeriodSeconds: 0 }) },
    ...(isNamespace && { status: { ...objectAt(object, 'status'), phase: 'Terminating' } })
  }
}

function isHeld (object: KubernetesObject): boolean {
  const { finalizers = [] } = object.metadata
  return finalizers.length > 0 || (object.kind === 'Namespace' && listAt(object, 'spec', 'finalizers').length > 0)
}

/** `kubectl delete --cascade=orphan`: what the object owned lives on without an owner. */
function releaseDependents (store: ObjectStore, owner: KubernetesObject): void {
  const { uid } = owner.metadata
  for (const resource of RESOURCES) {
    for (const dependent of store.list(resource, '')) {
      const owners = dependent.metadata.ownerReferences ?? []
      if (!owners.some((reference) => reference.uid === uid)) continue
      store.put(resource, { ...dependent, metadata: { ...dependent.metadata, ownerReferences: owners.filter((reference) => reference.uid !== uid) } })
    }
  }
}
