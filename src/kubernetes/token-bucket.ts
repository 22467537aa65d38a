import type { Clock } from '../core/clock.ts'

/** How much at once, and how much over time. */
export interface TokenBucketOptions {
  burst: number
  perSecond: number
}

/** Makes a token bucket, full at first; each call takes a token and returns whether there was one (client-go's util/flowcontrol). */
export function createTokenBucket (clock: Pick<Clock, 'monotonicMs'>, { burst, perSecond }: TokenBucketOptions): () => boolean {
  let tokens = burst
  let filledAtMs = clock.monotonicMs()
  return () => {
    const nowMs = clock.monotonicMs()
    tokens = Math.min(burst, tokens + (nowMs - filledAtMs) / 1_000 * perSecond)
    filledAtMs = nowMs
    if (tokens < 1) return false
    tokens--
    return true
  }
}
