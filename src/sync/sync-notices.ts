import { parseObjectKey } from '../core/kube-object.ts'
import type { RemovalCounts } from '../core/removal-guard.ts'
import { KubeError } from '../kubernetes/kube-error.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'
import type { ContentState } from './content-controller.ts'
import { forgetContentMetrics, reportContentMetrics } from './content-metrics.ts'
import type { SyncEvents } from './sync-events.ts'
import type { SyncQueue } from './sync-queues.ts'
import { describeWriteFailure } from './write-failure.ts'

/** Tells by log, metrics and Events what an engine meets; nothing of it is secret. */
export interface SyncNotices {
  reportWatchFailure: (view: string, error: KubeError, delayMs: number) => void
  reportContent: (name: string, state: ContentState) => void
  reportHeldRemoval: (name: string, counts: RemovalCounts, configHash: string) => void
  reportKeyFailure: (queue: SyncQueue, key: string, error: unknown, failures: number) => void
  /** All writes wait, because the API server as a whole is in trouble. */
  reportTrouble: (error: KubeError, delayMs: number) => void
  /** Takes a pull secret out of the metrics. */
  forget: (name: string) => void
}

const RIGHTS_ADVICE = '; apply the rights of this configuration: pullkeeper manifests --only rbac'

/** Makes the voice of an engine. */
export function createSyncNotices ({ events, metrics, log }: { events: SyncEvents, metrics: SyncMetrics, log: ProcessLog }): SyncNotices {
  return {
    reportWatchFailure (view, { status, reason }, delayMs) {
      metrics.watchFailures.inc({ view, reason })
      log.warn({ view, status, reason, againMs: Math.round(delayMs) }, `a watch failed${status === 403 ? RIGHTS_ADVICE : ''}`)
    },
    reportContent (name, state) {
      for (const problem of state.problems) {
        events.reportSource(name, problem)
        log.warn({ secret: name, reason: problem.reason }, problem.message)
      }
      reportContentMetrics(metrics, name, state)
    },
    reportHeldRemoval (name, counts, configHash) {
      log.warn({ secret: name, ...counts }, 'the removal of copies waits for a person; see pullkeeper status')
      events.reportHeldRemoval(name, counts, configHash)
    },
    reportKeyFailure (queue, key, error, failures) {
      if (!(error instanceof KubeError)) {
        log.error({ queue, key, err: error }, 'an unexpected error')
        return
      }
      const description = describeWriteFailure(error)
      log.warn({ queue, key, failures, status: error.status, reason: error.reason }, `a write failed: ${description}`)
      if (queue === 'copy') events.reportWriteFailure(...parseObjectKey(key), description)
    },
    reportTrouble ({ status, reason }, delayMs) {
      log.warn({ status, reason, againMs: Math.round(delayMs) }, 'the API server takes no writes; all of them wait')
    },
    forget (name) {
      forgetContentMetrics(metrics, name)
      metrics.removalsHeld.remove({ secret: name })
    }
  }
}
