import type { Operation } from 'rfc6902'
import type { HttpsAnswer } from './https-client.ts'

/** The AdmissionReview that came back, its patch decoded. */
export interface AnsweredReview {
  apiVersion: string
  uid: string
  allowed: boolean
  patch: Operation[]
  warnings: string[]
  auditAnnotations: Record<string, string>
  message?: string
}

interface AdmissionReviewBody {
  apiVersion: string
  kind: string
  response: { uid: string, allowed: boolean, patchType?: string, patch?: string, warnings?: string[], auditAnnotations?: Record<string, string>, status?: { message?: string } }
}

/** Reads an answer that has to be an AdmissionReview (`admission.k8s.io`); throws when it is none. */
export function readAnsweredReview ({ status, headers, body }: HttpsAnswer): AnsweredReview {
  if (status !== 200 || headers['content-type']?.startsWith('application/json') !== true) throw new Error(`no review: ${status} ${headers['content-type']} ${body}`)
  const { apiVersion, kind, response } = JSON.parse(body) as AdmissionReviewBody
  if (kind !== 'AdmissionReview' || typeof response.allowed !== 'boolean') throw new Error(`no review: ${body}`)
  if ((response.patch === undefined) !== (response.patchType === undefined)) throw new Error(`patch and patchType go together: ${body}`)
  const patch = response.patch === undefined ? [] : JSON.parse(Buffer.from(response.patch, 'base64').toString()) as Operation[]
  const { uid, allowed, warnings = [], auditAnnotations = {}, status: reason } = response
  return { apiVersion, uid, allowed, patch, warnings, auditAnnotations, ...(reason?.message !== undefined && { message: reason.message }) }
}

/** The names of the pull secrets that a patch adds. */
export function listAddedSecrets (patch: Operation[]): string[] {
  const additions = patch.filter(({ path }) => path.startsWith('/spec/imagePullSecrets')) as { value: { name: string } | { name: string }[] }[]
  return additions.flatMap(({ value }) => value).map(({ name }) => name)
}

/** What the webhook says when a body is no AdmissionReview. */
export interface AnsweredProblem {
  code: string
  message: string
}

/** Reads an answer that refuses a request; throws when it does not say why. */
export function readAnsweredProblem ({ body }: Pick<HttpsAnswer, 'body'>): AnsweredProblem {
  const { error } = JSON.parse(body) as { error?: Partial<AnsweredProblem> }
  if (typeof error?.code !== 'string' || typeof error.message !== 'string') throw new Error(`no code and message: ${body}`)
  return { code: error.code, message: error.message }
}
