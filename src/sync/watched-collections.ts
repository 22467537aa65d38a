import type { KubeObject } from '../core/kube-object.ts'
import { startReflector, type Reflector, type ReflectorHandler, type ReflectorOptions } from '../kubernetes/reflector.ts'
import type { KubeError } from '../kubernetes/kube-error.ts'

/** What is told of watched collections; the functions only take note. */
export interface WatchedCollectionsEvents {
  /** All collections of a view were listed, for the first time or again after one was refused. */
  onReady: (view: string) => void
  onFailure: (view: string, error: KubeError, delayMs: number) => void
  /** The API server began to refuse a view. */
  onForbidden: (view: string) => void
}

/** How one view stands. */
export interface ViewState {
  /** Such as `secrets acr-pull`. */
  view: string
  /** Listed, and not refused. */
  isReady: boolean
  isFresh: boolean
  /** The API server refuses to show it: rights are missing. */
  isForbidden: boolean
  /** How long ago the API server was last heard of; undefined before the first list. */
  ageMs: number | undefined
}

/** One collection to watch. */
export interface Collection<T> {
  path: string
  query?: Record<string, string>
  /** See `ReflectorOptions`. */
  isConsistent?: boolean
  handler: ReflectorHandler<T>
}

/** Reflectors by the name of what they show; a view may be made of several collections. */
export interface WatchedCollections {
  has: (view: string) => boolean
  open: <T extends KubeObject>(view: string, collections: Collection<T>[]) => void
  isReady: (view: string) => boolean
  isForbidden: (view: string) => boolean
  isFresh: (view: string) => boolean
  states: () => ViewState[]
  /** Ceases to watch all views that are not in the list. */
  keepOnly: (views: ReadonlySet<string>) => Promise<void>
}

/** What all reflectors have in common. */
export type WatchSettings = Pick<ReflectorOptions<KubeObject>, 'client' | 'clock' | 'random' | 'intervals'>

interface WatchedCollection {
  reflector: Reflector
  isForbidden: boolean
}

/** Makes an empty set of watched collections. */
export function createWatchedCollections (settings: WatchSettings, events: WatchedCollectionsEvents): WatchedCollections {
  const views = new Map<string, WatchedCollection[]>()

  function open<T extends KubeObject> (view: string, collections: Collection<T>[]): void {
    const watched: WatchedCollection[] = []
    views.set(view, watched)
    for (const collection of collections) watched.push(watch(view, collection))
  }

  function watch<T extends KubeObject> (view: string, { path, query, isConsistent, handler }: Collection<T>): WatchedCollection {
    let hasListed = false
    const reflector = startReflector<T>({
      ...settings,
      path,
      ...(query !== undefined && { query }),
      ...(isConsistent !== undefined && { isConsistent }),
      handler: {
        ...handler,
        replace (objects, resourceVersion) {
          handler.replace(objects, resourceVersion)
          const isNews = !hasListed || watched.isForbidden
          hasListed = true
          watched.isForbidden = false
          // The reflector itself knows a moment later that it has synced.
          if (isNews) queueMicrotask(() => { if (isReady(view)) events.onReady(view) })
        }
      },
      onFailure (error, delayMs) {
        const isNews = error.status === 403 && !watched.isForbidden
        // Only a list shows that it is allowed again; another failure in between says nothing.
        watched.isForbidden ||= error.status === 403
        events.onFailure(view, error, delayMs)
        if (isNews) events.onForbidden(view)
      }
    })
    const watched: WatchedCollection = { reflector, isForbidden: false }
    return watched
  }

  function isReady (view: string): boolean {
    const watched = views.get(view)
    return watched !== undefined && watched.every(({ reflector, isForbidden }) => reflector.hasSynced() && !isForbidden)
  }

  function isForbidden (view: string): boolean {
    return views.get(view)?.some((watched) => watched.isForbidden) ?? false
  }

  function isFresh (view: string): boolean {
    return views.get(view)?.every(({ reflector }) => reflector.isFresh()) ?? false
  }

  async function close (view: string): Promise<void> {
    const watched = views.get(view) ?? []
    views.delete(view)
    await Promise.all(watched.map(async ({ reflector }) => reflector.close()))
  }

  return {
    has: (view) => views.has(view),
    open,
    isReady,
    isForbidden,
    isFresh,
    states: () => [...views].map(([view, watched]) => ({
      view,
      isReady: isReady(view),
      isFresh: isFresh(view),
      isForbidden: isForbidden(view),
      ageMs: findOldestMs(watched)
    })),
    keepOnly: async (kept) => { await Promise.all([...views.keys()].filter((view) => !kept.has(view)).map(close)) }
  }
}

function findOldestMs (watched: WatchedCollection[]): number | undefined {
  const ages = watched.map(({ reflector }) => reflector.ageMs())
  return ages.some((age) => age === undefined) ? undefined : Math.max(0, ...ages.map((age) => age ?? 0))
}
