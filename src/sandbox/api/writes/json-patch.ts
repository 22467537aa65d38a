import { applyPatch, Pointer, type Operation } from 'rfc6902'

/** The patched copy, or why the patch does not apply. */
export type PatchResult<T> = { result: T, error?: undefined } | { result?: undefined, error: string }

/**
 * Applies a JSON Patch (RFC 6902) to a copy: all of it, or nothing. As in the API server, a test for `null` also holds
 * where there is nothing: so a client can say that a list is absent.
 */
export function applyJsonPatch<T> (object: T, patch: Operation[]): PatchResult<T> {
  const result = structuredClone(object)
  try {
    for (const operation of patch) {
      if (isTestForAbsence(result, operation)) continue
      const error = applyPatch(result, [operation]).find((outcome) => outcome !== null)
      if (error !== undefined) return { error: `jsonpatch ${error.name}: ${error.message}` }
    }
    return { result }
  } catch (error) {
    return { error: `jsonpatch: ${(error as Error).message}` }
  }
}

function isTestForAbsence (object: unknown, operation: Operation): boolean {
  if (operation.op !== 'test' || operation.value !== null) return false
  const { parent, value } = Pointer.fromJSON(operation.path).evaluate(object)
  return value === undefined && typeof parent === 'object' && parent !== null
}
