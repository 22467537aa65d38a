import { asObject, asString, type UnknownObject } from './unknown.ts'
import type { JsonPatchOperation } from './pod-patch.ts'

/** The versions of `admission.k8s.io` that are answered, each in the version that asked. */
export type AdmissionReviewVersion = 'admission.k8s.io/v1' | 'admission.k8s.io/v1beta1'

/** What an AdmissionRequest says, as far as a decision needs it. */
export interface AdmissionRequest {
  apiVersion: AdmissionReviewVersion
  uid: string
  operation: string
  /** Whether this is the creation of a Pod itself, not of a subresource or of anything else. */
  isPodCreation: boolean
  namespace: string
  dryRun: boolean
  user: string | undefined
  /** The object as it came; `undefined` when it is none (a DELETE). */
  object: UnknownObject | undefined
}

/** The answer to one request. */
export interface AdmissionAnswer {
  allowed: boolean
  patch: JsonPatchOperation[]
  /** Shown by kubectl, one line each. */
  warnings: string[]
  /** Reaches the API server's audit log under `<entry name>/<key>`. */
  auditAnnotations?: Record<string, string> | undefined
  /** Why a request is denied: the message that the user sees. */
  message?: string | undefined
}

/** A parsed request, or what is wrong with the body, for the answer 400. */
export type ParsedAdmissionReview = { request: AdmissionRequest } | { error: string }

const FORBIDDEN = 403

/** Reads an AdmissionReview (`admission.k8s.io` v1 or v1beta1) from parsed JSON; anything may stand in it. */
export function parseAdmissionReview (body: unknown): ParsedAdmissionReview {
  const review = asObject(body)
  if (review?.kind !== 'AdmissionReview') return { error: 'the body is no AdmissionReview: kind must be "AdmissionReview"' }
  const { apiVersion } = review
  if (apiVersion !== 'admission.k8s.io/v1' && apiVersion !== 'admission.k8s.io/v1beta1') {
    return { error: 'unknown apiVersion: this webhook answers admission.k8s.io/v1 and admission.k8s.io/v1beta1' }
  }
  const request = asObject(review.request)
  const uid = asString(request?.uid)
  if (request === undefined || uid === undefined || uid === '') return { error: 'the AdmissionReview has no request with a uid' }
  return { request: readRequest(apiVersion, uid, request) }
}

/** The AdmissionReview that answers a request: the same version, the same uid. What is undefined is no part of its JSON. */
export function createAdmissionReview (request: AdmissionRequest, answer: AdmissionAnswer): object {
  const isPatched = answer.patch.length > 0
  return {
    kind: 'AdmissionReview',
    apiVersion: request.apiVersion,
    response: {
      uid: request.uid,
      allowed: answer.allowed,
      status: answer.allowed ? undefined : { code: FORBIDDEN, reason: 'Forbidden', message: answer.message },
      patchType: isPatched ? 'JSONPatch' : undefined,
      patch: isPatched ? encodePatch(answer.patch) : undefined,
      warnings: answer.warnings.length > 0 ? answer.warnings : undefined,
      auditAnnotations: answer.auditAnnotations
    }
  }
}

function readRequest (apiVersion: AdmissionReviewVersion, uid: string, request: UnknownObject): AdmissionRequest {
  const object = asObject(request.object)
  const operation = asString(request.operation) ?? ''
  return {
    apiVersion,
    uid,
    operation,
    isPodCreation: operation === 'CREATE' && isPodItself(request),
    namespace: asString(request.namespace) ?? asString(asObject(object?.metadata)?.namespace) ?? '',
    dryRun: request.dryRun === true,
    user: asString(asObject(request.userInfo)?.username),
    object
  }
}

function isPodItself (request: UnknownObject): boolean {
  const kind = asObject(request.kind)
  const isSubresource = request.subResource !== undefined && request.subResource !== ''
  return (kind?.group ?? '') === '' && kind?.version === 'v1' && kind.kind === 'Pod' && !isSubresource
}

function encodePatch (patch: JsonPatchOperation[]): string {
  return Buffer.from(JSON.stringify(patch)).toString('base64')
}
