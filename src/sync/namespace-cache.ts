import type { Namespace } from '../core/kube-object.ts'
import type { PullSecretDemand } from '../core/pull-secret-demand.ts'

/** A namespace as the worker sees it. */
export interface KnownNamespace {
  labels: Record<string, string>
  isTerminating: boolean
  /** The pull secrets that it wants. */
  wanted: ReadonlySet<string>
  /** When it came, by the monotonic clock; absent for those that were there at the start, or that want something else since. */
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

/** Makes an empty cache; `onChange` is told when a namespace comes, begins to end (or has gone without), or wants something else. */
export function createNamespaceCache (monotonicMs: () => number, onChange: (name: string, namespace: KnownNamespace) => void): NamespaceCache {
  const known = new Map<string, KnownNamespace>()
  let demand: PullSecretDemand = () => new Set()
  let hasListed = false

  function upsert ({ metadata: { name, labels = {}, deletionTimestamp }, status }: Namespace): void {
    const old = known.get(name)
    const isTerminating = deletionTimestamp !== undefined || status?.phase === 'Terminating'
    const wanted = demand({ name, labels })
    const isChanged = old === undefined || old.isTerminating !== isTerminating || !isEqual(old.wanted, wanted)
    const seenAtMs = old === undefined && hasListed ? monotonicMs() : isChanged ? undefined : old.seenAtMs
    const namespace = { labels, isTerminating, wanted, ...(seenAtMs !== undefined && { seenAtMs }) }
    known.set(name, namespace)
    if (isChanged) onChange(name, namespace)
  }

  function drop (name: string): void {
    const gone = known.get(name)
    known.delete(name)
    if (gone?.isTerminating === false) onChange(name, { ...gone, isTerminating: true })
  }

  return {
    get: (name) => known.get(name),
    entries: () => known.entries(),
    size: () => known.size,
    setDemand (changed) {
      demand = changed
      for (const [name, { labels, isTerminating }] of known) known.set(name, { labels, isTerminating, wanted: demand({ name, labels }) })
    },
    upsert,
    remove ({ metadata: { name } }) { drop(name) },
    replace (namespaces) {
      const listed = new Set(namespaces.map(({ metadata }) => metadata.name))
      for (const name of known.keys()) if (!listed.has(name)) drop(name)
      for (const namespace of namespaces) upsert(namespace)
      hasListed = true
    }
  }
}

function isEqual (a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((name) => b.has(name))
}
