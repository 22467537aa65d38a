import type { AdmissionRequest } from './admission-review.ts'
import { isReservedNamespace } from './namespaces.ts'
import { isMirrorPod, isOptedOut, listPodImages, listPullSecrets } from './pod.ts'
import { createPodPatch, type JsonPatchOperation } from './pod-patch.ts'
import { judgeImage, parsePodImage, type CompiledRule, type ParsedPodImage, type Policy, type PolicyEntry } from './policy.ts'
import { DEFAULT_ENTRY_PATH } from './webhook-entries.ts'
import { asObject, type UnknownObject } from './unknown.ts'
import { describeDenial, listWarnings } from './warnings.ts'

/** Every outcome, in the order of the decision record's schema. */
export const OUTCOMES = ['injected', 'unchanged', 'skipped', 'denied', 'error'] as const

/** What one admission call did to the Pod. */
export type Outcome = typeof OUTCOMES[number]

/** Every reason with its meaning: stable codes of decision records, metrics and audit annotations. */
export const REASONS = {
  'rule-matched': 'injected: at least one rule applied and its pull secrets were appended',
  'already-present': 'unchanged: every pull secret of the rules that apply stands in the Pod already',
  'no-secret-needed': 'unchanged: the rules that apply name no pull secret (the nodes can pull by themselves)',
  'no-rule': 'unchanged: no rule of this entry applies to the Pod',
  'not-pod-create': 'skipped: only the creation of a Pod is mutated',
  'unknown-entry': 'skipped: no rule of the configuration in force belongs to this entry',
  'malformed-pod': 'skipped: the object has no spec or metadata, or a list of pull secrets that is no list; the API server refuses it',
  'mirror-pod': 'skipped: the API server refuses mirror Pods with any secret',
  'opted-out': 'skipped: pullkeeper.dev/inject is "false" on the Pod',
  'reserved-namespace': 'skipped: a namespace of Kubernetes or of pullkeeper itself, which no rule includes by name',
  'namespace-labels-unknown': 'skipped: explain was not told the labels of the namespace (never written by the webhook)',
  'unmatched-image': 'denied: unmatched is "deny" and no rule matches an image',
  'decision-log-unavailable': 'denied: decision records can not be written and onError is "deny"',
  'internal-error': 'error or denied, as onError says: a defect of pullkeeper'
} as const

/** A code of `REASONS`. */
export type Reason = keyof typeof REASONS

/** An image of the Pod and the rules of this entry that match it. */
export interface ImageDecision extends ParsedPodImage {
  rules: string[]
}

/** Everything that one call of one entry decided. */
export interface Decision {
  outcome: Outcome
  reason: Reason
  /** Names of the rules that apply, `always` rules included. */
  rules: string[]
  images: ImageDecision[]
  /** Pull secrets that stood in the Pod when the call came. */
  present: string[]
  /** Pull secrets that this call appends. */
  injected: string[]
  patch: JsonPatchOperation[]
  warnings: string[]
  /** Why the Pod is denied, for its author. */
  message?: string
}

/** What a decision reads of a request. */
export type DecisionRequest = Pick<AdmissionRequest, 'isPodCreation' | 'namespace' | 'object'>

/** Decides one call of the entry at `path`; pure, so that the same review and configuration always give the same answer. */
export function decideAdmission (policy: Policy, path: string, request: DecisionRequest): Decision {
  const entry = policy.entries.get(path)
  const pod = request.object
  if (entry === undefined) return skip('unknown-entry')
  if (!request.isPodCreation || pod === undefined) return skip('not-pod-create')
  const present = listPullSecrets(pod)
  if (present === undefined || asObject(pod.metadata) === undefined) return skip('malformed-pod')
  const images = listPodImages(pod).map(parsePodImage)
  const reason = findSkipReason(policy, entry, request.namespace, pod)
  if (reason !== undefined) return skip(reason, images, present)
  return applyRules(policy, entry, { pod, namespace: request.namespace, images, present })
}

/** A call that leaves the Pod alone whatever the rules say. */
export function skip (reason: Reason, images: ParsedPodImage[] = [], present: string[] = []): Decision {
  return {
    outcome: 'skipped',
    reason,
    rules: [],
    images: images.map((image) => decideImage(image, [])),
    present,
    injected: [],
    patch: [],
    warnings: []
  }
}

