import type { Clock } from '../core/clock.ts'
import { createEvent, createRecurrence, formatEventName, readEventNamespace, type EventNote, type EventRecurrence } from './event-note.ts'
import { createEventCorrelator, type EventSeries } from './event-series.ts'
import { MERGE_PATCH, type KubeClient } from './kube-client.ts'
import { hasStatus } from './kube-error.ts'
import type { KubeLog } from './kube-log.ts'
import { createTokenBucket } from './token-bucket.ts'

/** What became of a write: `shed` = there were too many at once, it is made up for when the same happens again. */
export type EventOutcome = 'written' | 'failed' | 'shed'

/** Who writes Events, and when. */
export interface EventRecorderOptions {
  client: KubeClient
  clock: Clock
  /** `reportingInstance`, such as the Pod's name. */
  instance: string
  /** Nothing is recorded while this is false: only the leader speaks. */
  mayWrite: () => boolean
  onOutcome?: (outcome: EventOutcome) => void
  log: KubeLog
}

/** Writes Events without ever being in the way. */
export interface EventRecorder {
  /** Returns at once and never throws; nothing of the note may be secret. False = not taken: too many at once, or not the time to write. */
  record: (note: EventNote) => boolean
  /** Waits for what is being sent, before the process ends. */
  flush: () => Promise<void>
}

const COMPONENT = 'pullkeeper-sync'
const BUDGET = { burst: 25, perSecond: 1 }
const MIN_WRITE_INTERVAL_MS = 60_000
const CALL_TIMEOUT_MS = 5_000
const NS_PER_MS = 1_000_000n

/**
 * Makes a recorder after client-go's tools/record: what happens again raises the count of the Event that there is, at most
 * once a minute; what is not written then is counted in the next time. A failed write is logged and not tried again.
 */
export function createEventRecorder ({ client, clock, instance, mayWrite, onOutcome = () => {}, log }: EventRecorderOptions): EventRecorder {
  const { correlate } = createEventCorrelator(clock)
  const takeToken = createTokenBucket(clock, BUDGET)
  const source = { component: COMPONENT, instance }
  const sending = new Set<Promise<void>>()
  let lastNameNs = 0n

  /** Two Events of one object may fall into the same millisecond. */
  function createName ({ object }: EventNote): string {
    const nowNs = BigInt(Math.floor(clock.nowMs())) * NS_PER_MS
    lastNameNs = nowNs > lastNameNs ? nowNs : lastNameNs + 1n
    return formatEventName(object, lastNameNs)
  }

  async function send (note: EventNote, series: EventSeries): Promise<void> {
    const recurrence = { message: series.message, count: series.count, lastMs: clock.nowMs() }
    try {
      if (series.eventName !== undefined && await update(note, series.eventName, recurrence)) return onOutcome('written')
      if (!mayWrite()) return
      await create(note, series, recurrence)
      onOutcome('written')
    } catch (error) {
      if (isWithoutNamespace(error)) return
      log.warn({ err: error, object: note.object, reason: note.reason }, 'an Event could not be written')
      onOutcome('failed')
    }
  }

  /** Returns false when the Event is there no more: they live for an hour. */
  async function update ({ object }: EventNote, eventName: string, recurrence: EventRecurrence): Promise<boolean> {
    try {
      const path = `${formatEventsPath(readEventNamespace(object))}/${eventName}`
      await client.request({ method: 'PATCH', path, contentType: MERGE_PATCH, body: createRecurrence(recurrence), timeoutMs: CALL_TIMEOUT_MS })
      return true
    } catch (error) {
      if (hasStatus(error, 404)) return false
      throw error
    }
  }

  async function create (note: EventNote, series: EventSeries, recurrence: EventRecurrence): Promise<void> {
    const eventName = createName(note)
    const body = createEvent(eventName, note, source, series.firstMs, recurrence)
    await client.request({ method: 'POST', path: formatEventsPath(readEventNamespace(note.object)), body, timeoutMs: CALL_TIMEOUT_MS })
    series.eventName = eventName
  }

  return {
    record (note) {
      if (!mayWrite()) return false
      const series = correlate(note)
      if (clock.monotonicMs() - series.lastWriteMs < MIN_WRITE_INTERVAL_MS) return true
      if (!takeToken()) {
        onOutcome('shed')
        return false
      }
      series.lastWriteMs = clock.monotonicMs()
      const sent = send(note, series).finally(() => { sending.delete(sent) })
      sending.add(sent)
      return true
    },
    async flush () { await Promise.all(sending) }
  }
}

function formatEventsPath (namespace: string): string {
  return `/api/v1/namespaces/${namespace}/events`
}

/** Its namespace is gone or goes: nobody will read it. */
function isWithoutNamespace (error: unknown): boolean {
  return hasStatus(error, 404) || (hasStatus(error, 403) && error.causes.includes('NamespaceTerminating'))
}
