import { setImmediate as settle } from 'node:timers/promises'
import type { Clock } from '../../src/core/clock.ts'

/** A clock that stands still until a test moves it. */
export interface FakeClock extends Clock {
  /** Moves both clocks and runs what falls due, in order; promises settle before, between and after. */
  advance: (byMs: number) => Promise<void>
  /** Both clocks go on and nothing runs, as for a process that was stopped (SIGSTOP); what fell due runs with the next `advance`, also of 0. */
  stop: (forMs: number) => void
  /** Moves the wall clock alone: it was set, or the machine was suspended, which stops the monotonic clock. */
  moveWall: (byMs: number) => void
  /** How many callbacks wait to be called. */
  countWaiting: () => number
}

interface Waiting {
  callback: () => void
  dueMs: number
}

/** Makes a clock; `nowMs` is the wall clock's first reading. */
export function createFakeClock (nowMs = Date.UTC(2026, 0, 31, 12)): FakeClock {
  const waiting = new Set<Waiting>()
  let monotonicMs = 1_000
  let wallOffsetMs = nowMs - monotonicMs

  const findNext = (untilMs: number): Waiting | undefined => {
    return [...waiting].filter(({ dueMs }) => dueMs <= untilMs).toSorted((a, b) => a.dueMs - b.dueMs)[0]
  }

  async function advance (byMs: number): Promise<void> {
    const endMs = monotonicMs + byMs
    await settle()
    for (let next = findNext(endMs); next !== undefined; next = findNext(endMs)) {
      monotonicMs = Math.max(monotonicMs, next.dueMs)
      waiting.delete(next)
      next.callback()
      await settle()
    }
    monotonicMs = endMs
  }

  return {
    nowMs: () => wallOffsetMs + monotonicMs,
    monotonicMs: () => monotonicMs,
    schedule (callback, delayMs) {
      const entry = { callback, dueMs: monotonicMs + Math.max(0, delayMs) }
      waiting.add(entry)
      return () => { waiting.delete(entry) }
    },
    advance,
    stop (forMs) { monotonicMs += forMs },
    moveWall (byMs) { wallOffsetMs += byMs },
    countWaiting: () => waiting.size
  }
}
