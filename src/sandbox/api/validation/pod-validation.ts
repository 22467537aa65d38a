import { isDeepStrictEqual } from 'node:util'
import { asObject, type UnknownObject } from '../../../core/unknown.ts'
import { duplicateValue, forbiddenField, notSupported, required, type FieldError } from '../field-error.ts'
import { listAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { validateDnsLabel, validateDnsSubdomain } from './name-validation.ts'

const RESTART_POLICIES = ['Always', 'OnFailure', 'Never']
const PULL_POLICIES = ['Always', 'IfNotPresent', 'Never']
const MUTABLE_FIELDS = '`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** The rules of a Pod's spec that people meet; `at` is where it stands, `spec` or `spec.template.spec`. */
export function validatePodSpec (spec: UnknownObject, at: string): FieldError[] {
  const containers = listAt(spec, 'containers')
  const names = new Set<string>()
  return [
    ...(containers.length === 0 ? [required(`${at}.containers`)] : []),
    ...['containers', 'initContainers'].flatMap((field) => {
      return listAt(spec, field).flatMap((container, index) => validateContainer(asObject(container) ?? {}, `${at}.${field}[${index}]`, names))
    }),
    ...validateChoice(spec, `${at}.restartPolicy`, 'restartPolicy', RESTART_POLICIES),
    ...(textAt(spec, 'serviceAccountName') === '' ? [] : validateDnsSubdomain(`${at}.serviceAccountName`, textAt(spec, 'serviceAccountName'))),
    ...listAt(spec, 'imagePullSecrets').flatMap((entry, index) => textAt(entry, 'name') === '' ? [required(`${at}.imagePullSecrets[${index}].name`)] : [])
  ]
}

/** Which fields of a running Pod's spec an update may not change: almost all, imagePullSecrets among them. */
export function validatePodUpdate (pod: KubernetesObject, old: KubernetesObject): FieldError[] {
  const changed = listChangedFields(keepImmutable(pod), keepImmutable(old))
  return changed.length === 0 ? [] : [forbiddenField('spec', `pod updates may not change fields other than ${MUTABLE_FIELDS}\n  core.PodSpec{\n${changed.join('')}  }\n`)]
}

function validateContainer (container: UnknownObject, at: string, names: Set<string>): FieldError[] {
  const name = textAt(container, 'name')
  const seen = names.has(name)
  names.add(name)
  return [
    ...(name === '' ? [required(`${at}.name`)] : validateDnsLabel(`${at}.name`, name)),
    ...(name !== '' && seen ? [duplicateValue(`${at}.name`, name)] : []),
    ...(textAt(container, 'image') === '' ? [required(`${at}.image`)] : []),
    ...validateChoice(container, `${at}.imagePullPolicy`, 'imagePullPolicy', PULL_POLICIES)
  ]
}

function validateChoice (parent: UnknownObject, at: string, field: string, choices: string[]): FieldError[] {
  const value = parent[field]
  return value === undefined || choices.some((choice) => choice === value) ? [] : [notSupported(at, value, choices)]
}

function keepImmutable (pod: KubernetesObject): UnknownObject {
  const { activeDeadlineSeconds, tolerations, terminationGracePeriodSeconds, ephemeralContainers, schedulingGates, ...spec } = objectAt(pod, 'spec')
  const withoutImages = (field: string): UnknownObject => spec[field] === undefined ? {} : { [field]: listAt(spec, field).map((container) => ({ ...asObject(container), image: undefined })) }
  return { ...spec, ...withoutImages('containers'), ...withoutImages('initContainers') }
}

/** The API server prints Go's own diff; this names the same fields in its form, values as JSON. */
function listChangedFields (spec: UnknownObject, old: UnknownObject): string[] {
  const keys = [...new Set([...Object.keys(old), ...Object.keys(spec)])].filter((key) => !isDeepStrictEqual(spec[key], old[key]))
  return keys.map((key) => {
    const field = key.charAt(0).toUpperCase() + key.slice(1)
    return `- \t${field}: ${format(spec[key])},\n+ \t${field}: ${format(old[key])},\n`
  })
}

function format (value: unknown): string {
  return value === undefined ? 'nil' : JSON.stringify(value)
}
