import { applyPatch, type Operation } from 'rfc6902'

/** The patched copy, or why the patch does not apply. */
export type PatchResult<T> = { result: T, error?: undefined } | { result?: undefined, error: string }

/** Applies a JSON Patch (RFC 6902) to a copy: all of it, or nothing. */
export function applyJsonPatch<T> (object: T, patch: Operation[]): PatchResult<T> {
  const result = structuredClone(object)
  try {
    const error = applyPatch(result, patch).find((outcome) => outcome !== null)
    return error === undefined ? { result } : { error: `jsonpatch ${error.name}: ${error.message}` }
  } catch (error) {
    return { error: `jsonpatch: ${(error as Error).message}` }
  }
}
