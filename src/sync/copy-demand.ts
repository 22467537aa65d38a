import { formatObjectKey } from '../core/kube-object.ts'
import { ALLOW_REMOVAL_ANNOTATION } from '../core/managed-secret.ts'
import { isRemovalHeld, type RemovalCounts } from '../core/removal-guard.ts'
import type { ClusterView } from './cluster-view.ts'
import type { SyncPlan } from './sync-plan.ts'

/** Where copies are wanted, and which removals wait. */
export interface CopyDemand {
  isWanted: (namespace: string, name: string) => boolean
  /** How many copies of a pull secret there should be, the canonical one included. */
  countWanted: (name: string) => number
  /** Whether the removal of the unwanted copies of a pull secret waits for a person. */
  isHeld: (name: string) => boolean
  /** The copies of ours of one name, the canonical one aside. */
  counts: (name: string) => RemovalCounts
  /** Since when a copy is not wanted, in milliseconds since 1970; noted at the first question. */
  unwantedSinceMs: (namespace: string, name: string, nowMs: number) => number
  /** A wanted copy has no past. */
  forgetUnwanted: (namespace: string, name: string) => void
  /** Since when copies of this name are not wanted is not known any more: nobody looked for a while. */
  forget: (name: string) => void
  /** Something changed that the counts depend on. */
  invalidate: () => void
}

/** What a demand is judged by. */
export interface CopyDemandOptions {
  plan: () => SyncPlan
  view: Pick<ClusterView, 'namespaces' | 'copies'>
  /** Take away everything: no copy is wanted, and nothing waits. */
  isRemovingAll: boolean
}

/** Makes the judge of where copies are wanted. */
export function createCopyDemand ({ plan, view, isRemovingAll }: CopyDemandOptions): CopyDemand {
  const unwantedSince = new Map<string, number>()
  const known = new Map<string, RemovalCounts>()

  /** The canonical copy of a retired name goes last. */
  function isCanonicalWanted (name: string): boolean {
    return plan().pullSecrets.has(name) || counts(name).copies > 0
  }

  function isWanted (namespace: string, name: string): boolean {
    if (isRemovingAll) return false
    if (namespace === plan().ownNamespace) return isCanonicalWanted(name)
    return view.namespaces.get(namespace)?.wanted.has(name) === true
  }

  function counts (name: string): RemovalCounts {
    const before = known.get(name)
    if (before !== undefined) return before
    const made = countCopies(name)
    known.set(name, made)
    return made
  }

  function countCopies (name: string): RemovalCounts {
    const { ownNamespace, sourceKeys } = plan()
    let copies = 0
    let unwanted = 0
    for (const [namespace, { isOwned }] of view.copies(name)?.entries() ?? []) {
      const known = view.namespaces.get(namespace)
      if (!isOwned || namespace === ownNamespace || known === undefined || known.isTerminating || sourceKeys.has(formatObjectKey({ namespace, name }))) continue
      copies++
      if (!known.wanted.has(name)) unwanted++
    }
    return { copies, unwanted }
  }

  function isHeld (name: string): boolean {
    const { retired, configHash } = plan()
    if (isRemovingAll || retired.has(name)) return false
    const approval = view.copies(name)?.canonical()?.metadata.annotations?.[ALLOW_REMOVAL_ANNOTATION]
    return isRemovalHeld(counts(name), approval, configHash)
  }

  function countWanted (name: string): number {
    if (!plan().pullSecrets.has(name)) return 0
    let count = 1
    for (const [namespace, { wanted, isTerminating }] of view.namespaces.entries()) if (namespace !== plan().ownNamespace && wanted.has(name) && !isTerminating) count++
    return count
  }

  return {
    isWanted,
    countWanted,
    isHeld,
    counts,
    unwantedSinceMs (namespace, name, nowMs) {
      const key = formatObjectKey({ namespace, name })
      const sinceMs = unwantedSince.get(key) ?? nowMs
      unwantedSince.set(key, sinceMs)
      return sinceMs
    },
    forgetUnwanted (namespace, name) { unwantedSince.delete(formatObjectKey({ namespace, name })) },
    forget (name) { for (const key of unwantedSince.keys()) if (key.endsWith(`/${name}`)) unwantedSince.delete(key) },
    invalidate () { known.clear() }
  }
}
