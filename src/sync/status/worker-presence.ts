import { parseWorkerReport, REPORT_ANNOTATION, type WorkerReport } from '../../core/worker-report.ts'
import { readHolder, type Lease } from '../../kubernetes/lease-record.ts'

/** Whether a worker leads, as the Lease tells. */
export interface WorkerPresence {
  /** Somebody holds the Lease, and renewed it in time. */
  isLeading: boolean
  /** Who holds it, or held it until it ran out; absent when nobody does. */
  holder?: string
  /** RFC 3339. */
  renewedAt?: string
  /** By the clock of the one who asks, in seconds, so that a difference of clocks shows in it. */
  renewedSecondsAgo?: number
  /** SHA-256 of the configuration that the last leader had in force. */
  configHash?: string
}

/** client-go's default, for a Lease that does not say. */
const DEFAULT_DURATION_SECONDS = 15
const MS_PER_SECOND = 1000

/** Reads from the Lease who leads (https://kubernetes.io/docs/concepts/architecture/leases/). */
export function readWorkerPresence (lease: Lease | undefined, nowMs: number): WorkerPresence {
  const { renewTime, leaseDurationSeconds = DEFAULT_DURATION_SECONDS } = lease?.spec ?? {}
  const holder = readHolder(lease)
  const configHash = readWorkerReport(lease)?.config
  const renewedAtMs = Date.parse(renewTime ?? '')
  if (holder === '' || Number.isNaN(renewedAtMs)) return { isLeading: false, ...(configHash !== undefined && { configHash }) }
  const renewedSecondsAgo = (nowMs - renewedAtMs) / MS_PER_SECOND
  return {
    isLeading: renewedSecondsAgo <= leaseDurationSeconds,
    holder,
    renewedAt: new Date(renewedAtMs).toISOString(),
    renewedSecondsAgo,
    ...(configHash !== undefined && { configHash })
  }
}

/** What the last leader told of its pull secrets; undefined if there is nothing that can be read. */
export function readWorkerReport (lease: Lease | undefined): WorkerReport | undefined {
  return parseWorkerReport(lease?.metadata.annotations?.[REPORT_ANNOTATION])
}
