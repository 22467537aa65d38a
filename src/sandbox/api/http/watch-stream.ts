import type { Representation } from './content-negotiation.ts'
import type { KubernetesObject } from '../objects/kubernetes-object.ts'
import { createObjectFilter, type ObjectFilter } from '../objects/list-selector.ts'
import { checkVersionMatch, readInteger, readVersion } from '../objects/object-list.ts'
import { representBookmark, representObject } from '../printing/object-table.ts'
import type { ObjectStore, StoredChange } from '../objects/object-store.ts'
import type { RequestInfo } from './request-info.ts'
import { expired } from '../status-error.ts'

/** What a watch needs beside its request. */
export interface WatchContext {
  store: ObjectStore
  now: () => Date
  form: Representation
  /** How often a watch that asked for them has bookmarks, in milliseconds. */
  bookmarkIntervalMs: number
  /** Writes one line: an event as JSON. */
  write: (line: string) => void
  end: () => void
}

/** A running watch; `stop` ends its part, not the connection. */
export interface Watch {
  stop: () => void
}

const DEFAULT_TIMEOUT_SECONDS = 1800
const MAX_TIMEOUT_SECONDS = 24 * 3600

/**
 * Streams the changes of a collection: from a resourceVersion on, or the present objects first when none (or "0") is named.
 * A version that is no longer remembered gives one ERROR event with 410, as kube-apiserver does; bookmarks come at intervals and
 * before the end of the time.
 * https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
 */
export function startWatch (context: WatchContext, info: RequestInfo, query: URLSearchParams): Watch {
  const { store, bookmarkIntervalMs, end } = context
  const { resource } = info
  checkVersionMatch(query, true)
  const version = readVersion(query) ?? 0
  const timeoutMs = readTimeoutMs(query)
  const filter = createWatchFilter(info, query)
  const emit = createEmitter(context, info)
  if (version !== 0 && version < store.oldestVersion()) {
    context.write(JSON.stringify({ type: 'ERROR', object: expired(version, store.oldestVersion()).status }))
    end()
    return { stop () {} }
  }
  if (version === 0) for (const object of store.list(resource, info.namespace).filter(filter)) emit('ADDED', object)
  else for (const change of store.changesSince(resource, version)) emitChange(emit, filter, change)
  const bookmarks = query.get('allowWatchBookmarks') === 'true' || query.get('allowWatchBookmarks') === '1'
  if (query.get('sendInitialEvents') === 'true') emitBookmark(context, info, true)
  const unsubscribe = store.subscribe((change) => { if (change.resource === resource && change.resourceVersion > version) emitChange(emit, filter, change) })
  const interval = bookmarks ? setInterval(() => emitBookmark(context, info), bookmarkIntervalMs).unref() : undefined
  const timeout = setTimeout(() => {
    if (bookmarks) emitBookmark(context, info)
    stop()
    end()
  }, timeoutMs).unref()
  function stop (): void {
    unsubscribe()
    clearInterval(interval)
    clearTimeout(timeout)
  }
  return { stop }
}

type Emit = (type: StoredChange['type'], object: KubernetesObject) => void

function createWatchFilter ({ resource, namespace, name }: RequestInfo, query: URLSearchParams): ObjectFilter {
  const matches = createObjectFilter(resource, query)
  return (object) => (namespace === '' || object.metadata.namespace === namespace) && (name === '' || object.metadata.name === name) && matches(object)
}

/** Columns are described in a watch's first table only. */
function createEmitter ({ form, now, write }: WatchContext, { resource }: RequestInfo): Emit {
  let isFirst = true
  return (type, object) => {
    write(JSON.stringify({ type, object: representObject(resource, object, form, now(), isFirst) }))
    isFirst = false
  }
}

/** To a watch with a selector, an object that begins to match is new, and one that ceases to match is gone. */
function emitChange (emit: Emit, filter: ObjectFilter, { type, object, previous, resourceVersion }: StoredChange): void {
  const isShown = type !== 'DELETED' && filter(object)
  const wasShown = previous !== undefined && filter(previous)
  if (isShown) emit(wasShown ? 'MODIFIED' : 'ADDED', object)
  else if (wasShown) emit('DELETED', type === 'DELETED' ? object : { ...previous, metadata: { ...previous.metadata, resourceVersion: String(resourceVersion) } })
}

function emitBookmark ({ store, form, write }: WatchContext, { resource }: RequestInfo, endsInitialEvents = false): void {
  const metadata = {
    resourceVersion: String(store.currentVersion()),
    creationTimestamp: null,
    ...(endsInitialEvents && { annotations: { 'k8s.io/initial-events-end': 'true' } })
  }
  write(JSON.stringify({ type: 'BOOKMARK', object: representBookmark(resource, metadata, form) }))
}

function readTimeoutMs (query: URLSearchParams): number {
  const seconds = readInteger(query.get('timeoutSeconds'))
  return Math.min(seconds > 0 ? seconds : DEFAULT_TIMEOUT_SECONDS, MAX_TIMEOUT_SECONDS) * 1000
}
