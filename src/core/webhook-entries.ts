import { createHash } from 'node:crypto'
import { formatCanonicalSelector, isEmptySelector, type LabelExpression, type LabelSelector } from './label-selector.ts'
import { DEFAULT_OWN_NAMESPACE, RESERVED_NAMESPACES } from './namespaces.ts'
import { INJECT_KEY } from './pod.ts'
import type { PullSecretConfig, Rule, WebhookSettings } from './pull-secret-config.ts'

/** One entry of the MutatingWebhookConfiguration and the rules that it evaluates. */
export interface WebhookEntry {
  /** `pods.pullkeeper.dev`, or `<key>.rules.pullkeeper.dev` for rules with a selector. */
  name: string
  /** `/mutate` or `/mutate/<key>`. */
  path: string
  /** The selector that its rules share; absent for the default entry. */
  selector?: LabelSelector
  rules: Rule[]
}

/** Where the API server reaches the webhook (`admissionregistration.k8s.io/v1` WebhookClientConfig, less path and bundle). */
export type WebhookTarget = { service: { namespace: string, name: string, port?: number } } | { url: string }

/** What a registration needs besides the rules. */
export interface RegistrationOptions {
  target: WebhookTarget
  /** PEM of the CA (or CAs) that signed the webhook's serving certificate. */
  caBundle: string
  ownNamespace?: string
}

/** Name of the entry for all rules without a selector. */
export const DEFAULT_ENTRY_NAME = 'pods.pullkeeper.dev'
/** Its path; the others are below it. */
export const DEFAULT_ENTRY_PATH = '/mutate'

const SELECTOR_ENTRY_SUFFIX = '.rules.pullkeeper.dev'
const KEY_LENGTH = 10
const NAMESPACE_NAME_LABEL = 'kubernetes.io/metadata.name'

/**
 * Maps rules to webhook entries: rules with equal selectors share one, in the order of the first of them; rules without
 * a selector share the default entry, which is always there and stands last, so that it sees what the others added.
 */
export function listWebhookEntries (rules: Rule[]): WebhookEntry[] {
  const entries = new Map<string, WebhookEntry>()
  const defaultEntry: WebhookEntry = { name: DEFAULT_ENTRY_NAME, path: DEFAULT_ENTRY_PATH, rules: [] }
  for (const rule of rules) {
    const { selector } = rule.namespaces
    if (selector === undefined || isEmptySelector(selector)) defaultEntry.rules.push(rule)
    else addToSelectorEntry(entries, selector, rule)
  }
  return [...entries.values(), defaultEntry]
}

/** The name of the entry that a request path belongs to, also when no rule has that entry (any more). */
export function formatEntryName (path: string): string {
  return path === DEFAULT_ENTRY_PATH ? DEFAULT_ENTRY_NAME : path.slice(DEFAULT_ENTRY_PATH.length + 1) + SELECTOR_ENTRY_SUFFIX
}

/** The MutatingWebhookConfiguration (`admissionregistration.k8s.io/v1`) that a configuration needs. */
export function createWebhookConfiguration (config: Pick<PullSecretConfig, 'rules' | 'webhook'>, options: RegistrationOptions): object {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name: 'pullkeeper', labels: { 'app.kubernetes.io/name': 'pullkeeper' } },
    webhooks: listWebhookEntries(config.rules).map((entry) => createRegisteredEntry(entry, config.webhook, options))
  }
}

function createRegisteredEntry (entry: WebhookEntry, settings: WebhookSettings, options: RegistrationOptions): object {
  return {
    name: entry.name,
    clientConfig: createClientConfig(entry.path, options),
    rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['pods'], scope: 'Namespaced' }],
    namespaceSelector: createNamespaceSelector(entry, options.ownNamespace ?? DEFAULT_OWN_NAMESPACE),
    sideEffects: 'None',
    reinvocationPolicy: 'IfNeeded',
    failurePolicy: settings.failurePolicy,
    timeoutSeconds: settings.timeoutSeconds,
    admissionReviewVersions: ['v1', 'v1beta1']
  }
}

function createClientConfig (path: string, { target, caBundle }: RegistrationOptions): object {
  const bundle = { caBundle: Buffer.from(caBundle).toString('base64') }
  if ('url' in target) return { url: target.url.replace(/\/$/, '') + path, ...bundle }
  return { service: { ...target.service, path }, ...bundle }
}

/** The rules' own selector, less opted-out and reserved namespaces; older API servers lack the name label, so the webhook checks too. */
function createNamespaceSelector (entry: WebhookEntry, ownNamespace: string): LabelSelector {
  const named = new Set(entry.rules.flatMap((rule) => rule.namespaces.include))
  const reserved = [...RESERVED_NAMESPACES, ownNamespace].filter((namespace) => !named.has(namespace))
  const expressions: LabelExpression[] = [{ key: INJECT_KEY, operator: 'NotIn', values: ['false'] }]
  if (reserved.length > 0) expressions.push({ key: NAMESPACE_NAME_LABEL, operator: 'NotIn', values: reserved })
  return { ...entry.selector, matchExpressions: [...entry.selector?.matchExpressions ?? [], ...expressions] }
}

function addToSelectorEntry (entries: Map<string, WebhookEntry>, selector: LabelSelector, rule: Rule): void {
  const key = createHash('sha256').update(formatCanonicalSelector(selector)).digest('hex').slice(0, KEY_LENGTH)
  const existing = entries.get(key)
  if (existing !== undefined) existing.rules.push(rule)
  else entries.set(key, { name: key + SELECTOR_ENTRY_SUFFIX, path: `${DEFAULT_ENTRY_PATH}/${key}`, selector, rules: [rule] })
}
