/** Runs something later; returns the function that cancels it. */
export type Schedule = (run: () => void, delayMs: number) => () => void

/** Keys that wait to be reconciled: each once, one at a time. */
export interface ReconcileQueue {
  add: (key: string) => void
  /** Ends after the reconcile that runs now. */
  stop: () => Promise<void>
}

const FIRST_RETRY_MS = 250
const LAST_RETRY_MS = 60_000

/** The timers of the process; they do not keep it alive. */
export const scheduleOnTimer: Schedule = (run, delayMs) => {
  const timer = setTimeout(run, delayMs).unref()
  return () => clearTimeout(timer)
}

/**
 * Makes a queue as Kubernetes' controllers have it: a key that is added twice is done once, one that is added while it runs is done
 * again, and one that fails is tried again after 250 ms, doubling up to a minute. Adding a key cuts its wait short.
 */
export function createReconcileQueue (reconcile: (key: string) => Promise<void>, schedule: Schedule): ReconcileQueue {
  const pending = new Set<string>()
  const waiting = new Map<string, () => void>()
  const failures = new Map<string, number>()
  let isStopped = false
  let running: Promise<void> | undefined

  function add (key: string): void {
    if (isStopped) return
    waiting.get(key)?.()
    waiting.delete(key)
    pending.add(key)
    start()
  }

  function start (): void {
    running ??= drain().finally(() => {
      running = undefined
      if (pending.size > 0 && !isStopped) start()
    })
  }

  async function drain (): Promise<void> {
    // Leaves the writer's own call stack first: its write is done before anyone reacts to it.
    await Promise.resolve()
    for (const key of pending) {
      pending.delete(key)
      if (isStopped) return
      await reconcile(key).then(() => { failures.delete(key) }, () => retry(key))
    }
  }

  function retry (key: string): void {
    const count = failures.get(key) ?? 0
    failures.set(key, count + 1)
    if (isStopped || pending.has(key)) return
    waiting.set(key, schedule(() => add(key), Math.min(FIRST_RETRY_MS * 2 ** count, LAST_RETRY_MS)))
  }

  return {
    add,
    async stop () {
      isStopped = true
      for (const cancel of waiting.values()) cancel()
      await running
    }
  }
}
