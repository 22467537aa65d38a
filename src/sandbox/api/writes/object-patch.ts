import type { Operation } from 'rfc6902'
import { asObject } from '../../../core/unknown.ts'
import type { ApiCall } from '../admission/admission-attributes.ts'
import { applyJsonPatch } from './json-patch.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { applyMergePatch } from './merge-patch.ts'
import type { ObjectTransform } from './object-update.ts'
import { forbiddenField, required, type FieldError } from '../field-error.ts'
import { badRequest, invalid, notFound, unprocessable } from '../status-error.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'

/** The kinds of patch, by the media type of the request's body. */
export const PATCH_TYPES: Record<string, PatchRequest['type']> = {
  'application/json-patch+json': 'json',
  'application/merge-patch+json': 'merge',
  'application/strategic-merge-patch+json': 'strategic',
  'application/apply-patch+yaml': 'apply'
}

const PATCH_OPTIONS = { group: 'meta.k8s.io', plural: 'patchoptions', kind: 'PatchOptions' }

/** A patch as it came. */
export interface PatchRequest {
  type: 'json' | 'merge' | 'strategic' | 'apply'
  body: unknown
}

/** The function that makes the patched object from the stored one. An apply is not among them but for a Scale, which has no owners: there it merges. */
export function createPatchTransform (call: ApiCall, patch: PatchRequest): ObjectTransform {
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
  return (current) => type === 'strategic' ? applyStrategicMergePatch(current, fields) : applyMergePatch(current, fields)
}

/** An apply needs a manager, and nothing else can be forced: 422. */
export function checkPatchOptions ({ options }: ApiCall, { type }: PatchRequest): void {
  const errors: FieldError[] = []
  if (type === 'apply' && (options.fieldManager === undefined || options.fieldManager === '')) errors.push(required('fieldManager', 'is required for apply patch'))
  if (type !== 'apply' && options.force !== undefined) errors.push(forbiddenField('force', 'may not be specified for non-apply patch'))
  if (errors.length > 0) throw invalid(PATCH_OPTIONS, '', errors)
}
