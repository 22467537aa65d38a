import { asObject } from '../../../core/unknown.ts'
import { formatSelector } from '../../../core/label-selector.ts'
import type { ApiCall } from '../admission/admission-attributes.ts'
import { numberAt, objectAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { createPatchTransform, type PatchRequest } from './object-patch.ts'
import type { ResourceApi } from './resource-api.ts'
import { badRequest, invalid } from '../status-error.ts'
import { invalidValue } from '../field-error.ts'

/**
 * The Scale of a workload (`autoscaling/v1`), which `kubectl scale` reads and writes.
 * https://kubernetes.io/docs/reference/kubernetes-api/autoscaling-resources/scale-v1/
 */
export function readScale (workload: KubernetesObject): KubernetesObject {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = workload.metadata
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as KubernetesObject['metadata'],
    spec: { replicas: numberAt(workload, ['spec', 'replicas'], 0) },
    status: { replicas: numberAt(workload, ['status', 'replicas'], 0), selector: formatSelector(objectAt(workload, 'spec', 'selector')) }
  }
}

/** Writes the replicas of a Scale, sent whole or as a patch, to its workload. */
export async function writeScale (api: ResourceApi, call: ApiCall, change: { body: unknown } | { patch: PatchRequest }): Promise<KubernetesObject> {
  const { subresource, ...workloadCall } = call
  const workload = await api.transform(workloadCall, (current) => {
    if (current === undefined) return current
    const scale = 'patch' in change ? createPatchTransform(call, change.patch)(readScale(current)) : change.body
    const { resourceVersion } = objectAt(scale, 'metadata')
    const replicas = readReplicas(call, scale)
    return {
      ...current,
      metadata: { ...current.metadata, ...(resourceVersion !== undefined && { resourceVersion }) },
      spec: { ...objectAt(current, 'spec'), replicas }
    }
  })
  return readScale(workload)
}

function readReplicas (call: ApiCall, scale: unknown): number {
  const replicas = asObject(objectAt(scale, 'spec'))?.replicas ?? 0
  if (typeof replicas !== 'number') throw badRequest('Scale in version "v1" cannot be handled as a Scale: json: cannot unmarshal into Go struct field ScaleSpec.spec.replicas of type int32')
  if (replicas < 0) throw invalid({ group: 'autoscaling', plural: 'scales', kind: 'Scale' }, call.name, [invalidValue('spec.replicas', replicas, 'must be greater than or equal to 0')])
  return replicas
}
