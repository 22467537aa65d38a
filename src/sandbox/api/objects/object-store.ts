import type { KubernetesObject } from './kubernetes-object.ts'
import type { Resource } from './resource.ts'

/** One change of the store; `previous` is the object before it, for watches that filter. */
export interface StoredChange {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  resource: Resource
  object: KubernetesObject
  previous?: KubernetesObject
  resourceVersion: number
}

/** All objects, by resource, with one counter of versions over all of them, as etcd's revision. */
export interface ObjectStore {
  get: (resource: Resource, namespace: string, name: string) => KubernetesObject | undefined
  /** In the order of namespace and name; an empty namespace means all. */
  list: (resource: Resource, namespace: string) => KubernetesObject[]
  /** Stores the object with a new resourceVersion, and tells the subscribers. */
  put: (resource: Resource, object: KubernetesObject) => KubernetesObject
  /** Takes the object away; the change carries `last`, its final state, with a new resourceVersion. */
  remove: (resource: Resource, last: KubernetesObject) => KubernetesObject
  currentVersion: () => number
  /** The version before the oldest change that is remembered: a watch can't start earlier. */
  oldestVersion: () => number
  /** The remembered changes of a resource after a version. */
  changesSince: (resource: Resource, version: number) => StoredChange[]
  /** Forgets all changes: every watch that starts at an earlier version is told that it is too old. */
  compact: () => void
  /** Calls `listener` synchronously for each change, in order; returns the function that ends it. */
  subscribe: (listener: (change: StoredChange) => void) => () => void
}

/** How the store remembers. */
export interface ObjectStoreOptions {
  /** How many changes a watch can still ask for, at least; up to twice as many are kept. Default: 2,000. */
  historySize?: number
}

const HISTORY_SIZE = 2000
/** The objects of one resource, by namespace and name: a list of one namespace must not cost what all of them hold. */
type Table = Map<string, Map<string, KubernetesObject>>

/** Makes an empty store. Versions start at 1, so that `resourceVersion: "0"` keeps its meaning of "any". */
export function createObjectStore ({ historySize = HISTORY_SIZE }: ObjectStoreOptions = {}): ObjectStore {
  const tables = new Map<Resource, Table>()
  const listeners = new Set<(change: StoredChange) => void>()
  let history: StoredChange[] = []
  let version = 1
  let oldest = 1

  function table (resource: Resource): Table {
    const found: Table = tables.get(resource) ?? new Map()
    tables.set(resource, found)
    return found
  }

  function publish (change: StoredChange): void {
    history.push(change)
    // Dropping half at once keeps the cost of forgetting constant per change.
    if (history.length > 2 * historySize) oldest = history.splice(0, historySize).at(-1)?.resourceVersion ?? oldest
    for (const listener of [...listeners]) listener(change)
  }

  function set (resource: Resource, object: KubernetesObject): KubernetesObject | undefined {
    const { namespace = '', name = '' } = object.metadata
    const names = table(resource).get(namespace) ?? new Map<string, KubernetesObject>()
    const previous = names.get(name)
    table(resource).set(namespace, names.set(name, object))
    return previous
  }

  function unset (resource: Resource, { metadata: { namespace = '', name = '' } }: KubernetesObject): KubernetesObject | undefined {
    const names = table(resource).get(namespace)
    const previous = names?.get(name)
    names?.delete(name)
    if (names?.size === 0) table(resource).delete(namespace)
    return previous
  }

  function stamp (object: KubernetesObject): KubernetesObject {
    version += 1
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
  }

  return {
    get: (resource, namespace, name) => table(resource).get(namespace)?.get(name),
    list: (resource, namespace) => namespace === ''
      ? sortByKey(table(resource)).flatMap(sortByKey)
      : sortByKey(table(resource).get(namespace) ?? new Map<string, KubernetesObject>()),
    put (resource, object) {
      const stored = stamp(object)
      const previous = set(resource, stored)
      publish({ type: previous === undefined ? 'ADDED' : 'MODIFIED', resource, object: stored, ...(previous !== undefined && { previous }), resourceVersion: version })
      return stored
    },
    remove (resource, last) {
      const stored = stamp(last)
      const previous = unset(resource, last) ?? last
      publish({ type: 'DELETED', resource, object: stored, previous, resourceVersion: version })
      return stored
    },
    currentVersion: () => version,
    oldestVersion: () => oldest,
    changesSince: (resource, since) => history.slice(history.findLastIndex(({ resourceVersion }) => resourceVersion <= since) + 1).filter((change) => change.resource === resource),
    compact () {
      history = []
      oldest = version
    },
    subscribe (listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

function sortByKey<T> (map: Map<string, T>): T[] {
  return [...map].sort(([a], [b]) => a < b ? -1 : 1).map(([, value]) => value)
}
