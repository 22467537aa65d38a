import { isDeepStrictEqual } from 'node:util'
import { asObject } from '../../../core/unknown.ts'
import { matchesLabels } from '../../../core/label-selector.ts'
import { invalidValue, required, type FieldError } from '../field-error.ts'
import { objectAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { validateEvent } from './event-validation.ts'
import { validateLease } from './lease-validation.ts'
import { validateMetadata } from './name-validation.ts'
import { validatePodSpec, validatePodUpdate } from './pod-validation.ts'
import type { Resource } from '../objects/resource.ts'
import { validateSecret, validateSecretUpdate } from './secret-validation.ts'
import { validateWebhookConfiguration } from './webhook-validation.ts'

const RULES: Record<string, (object: KubernetesObject) => FieldError[]> = {
  Pod: (pod) => validatePodSpec(objectAt(pod, 'spec'), 'spec'),
  Secret: validateSecret,
  Deployment: validateWorkload,
  ReplicaSet: validateWorkload,
  StatefulSet: validateWorkload,
  DaemonSet: validateWorkload,
  Job: validateTemplate,
  MutatingWebhookConfiguration: validateWebhookConfiguration,
  Lease: validateLease,
  Event: validateEvent
}

const UPDATE_RULES: Record<string, (object: KubernetesObject, old: KubernetesObject) => FieldError[]> = {
  Pod: validatePodUpdate,
  Secret: validateSecretUpdate,
  Deployment: keepSelector,
  ReplicaSet: keepSelector,
  StatefulSet: keepSelector,
  DaemonSet: keepSelector,
  Job: keepTemplate
}

/** What is wrong with an object; with `old`, also which changes it may not make. Empty = valid. */
export function validateObject (resource: Resource, object: KubernetesObject, old?: KubernetesObject): FieldError[] {
  return [
    ...validateMetadata(resource, object.metadata),
    ...(RULES[resource.kind]?.(object) ?? []),
    ...(old === undefined ? [] : UPDATE_RULES[resource.kind]?.(object, old) ?? [])
  ]
}

function validateWorkload (workload: KubernetesObject): FieldError[] {
  const spec = objectAt(workload, 'spec')
  const selector = asObject(spec.selector)
  if (selector === undefined) return [required('spec.selector'), ...validateTemplate(workload)]
  if (Object.keys(selector).length === 0) return [invalidValue('spec.selector', selector, `empty selector is invalid for ${workload.kind.toLowerCase()}`)]
  const labels = objectAt(spec, 'template', 'metadata', 'labels') as Record<string, string>
  const selected = matchesLabels(selector, labels)
  return [
    ...(selected ? [] : [invalidValue('spec.template.metadata.labels', labels, '`selector` does not match template `labels`')]),
    ...validateTemplate(workload)
  ]
}

function validateTemplate (workload: KubernetesObject): FieldError[] {
  const errors = validatePodSpec(objectAt(workload, 'spec', 'template', 'spec'), 'spec.template.spec')
  const { restartPolicy } = objectAt(workload, 'spec', 'template', 'spec')
  if (workload.kind === 'Job' && restartPolicy === 'Always') {
    errors.push(required('spec.template.spec.restartPolicy', 'valid values: "OnFailure", "Never"'))
  }
  return errors
}

function keepSelector (workload: KubernetesObject, old: KubernetesObject): FieldError[] {
  const selector = objectAt(workload, 'spec').selector
  return isDeepStrictEqual(selector, objectAt(old, 'spec').selector) ? [] : [invalidValue('spec.selector', selector, 'field is immutable')]
}

function keepTemplate (job: KubernetesObject, old: KubernetesObject): FieldError[] {
  const template = objectAt(job, 'spec').template
  return isDeepStrictEqual(template, objectAt(old, 'spec').template) ? [] : [invalidValue('spec.template', template, 'field is immutable')]
}
