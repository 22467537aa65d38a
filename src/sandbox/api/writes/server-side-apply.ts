import type { UnknownObject } from '../../../core/unknown.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { applyStrategicMergePatch } from './strategic-merge-patch.ts'

/**
 * Merges an applied configuration into the stored object, or takes it as the new one.
 * Field ownership is not tracked: what an earlier apply set and this one leaves out stays, and nothing conflicts.
 * https://kubernetes.io/docs/reference/using-api/server-side-apply/
 */
export function mergeApplied (current: KubernetesObject | undefined, applied: UnknownObject): UnknownObject {
  return current === undefined ? applied : applyStrategicMergePatch(current, applied)
}
