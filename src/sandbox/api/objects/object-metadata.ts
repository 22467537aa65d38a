import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { KubernetesObject, ObjectMeta } from './kubernetes-object.ts'
import { objectAt } from './kubernetes-object.ts'
import { generateName } from './object-names.ts'
import type { Resource } from './resource.ts'

/** Kinds that count the versions of their spec in `metadata.generation`. */
const GENERATIONAL = ['Deployment', 'ReplicaSet', 'StatefulSet', 'DaemonSet', 'Job', 'CronJob', 'MutatingWebhookConfiguration']

/** A timestamp as Kubernetes writes it: RFC 3339, whole seconds. */
export function formatTime (time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** Takes away what only the API may set; a client's values for it are ignored on creation. */
export function dropSystemMetadata ({ metadata }: KubernetesObject): void {
  for (const field of ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'selfLink', 'managedFields']) {
    Reflect.deleteProperty(metadata, field)
  }
}

/** Gives a new object its identity: name, uid, time of creation, first generation, first status. */
export function completeNewObject (resource: Resource, object: KubernetesObject, now: Date): KubernetesObject {
  const { name = '', generateName: prefix = '' } = object.metadata
  const metadata: ObjectMeta = {
    ...object.metadata,
    name: name === '' && prefix !== '' ? generateName(prefix) : name,
    uid: randomUUID(),
    creationTimestamp: formatTime(now),
    ...(GENERATIONAL.includes(resource.kind) && { generation: 1 })
  }
  return { ...object, metadata, ...createFirstStatus(resource, object, metadata) }
}

/** Carries over from the stored object what an update of it can't change. */
export function keepSystemFields (resource: Resource, updated: KubernetesObject, current: KubernetesObject): KubernetesObject {
  const metadata: ObjectMeta = { ...updated.metadata }
  for (const field of ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation', 'generateName']) {
    if (current.metadata[field] === undefined) Reflect.deleteProperty(metadata, field)
    else metadata[field] = current.metadata[field]
  }
  const { status, ...rest } = updated
  if (resource.subresources.includes('status')) {
    return { ...rest, metadata, ...(current.status !== undefined && { status: current.status }) }
  }
  return { ...updated, metadata }
}

/** Counts a change of anything but metadata and status. */
export function countGeneration (resource: Resource, updated: KubernetesObject, current: KubernetesObject): KubernetesObject {
  if (!GENERATIONAL.includes(resource.kind)) return updated
  const { metadata, status, ...content } = updated
  const { metadata: oldMetadata, status: oldStatus, ...oldContent } = current
  if (isDeepStrictEqual(content, oldContent)) return updated
  return { ...updated, metadata: { ...metadata, generation: (oldMetadata.generation ?? 0) + 1 } }
}

function createFirstStatus (resource: Resource, object: KubernetesObject, { uid }: ObjectMeta): Partial<KubernetesObject> {
  switch (resource.kind) {
    case 'Pod': return { status: { phase: 'Pending', qosClass: 'BestEffort' } }
    case 'Namespace': return { spec: { ...objectAt(object, 'spec'), finalizers: ['kubernetes'] }, status: { phase: 'Active' } }
    case 'Job': return { spec: labelJob(object, uid ?? ''), status: {} }
    default: return resource.subresources.includes('status') ? { status: {} } : {}
  }
}

/** A Job without a selector of its own finds its Pods by its uid. */
function labelJob (job: KubernetesObject, uid: string): object {
  const spec = objectAt(job, 'spec')
  if (spec.selector !== undefined) return spec
  const template = objectAt(spec, 'template')
  const metadata = objectAt(template, 'metadata')
  const unique = { 'batch.kubernetes.io/controller-uid': uid }
  const labels = { ...objectAt(metadata, 'labels'), ...unique, 'batch.kubernetes.io/job-name': job.metadata.name, 'controller-uid': uid, 'job-name': job.metadata.name }
  return { ...spec, selector: { matchLabels: unique }, template: { ...template, metadata: { ...metadata, labels } } }
}
