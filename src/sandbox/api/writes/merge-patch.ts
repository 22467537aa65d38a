import { asObject, type UnknownObject } from '../../../core/unknown.ts'

/** Applies a JSON Merge Patch: `null` removes, objects are merged, all else replaces (RFC 7386). Nothing is changed in place. */
export function applyMergePatch (target: UnknownObject, patch: UnknownObject): UnknownObject {
  const result: UnknownObject = { ...target }
  for (const [key, value] of Object.entries(patch)) {
    const nested = asObject(value)
    if (value === null) Reflect.deleteProperty(result, key)
    else if (key !== '__proto__') result[key] = nested === undefined ? value : applyMergePatch(asObject(result[key]) ?? {}, nested)
  }
  return result
}
