import { applyPatch, type Operation } from 'rfc6902'
import type { UnknownObject } from '../../src/core/unknown.ts'

/** Applies a JSON Patch to a copy, by a library that shares no code with pullkeeper; throws where an operation fails. */
export function patchPod (pod: UnknownObject, patch: readonly Operation[]): UnknownObject {
  const patched = structuredClone(pod)
  for (const failure of applyPatch(patched, structuredClone([...patch]))) {
    if (failure !== null) throw failure
  }
  return patched
}

/** The Pod without the two things that pullkeeper may change: all else has to stay as it was. */
export function stripInjection (pod: UnknownObject): UnknownObject {
  const stripped = structuredClone(pod)
  const { metadata, spec } = stripped as { metadata: { annotations?: UnknownObject | null }, spec: UnknownObject }
  delete spec['imagePullSecrets']
  if (metadata.annotations) delete metadata.annotations['pullkeeper.dev/injected']
  if (Object.keys(metadata.annotations ?? {}).length === 0) delete metadata.annotations
  return stripped
}
