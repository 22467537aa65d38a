import { randomUUID } from 'node:crypto'
import { asObject, asString, type UnknownObject } from '../../../core/unknown.ts'
import type { AdmissionAttributes } from './admission-attributes.ts'
import { objectAt, textAt, valueAt } from '../objects/kubernetes-object.ts'
import type { RegisteredWebhook } from './webhook-registration.ts'

/** An AdmissionReview to send, and the uid that its answer must carry. */
export interface WebhookReview {
  uid: string
  body: UnknownObject
}

/** What a webhook answered, checked. */
export interface WebhookVerdict {
  allowed: boolean
  /** Decoded bytes of the JSON Patch; absent = none. */
  patch?: string
  status?: UnknownObject
  warnings: string[]
  auditAnnotations: [key: string, value: string][]
}

/** Builds the AdmissionReview for one call; each call has a new uid, also in a reinvocation. */
export function createWebhookReview (webhook: RegisteredWebhook, attributes: AdmissionAttributes): WebhookReview {
  const { resource, subresource, namespace, name, operation, user, object, oldObject, dryRun, options } = attributes
  const uid = randomUUID()
  const kind = { group: resource.group, version: resource.version, kind: resource.kind }
  const target = { group: resource.group, version: resource.version, resource: resource.plural }
  const shownName = name === '' ? object?.metadata.name ?? '' : name
  const request = {
    uid,
    kind,
    resource: target,
    ...(subresource !== undefined && { subResource: subresource }),
    requestKind: kind,
    requestResource: target,
    ...(subresource !== undefined && { requestSubResource: subresource }),
    ...(shownName !== '' && { name: shownName }),
    ...(namespace !== '' && { namespace }),
    operation,
    userInfo: user,
    object: object ?? null,
    oldObject: oldObject ?? null,
    dryRun,
    options
  }
  return { uid, body: { kind: 'AdmissionReview', apiVersion: `admission.k8s.io/${webhook.reviewVersion}`, request } }
}

/** Reads a webhook's answer by the API server's rules for the version that was sent; throws what it would log. */
export function readWebhookVerdict (webhook: RegisteredWebhook, review: WebhookReview, answer: unknown): WebhookVerdict {
  const response = asObject(valueAt(answer, 'response'))
  if (webhook.reviewVersion === 'v1') checkEnvelope(review, answer, response)
  if (response === undefined) throw new Error('received invalid webhook response: webhook response was absent')
  const patch = asString(response.patch)
  if (webhook.reviewVersion === 'v1') checkPatchType(response, patch)
  const status = asObject(response.status)
  return {
    allowed: response.allowed === true,
    ...(patch !== undefined && { patch: Buffer.from(patch, 'base64').toString() }),
    ...(status !== undefined && { status }),
    warnings: Array.isArray(response.warnings) ? response.warnings.filter((warning) => typeof warning === 'string') : [],
    auditAnnotations: Object.entries(objectAt(response, 'auditAnnotations')).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  }
}

function checkEnvelope (review: WebhookReview, answer: unknown, response: UnknownObject | undefined): void {
  const apiVersion = textAt(answer, 'apiVersion')
  const kind = textAt(answer, 'kind')
  if (apiVersion !== 'admission.k8s.io/v1' || kind !== 'AdmissionReview') {
    const got = apiVersion === '' ? '/' : apiVersion
    throw new Error(`received invalid webhook response: expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${got}, Kind=${kind}`)
  }
  if (response === undefined) throw new Error('received invalid webhook response: webhook response was absent')
  const uid = textAt(response, 'uid')
  if (uid !== review.uid) throw new Error(`received invalid webhook response: expected response.uid="${review.uid}", got "${uid}"`)
}

function checkPatchType (response: UnknownObject, patch: string | undefined): void {
  if (patch === undefined || patch === '') {
    if (response.patchType !== undefined) throw new Error('received invalid webhook response: webhook returned response.patchType but not response.patch')
    return
  }
  if (response.patchType === undefined) throw new Error('received invalid webhook response: webhook returned response.patch but not response.patchType')
  if (response.patchType !== 'JSONPatch') throw new Error(`received invalid webhook response: invalid value of response.patchType: expected "JSONPatch", got ${JSON.stringify(response.patchType)}`)
}
