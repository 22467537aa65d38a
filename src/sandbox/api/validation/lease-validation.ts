import { invalidValue, type FieldError } from '../field-error.ts'
import { numberAt, type KubernetesObject } from '../objects/kubernetes-object.ts'

/**
 * The rules of a Lease: it lasts, and its transitions are counted from 0.
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
 */
export function validateLease (lease: KubernetesObject): FieldError[] {
  const duration = numberAt(lease, ['spec', 'leaseDurationSeconds'], 1)
  const transitions = numberAt(lease, ['spec', 'leaseTransitions'], 0)
  return [
    ...(duration > 0 ? [] : [invalidValue('spec.leaseDurationSeconds', duration, 'must be greater than 0')]),
    // The API server's own words.
    ...(transitions >= 0 ? [] : [invalidValue('spec.leaseTransitions', transitions, 'must to greater or equal than 0')])
  ]
}
