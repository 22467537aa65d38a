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
  /** Calls `listener` synchronously for each change, in order; returns the function that ends it. */
  subscribe: (listener: (change: StoredChange) => void) => () => void
}

/** Changes that a watch can still ask for. */
const HISTORY_SIZE = 2000

/** Makes an empty store. Versions start at 1, so that `resourceVersion: "0"` keeps its meaning of "any". */
export function createObjectStore ({ historySize = HISTORY_SIZE }: { historySize?: number } = {}): ObjectStore {
  const tables = new Map<Resource, Map<string, KubernetesObject>>()
  const listeners = new Set<(change: StoredChange) => void>()
  const history: StoredChange[] = []
  let version = 1
  let oldest = 1

  function table (resource: Resource): Map<string, KubernetesObject> {
    const found = tables.get(resource) ?? new Map<string, KubernetesObject>()
    tables.set(resource, found)
    return found
  }

  function publish (change: StoredChange): void {
    history.push(change)
    // Dropping half at once keeps the cost of forgetting constant per change.
    if (history.length > 2 * historySize) oldest = history.splice(0, historySize).at(-1)?.resourceVersion ?? oldest
    for (const listener of [...listeners]) listener(change)
  }

  function stamp (object: KubernetesObject): KubernetesObject {
    version += 1
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } }
  }

  return {
    get: (resource, namespace, name) => table(resource).get(formatKey(namespace, name)),
    list: (resource, namespace) => [...table(resource)]
      .filter(([, object]) => namespace === '' || object.metadata.namespace === namespace)
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([, object]) => object),
    put (resource, object) {
      const key = keyOf(object)
      const previous = table(resource).get(key)
      const stored = stamp(object)
      table(resource).set(key, stored)
      publish({ type: previous === undefined ? 'ADDED' : 'MODIFIED', resource, object: stored, ...(previous !== undefined && { previous }), resourceVersion: version })
      return stored
    },
    remove (resource, last) {
      const stored = stamp(last)
      const previous = table(resource).get(keyOf(last)) ?? last
      table(resource).delete(keyOf(last))
      publish({ type: 'DELETED', resource, object: stored, previous, resourceVersion: version })
      return stored
    },
    currentVersion: () => version,
    oldestVersion: () => oldest,
    changesSince: (resource, since) => history.filter((change) => change.resource === resource && change.resourceVersion > since),
    subscribe (listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    }
  }
}

function keyOf ({ metadata }: KubernetesObject): string {
  return formatKey(metadata.namespace ?? '', metadata.name ?? '')
}

/** NUL sorts before every character of a name, so that `a` and its objects come before those of `a-b`. */
function formatKey (namespace: string, name: string): string {
  return `${namespace}\0${name}`
}
