import type { Clock } from '../core/clock.ts'
import type { KubeList, KubeObject } from '../core/kube-object.ts'
import { createBackoff } from './backoff.ts'
import type { KubeClient } from './kube-client.ts'
import { hasStatus, KubeError, parseStatusError } from './kube-error.ts'
import type { WatchEvent } from './watch-events.ts'

/** Told of a collection's state; the functions only take note. When one throws, the collection is listed anew. */
export interface ReflectorHandler<T> {
  /** All objects of the collection as they were at a version, after a list. */
  replace: (objects: T[], resourceVersion: string) => void
  /** An object that was added or changed. */
  upsert: (object: T) => void
  remove: (object: T) => void
}

/** What a reflector follows, and by which clock. */
export interface ReflectorOptions<T> {
  client: KubeClient
  clock: Clock
  random: () => number
  /** The collection, such as `/api/v1/secrets`. */
  path: string
  /** Selectors, such as `fieldSelector`. */
  query?: Record<string, string>
  handler: ReflectorHandler<T>
  /** Whether the first list must be as new as possible, and not what the watch cache holds. */
  isConsistent?: boolean
  /** Told of each failure, with the delay before the next attempt. */
  onFailure: (error: KubeError, delayMs: number) => void
  intervals?: Partial<ReflectorIntervals>
}

/** How long a reflector waits for what, in milliseconds. */
export interface ReflectorIntervals {
  /** Shortest life of a watch that the API server is asked for; the longest is twice that. */
  watchMs: number
  /** A watch without any event, bookmarks included (one a minute), is dead after this long. */
  inactivityMs: number
  /** After this long a watch is followed by a list, which finds what events were lost. */
  relistMs: number
  /** A view that has no watch any more is stale after this long. */
  graceMs: number
  minBackoffMs: number
  maxBackoffMs: number
}

/** A view of a collection that keeps itself current. */
export interface Reflector {
  /** Whether the collection has been listed. */
  hasSynced: () => boolean
  /** Whether the view can be trusted: listed, watched, and heard of lately. */
  isFresh: () => boolean
  /** How long ago the API server was last heard of, in milliseconds; undefined before the first list. */
  ageMs: () => number | undefined
  close: () => Promise<void>
}

const INTERVALS: ReflectorIntervals = { watchMs: 300_000, inactivityMs: 150_000, relistMs: 600_000, graceMs: 15_000, minBackoffMs: 800, maxBackoffMs: 30_000 }
/** A watch that ended sooner did not work, however it ended. */
const SHORT_WATCH_MS = 1000
const LIST_TIMEOUT_MS = 60_000
/** From the watch cache, as old as it may be: what client-go's reflector begins with. */
const ANY_VERSION = '0'

/**
 * Follows a collection by list and watch as client-go's reflector does, with what keeps it from dying in silence: bookmarks,
 * an inactivity timer, relists and backoff (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes).
 */
