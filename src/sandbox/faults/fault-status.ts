import { internalError, noSuchResource, type Status, StatusError, unauthorized } from '../api/status-error.ts'
import type { ProxiedRequest } from './fault.ts'

/**
 * The Status with which kube-apiserver answers with this HTTP status; reasons and wording are its own.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
export function createFaultStatus (code: number, request: ProxiedRequest, retryAfterSeconds?: number): Status {
  const { status } = createRefusal(code, request)
  return retryAfterSeconds === undefined ? status : { ...status, details: { ...status.details, retryAfterSeconds } }
}

function createRefusal (code: number, { method, path }: ProxiedRequest): StatusError {
  switch (code) {
    case 401: return unauthorized()
    case 403: return new StatusError(code, 'Forbidden', `forbidden: User "admin" cannot ${method.toLowerCase()} path "${path}"`, {})
    case 404: return noSuchResource()
    case 410: return new StatusError(code, 'Expired', 'The resourceVersion for the provided list is too old.')
    case 429: return new StatusError(code, 'TooManyRequests', 'Too many requests, please try again later.', {})
    case 500: return internalError('etcdserver: request timed out')
    case 503: return new StatusError(code, 'ServiceUnavailable', 'the server is currently unable to handle the request', {})
    case 504: return new StatusError(code, 'Timeout', 'Timeout: request did not complete within the allotted timeout', {})
    default: return new StatusError(code, '', `the server responded with the status code ${code} but did not return more information`, {})
  }
}
