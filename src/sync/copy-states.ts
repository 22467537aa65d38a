import type { CopyState } from '../core/copy-reconciliation.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'

/** How every copy stood when it was last looked at. */
export interface CopyStates {
  get: (namespace: string, name: string) => CopyState
  set: (namespace: string, name: string, state: CopyState) => void
  /** How many copies of a pull secret stand so. */
  count: (name: string, state: CopyState) => number
  forget: (name: string) => void
}

/** Shown at all times, so that an alert can tell zero from nothing. */
const SHOWN: CopyState[] = ['present', 'missing', 'stale', 'conflicting', 'unwanted', 'held']

/** Makes an empty table; the metric follows it. */
export function createCopyStates (metrics: Pick<SyncMetrics, 'copies'>): CopyStates {
  const states = new Map<string, Map<string, CopyState>>()
  const counts = new Map<string, Map<CopyState, number>>()

  function countOf (name: string): Map<CopyState, number> {
    const known = counts.get(name)
    if (known !== undefined) return known
    const made = new Map<CopyState, number>()
    counts.set(name, made)
    for (const state of SHOWN) metrics.copies.set({ secret: name, state }, 0)
    return made
  }

  function shift (name: string, state: CopyState, by: number): void {
    const count = countOf(name)
    count.set(state, (count.get(state) ?? 0) + by)
    if (state !== 'none') metrics.copies.set({ secret: name, state }, count.get(state) ?? 0)
  }

  return {
    get: (namespace, name) => states.get(name)?.get(namespace) ?? 'none',
    set (namespace, name, state) {
      const known = states.get(name) ?? new Map<string, CopyState>()
      states.set(name, known)
      const before = known.get(namespace) ?? 'none'
      if (state === 'none') known.delete(namespace)
      else known.set(namespace, state)
      shift(name, before, -1)
      shift(name, state, 1)
    },
    count: (name, state) => counts.get(name)?.get(state) ?? 0,
    forget (name) {
      states.delete(name)
      counts.delete(name)
      for (const state of SHOWN) metrics.copies.remove({ secret: name, state })
    }
  }
}
