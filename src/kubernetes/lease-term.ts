import type { Clock } from '../core/clock.ts'

/** One moment on both clocks. */
export interface Instant {
  wallMs: number
  monotonicMs: number
}

/** How long a holder may take its Lease for its own without having renewed it. */
export interface LeaseTerm {
  /** Begins anew with a renewal; counts from the moment when its call began. */
  extend: (since: Instant) => void
  isRunning: () => boolean
  end: () => void
}

/** Reads both clocks. */
export function readInstant (clock: Clock): Instant {
  return { wallMs: clock.nowMs(), monotonicMs: clock.monotonicMs() }
}

/**
 * Makes a term that is over `renewDeadlineMs` after the last renewal began, by the clock that went further: a machine that
 * is suspended stops the monotonic one. It is asked and not only told by a timer: after SIGCONT anything may run
 * before that. `onEnd` is called as soon as the timer can.
 */
export function createLeaseTerm (clock: Clock, renewDeadlineMs: number, onEnd: () => void): LeaseTerm {
  let since: Instant | undefined
  let callOff = (): void => {}

  function readRemainingMs (): number {
    if (since === undefined) return 0
    return renewDeadlineMs - Math.max(clock.nowMs() - since.wallMs, clock.monotonicMs() - since.monotonicMs)
  }

  function watchEnd (): void {
    callOff()
    callOff = clock.schedule(() => {
      if (readRemainingMs() > 0) watchEnd()
      else onEnd()
    }, readRemainingMs())
  }

  return {
    extend (begin) {
      since = begin
      watchEnd()
    },
    isRunning: () => readRemainingMs() > 0,
    end () {
      since = undefined
      callOff()
    }
  }
}
