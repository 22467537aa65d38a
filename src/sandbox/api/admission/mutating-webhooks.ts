import { isDeepStrictEqual } from 'node:util'
import type { Operation } from 'rfc6902'
import type { AdmissionAttributes } from './admission-attributes.ts'
import { applyJsonPatch } from '../writes/json-patch.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { isQualifiedName } from '../validation/name-validation.ts'
import { applyDefaults } from '../writes/object-defaults.ts'
import { decodeObject } from '../writes/object-decoding.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { badRequest, internalError } from '../status-error.ts'
import type { WebhookClient } from './webhook-client.ts'
import { createDenial } from './webhook-denial.ts'
import { listRegisteredWebhooks, type RegisteredWebhook } from './webhook-registration.ts'
import { createWebhookReview, readWebhookVerdict, type WebhookVerdict } from './webhook-review.ts'

/** What the dispatcher remembers from the first round to the second. */
export interface Reinvocation {
  round: 0 | 1
  /** A webhook changed the object, so that the chain must run again. */
  isRequested: boolean
  /** Called before, with policy IfNeeded, and not yet due again. */
  invoked: Set<string>
  /** Due in the second round. */
  due: Set<string>
  lastOutput?: KubernetesObject
}

/** The state at the start of a request. */
export function startReinvocation (): Reinvocation {
  return { round: 0, isRequested: false, invoked: new Set(), due: new Set() }
}

/**
 * Calls the mutating webhooks that match, one after another, as the dispatcher of kube-apiserver's MutatingAdmissionWebhook does
 * (apiserver/pkg/admission/plugin/webhook/mutating/dispatcher.go). In the second round only those are called that were
 * called in the first, have `reinvocationPolicy: IfNeeded`, and whose object changed since.
 */
export async function dispatchMutatingWebhooks (store: ObjectStore, client: WebhookClient, attributes: AdmissionAttributes, reinvocation: Reinvocation): Promise<void> {
  const isReinvoked = reinvocation.round === 1
  // Plugins of the API server's own changed the object after the webhooks did: everyone must look again.
  if (isReinvoked && !isDeepStrictEqual(attributes.object, reinvocation.lastOutput)) requireReinvocation(reinvocation)
  for (const [index, webhook] of listRegisteredWebhooks(store).entries()) {
    if (!webhook.matches(store, attributes)) continue
    if (isReinvoked && !reinvocation.due.has(webhook.key)) continue
    const changed = await callWebhook(client, webhook, attributes, `round_${reinvocation.round}_index_${index}`)
    if (changed) {
      requireReinvocation(reinvocation)
      reinvocation.isRequested = true
    }
    if (webhook.reinvocable) reinvocation.invoked.add(webhook.key)
  }
  if (attributes.object !== undefined) reinvocation.lastOutput = attributes.object
}

function requireReinvocation (reinvocation: Reinvocation): void {
  for (const key of reinvocation.invoked) reinvocation.due.add(key)
  reinvocation.invoked.clear()
}

/** One call; tells whether it changed the object. */
async function callWebhook (client: WebhookClient, webhook: RegisteredWebhook, attributes: AdmissionAttributes, position: string): Promise<boolean> {
  const { configuration, name } = webhook
  let changed = false
  try {
    const verdict = await requestVerdict(client, webhook, attributes)
    if (verdict === undefined) attributes.audit.annotate(`failed-open.mutation.webhook.admission.k8s.io/${position}`, name)
    else changed = applyVerdict(webhook, attributes, verdict, position)
    return changed
  } finally {
    attributes.audit.annotate(`mutation.webhook.admission.k8s.io/${position}`, JSON.stringify({ configuration, webhook: name, mutated: changed }))
  }
}

/** The verdict; undefined when the call failed and the webhook may fail. */
async function requestVerdict (client: WebhookClient, webhook: RegisteredWebhook, attributes: AdmissionAttributes): Promise<WebhookVerdict | undefined> {
  if (attributes.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun') {
    throw badRequest(`admission webhook "${webhook.name}" does not support dry run`)
  }
  const review = createWebhookReview(webhook, attributes)
  try {
    return readWebhookVerdict(webhook, review, await client.post(webhook, review.body))
  } catch (error) {
    if (webhook.failurePolicy === 'Ignore') return undefined
    throw internalError(`failed calling webhook "${webhook.name}": ${(error as Error).message}`)
  }
}

function applyVerdict (webhook: RegisteredWebhook, attributes: AdmissionAttributes, verdict: WebhookVerdict, position: string): boolean {
  for (const [key, value] of verdict.auditAnnotations) {
    const fullKey = `${webhook.name}/${key}`
    if (isQualifiedName(fullKey)) attributes.audit.annotate(fullKey, value)
  }
  for (const warning of verdict.warnings) attributes.warnings.add(warning)
  if (!verdict.allowed) throw createDenial(webhook.name, verdict.status)
  const patch = parsePatch(verdict.patch)
  if (patch.length === 0) return false
  return applyPatch(webhook, attributes, patch, position)
}

function parsePatch (text: string | undefined): Operation[] {
  if (text === undefined || text === '') return []
  try {
    const patch: unknown = JSON.parse(text)
    return Array.isArray(patch) ? patch as Operation[] : []
  } catch {
    throw internalError("invalid character looking for beginning of value in the webhook's patch")
  }
}

function applyPatch (webhook: RegisteredWebhook, attributes: AdmissionAttributes, patch: Operation[], position: string): boolean {
  const { object, resource, audit } = attributes
  if (object === undefined) throw internalError(`admission webhook "${webhook.name}" attempted to modify the object, which is not supported for this operation`)
  const { result, error } = applyJsonPatch(object, patch)
  if (error !== undefined) throw internalError(error)
  const { configuration, name } = webhook
  audit.annotate(`patch.webhook.admission.k8s.io/${position}`, JSON.stringify({ configuration, webhook: name, patch, patchType: 'JSONPatch' }), 'Request')
  const patched = decodePatched(attributes, result)
  applyDefaults(resource, patched)
  attributes.object = patched
  return !isDeepStrictEqual(patched, object)
}

function decodePatched ({ resource }: AdmissionAttributes, result: unknown): KubernetesObject {
  try {
    return decodeObject(resource, result)
  } catch (error) {
    throw internalError((error as Error).message)
  }
}
