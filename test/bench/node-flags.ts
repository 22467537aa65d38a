/**
 * Flags that the webhook's node gets in production: the container image's command line and the benchmarks use the same.
 * None as yet; `npm run bench -- webhook --node-flags=...` shows what one would cost and gain.
 */
export const WEBHOOK_NODE_FLAGS: readonly string[] = []

/** Flags that production runs the sync worker with: a small young generation, since a fill makes little that lives on. */
export const SYNC_NODE_FLAGS: readonly string[] = ['--max-semi-space-size=2']
