import type { Clock } from '../core/clock.ts'
import type { KubeClient } from './kube-client.ts'
import { hasStatus } from './kube-error.ts'
import type { KubeLog } from './kube-log.ts'
import { createLeaseObservation } from './lease-observation.ts'
import { createLeaseProblemLog } from './lease-problem-log.ts'
import { claimLease, readHolder, releaseLease, type Lease } from './lease-record.ts'
import { createLeaseStore } from './lease-store.ts'
import { createLeaseTerm, readInstant } from './lease-term.ts'

/** Why a leader ceases to be one: another holds the Lease, it could not be renewed in time, or `close` was called. */
export type LeadershipEnd = 'lost' | 'deadline' | 'closed'

/** Who stands for which Lease, and who is told of the outcome. */
export interface LeaseElectionOptions {
  client: KubeClient
  namespace: string
  name: string
  /** Unique to this process start. */
  identity: string
  clock: Clock
  /** Between 0 and 1. */
  random: () => number
  /** How long the others wait after the last renewal that they saw; in whole seconds, rounded up. Default: 15 s. */
  leaseDurationMs?: number
  /** How long the leader may go on without a renewal. Default: 10 s. */
  renewDeadlineMs?: number
  /** How often the leader renews, and at the least how often the others look. Default: 2 s. */
  retryPeriodMs?: number
  /** Annotations that every leader writes. */
  annotations?: Record<string, string>
  /** Called at once with what the Lease says; `mayWrite` holds already. */
  onStartedLeading: (lease: { annotations: Record<string, string> }) => void
  onStoppedLeading: (reason: LeadershipEnd) => void
  /** Called with each holder that follows another; empty = nobody. */
  onHolderChanged?: (holder: string) => void
  log: KubeLog
}

/** One candidate of an election; it stands until it is closed, also after it has led and lost. */
export interface LeaseElection {
  isLeader: () => boolean
  /** Whether a write may start now: it leads, and the renew deadline has not passed by either clock. */
  mayWrite: () => boolean
  /** Annotations that the leader keeps while it leads, null = none of that key; written with the next renewal, or at once if `now`. A follower writes nothing. */
  annotate: (annotations: Record<string, string | null>, options?: { now?: boolean }) => void
  /** As last read or written. */
  annotations: () => Record<string, string>
  /** Ends it and gives the Lease back; never rejects. */
  close: () => Promise<void>
}

/** As client-go's JitterFactor: a candidate waits 1.0 to 2.2 retry periods. */
const JITTER_FACTOR = 1.2

/**
 * Stands for a Lease by the rules of client-go's tools/leaderelection: whoever's update wins leads, renews it every retry
 * period without reading it first, and stops at the renew deadline; the others take over when the record has not changed
 * for the lease duration by their own clock. A Lease does not fence: what was sent before the deadline may still arrive.
 * @throws Error when the periods do not leave time for one another
 */
