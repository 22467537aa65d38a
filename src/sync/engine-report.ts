import type { WorkerReport, SecretReport } from '../core/worker-report.ts'
import { formatCopiesView } from './cluster-view.ts'
import type { SyncEngine } from './sync-engine.ts'
import { listWatchedNames } from './sync-plan.ts'

/** What an engine has to tell: of each pull secret what is wrong with it. */
export function createWorkerReport (engine: SyncEngine): WorkerReport {
  const plan = engine.plan()
  const reports = listWatchedNames(plan).map((name): [string, SecretReport] => [name, reportSecret(engine, name)])
  return { config: plan.configHash, secrets: Object.fromEntries(reports.filter(([, report]) => Object.keys(report).length > 0)) }
}

/** Retired names that have no copy left, not even the canonical one. */
export function listClearedNames ({ view, plan }: Pick<SyncEngine, 'view' | 'plan'>): string[] {
  return [...plan().retired].filter((name) => view.isReady(formatCopiesView(name)) && ![...view.copies(name)?.entries() ?? []].some(([, { isOwned }]) => isOwned))
}

function reportSecret ({ contents, view, states, demand }: SyncEngine, name: string): SecretReport {
  const problems = contents.state(name)?.problems.map(({ reason, message }) => ({ reason, message })) ?? []
  return {
    ...(problems.length > 0 && { problems }),
    ...(view.isForbidden(formatCopiesView(name)) && { isForbidden: true }),
    ...(states.count(name, 'held') > 0 && { held: demand.counts(name) })
  }
}
