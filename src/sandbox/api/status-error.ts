import type { UnknownObject } from '../../core/unknown.ts'

/** One cause of a refusal (`metav1.StatusCause`). */
export interface StatusCause {
  reason?: string
  message: string
  field?: string
}

/**
 * What the API answers when it refuses (`metav1.Status`). The wording is kube-apiserver's own, because people search for it.
 * https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/
 */
export interface Status {
  kind: 'Status'
  apiVersion: 'v1'
  metadata: object
  status: 'Success' | 'Failure'
  message?: string
  reason?: string
  details?: UnknownObject
  code: number
}

/** The names under which a resource appears in messages. */
export interface ResourceName {
  group: string
  plural: string
  kind: string
}

/** A refusal on its way to the client: carries the Status that is sent. */
export class StatusError extends Error {
  readonly status: Status

  constructor (code: number, reason: string, message: string, details?: UnknownObject, metadata = {}) {
    super(message)
    this.name = 'StatusError'
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata,
      status: 'Failure',
      message,
      ...(reason !== '' && { reason }),
      ...(details !== undefined && { details }),
      code
    }
  }
}

/** 404: no such object. */
export function notFound (resource: ResourceName, name: string): StatusError {
  return new StatusError(404, 'NotFound', `${qualify(resource, resource.plural)} "${name}" not found`, describe(resource, resource.plural, name))
}

/** 404: no such path or resource. */
export function noSuchResource (): StatusError {
  return new StatusError(404, 'NotFound', 'the server could not find the requested resource', {})
}

/** 409: an object of that name exists. */
export function alreadyExists (resource: ResourceName, name: string): StatusError {
  return new StatusError(409, 'AlreadyExists', `${qualify(resource, resource.plural)} "${name}" already exists`, describe(resource, resource.plural, name))
}

/** 409: a precondition does not hold, most often the resourceVersion. */
export function conflict (resource: ResourceName, name: string, why = 'the object has been modified; please apply your changes to the latest version and try again'): StatusError {
  const message = `Operation cannot be fulfilled on ${qualify(resource, resource.plural)} "${name}": ${why}`
  return new StatusError(409, 'Conflict', message, describe(resource, resource.plural, name))
}

/** 403: an admission plugin refuses. `name` may be empty. */
export function forbidden (resource: ResourceName, name: string, why: string, causes?: StatusCause[]): StatusError {
  const subject = qualify(resource, resource.plural) + (name === '' ? '' : ` "${name}"`)
  return new StatusError(403, 'Forbidden', `${subject} is forbidden: ${why}`, { ...describe(resource, resource.plural, name), ...(causes !== undefined && { causes }) })
}

/** 422: the object breaks rules; every broken one is a cause. */
export function invalid (resource: ResourceName, name: string, causes: Required<StatusCause>[]): StatusError {
  const errors = [...new Set(causes.map(({ field, message }) => `${field}: ${message}`))]
  const list = errors.length === 1 ? errors[0] : `[${errors.join(', ')}]`
  return new StatusError(422, 'Invalid', `${qualify(resource, resource.kind)} "${name}" is invalid: ${list}`, { ...describe(resource, resource.kind, name), causes })
}

/** 422 without saying why, as the API server answers a JSON Patch that does not apply. */
export function unprocessable (): StatusError {
  return new StatusError(422, 'Invalid', 'the server rejected our request due to an error in our request', {})
}

/** 400: the request can't be understood. */
export function badRequest (message: string): StatusError {
  return new StatusError(400, 'BadRequest', message)
}

/** 401: no credential, or an unknown one. */
export function unauthorized (): StatusError {
  return new StatusError(401, 'Unauthorized', 'Unauthorized')
}

/** 405: the resource has no such verb. */
export function methodNotAllowed (): StatusError {
  return new StatusError(405, 'MethodNotAllowed', 'the server does not allow this method on the requested resource', {})
}

/** 406: the client takes no form that is offered. */
export function notAcceptable (): StatusError {
  return new StatusError(406, 'NotAcceptable', 'only the following media types are accepted: application/json')
}

/** 415: the body has a form that is not read. */
export function unsupportedMediaType (accepted: string[]): StatusError {
  return new StatusError(415, 'UnsupportedMediaType', `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`)
}

/** 410: a watch asks for changes that are no longer remembered. */
export function expired (asked: number, oldest: number): StatusError {
  return new StatusError(410, 'Expired', `too old resource version: ${asked} (${oldest})`)
}

/** 410: a list asks for a state that is no longer remembered; `continueToken` goes on with the present one. */
export function expiredList (message: string, continueToken?: string): StatusError {
  return new StatusError(410, 'Expired', message, undefined, continueToken === undefined ? {} : { continue: continueToken })
}

/** 413: the body is larger than the API reads. */
export function requestTooLarge (): StatusError {
  return new StatusError(413, 'RequestEntityTooLarge', 'Request entity too large: limit is 3145728')
}

/** 504: a resourceVersion from the future. */
export function resourceVersionTooLarge (asked: number, current: number): StatusError {
  return new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${asked}, current: ${current}`, {
    causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
    retryAfterSeconds: 1
  })
}

/** 500: something behind the API failed, for example a webhook that must not. */
export function internalError (message: string): StatusError {
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, { causes: [{ message }] })
}

function qualify (resource: ResourceName, name: string): string {
  return resource.group === '' ? name : `${name}.${resource.group}`
}

function describe (resource: ResourceName, kind: string, name: string): UnknownObject {
  return { ...(name !== '' && { name }), ...(resource.group !== '' && { group: resource.group }), kind }
}
