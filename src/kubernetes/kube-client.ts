import type { Dispatcher } from 'undici'
import type { Clock } from '../core/clock.ts'
import type { ClusterAccess } from './cluster-access.ts'
import { KubeError, parseStatusError } from './kube-error.ts'
import { readWatchEvents, type WatchEvent } from './watch-events.ts'

/** One call to the Kubernetes API. */
export interface KubeRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Such as `/api/v1/namespaces/default/secrets/acr-pull`. */
  path: string
  query?: Record<string, string>
  /** Sent as JSON. */
  body?: unknown
  /** Says what kind of patch a PATCH is. */
  contentType?: string
  /** The form of the answer, such as a list of metadata only; JSON when absent. */
  accept?: string
  /** The whole call ends after this long; `DEFAULT_TIMEOUT_MS` when absent. */
  timeoutMs?: number
  signal?: AbortSignal
}

/** A watch: the query says from which resourceVersion and for how long. */
export interface WatchRequest {
  path: string
  query: Record<string, string>
  signal: AbortSignal
  /** Called when the API server has accepted the watch. */
  onOpen?: () => void
}

/** Calls to the Kubernetes API over connections that stay open; every call has a deadline. */
export interface KubeClient {
  /** The parsed answer; rejects with a KubeError. */
  request: <T>(request: KubeRequest) => Promise<T>
  /** The events of a collection until the API server ends the watch or `signal` aborts; rejects with a KubeError. */
  watch: <T>(request: WatchRequest) => AsyncGenerator<WatchEvent<T>>
  close: () => Promise<void>
}

/** For the calls that nothing else limits. */
export const DEFAULT_TIMEOUT_MS = 15_000

/** Content type of server-side apply (https://kubernetes.io/docs/reference/using-api/server-side-apply/). */
export const APPLY_PATCH = 'application/apply-patch+yaml'
/** Content type of a JSON Patch (RFC 6902). */
export const JSON_PATCH = 'application/json-patch+json'
/** Content type of a JSON Merge Patch (RFC 7386). */
export const MERGE_PATCH = 'application/merge-patch+json'

const USER_AGENT = 'pullkeeper'
const WATCH_HEADERS_TIMEOUT_MS = 30_000
const NO_TIMEOUT = 0

/** Makes a client. Watches have connections of their own, so that they never keep a call waiting. */
export function createKubeClient (access: ClusterAccess, clock: Clock, { maxConnections }: { maxConnections: number }): KubeClient {
  const calls = access.createDispatcher(maxConnections)
  const watches = access.createDispatcher(null)

  async function send (dispatcher: Dispatcher, request: KubeRequest, options: Partial<Dispatcher.RequestOptions>): Promise<Dispatcher.ResponseData> {
    const { method, path, query = {}, body, contentType = 'application/json', accept = 'application/json' } = request
    const search = new URLSearchParams(query).toString()
    return dispatcher.request({
      origin: access.origin,
      path: `${access.pathPrefix}${path}${search === '' ? '' : `?${search}`}`,
      method,
      headers: { ...await access.authorize(), accept, 'user-agent': USER_AGENT, ...(body !== undefined && { 'content-type': contentType }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...options
    })
  }

  async function request<T> (request: KubeRequest): Promise<T> {
    const deadline = new AbortController()
    const calledOff = clock.schedule(() => { deadline.abort() }, request.timeoutMs ?? DEFAULT_TIMEOUT_MS)
    const signal = request.signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, request.signal])
    try {
      const response = await send(calls, request, { signal })
      return await readAnswer<T>(response)
    } catch (error) {
      throw describeTransportError(error, deadline.signal.aborted)
    } finally {
      calledOff()
    }
  }

  async function * watch<T> ({ path, query, signal, onOpen }: WatchRequest): AsyncGenerator<WatchEvent<T>> {
    try {
      const response = await send(watches, { method: 'GET', path, query: { ...query, watch: 'true' } }, {
        signal, headersTimeout: WATCH_HEADERS_TIMEOUT_MS, bodyTimeout: NO_TIMEOUT
      })
      if (response.statusCode !== 200) await readAnswer(response)
      onOpen?.()
      yield * readWatchEvents<T>(response.body)
    } catch (error) {
      throw describeTransportError(error, false)
    }
  }

  async function readAnswer<T> ({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<T> {
    const text = await body.text()
    if (statusCode === 401) access.forgetCredential()
    const parsed = parseJson(text)
    const retryAfter = headers['retry-after']
    if (statusCode >= 300) throw parseStatusError(statusCode, parsed, typeof retryAfter === 'string' ? retryAfter : undefined)
    if (parsed === undefined) throw new KubeError({ status: statusCode, reason: 'InvalidAnswer', message: 'the API server\'s answer is no JSON' })
    return parsed as T
  }

  return {
    request,
    watch,
    async close () { await Promise.all([calls.destroy(), watches.destroy()]) }
  }
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Says what kept a call from being answered, by the code of the error: its text may hold what was sent. */
function describeTransportError (error: unknown, isLate: boolean): KubeError {
  if (error instanceof KubeError) return error
  if (isLate) return new KubeError({ status: 0, reason: 'CallTimeout', message: 'the API server did not answer in time' })
  const { code, name } = error as NodeJS.ErrnoException
  return new KubeError({ status: 0, reason: 'Unreachable', message: `the API server can not be reached: ${code ?? name}` })
}
