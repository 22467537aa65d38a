import type { UnknownObject } from '../../../core/unknown.ts'
import type { ApiCall, UserInfo } from '../admission/admission-attributes.ts'
import type { AuditLog, AuditVerb } from './audit-log.ts'
import { runAudited, type Reply } from './audited-request.ts'
import { createObjectFilter } from '../objects/list-selector.ts'
import { PATCH_TYPES, type PatchRequest } from '../writes/object-patch.ts'
import type { RequestInfo } from './request-info.ts'
import { readWriteOptions } from './request-options.ts'
import type { ResourceApi } from '../writes/resource-api.ts'
import { readScale, writeScale } from '../writes/scale-subresource.ts'
import { methodNotAllowed, unsupportedMediaType } from '../status-error.ts'
import type { Resource } from '../objects/resource.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'

/** A request to a resource, read but not yet judged. */
export interface ResourceRequest {
  method: string
  info: RequestInfo
  query: URLSearchParams
  requestUri: string
  contentType: string
  userAgent?: string
  user: UserInfo
  /** Reads the body; rejects with 415 or 400. */
  readBody: () => Promise<unknown>
}

/** What carries a request out. */
export interface RequestHandler {
  api: ResourceApi
  audit: AuditLog
}

/** Carries out a request to one object, or a write to a collection; lists and watches are elsewhere. */
export async function handleResourceRequest (handler: RequestHandler, request: ResourceRequest): Promise<Reply> {
  if (request.method === 'GET') return { code: 200, body: getObject(handler.api, request), warnings: new Set() }
  const verb = findVerb(request)
  const { info: { resource, namespace, name, subresource }, requestUri, user, userAgent } = request
  const audited = { verb, requestUri, user, resource, namespace, name, ...(subresource !== undefined && { subresource }), ...(userAgent !== undefined && { userAgent }) }
  return runAudited(handler.audit, audited, async (trail, warnings) => {
    const body = await request.readBody()
    if (verb !== 'delete' && verb !== 'deletecollection') trail.setRequestObject(body)
    const call: ApiCall = { ...request.info, user, ...(userAgent !== undefined && { userAgent }), warnings, audit: trail, ...readWriteOptions(OPTIONS[verb], request.query, body) }
    return carryOut(handler.api, verb, call, request, body)
  })
}

const OPTIONS = {
  create: 'CreateOptions',
  update: 'UpdateOptions',
  patch: 'PatchOptions',
  delete: 'DeleteOptions',
  deletecollection: 'DeleteOptions'
} as const

function findVerb ({ method, info }: ResourceRequest): AuditVerb {
  const isCollection = info.name === ''
  const isCreatable = info.namespace !== '' || !info.resource.namespaced
  if (method === 'POST' && isCollection && isCreatable) return 'create'
  if (method === 'PUT' && !isCollection) return 'update'
  if (method === 'PATCH' && !isCollection) return 'patch'
  if (method === 'DELETE' && info.subresource === undefined && (!isCollection || (isCreatable && info.resource.kind !== 'Namespace'))) return isCollection ? 'deletecollection' : 'delete'
  throw methodNotAllowed()
}

function getObject (api: ResourceApi, { info, user, query }: ResourceRequest): KubernetesObject {
  const call: ApiCall = { ...info, user, dryRun: false, options: {}, warnings: new Set(), audit: { annotate () {}, setRequestObject () {}, finish () {} } }
  if (query.has('resourceVersion')) query.delete('resourceVersion')
  const object = api.get(call)
  return info.subresource === 'scale' ? readScale(object) : object
}

async function carryOut (api: ResourceApi, verb: AuditVerb, call: ApiCall, request: ResourceRequest, body: unknown): Promise<{ code: number, body: object }> {
  switch (verb) {
    case 'create': return { code: 201, body: await api.create(call, body) }
    case 'update': return updateObject(api, call, body)
    case 'patch': return patchObject(api, call, readPatch(request, body))
    case 'delete': return { code: 200, body: await deleteOne(api, call, body) }
    case 'deletecollection': return { code: 200, body: await deleteMany(api, call, request, body) }
  }
}

function readPatch ({ contentType }: ResourceRequest, body: unknown): PatchRequest {
  const type = PATCH_TYPES[contentType]
  if (type === undefined) throw unsupportedMediaType(Object.keys(PATCH_TYPES))
  return { type, body }
}

async function updateObject (api: ResourceApi, call: ApiCall, body: unknown): Promise<{ code: number, body: object }> {
  if (call.subresource === 'scale') return { code: 200, body: await writeScale(api, call, { body }) }
  const { object, created } = await api.update(call, body)
  return { code: created ? 201 : 200, body: object }
}

async function patchObject (api: ResourceApi, call: ApiCall, patch: PatchRequest): Promise<{ code: number, body: object }> {
  if (call.subresource === 'scale') return { code: 200, body: await writeScale(api, call, { patch }) }
  const { object, created } = await api.patch(call, patch)
  return { code: created ? 201 : 200, body: object }
}

async function deleteOne (api: ResourceApi, call: ApiCall, body: unknown): Promise<object> {
  const { object, isGone } = await api.delete(call, { ...(body as UnknownObject | undefined), ...call.options })
  return isGone && !call.resource.returnsDeletedObject ? formatDeleted(call.resource, object) : object
}

async function deleteMany (api: ResourceApi, call: ApiCall, { query }: ResourceRequest, body: unknown): Promise<object> {
  const { resource } = call
  const items = await api.deleteCollection(call, createObjectFilter(resource, query), { ...(body as UnknownObject | undefined), ...call.options })
  return { kind: `${resource.kind}List`, apiVersion: items[0]?.apiVersion ?? resource.version, metadata: {}, items }
}

function formatDeleted ({ group, plural }: Resource, { metadata }: KubernetesObject): object {
  const details = { name: metadata.name, ...(group !== '' && { group }), kind: plural, uid: metadata.uid }
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details }
}
