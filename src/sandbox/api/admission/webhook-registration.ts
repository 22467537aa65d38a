import { createHash } from 'node:crypto'
import { matchesLabels, type LabelSelector } from '../../../core/label-selector.ts'
import type { AdmissionAttributes } from './admission-attributes.ts'
import { listAt, numberAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { MUTATING_WEBHOOK_CONFIGURATIONS, NAMESPACES } from '../objects/resource-table.ts'
import { notFound } from '../status-error.ts'

/** One entry of a MutatingWebhookConfiguration, as the dispatcher needs it. */
export interface RegisteredWebhook {
  /** The configuration and the entry in it; tells webhooks apart between rounds. */
  key: string
  configuration: string
  name: string
  url: string
  /** PEM; empty = the system's trust. */
  caBundle: string
  failurePolicy: 'Fail' | 'Ignore'
  timeoutSeconds: number
  reinvocable: boolean
  sideEffects: string
  reviewVersion: 'v1' | 'v1beta1'
  matches: (store: ObjectStore, attributes: AdmissionAttributes) => boolean
}

/** All registered webhooks in the order in which the API server calls them: configurations by name, entries as they stand. */
export function listRegisteredWebhooks (store: ObjectStore): RegisteredWebhook[] {
  return store.list(MUTATING_WEBHOOK_CONFIGURATIONS, '').flatMap((configuration) => {
    const configurationName = configuration.metadata.name ?? ''
    return listAt(configuration, 'webhooks').map((entry) => readWebhook(configurationName, entry))
  })
}

function readWebhook (configuration: string, entry: unknown): RegisteredWebhook {
  const name = textAt(entry, 'name')
  const rules = listAt(entry, 'rules').map((rule) => objectAt(rule))
  const caBundle = Buffer.from(textAt(entry, 'clientConfig', 'caBundle'), 'base64').toString()
  return {
    key: createHash('sha256').update(`${configuration}/${name}/${JSON.stringify(objectAt(entry, 'clientConfig'))}`).digest('hex'),
    configuration,
    name,
    url: textAt(entry, 'clientConfig', 'url'),
    caBundle,
    failurePolicy: textAt(entry, 'failurePolicy') === 'Ignore' ? 'Ignore' : 'Fail',
    timeoutSeconds: numberAt(entry, ['timeoutSeconds'], 10),
    reinvocable: textAt(entry, 'reinvocationPolicy') === 'IfNeeded',
    sideEffects: textAt(entry, 'sideEffects'),
    reviewVersion: listAt(entry, 'admissionReviewVersions').find((version) => version === 'v1' || version === 'v1beta1') === 'v1beta1' ? 'v1beta1' : 'v1',
    matches: (store, attributes) => {
      return attributes.resource !== MUTATING_WEBHOOK_CONFIGURATIONS &&
        rules.some((rule) => matchesRule(rule, attributes)) &&
        matchesNamespace(store, objectAt(entry, 'namespaceSelector'), attributes) &&
        matchesObject(objectAt(entry, 'objectSelector'), attributes)
    }
  }
}

function matchesRule (rule: unknown, { operation, resource, subresource }: AdmissionAttributes): boolean {
  const has = (field: string, value: string): boolean => listAt(rule, field).some((item) => item === '*' || item === value)
  const scope = textAt(rule, 'scope')
  return has('operations', operation) && has('apiGroups', resource.group) && has('apiVersions', resource.version) &&
    (scope === '*' || scope === '' || (scope === 'Namespaced') === resource.namespaced) &&
    listAt(rule, 'resources').some((pattern) => matchesResource(String(pattern), resource.plural, subresource ?? ''))
}

/** `pods`, `pods/status`, `pods/*`, `*`, `*` + `/status`, `*` + `/*`. */
function matchesResource (pattern: string, plural: string, subresource: string): boolean {
  const [resource = '', sub = ''] = pattern.split('/')
  return (resource === '*' || resource === plural) && (sub === '*' || sub === subresource)
}

function matchesNamespace (store: ObjectStore, selector: LabelSelector, attributes: AdmissionAttributes): boolean {
  if (!attributes.resource.namespaced && attributes.resource !== NAMESPACES) return true
  const namespace = attributes.resource === NAMESPACES
    ? attributes.object ?? attributes.oldObject
    : store.get(NAMESPACES, '', attributes.namespace)
  if (namespace === undefined) throw notFound(NAMESPACES, attributes.namespace)
  return matchesLabels(selector, namespace.metadata.labels ?? {})
}

function matchesObject (selector: LabelSelector, { object, oldObject }: AdmissionAttributes): boolean {
  const matches = (candidate: KubernetesObject | undefined): boolean => candidate !== undefined && matchesLabels(selector, candidate.metadata.labels ?? {})
  return matches(object) || matches(oldObject)
}
