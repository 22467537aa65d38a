import { setTimeout as delay } from 'node:timers/promises'

const DEADLINE_MS = 10_000
const PAUSE_MS = 5

/**
 * Asks again and again until there is an answer: neither `undefined` nor `false`. Only a failing test waits until the
 * deadline.
 * @throws Error that says what did not come
 */
export async function eventually<T> (what: string, ask: () => T | Promise<T>, deadlineMs = DEADLINE_MS): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + deadlineMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer as Exclude<T, undefined | false>
    if (performance.now() > deadline) throw new Error(`not within ${deadlineMs} ms: ${what}`)
    await delay(PAUSE_MS)
  }
}

/** The promise's value, or an Error when it takes too long: what must end should not hang the whole run. */
export async function within<T> (what: string, promise: Promise<T>, deadlineMs = DEADLINE_MS): Promise<T> {
  const waiting = new AbortController()
  const late = delay(deadlineMs, undefined, { signal: waiting.signal }).then(() => { throw new Error(`not within ${deadlineMs} ms: ${what}`) })
  try {
    return await Promise.race([promise, late])
  } finally {
    waiting.abort()
    late.catch(() => {})
  }
}
