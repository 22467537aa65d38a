import type { Clock } from '../core/clock.ts'

/** How long the waits are, in milliseconds. */
export interface BackoffOptions {
  clock: Clock
  random: () => number
  minMs: number
  maxMs: number
}

/** Waits that double with each failure. */
export interface Backoff {
  /** The next wait: between one and two times the doubled one, and never less than what the server asks for. */
  nextMs: (retryAfterMs?: number) => number
  /** Waits, until `signal` aborts at the latest. */
  wait: (delayMs: number, signal: AbortSignal) => Promise<void>
  /** Begins anew after a success. */
  reset: () => void
}

/** A success only counts after this long without a failure: what works for a moment each time is not healed. */
const RESET_AFTER_MS = 10_000

/** Exponential backoff with the jitter of client-go's reflector (factor 2, jitter 1.0). */
export function createBackoff ({ clock, random, minMs, maxMs }: BackoffOptions): Backoff {
  let failures = 0
  let lastFailureMs = -Infinity
  return {
    nextMs (retryAfterMs = 0) {
      if (clock.monotonicMs() - lastFailureMs > RESET_AFTER_MS + maxMs) failures = 0
      lastFailureMs = clock.monotonicMs()
      const delayMs = Math.min(minMs * 2 ** failures++, maxMs)
      return Math.max(delayMs, retryAfterMs) * (1 + random())
    },
    async wait (delayMs, signal) {
      if (signal.aborted) return
      await new Promise<void>((resolve) => {
        const cancel = clock.schedule(done, delayMs)
        function done (): void {
          signal.removeEventListener('abort', done)
          cancel()
          resolve()
        }
        signal.addEventListener('abort', done)
      })
    },
    reset () { failures = 0 }
  }
}
