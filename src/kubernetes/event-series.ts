import type { Clock } from '../core/clock.ts'
import type { EventNote } from './event-note.ts'

/** The same note again and again: one Event whose count goes up. */
export interface EventSeries {
  /** Where the Event stands; undefined until it was written. */
  eventName: string | undefined
  /** How often it was recorded, also when that is not written yet. */
  count: number
  firstMs: number
  /** By the monotonic clock. */
  lastRecordedMs: number
  /** By the monotonic clock; when a write began, whatever came of it. */
  lastWriteMs: number
  /** What to write: that of the last note. */
  message: string
}

/** Finds the series that notes belong to. */
export interface EventCorrelator {
  /** Counts the note in. */
  correlate: (note: EventNote) => EventSeries
}

/** How many series an object has had for one reason. */
interface SimilarSeries {
  count: number
  sinceMs: number
}

const SERIES_LIFE_MS = 600_000
const MAX_KEYS = 4_096
const MAX_SIMILAR = 10

/**
 * Makes a correlator after client-go's EventCorrelator: equal notes within ten minutes of one another are one series, and
 * when an object has had ten different messages for one reason within ten minutes, all further ones are one series, too.
 * It remembers 4,096 of each and forgets what was used longest ago.
 */
export function createEventCorrelator (clock: Pick<Clock, 'nowMs' | 'monotonicMs'>): EventCorrelator {
  const series = new Map<string, EventSeries>()
  const similar = new Map<string, SimilarSeries>()

  function findLive (key: string): EventSeries | undefined {
    const found = series.get(key)
    return found !== undefined && clock.monotonicMs() - found.lastRecordedMs < SERIES_LIFE_MS ? found : undefined
  }

  /** Returns whether there may be one more series for this reason. */
  function admitSeries (reasonKey: string): boolean {
    const nowMs = clock.monotonicMs()
    const known = similar.get(reasonKey)
    const current = known !== undefined && nowMs - known.sinceMs < SERIES_LIFE_MS ? known : { count: 0, sinceMs: nowMs }
    touch(similar, reasonKey, current)
    return current.count++ < MAX_SIMILAR
  }

  function startSeries (): EventSeries {
    return { eventName: undefined, count: 0, firstMs: clock.nowMs(), lastRecordedMs: 0, lastWriteMs: -Infinity, message: '' }
  }

  return {
    correlate ({ object, type, reason, message }) {
      const { apiVersion, kind, namespace = '', name, uid = '' } = object
      const reasonKey = JSON.stringify([apiVersion, kind, namespace, name, uid, type, reason])
      const ownKey = `${reasonKey}${message}`
      const isCombined = findLive(ownKey) === undefined && !admitSeries(reasonKey)
      const key = isCombined ? reasonKey : ownKey
      const found = findLive(key) ?? startSeries()
      found.count++
      found.lastRecordedMs = clock.monotonicMs()
      found.message = isCombined ? `(combined from similar events): ${message}` : message
      touch(series, key, found)
      return found
    }
  }
}

/** A Map keeps the order of insertion: what stands first was used longest ago. */
function touch<T> (map: Map<string, T>, key: string, value: T): void {
  map.delete(key)
  map.set(key, value)
  if (map.size <= MAX_KEYS) return
  const [oldest = ''] = map.keys()
  map.delete(oldest)
}
