import type { Clock } from '../core/clock.ts'
import { createBackoff } from '../kubernetes/backoff.ts'
import { KubeError } from '../kubernetes/kube-error.ts'
import { createWorkqueue, type Workqueue } from '../kubernetes/workqueue.ts'
import { isClusterTrouble } from './write-failure.ts'

/** What works on the keys of each queue; each returns the milliseconds after which to look again. */
export interface SyncWork {
  /** `namespace/name` of a copy. */
  copy: (key: string) => Promise<number | undefined>
  /** The name of a pull secret whose content is to be resolved. */
  content: (name: string) => Promise<number | undefined>
  /** `namespace/name` of a ServiceAccount. */
  serviceAccount: (key: string) => Promise<number | undefined>
}

/** The kinds of keys. */
export type SyncQueue = keyof SyncWork

/** What is told of failures that concern one key only. */
export type OnKeyFailure = (queue: SyncQueue, key: string, error: unknown, failures: number) => void

/** What queues run by, and whom they tell. */
export interface SyncQueuesOptions {
  clock: Clock
  random: () => number
  onFailure: OnKeyFailure
  /** Told when all keys begin to wait, for how many milliseconds, and because of what. */
  onTrouble?: (error: KubeError, delayMs: number) => void
}

/** The queues of one term of leadership. */
export interface SyncQueues {
  add: (queue: SyncQueue, key: string) => void
  /** How many keys wait or are being worked on. */
  length: () => number
  close: () => Promise<void>
}

/** As many writes at once as the API server has connections of ours. */
export const WRITE_CONCURRENCY = 8

const MIN_PAUSE_MS = 250
const MAX_PAUSE_MS = 15_000

/**
 * Starts the queues. When the API server as a whole is in trouble, all keys wait together, ever longer: a thousand keys with
 * a backoff each would be a storm of a thousand.
 */
export function startSyncQueues (work: SyncWork, { clock, random, onFailure, onTrouble }: SyncQueuesOptions): SyncQueues {
  const backoff = createBackoff({ clock, random, minMs: MIN_PAUSE_MS, maxMs: MAX_PAUSE_MS })
  const queues: Record<SyncQueue, Workqueue> = { copy: start('copy'), content: start('content'), serviceAccount: start('serviceAccount') }
  let pausedUntilMs = 0

  function start (name: SyncQueue): Workqueue {
    return createWorkqueue({
      clock,
      random,
      concurrency: WRITE_CONCURRENCY,
      process: async (key) => processKey(name, key),
      onFailure (key, error, failures) {
        onFailure(name, key, error, failures)
        return error instanceof KubeError ? error.retryAfterMs : undefined
      }
    })
  }

  async function processKey (name: SyncQueue, key: string): Promise<void> {
    try {
      const againMs = await work[name](key)
      if (againMs !== undefined) queues[name].addAfter(key, againMs)
    } catch (error) {
      if (!(error instanceof KubeError && isClusterTrouble(error))) throw error
      pauseAll(error)
      queues[name].add(key)
    }
  }

  /** What was under way when the trouble began fails, too, and makes the pause no longer. */
  function pauseAll (error: KubeError): void {
    if (clock.monotonicMs() < pausedUntilMs) return
    const delayMs = backoff.nextMs(error.retryAfterMs)
    pausedUntilMs = clock.monotonicMs() + delayMs
    for (const queue of Object.values(queues)) queue.pause(delayMs)
    onTrouble?.(error, delayMs)
  }

  return {
    add: (name, key) => { queues[name].add(key) },
    length: () => Object.values(queues).reduce((sum, queue) => sum + queue.length(), 0),
    async close () {
      // A registry that is slow to answer keeps nobody waiting: what it says then is for no term any more.
      void queues.content.close()
      await Promise.all([queues.copy.close(), queues.serviceAccount.close()])
    }
  }
}
