import { randomUUID } from 'node:crypto'
import { closeSync, openSync, writeSync } from 'node:fs'
import type { UnknownObject } from '../../../core/unknown.ts'
import type { ClusterOptions } from '../../cluster.ts'
import type { ApiCall, UserInfo } from '../admission/admission-attributes.ts'
import { PODS } from '../objects/resource-table.ts'
import { formatGroupVersion } from '../objects/resource.ts'
import type { Status } from '../status-error.ts'

/** The audited requests: those that change Pods. */
export type AuditVerb = 'create' | 'update' | 'patch' | 'delete' | 'deletecollection'

/** What is known of a request when it arrives. */
export interface AuditedRequest {
  verb: AuditVerb
  requestUri: string
  user: UserInfo
  userAgent?: string
  resource: ApiCall['resource']
  namespace: string
  name: string
  subresource?: ApiCall['subresource']
}

/** Collects what happens to one request; `finish` writes it down, once. */
export interface AuditTrail {
  /** The first value of a key stays, as in the API server. `level` is the lowest at which it is recorded. */
  annotate: (key: string, value: string, level?: 'Metadata' | 'Request') => void
  setRequestObject: (object: unknown) => void
  finish: (code: number, response: unknown) => void
}

/** The audit log of the API server. */
export interface AuditLog {
  start: (request: AuditedRequest) => AuditTrail
  close: () => void
}

/** A trail that leads nowhere, for requests that are not audited. */
export const NO_AUDIT: AuditTrail = { annotate () {}, setRequestObject () {}, finish () {} }

/**
 * Opens the audit log: one `audit.k8s.io/v1` Event (stage ResponseComplete) a line for each write of Pods.
 * Written synchronously, before the client has its answer: whoever got one finds its event.
 * https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/
 */
export function openAuditLog ({ auditLog: file, auditLevel = 'Metadata' }: ClusterOptions, now: () => Date): AuditLog {
  if (file === undefined) return { start: () => NO_AUDIT, close () {} }
  const descriptor = openSync(file, 'a', 0o600)
  let isOpen = true
  // After the end the number of the descriptor may already mean another file.
  const write = (event: UnknownObject): void => { if (isOpen) writeSync(descriptor, JSON.stringify(event) + '\n') }
  return {
    start: (request) => request.resource === PODS ? startTrail(request, auditLevel, now, write) : NO_AUDIT,
    close () {
      isOpen = false
      closeSync(descriptor)
    }
  }
}

function startTrail (request: AuditedRequest, level: 'Metadata' | 'RequestResponse', now: () => Date, write: (event: UnknownObject) => void): AuditTrail {
  const received = formatMicroTime(now())
  const annotations: Record<string, string> = { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' }
  let requestObject: unknown
  return {
    annotate (key, value, lowest = 'Metadata') {
      if (lowest === 'Request' && level === 'Metadata') return
      annotations[key] ??= value
    },
    setRequestObject (object) { requestObject = object },
    finish (code, response) {
      write({
        kind: 'Event',
        apiVersion: 'audit.k8s.io/v1',
        level,
        auditID: randomUUID(),
        stage: 'ResponseComplete',
        requestURI: request.requestUri,
        verb: request.verb,
        user: request.user,
        sourceIPs: ['127.0.0.1'],
        ...(request.userAgent !== undefined && { userAgent: request.userAgent }),
        objectRef: formatObjectReference(request, requestObject),
        responseStatus: formatResponseStatus(code, response),
        ...(level === 'RequestResponse' && { ...(requestObject !== undefined && { requestObject }), responseObject: response }),
        requestReceivedTimestamp: received,
        stageTimestamp: formatMicroTime(now()),
        annotations
      })
    }
  }
}

function formatObjectReference ({ resource, namespace, name, subresource }: AuditedRequest, requestObject: unknown): UnknownObject {
  const posted = (requestObject as { metadata?: { name?: unknown } } | undefined)?.metadata?.name
  const shown = name === '' && typeof posted === 'string' ? posted : name
  return {
    resource: resource.plural,
    ...(namespace !== '' && { namespace }),
    ...(shown !== '' && { name: shown }),
    ...(resource.group !== '' && { apiGroup: resource.group }),
    apiVersion: resource.group === '' ? formatGroupVersion(resource) : resource.version,
    ...(subresource !== undefined && { subresource })
  }
}

function formatResponseStatus (code: number, response: unknown): UnknownObject {
  const status = response as Partial<Status> | undefined
  if (status?.kind !== 'Status') return { metadata: {}, code }
  const { message, reason, details } = status
  return {
    metadata: {},
    status: status.status,
    ...(message !== undefined && { message }),
    ...(reason !== undefined && { reason }),
    ...(details !== undefined && { details }),
    code
  }
}

function formatMicroTime (time: Date): string {
  return time.toISOString().replace('Z', '000Z')
}