/** A call that failed by a defect or for want of the decision log: the Pod goes as `onError` says. */
export function failOpenOrClosed (onError: 'allow' | 'deny', reason: 'internal-error' | 'decision-log-unavailable'): Decision {
  const denied = onError === 'deny'
  const message = FAILURE_MESSAGES[reason]
  return {
    ...skip(reason),
    outcome: denied ? 'denied' : 'error',
    ...(denied ? { message } : { warnings: [`${message}; no pull secret was injected`] })
  }
}

const FAILURE_MESSAGES = {
  'internal-error': 'pullkeeper: internal error, see the log of the webhook',
  'decision-log-unavailable': 'pullkeeper: decisions can not be recorded at present, so none is made (onError: deny)'
} as const

interface PodContext {
  pod: UnknownObject
  namespace: string
  images: ParsedPodImage[]
  present: string[]
}

function findSkipReason (policy: Policy, entry: PolicyEntry, namespace: string, pod: UnknownObject): Reason | undefined {
  if (isMirrorPod(pod)) return 'mirror-pod'
  if (isOptedOut(pod)) return 'opted-out'
  const isReserved = isReservedNamespace(namespace, policy.ownNamespace)
  const isNamed = entry.rules.some(({ rule }) => rule.namespaces.include.includes(namespace))
  return isReserved && !isNamed ? 'reserved-namespace' : undefined
}

function applyRules (policy: Policy, entry: PolicyEntry, context: PodContext): Decision {
  const { pod, namespace, present } = context
  const eligible = entry.rules.filter((rule) => rule.namespaces.judge(namespace) === 'included')
  const images = context.images.map((image) => decideImage(image, namesOf(eligible.filter((rule) => judgeImage(rule, image).matches))))
  const applied = eligible.filter(({ rule }) => rule.always || images.some((image) => image.rules.includes(rule.name)))
  const wanted = [...new Set(applied.flatMap(({ rule }) => rule.pullSecrets))]
  const injected = wanted.filter((name) => !present.includes(name))
  const unmatched = entry.path === DEFAULT_ENTRY_PATH ? listUnmatchedImages(policy, images, context) : []
  const warnings = entry.path === DEFAULT_ENTRY_PATH ? listWarnings(policy.config.unmatched, images, unmatched) : []
  const decision = { rules: namesOf(applied), images, present, warnings }
  if (policy.config.unmatched === 'deny' && unmatched.length > 0) {
    return { ...decision, outcome: 'denied', reason: 'unmatched-image', injected: [], patch: [], message: describeDenial(unmatched) }
  }
  const { annotate } = policy.config.webhook
  const patch = createPodPatch(pod, { injected, present, annotate, pullSecretNames: policy.pullSecretNames })
  return { ...decision, ...explainOutcome(applied, wanted, injected), injected, patch }
}

function explainOutcome (applied: CompiledRule[], wanted: string[], injected: string[]): { outcome: Outcome, reason: Reason } {
  if (injected.length > 0) return { outcome: 'injected', reason: 'rule-matched' }
  if (wanted.length > 0) return { outcome: 'unchanged', reason: 'already-present' }
  return { outcome: 'unchanged', reason: applied.length > 0 ? 'no-secret-needed' : 'no-rule' }
}

/**
 * Images that no rule matches. A rule with a selector counts when its pull secrets stand in the Pod: its entry was
 * called before this one, and only where the API server found that the selector holds. Unparsable images are the
 * kubelet's business.
 */
function listUnmatchedImages (policy: Policy, images: ImageDecision[], { namespace, present }: PodContext): ImageDecision[] {
  const candidates = images.filter((image) => image.rules.length === 0 && image.error === undefined)
  if (candidates.length === 0 || policy.config.unmatched === 'allow') return []
  const elsewhere = [...policy.entries.values()].filter(({ path }) => path !== DEFAULT_ENTRY_PATH).flatMap(({ rules }) => rules)
  const inForce = elsewhere.filter(({ rule, namespaces }) => {
    return namespaces.judge(namespace) === 'included' && rule.pullSecrets.every((name) => present.includes(name))
  })
  return candidates.filter((image) => !inForce.some((rule) => judgeImage(rule, image).matches))
}

function decideImage ({ container, field, image, reference, location, error }: ParsedPodImage, rules: string[]): ImageDecision {
  return { container, field, image, reference, location, error, rules }
}

function namesOf (rules: CompiledRule[]): string[] {
  return rules.map(({ rule }) => rule.name)
}
