import { X509Certificate } from 'node:crypto'
import { asObject, asString, type UnknownObject } from '../../../core/unknown.ts'
import { duplicateValue, invalidValue, notSupported, required, type FieldError } from '../field-error.ts'
import { listAt, numberAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { isDnsSubdomain } from './name-validation.ts'

const OPERATIONS = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE']
const MAX_TIMEOUT_SECONDS = 30

/** The rules of a MutatingWebhookConfiguration, in the API server's words. */
export function validateWebhookConfiguration (configuration: KubernetesObject): FieldError[] {
  const names = new Set<string>()
  return listAt(configuration, 'webhooks').flatMap((item, index) => {
    const webhook = asObject(item) ?? {}
    const at = `webhooks[${index}]`
    const name = textAt(webhook, 'name')
    const repeated = names.has(name)
    names.add(name)
    return [
      ...validateWebhookName(name, at),
      ...(repeated ? [duplicateValue(`${at}.name`, name)] : []),
      ...listAt(webhook, 'rules').flatMap((rule, ruleIndex) => validateRule(asObject(rule) ?? {}, `${at}.rules[${ruleIndex}]`)),
      ...validateChoice(webhook, `${at}.failurePolicy`, 'failurePolicy', ['Fail', 'Ignore']),
      ...validateChoice(webhook, `${at}.matchPolicy`, 'matchPolicy', ['Equivalent', 'Exact']),
      ...validateSideEffects(webhook, at),
      ...validateTimeout(webhook, at),
      ...validateChoice(webhook, `${at}.reinvocationPolicy`, 'reinvocationPolicy', ['IfNeeded', 'Never']),
      ...validateClientConfig(objectAt(webhook, 'clientConfig'), `${at}.clientConfig`),
      ...validateReviewVersions(webhook, at)
    ]
  })
}

function validateWebhookName (name: string, at: string): FieldError[] {
  if (name === '') return [required(`${at}.name`)]
  return isDnsSubdomain(name) && name.split('.').length >= 3 ? [] : [invalidValue(`${at}.name`, name, 'should be a domain with at least three segments separated by dots')]
}

function validateRule (rule: UnknownObject, at: string): FieldError[] {
  const operations = listAt(rule, 'operations')
  return [
    ...(operations.length === 0 ? [required(`${at}.operations`)] : []),
    ...operations.flatMap((operation, index) => OPERATIONS.some((known) => known === operation) ? [] : [notSupported(`${at}.operations[${index}]`, operation, OPERATIONS)]),
    ...['apiGroups', 'apiVersions', 'resources'].flatMap((field) => listAt(rule, field).length === 0 ? [required(`${at}.${field}`)] : []),
    ...validateChoice(rule, `${at}.scope`, 'scope', ['*', 'Cluster', 'Namespaced'])
  ]
}

function validateChoice (parent: UnknownObject, at: string, field: string, choices: string[]): FieldError[] {
  const value = parent[field]
  return value === undefined || choices.some((choice) => choice === value) ? [] : [notSupported(at, value, choices)]
}

function validateSideEffects (webhook: UnknownObject, at: string): FieldError[] {
  if (webhook.sideEffects === undefined) return [required(`${at}.sideEffects`, 'must specify one of None, NoneOnDryRun')]
  return validateChoice(webhook, `${at}.sideEffects`, 'sideEffects', ['None', 'NoneOnDryRun'])
}

function validateTimeout (webhook: UnknownObject, at: string): FieldError[] {
  const seconds = numberAt(webhook, ['timeoutSeconds'], 1)
  return seconds >= 1 && seconds <= MAX_TIMEOUT_SECONDS ? [] : [invalidValue(`${at}.timeoutSeconds`, seconds, 'the timeout value must be between 1 and 30 seconds')]
}

function validateClientConfig (clientConfig: UnknownObject, at: string): FieldError[] {
  const { url, service, caBundle } = clientConfig
  if ((url === undefined) === (service === undefined)) return [required(at, 'exactly one of url or service is required')]
  return [
    ...(url === undefined ? [] : validateUrl(url, `${at}.url`)),
    ...(caBundle === undefined || isCertificate(caBundle) ? [] : [invalidValue(`${at}.caBundle`, caBundle, 'unable to load root certificates: unable to parse bytes as PEM block')])
  ]
}

function validateUrl (value: unknown, at: string): FieldError[] {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined
  if (url === undefined) return [required(at, 'url must be a valid URL; desired format: https://host[/path]')]
  return [
    ...(url.protocol === 'https:' ? [] : [invalidValue(at, url.protocol.slice(0, -1), "'https' is the only allowed URL scheme; desired format: https://host[/path]")]),
    ...(url.search === '' ? [] : [invalidValue(at, url.search.slice(1), 'query parameters are not permitted in the URL')])
  ]
}

function isCertificate (caBundle: unknown): boolean {
  try {
    return new X509Certificate(Buffer.from(asString(caBundle) ?? '', 'base64')).raw.length > 0
  } catch {
    return false
  }
}

function validateReviewVersions (webhook: UnknownObject, at: string): FieldError[] {
  const field = `${at}.admissionReviewVersions`
  const versions = listAt(webhook, 'admissionReviewVersions')
  if (versions.length === 0) return [required(field, 'must specify one of v1, v1beta1')]
  if (versions.some((version) => version === 'v1' || version === 'v1beta1')) return []
  return [invalidValue(field, versions, 'must include at least one of v1, v1beta1')]
}
