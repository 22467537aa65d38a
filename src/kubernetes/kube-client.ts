import type { Dispatcher } from 'undici'
import type { Clock } from '../core/clock.ts'
import type { ClusterAccess, Credential } from './cluster-access.ts'
import { KubeError, parseStatusError } from './kube-error.ts'
import { createDeadlineInterceptor, createTimeoutError, settleUnlessAborted } from './request-deadline.ts'
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
  /** It may take long, as a list does: it gets a connection of its own, so that no write and no Lease waits for it. */
  isLong?: boolean
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

/** What is sent, and until when. */
interface Sending extends KubeRequest {
  signal: AbortSignal
}

/** Makes a client. Watches have connections of their own, so that they never keep a call waiting. */
export function createKubeClient (access: ClusterAccess, clock: Clock, { maxConnections }: { maxConnections: number }): KubeClient {
  const calls = access.createDispatcher(maxConnections)
  const punctualCalls = calls.compose(createDeadlineInterceptor(clock))
  const watches = access.createDispatcher(null)
  const punctualLists = watches.compose(createDeadlineInterceptor(clock))

  async function request<T> (request: KubeRequest): Promise<T> {
    const deadline = new AbortController()
    const timeoutMs = request.timeoutMs ?? DEFAULT_TIMEOUT_MS
    const opaque = { deadlineMs: clock.monotonicMs() + timeoutMs }
    const callOff = clock.schedule(() => { deadline.abort(createTimeoutError()) }, timeoutMs)
    const signal = request.signal === undefined ? deadline.signal : AbortSignal.any([deadline.signal, request.signal])
    try {
      return await settleUnlessAborted(signal, exchange<T>(request.isLong === true ? punctualLists : punctualCalls, { ...request, signal }, { opaque }))
    } catch (error) {
      throw describeFailure(error, signal)
    } finally {
      callOff()
    }
  }

  async function exchange<T> (dispatcher: Dispatcher, sending: Sending, options: Partial<Dispatcher.RequestOptions<unknown>>): Promise<T> {
    const credential = await readCredential()
    return readAnswer<T>(await send(dispatcher, sending, credential, options), credential)
  }

  async function * watch<T> ({ path, query, signal, onOpen }: WatchRequest): AsyncGenerator<WatchEvent<T>> {
    try {
      const response = await settleUnlessAborted(signal, openWatch({ method: 'GET', path, query: { ...query, watch: 'true' }, signal }))
      onOpen?.()
      yield * readWatchEvents<T>(response.body)
    } catch (error) {
      throw describeFailure(error, signal)
    }
  }

  async function openWatch (sending: Sending): Promise<Dispatcher.ResponseData<unknown>> {
    const credential = await readCredential()
    const response = await send(watches, sending, credential, { headersTimeout: WATCH_HEADERS_TIMEOUT_MS, bodyTimeout: NO_TIMEOUT })
    if (response.statusCode !== 200) await readAnswer(response, credential)
    return response
  }

  async function readCredential (): Promise<Credential> {
    try {
      return await access.authorize()
    } catch (error) {
      // What a credential plugin says may hold the credential.
      const { code } = error as NodeJS.ErrnoException
      throw new KubeError({ status: 0, reason: 'NoCredential', message: `the credential for the API server can not be read${code === undefined ? '' : `: ${code}`}` })
    }
  }

  async function send (dispatcher: Dispatcher, sending: Sending, credential: Credential, options: Partial<Dispatcher.RequestOptions<unknown>>): Promise<Dispatcher.ResponseData<unknown>> {
    const { method, path, query = {}, body, contentType = 'application/json', signal } = sending
    const search = new URLSearchParams(query).toString()
    signal.throwIfAborted()
    return dispatcher.request({
      origin: access.origin,
      path: `${access.pathPrefix}${path}${search === '' ? '' : `?${search}`}`,
      method,
      headers: { ...credential, accept: 'application/json', 'user-agent': USER_AGENT, ...(body !== undefined && { 'content-type': contentType }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal,
      ...options
    })
  }

  async function readAnswer<T> ({ statusCode, headers, body }: Dispatcher.ResponseData<unknown>, credential: Credential): Promise<T> {
    if (statusCode === 401) access.forgetCredential(credential)
    const text = await body.text()
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
function describeFailure (error: unknown, signal: AbortSignal): KubeError {
  if (error instanceof KubeError) return error
  if (signal.reason instanceof KubeError) return signal.reason
  if (signal.aborted) return new KubeError({ status: 0, reason: 'CalledOff', message: 'the call was called off' })
  const { code, name } = error as NodeJS.ErrnoException
  return new KubeError({ status: 0, reason: 'Unreachable', message: `the API server can not be reached: ${code ?? name}` })
}
