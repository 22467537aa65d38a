import { asArray, asObject, asString } from '../core/unknown.ts'

/** What went wrong with a call, beside the reasons that the API server gives (`metav1.StatusReason`). */
export type TransportReason = 'Unreachable' | 'CallTimeout' | 'CalledOff' | 'NoCredential' | 'InvalidAnswer' | 'ShortWatch' | 'SilentWatch' | 'HandlerFailed'

/** What an error of the API tells, as far as it may be shown: never a body or a header. */
export interface KubeErrorDetails {
  /** HTTP status; 0 when there was no answer. */
  status: number
  /** `metav1.StatusReason`, such as `Conflict`, or a reason of the transport. */
  reason: string
  /** The API server's own words; for a write of a Secret they may repeat what was written, so they are not to be shown then. */
  message: string
  /** How long the API server asks to wait, in milliseconds (`Retry-After`); at most `MAX_RETRY_AFTER_MS`. */
  retryAfterMs?: number
  /** `details.causes[].reason` of the Status, such as `NamespaceTerminating`. */
  causes?: string[]
}

/** A proxy before the API server may ask for any time; nobody is to be blind for a day for that. */
export const MAX_RETRY_AFTER_MS = 120_000

/** A call to the Kubernetes API that failed (https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/). */
export class KubeError extends Error {
  override name = 'KubeError'
  readonly status: number
  readonly reason: string
  readonly retryAfterMs: number | undefined
  readonly causes: string[]

  constructor ({ status, reason, message, retryAfterMs, causes = [] }: KubeErrorDetails) {
    super(message)
    this.status = status
    this.reason = reason
    this.retryAfterMs = retryAfterMs
    this.causes = causes
  }
}

/** Reads the Status of an answer that is an error; an answer without one is described by its HTTP status. */
export function parseStatusError (status: number, body: unknown, retryAfter: string | undefined): KubeError {
  const object = asObject(body)
  const details = asObject(object?.details)
  const seconds = readSeconds(retryAfter) ?? readSeconds(details?.retryAfterSeconds)
  return new KubeError({
    status,
    reason: readReason(object?.reason) ?? `HTTP${status}`,
    message: asString(object?.message) ?? `the API server answered with HTTP status ${status}`,
    ...(seconds !== undefined && { retryAfterMs: Math.min(seconds * 1000, MAX_RETRY_AFTER_MS) }),
    causes: asArray(details?.causes).flatMap((cause) => asString(asObject(cause)?.reason) ?? [])
  })
}

/** An admission webhook may write anything there, and reasons reach logs and metrics. */
function readReason (value: unknown): string | undefined {
  const reason = asString(value)
  return reason !== undefined && /^[A-Za-z]{1,64}$/.test(reason) ? reason : undefined
}

/** Whole seconds, as client-go reads them; the API server never sends a date. */
function readSeconds (value: unknown): number | undefined {
  return /^\d+$/.test(String(value)) ? Number(value) : undefined
}

/** Whether an error is the API server's answer with one of these HTTP statuses. */
export function hasStatus (error: unknown, ...statuses: number[]): error is KubeError {
  return error instanceof KubeError && statuses.includes(error.status)
}