export function startReflector<T extends KubeObject> (options: ReflectorOptions<T>): Reflector {
  const { client, clock, random, path, query = {}, handler } = options
  const intervals = { ...INTERVALS, ...options.intervals }
  const backoff = createBackoff({ clock, random, minMs: intervals.minBackoffMs, maxMs: intervals.maxBackoffMs })
  const closing = new AbortController()
  let version = ANY_VERSION
  let needsList = true
  /** Whether only a consistent read of etcd can be trusted to answer. */
  let needsConsistentRead = options.isConsistent ?? false
  let hasSynced = false
  let listedAtMs = -Infinity
  let contactAtMs = -Infinity
  let trustedUntilMs = -Infinity

  function noteContact (trustMs: number): void {
    contactAtMs = clock.monotonicMs()
    trustedUntilMs = contactAtMs + trustMs
  }

  async function list (): Promise<void> {
    const answer = await client.request<Partial<KubeList<T>>>({
      method: 'GET', path, query: { ...query, ...listVersion() }, timeoutMs: LIST_TIMEOUT_MS, isLong: true, signal: closing.signal
    })
    const listed = answer.metadata?.resourceVersion
    if (!listed) throw new KubeError({ status: 0, reason: 'InvalidAnswer', message: 'the API server sent a list that is none' })
    tell(() => { handler.replace(answer.items ?? [], listed) })
    version = listed
    needsList = false
    needsConsistentRead = false
    noteContact(intervals.graceMs)
    listedAtMs = contactAtMs
    hasSynced = true
  }

  function listVersion (): Record<string, string> {
    if (needsConsistentRead) return {}
    return version === ANY_VERSION ? { resourceVersion: version } : { resourceVersion: version, resourceVersionMatch: 'NotOlderThan' }
  }

  async function watch (): Promise<void> {
    const ending = new AbortController()
    const signal = AbortSignal.any([closing.signal, ending.signal])
    let calledOff = (): void => {}
    function expectContact (): void {
      calledOff()
      calledOff = clock.schedule(() => { ending.abort() }, intervals.inactivityMs)
    }
    function onContact (): void {
      noteContact(intervals.inactivityMs)
      expectContact()
    }
    try {
      expectContact()
      for await (const event of client.watch<T>({ path, query: { ...query, ...watchQuery() }, signal, onOpen: onContact })) {
        onContact()
        handle(event)
      }
    } catch (error) {
      throw ending.signal.aborted ? new KubeError({ status: 0, reason: 'SilentWatch', message: 'the API server sent nothing on a watch, not even a bookmark' }) : error
    } finally {
      calledOff()
      trustedUntilMs = Math.min(trustedUntilMs, clock.monotonicMs() + intervals.graceMs)
    }
  }

  function watchQuery (): Record<string, string> {
    const seconds = Math.ceil(intervals.watchMs * (1 + random()) / 1000)
    return { resourceVersion: version, allowWatchBookmarks: 'true', timeoutSeconds: String(seconds) }
  }

  function handle ({ type, object }: WatchEvent<T>): void {
    if (type === 'ERROR') throw parseStatusError(Number((object as { code?: number }).code ?? 0), object, undefined)
    tell(() => {
      if (type === 'DELETED') handler.remove(object)
      else if (type !== 'BOOKMARK') handler.upsert(object)
      version = object.metadata.resourceVersion
    })
  }

  async function runOnce (): Promise<void> {
    needsList ||= clock.monotonicMs() - listedAtMs > intervals.relistMs
    if (needsList) await list()
    const startedAtMs = clock.monotonicMs()
    await watch()
    if (clock.monotonicMs() - startedAtMs < SHORT_WATCH_MS) throw new KubeError({ status: 0, reason: 'ShortWatch', message: 'the API server ended a watch at once' })
    backoff.reset()
  }

  function learn (error: KubeError): void {
    if (hasStatus(error, 410, 504)) needsConsistentRead = needsList
    needsList ||= !isPassing(error)
  }

  async function run (): Promise<void> {
    while (!closing.signal.aborted) await runOnce().catch(recover)
  }

  async function recover (error: unknown): Promise<void> {
    if (closing.signal.aborted) return
    const failure = error as KubeError
    learn(failure)
    const delayMs = backoff.nextMs(failure.retryAfterMs)
    options.onFailure(failure, delayMs)
    await backoff.wait(delayMs, closing.signal)
  }

  const running = run()
  return {
    hasSynced: () => hasSynced,
    isFresh: () => clock.monotonicMs() < trustedUntilMs,
    ageMs: () => hasSynced ? clock.monotonicMs() - contactAtMs : undefined,
    async close () {
      closing.abort()
      await running
    }
  }
}

/** A handler's own error may quote what it was told. */
function tell (handle: () => void): void {
  try {
    handle()
  } catch (error) {
    throw new KubeError({ status: 0, reason: 'HandlerFailed', message: `what the API server sent could not be handled: ${(error as Error).name}` })
  }
}

/** Whether a watch can go on from the version that is known; after all else the collection is listed anew. */
function isPassing ({ status, reason }: KubeError): boolean {
  if (status === 0) return reason !== 'InvalidAnswer' && reason !== 'HandlerFailed'
  return [401, 429, 500, 502, 503].includes(status)
}
