/** Time as it is given to everything that waits or measures; tests give one that stands still. */
export interface Clock {
  /** The wall clock, in milliseconds since 1970. */
  nowMs: () => number
  /** A clock that is never set, in milliseconds; only differences mean something. */
  monotonicMs: () => number
  /** Calls back once after a delay; returns the function that calls it off. A waiting callback does not keep the process alive. */
  schedule: (callback: () => void, delayMs: number) => () => void
}
