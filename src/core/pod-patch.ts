import { hasAnnotations, INJECTED_ANNOTATION, readAnnotation } from './pod.ts'
import { asObject, type UnknownObject } from './unknown.ts'

/** An operation of RFC 6902; pullkeeper emits only `add`, which never removes an entry of the list. */
export interface JsonPatchOperation {
  op: 'add'
  path: string
  value: unknown
}

/** What a patch is to add, and what it finds. */
export interface PodPatchOptions {
  /** Names to append; none of them stands in the Pod's list. */
  injected: string[]
  /** Names that stand in the list already. */
  present: string[]
  /** Whether to write the annotation. */
  annotate: boolean
  /** Every name that the configuration knows: only these survive in the annotation. */
  pullSecretNames: Set<string>
}

/**
 * The smallest JSON Patch that appends pull secrets to a Pod: the list is made when it is absent, else each name is
 * appended with `/-`, since an `add` on the list itself would replace what the author or the ServiceAccount put there.
 */
export function createPodPatch (pod: UnknownObject, options: PodPatchOptions): JsonPatchOperation[] {
  if (options.injected.length === 0) return []
  const patch = patchList(pod, options.injected)
  return options.annotate ? [...patch, patchAnnotation(pod, options)] : patch
}

function patchList (pod: UnknownObject, injected: string[]): JsonPatchOperation[] {
  const entries = injected.map((name) => ({ name }))
  const isPresent = Array.isArray(asObject(pod.spec)?.imagePullSecrets)
  if (!isPresent) return [{ op: 'add', path: '/spec/imagePullSecrets', value: entries }]
  return entries.map((value) => ({ op: 'add', path: '/spec/imagePullSecrets/-', value }))
}

function patchAnnotation (pod: UnknownObject, options: PodPatchOptions): JsonPatchOperation {
  const value = mergeAnnotation(readAnnotation(pod, INJECTED_ANNOTATION), options)
  if (hasAnnotations(pod)) return { op: 'add', path: `/metadata/annotations/${escapePointer(INJECTED_ANNOTATION)}`, value }
  return { op: 'add', path: '/metadata/annotations', value: { [INJECTED_ANNOTATION]: value } }
}

/** Keeps of the old value what an earlier call may have added; anything else that someone wrote there goes. */
function mergeAnnotation (old: string | undefined, { injected, present, pullSecretNames }: PodPatchOptions): string {
  const kept = (old ?? '').split(',').filter((name) => pullSecretNames.has(name) && present.includes(name))
  return [...new Set([...kept, ...injected])].join(',')
}

function escapePointer (key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
