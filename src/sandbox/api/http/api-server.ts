import { timingSafeEqual, createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { KeyPair } from '../../../tls/certificates.ts'
import type { UserInfo } from '../admission/admission-attributes.ts'
import type { AuditLog } from './audit-log.ts'
import { replyToError, type Reply } from './audited-request.ts'
import { negotiateRepresentation, readBody, readContentType } from './content-negotiation.ts'
import { describeApi, VERSION } from './discovery.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { listObjects } from '../objects/object-list.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { representList, representObject } from '../printing/object-table.ts'
import { answerOpenApi } from './openapi.ts'
import { handleResourceRequest } from './request-handler.ts'
import { parseResourcePath, type RequestInfo } from './request-info.ts'
import type { ResourceApi } from '../writes/resource-api.ts'
import { formatWarnings } from './response-warnings.ts'
import { noSuchResource, unauthorized } from '../status-error.ts'
import { startWatch } from './watch-stream.ts'

/** What the HTTP side serves. */
export interface ApiServerContext {
  store: ObjectStore
  api: ResourceApi
  audit: AuditLog
  now: () => Date
  bookmarkIntervalMs: number
  /** Bearer token of the one user, the administrator. */
  token: string
  keyPair: KeyPair
}

/** The administrator's identity, in audit events and AdmissionReviews. */
export const ADMINISTRATOR: UserInfo = { username: 'admin', uid: 'admin', groups: ['system:masters', 'system:authenticated'] }

/** Makes the HTTPS server; its caller listens and closes. */
export function createApiServer (context: ApiServerContext): Server {
  const { certificate, privateKey } = context.keyPair
  return createServer({ cert: certificate, key: privateKey, keepAlive: true }, (request, response) => {
    serve(context, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else sendReply(response, replyToError(error))
    })
  })
}

async function serve (context: ApiServerContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestUri = request.url ?? '/'
  if (!isAuthorized(request.headers.authorization, context.token)) throw unauthorized()
  const { pathname, searchParams } = new URL(requestUri, 'https://api.invalid')
  const info = parseResourcePath(pathname)
  if (info === undefined) await serveDocument(pathname, request, response)
  else if (request.method === 'GET' && (info.name === '' || isWatch(searchParams))) serveCollection(context, info, searchParams, request, response)
  else await serveObject(context, info, searchParams, request, response)
}

/** Compared by hash, so that the time taken says nothing about the token. */
function isAuthorized (authorization: string | undefined, token: string): boolean {
  const hash = (text: string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(authorization ?? ''), hash(`Bearer ${token}`))
}

function isWatch (query: URLSearchParams): boolean {
  return query.get('watch') === 'true' || query.get('watch') === '1'
}

async function serveDocument (pathname: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (['/healthz', '/livez', '/readyz'].includes(pathname)) {
    response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' }).end('ok')
    return
  }
  const document = pathname === '/version' ? VERSION : describeApi(pathname) ?? await answerOpenApi(pathname)
  if (document === undefined) throw noSuchResource()
  negotiateRepresentation(request.headers.accept)
  sendJson(response, 200, document)
}

function serveCollection (context: ApiServerContext, info: RequestInfo, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
  const form = negotiateRepresentation(request.headers.accept)
  const { store, now, bookmarkIntervalMs } = context
  if (!isWatch(query)) {
    sendJson(response, 200, representList(info.resource, listObjects(store, info, query), form, now()))
    return
  }
  const write = (line: string): void => { response.write(line + '\n') }
  const lines: string[] = []
  // Selectors are checked before the head is sent, so that a bad one can still be refused.
  const watch = startWatch({ store, now, bookmarkIntervalMs, form, write: (line) => { if (response.headersSent) write(line); else lines.push(line) }, end: () => queueMicrotask(() => response.end()) }, info, query)
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-cache, private' })
  response.flushHeaders()
  lines.forEach(write)
  response.on('close', watch.stop)
}

async function serveObject (context: ApiServerContext, info: RequestInfo, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const form = negotiateRepresentation(request.headers.accept)
  const userAgent = request.headers['user-agent']
  const reply = await handleResourceRequest(context, {
    method: request.method ?? '',
    info,
    query,
    requestUri: request.url ?? '',
    contentType: readContentType(request),
    ...(userAgent !== undefined && { userAgent }),
    user: ADMINISTRATOR,
    readBody: async () => readBody(request)
  })
  const isObject = (reply.body as KubernetesObject).kind === info.resource.kind
  sendReply(response, { ...reply, body: isObject ? representObject(info.resource, reply.body as KubernetesObject, form, context.now()) : reply.body })
}

function sendReply (response: ServerResponse, { code, body, warnings }: Reply): void {
  if (warnings.size > 0) response.setHeader('warning', formatWarnings(warnings))
  sendJson(response, code, body)
}

function sendJson (response: ServerResponse, code: number, body: object): void {
  const json = Buffer.from(JSON.stringify(body) + '\n')
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-cache, private', 'content-length': json.length }).end(json)
}
