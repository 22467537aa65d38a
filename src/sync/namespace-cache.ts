import type { Namespace } from '../core/kube-object.ts'
import type { PullSecretDemand } from '../core/pull-secret-demand.ts'

/** A namespace as the worker sees it. */
export interface KnownNamespace {
  labels: Record<string, string>
  isTerminating: boolean
  /** The pull secrets that it wants. */
  wanted: ReadonlySet<string>
  /** When it was first seen, by the monotonic clock; absent for those that were there at the start. */
  seenAtMs?: number
}

/** The namespaces of the cluster and what they want. */
export interface NamespaceCache {
  get: (name: string) => KnownNamespace | undefined
  entries: () => IterableIterator<[name: string, namespace: KnownNamespace]>
  /** How many there are. */
  size: () => number
  /** Judges all namespaces anew. */
  setDemand: (demand: PullSecretDemand) => void
  replace: (namespaces: Namespace[]) => void
  upsert: (namespace: Namespace) => void
  remove: (namespace: Pick<Namespace, 'metadata'>) => void
}

/** Makes an empty cache; `onChange` is told when a namespace comes, begins to end, or wants something else; not when it has gone. */
export function createNamespaceCache (monotonicMs: () => number, onChange: (name: string, namespace: KnownNamespace) => void): NamespaceCache {
  const known = new Map<string, KnownNamespace>()
  let demand: PullSecretDemand = () => new Set()
  let hasListed = false

  function upsert ({ metadata: { name, labels = {}, deletionTimestamp }, status }: Namespace): void {
    const old = known.get(name)
    const isTerminating = deletionTimestamp !== undefined || status?.phase === 'Terminating'
    const wanted = demand({ name, labels })
    const seenAtMs = old === undefined && hasListed ? monotonicMs() : old?.seenAtMs
    const namespace = { labels, isTerminating, wanted, ...(seenAtMs !== undefined && { seenAtMs }) }
    known.set(name, namespace)
    if (old === undefined || old.isTerminating !== isTerminating || !isEqual(old.wanted, wanted)) onChange(name, namespace)
  }

  return {
    get: (name) => known.get(name),
    entries: () => known.entries(),
    size: () => known.size,
    setDemand (changed) {
      demand = changed
      for (const [name, namespace] of known) known.set(name, { ...namespace, wanted: demand({ name, labels: namespace.labels }) })
    },
    upsert,
    remove ({ metadata: { name } }) { known.delete(name) },
    replace (namespaces) {
      const listed = new Set(namespaces.map(({ metadata }) => metadata.name))
      for (const name of known.keys()) if (!listed.has(name)) known.delete(name)
      for (const namespace of namespaces) upsert(namespace)
      hasListed = true
    }
  }
}

function isEqual (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name))
}
