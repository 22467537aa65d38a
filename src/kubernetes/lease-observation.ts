import type { Clock } from '../core/clock.ts'
import { readHolder, type Lease } from './lease-record.ts'

/** What this process has seen of a Lease, and since when it has not changed. */
export interface LeaseObservation {
  observe: (lease: Lease) => void
  /** Who held it last; empty = nobody, or it was never seen. */
  holder: () => string
  annotations: () => Record<string, string>
  /** Whether the record has not changed for as long as it is valid, by this process's own clock. */
  isExpired: () => boolean
}

/**
 * Watches one Lease. The record's timestamps are another machine's: only that they change says that its holder lives
 * (client-go's tools/leaderelection, "clock skew"). `defaultDurationMs` is for a record that does not say how long it is valid.
 */
export function createLeaseObservation (clock: Pick<Clock, 'monotonicMs'>, defaultDurationMs: number): LeaseObservation {
  let lastRecord: string | undefined
  let last: Lease | undefined
  let changedAtMs = 0

  return {
    observe (lease) {
      const record = JSON.stringify(lease.spec ?? {})
      if (record !== lastRecord) changedAtMs = clock.monotonicMs()
      lastRecord = record
      last = lease
    },
    holder: () => readHolder(last),
    annotations: () => ({ ...last?.metadata.annotations }),
    isExpired: () => clock.monotonicMs() - changedAtMs >= readDurationMs(last, defaultDurationMs)
  }
}

function readDurationMs (lease: Lease | undefined, defaultDurationMs: number): number {
  const seconds = lease?.spec?.leaseDurationSeconds
  return seconds === undefined ? defaultDurationMs : seconds * 1000
}
