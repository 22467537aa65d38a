import type { SyncMetrics } from '../observability/sync-metrics.ts'
import { NAMESPACES_VIEW } from './cluster-view.ts'
import type { SyncEngine } from './sync-engine.ts'
import { listWatchedNames } from './sync-plan.ts'
import type { ViewState } from './watched-collections.ts'

/**
 * Why the worker's view of the cluster can not be trusted; undefined when it can. A Secret that it may not watch concerns that
 * Secret alone; without Namespaces nothing can be done.
 */
export function findReasonNotReady (states: ViewState[]): string | undefined {
  const stale = states.filter(({ view, isFresh, isForbidden }) => !isFresh && (!isForbidden || view === NAMESPACES_VIEW))
  return stale.length === 0 ? undefined : `no current view of ${stale.map(({ view }) => view).join(', ')}`
}

/** Brings the metrics that depend on the moment up to date, before they are read. */
export function refreshViewMetrics (metrics: Pick<SyncMetrics, 'viewAgeSeconds' | 'viewFresh' | 'desired' | 'queueLength'>, engine: Pick<SyncEngine, 'view' | 'plan' | 'demand' | 'queueLength'>): void {
  metrics.viewAgeSeconds.reset()
  metrics.viewFresh.reset()
  metrics.desired.reset()
  for (const { view, isFresh, ageMs } of engine.view.states()) {
    metrics.viewFresh.set({ view }, isFresh ? 1 : 0)
    if (ageMs !== undefined) metrics.viewAgeSeconds.set({ view }, ageMs / 1000)
  }
  for (const name of listWatchedNames(engine.plan())) metrics.desired.set({ secret: name }, engine.demand.countWanted(name))
  metrics.queueLength.set(engine.queueLength())
}
