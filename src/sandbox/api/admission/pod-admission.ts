import { asObject } from '../../../core/unknown.ts'
import type { AdmissionAttributes } from './admission-attributes.ts'
import { listAt, objectAt, textAt } from '../objects/kubernetes-object.ts'
import { PODS } from '../objects/resource-table.ts'

const TOLERATION_SECONDS = 300

/**
 * The admission plugins Priority and DefaultTolerationSeconds, for Pods without a priority class: what they add
 * is what webhooks see in every real Pod.
 * https://kubernetes.io/docs/reference/access-authn-authz/admission-controllers/#defaulttolerationseconds
 */
export function admitPodDefaults (attributes: AdmissionAttributes): void {
  const { resource, subresource, operation, object } = attributes
  if (resource !== PODS || subresource !== undefined || operation !== 'CREATE' || object === undefined) return
  const spec = objectAt(object, 'spec')
  const tolerations = listAt(spec, 'tolerations')
  const missing = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']
    .filter((key) => !tolerations.some((toleration) => toleratesKey(toleration, key)))
    .map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: TOLERATION_SECONDS }))
  attributes.object = {
    ...object,
    spec: {
      ...spec,
      ...(missing.length > 0 && { tolerations: [...tolerations, ...missing] }),
      priority: spec.priority ?? 0,
      preemptionPolicy: spec.preemptionPolicy ?? 'PreemptLowerPriority'
    }
  }
}

function toleratesKey (toleration: unknown, key: string): boolean {
  const effect = textAt(toleration, 'effect')
  const own = textAt(toleration, 'key')
  return asObject(toleration) !== undefined && (own === key || own === '') && (effect === 'NoExecute' || effect === '')
}