export function startLeaseElection (options: LeaseElectionOptions): LeaseElection {
  const { client, namespace, name, identity, clock, random, log } = options
  const { leaseDurationMs = 15_000, renewDeadlineMs = 10_000, retryPeriodMs = 2_000 } = options
  checkPeriods(leaseDurationMs, renewDeadlineMs, retryPeriodMs)

  const ending = new AbortController()
  const access = { client, clock, namespace, name, callTimeoutMs: renewDeadlineMs / 2 }
  const store = createLeaseStore({ ...access, signal: ending.signal })
  const observation = createLeaseObservation(clock, leaseDurationMs)
  const term = createLeaseTerm(clock, renewDeadlineMs, () => { stopLeading('deadline') })
  const problems = createLeaseProblemLog(log, `${namespace}/${name}`)
  let isLeading = false
  /** What is in the API server as far as is known; undefined after a call that failed. */
  let known: Lease | undefined
  /** Whether the Lease may be in our name. */
  let mayHold = false
  let kept: Record<string, string | null> = {}
  let isUrgent = false
  let callOffNext: (() => void) | undefined
  let turn = takeTurn()
  let closing: Promise<void> | undefined

  async function takeTurn (): Promise<void> {
    const startedMs = clock.monotonicMs()
    callOffNext = undefined
    isUrgent = false
    try {
      await stand()
      problems.clear()
    } catch (error) {
      if (!ending.signal.aborted) problems.report(error)
    }
    const spentMs = clock.monotonicMs() - startedMs
    scheduleTurn(isLeading ? retryPeriodMs - spentMs : retryPeriodMs * (1 + JITTER_FACTOR * random()))
  }

  function scheduleTurn (delayMs: number): void {
    if (ending.signal.aborted) return
    callOffNext = clock.schedule(() => { turn = takeTurn() }, isUrgent ? 0 : Math.max(0, delayMs))
  }

  async function stand (): Promise<void> {
    if (!term.isRunning()) stopLeading('deadline')
    if (isLeading && known !== undefined && await claim(known)) return
    const lease = await readOrCreate()
    if (lease !== undefined && isFree()) await claim(lease)
  }

  /** A Lease that was deleted is not made anew before its holder's time is over: it may not know yet. */
  async function readOrCreate (): Promise<Lease | undefined> {
    const found = await store.read()
    if (found === undefined && !isFree()) return undefined
    const lease = found ?? await store.create()
    observe(lease)
    return lease
  }

  function isFree (): boolean {
    return ['', identity].includes(observation.holder()) || observation.isExpired()
  }

  /** Returns whether the Lease is ours; false when someone else wrote it first, or removed it. */
  async function claim (lease: Lease): Promise<boolean> {
    const since = readInstant(clock)
    const claimed = claimLease(lease, { identity, leaseDurationMs, nowMs: since.wallMs, annotations: { ...options.annotations, ...kept } })
    known = undefined
    mayHold = true
    try {
      known = await store.replace(claimed)
    } catch (error) {
      if (hasStatus(error, 404, 409)) return false
      throw error
    }
    observe(known)
    if (!ending.signal.aborted) begin(since)
    return true
  }

  function begin (since: { wallMs: number, monotonicMs: number }): void {
    term.extend(since)
    if (!term.isRunning()) stopLeading('deadline')
    else if (!isLeading) startLeading()
  }

  function observe (lease: Lease): void {
    const before = observation.holder()
    observation.observe(lease)
    const holder = observation.holder()
    mayHold = holder === identity
    if (!mayHold) stopLeading('lost')
    if (holder !== before) options.onHolderChanged?.(holder)
  }

  function startLeading (): void {
    isLeading = true
    log.info({ lease: `${namespace}/${name}`, identity }, 'this process leads now')
    options.onStartedLeading({ annotations: observation.annotations() })
  }

  function stopLeading (reason: LeadershipEnd): void {
    if (!isLeading) return
    isLeading = false
    kept = {}
    term.end()
    log.info({ lease: `${namespace}/${name}`, identity, reason }, 'this process leads no more')
    options.onStoppedLeading(reason)
  }

  async function end (): Promise<void> {
    const unwritten = kept
    stopLeading('closed')
    ending.abort()
    callOffNext?.()
    await turn
    try {
      if (mayHold) await release(unwritten)
    } catch (error) {
      problems.report(error)
    }
  }

  /** A renewal that was called off may still have arrived: then the Lease is read first, or once more. */
  async function release (annotations: Record<string, string | null>): Promise<void> {
    const { read, replace } = createLeaseStore(access)
    for (let attempt = 0; attempt < 2; attempt++) {
      const lease = known ?? await read()
      known = undefined
      if (lease === undefined || readHolder(lease) !== identity) return
      try {
        await replace(releaseLease(lease, { nowMs: clock.nowMs(), annotations }))
        return
      } catch (error) {
        if (!hasStatus(error, 409)) throw error
      }
    }
  }

  return {
    isLeader: () => isLeading,
    mayWrite () {
      // What asks now does not ask again: the term ends here, so that the next one begins with everything.
      if (!term.isRunning()) stopLeading('deadline')
      return isLeading
    },
    annotate (annotations, { now = false } = {}) {
      if (!isLeading) return
      Object.assign(kept, annotations)
      if (!now) return
      isUrgent = true
      if (callOffNext === undefined) return
      callOffNext()
      scheduleTurn(0)
    },
    annotations: observation.annotations,
    async close () {
      closing ??= end()
      await closing
    }
  }
}

function checkPeriods (leaseDurationMs: number, renewDeadlineMs: number, retryPeriodMs: number): void {
  if (leaseDurationMs > renewDeadlineMs && renewDeadlineMs > retryPeriodMs * JITTER_FACTOR) return
  throw new Error(`the lease duration (${leaseDurationMs} ms) must be longer than the renew deadline (${renewDeadlineMs} ms), and that longer than ${JITTER_FACTOR} retry periods (${retryPeriodMs} ms)`)
}
