import type { Operation } from 'rfc6902'
import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import type { ApiCall } from '../admission/admission-attributes.ts'
import { applyJsonPatch } from './json-patch.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { applyMergePatch } from './merge-patch.ts'
import type { ObjectTransform } from './object-update.ts'
import { mergeApplied } from './server-side-apply.ts'
import { badRequest, notFound, unprocessable } from '../status-error.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'

/** The kinds of patch, by the media type of the request's body. */
export const PATCH_TYPES: Record<string, PatchRequest['type']> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply'
}

/** A patch as it came. */
export interface PatchRequest {
  type: 'json' | 'merge' | 'strategic' | 'apply'
  body: unknown
}

/** The function that makes the patched object from the stored one; for an apply, also from nothing. */
export function createPatchTransform (call: ApiCall, patch: PatchRequest): ObjectTransform {
  const { body } = patch
  if (patch.type === 'apply') return (current) => mergeApplied(current, readApplied(call, body))
  const change = createChange(patch)
  return (current) => {
    if (current === undefined) throw notFound(call.resource, call.name)
    return change(current)
  }
}

function createChange ({ type, body }: PatchRequest): (current: KubernetesObject) => unknown {
  if (type === 'json') {
    if (!Array.isArray(body)) throw badRequest('json: cannot unmarshal object into Go value of type jsonpatch.Patch')
    return (current) => {
      const { result, error } = applyJsonPatch(current, body as Operation[])
      if (error !== undefined) throw unprocessable()
      return result
    }
  }
  const fields = asObject(body)
  if (fields === undefined) throw badRequest('the patch must be a JSON object')
  return (current) => type === 'merge' ? applyMergePatch(current, fields) : applyStrategicMergePatch(current, fields)
}

function readApplied ({ options }: ApiCall, body: unknown): UnknownObject {
  const fields = asObject(body)
  if (fields === undefined) throw badRequest('error decoding YAML: the applied configuration must be an object')
  if (options.fieldManager === undefined || options.fieldManager === '') {
    throw badRequest('PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch')
  }
  return fields
}
