import type { Clock } from '../core/clock.ts'

/** What Node's timers can hold: 24 days; a longer delay would end at once. */
const MAX_TIMER_MS = 2 ** 31 - 1

/** The time of the machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  schedule (callback, delayMs) {
    let timer = startTimer(delayMs)
    function startTimer (leftMs: number): NodeJS.Timeout {
      const next = (): void => { timer = startTimer(leftMs - MAX_TIMER_MS) }
      return (leftMs > MAX_TIMER_MS ? setTimeout(next, MAX_TIMER_MS) : setTimeout(callback, leftMs)).unref()
    }
    return () => { clearTimeout(timer) }
  }
}
