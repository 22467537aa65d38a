import type { Clock } from '../core/clock.ts'

/** What a workqueue does with its keys, and how soon again after a failure. */
export interface WorkqueueOptions {
  /** Handles one key; a key is never handled twice at once. A rejection adds it again, later each time. */
  process: (key: string) => Promise<void>
  /** Told of each rejection; `failures` counts those of the key in a row. Returns the least delay in milliseconds, if there is one. */
  onFailure: (key: string, error: unknown, failures: number) => number | undefined
  /** How many keys are handled at once. */
  concurrency: number
  clock: Clock
  random: () => number
  /** The first delay after a failure; it doubles up to `maxDelayMs`. */
  baseDelayMs?: number
  maxDelayMs?: number
}

/** Keys that wait for work, each once. */
export interface Workqueue {
  /** Adds a key; one that is being handled is handled again afterwards. */
  add: (key: string) => void
  /** Adds a key after a delay in milliseconds; of several delays the shortest holds. */
  addAfter: (key: string, delayMs: number) => void
  /** Begins no work for a while, of several pauses until the last one's end: the other side is in trouble as a whole. */
  pause: (delayMs: number) => void
  /** How many keys wait or are being handled, without those that wait for a delay. */
  length: () => number
  /** How many keys wait for a delay. */
  delayed: () => number
  /** Takes no more keys, drops those that wait and resolves when none is being handled. */
  close: () => Promise<void>
}

const BASE_DELAY_MS = 200
const MAX_DELAY_MS = 120_000

/**
 * A queue with the semantics of client-go's workqueue (deduplicated, one worker per key, delayed and rate-limited re-adds:
 * https://pkg.go.dev/k8s.io/client-go/util/workqueue) that runs its workers itself.
 */
export function createWorkqueue (options: WorkqueueOptions): Workqueue {
  const { process, onFailure, concurrency, clock, random, baseDelayMs = BASE_DELAY_MS, maxDelayMs = MAX_DELAY_MS } = options
  const waiting = new Set<string>()
  const processing = new Set<string>()
  const dirty = new Set<string>()
  const timers = new Map<string, { dueMs: number, cancel: () => void }>()
  const failures = new Map<string, number>()
  const closed = Promise.withResolvers<undefined>()
  let isClosed = false
  let isStarting = false
  let resumption: { dueMs: number, cancel: () => void } | undefined

  function add (key: string): void {
    if (isClosed) return
    if (processing.has(key)) dirty.add(key)
    else waiting.add(key)
    startWorkers()
  }

  /** Not before those who add have finished: what they add in one go is handled once, and on the state that they leave. */
  function startWorkers (): void {
    if (isStarting) return
    isStarting = true
    queueMicrotask(() => {
      isStarting = false
      startWaiting()
    })
  }

  function startWaiting (): void {
    for (const key of waiting) {
      if (resumption !== undefined || processing.size >= concurrency) return
      waiting.delete(key)
      processing.add(key)
      void work(key)
    }
  }

  async function work (key: string): Promise<void> {
    try {
      await process(key)
      failures.delete(key)
    } catch (error) {
      retry(key, error)
    } finally {
      finish(key)
    }
  }

  function retry (key: string, error: unknown): void {
    const count = (failures.get(key) ?? 0) + 1
    failures.set(key, count)
    const leastMs = onFailure(key, error, count) ?? 0
    const delayMs = Math.min(baseDelayMs * 2 ** (count - 1), maxDelayMs)
    addAfter(key, Math.max(leastMs, delayMs) * (1 + random() / 2))
  }

  function finish (key: string): void {
    processing.delete(key)
    if (dirty.delete(key) && !isClosed) waiting.add(key)
    startWorkers()
    if (isClosed && processing.size === 0) closed.resolve(undefined)
  }

  function addAfter (key: string, delayMs: number): void {
    if (isClosed) return
    if (delayMs <= 0) {
      add(key)
      return
    }
    const dueMs = clock.monotonicMs() + delayMs
    const earlier = timers.get(key)
    if (earlier !== undefined && earlier.dueMs <= dueMs) return
    earlier?.cancel()
    const cancel = clock.schedule(() => {
      timers.delete(key)
      add(key)
    }, delayMs)
    timers.set(key, { dueMs, cancel })
  }

  function pause (delayMs: number): void {
    const dueMs = clock.monotonicMs() + delayMs
    if (isClosed || (resumption !== undefined && resumption.dueMs >= dueMs)) return
    resumption?.cancel()
    const cancel = clock.schedule(() => {
      resumption = undefined
      startWorkers()
    }, delayMs)
    resumption = { dueMs, cancel }
  }

  return {
    add,
    addAfter,
    pause,
    length: () => waiting.size + processing.size,
    delayed: () => timers.size,
    async close () {
      isClosed = true
      waiting.clear()
      dirty.clear()
      resumption?.cancel()
      for (const { cancel } of timers.values()) cancel()
      timers.clear()
      if (processing.size > 0) await closed.promise
    }
  }
}
