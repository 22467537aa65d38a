import { parseAdmissionReview, type AdmissionRequest } from '../../src/core/admission-review.ts'
import type { UnknownObject } from '../../src/core/unknown.ts'
import { createPod } from './pods.ts'

/** What a test says of an AdmissionReview. */
export interface ReviewParts {
  apiVersion?: string
  uid?: string
  operation?: string
  namespace?: string
  dryRun?: boolean
  username?: string
  /** The object under review; a Pod in the review's namespace if absent. */
  pod?: unknown
  /** More of the request, as it is; wins over the parts above. */
  request?: UnknownObject
}

/** A type rather than an interface, so that it is a JSON object to the compiler, too. */
export type TestReview = { kind: string, apiVersion: string, request: UnknownObject }

export const REVIEW_UID = '11111111-2222-4333-8444-555555555555'

/** An AdmissionReview as the API server sends it for the creation of a Pod. */
export function createReview (parts: ReviewParts = {}): TestReview {
  const { apiVersion = 'admission.k8s.io/v1', uid = REVIEW_UID, operation = 'CREATE', namespace = 'team-a' } = parts
  const { dryRun = false, username = 'jane', pod = createPod({ namespace }) } = parts
  return {
    kind: 'AdmissionReview',
    apiVersion,
    request: {
      uid,
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      namespace,
      operation,
      userInfo: { username },
      object: pod,
      oldObject: null,
      dryRun,
      ...parts.request
    }
  }
}

/** The same review, parsed. */
export function createRequest (parts: ReviewParts = {}): AdmissionRequest {
  return parseReview(createReview(parts))
}

/** Parses a review that is one. */
export function parseReview (body: unknown): AdmissionRequest {
  const parsed = parseAdmissionReview(body)
  if ('error' in parsed) throw new Error(parsed.error)
  return parsed.request
}
