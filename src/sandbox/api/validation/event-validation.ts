import { invalidValue, type FieldError } from '../field-error.ts'
import { textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'

/**
 * The rule of an Event: it stands in the namespace of what it is about; an Event about something without one stands in `default`.
 * https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/
 */
export function validateEvent (event: KubernetesObject): FieldError[] {
  const about = textAt(event, 'involvedObject', 'namespace')
  const { namespace } = event.metadata
  return about === namespace || (about === '' && namespace === 'default') ? [] : [invalidValue('involvedObject.namespace', about, 'does not match event.namespace')]
}
