import type { Clock } from '../core/clock.ts'

/** The time of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule (callback, delayMs) {
    const timer = setTimeout(callback, delayMs).unref()
    return () => { clearTimeout(timer) }
  }
}
