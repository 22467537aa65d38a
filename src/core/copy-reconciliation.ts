import type { ObservedCopy } from './managed-secret.ts'
import type { PullSecret } from './pull-secret-config.ts'

/** What is known of one copy of one pull secret, and what is to become of it. */
export interface CopySituation {
  /** The Secret as it stands; absent = there is none of that name. */
  observed?: ObservedCopy | undefined
  /** SHA-256 of the content that is to stand there; absent while no good content is known. */
  contentHash?: string | undefined
  /** For `adopt`: whether a Secret that is not ours holds the same credentials as we would write. */
  hasEqualAuths?: boolean | undefined
  isWanted: boolean
  /** The Secret is what this or another pull secret is made from. */
  isSource: boolean
  /** The namespace is being deleted. */
  isTerminating: boolean
  onConflict: PullSecret['onConflict']
  /** Since when the copy is not wanted, in milliseconds since 1970. */
  unwantedSinceMs?: number | undefined
  pruneAfterMs: number
  /** Whether the removal of so many copies waits for a person. */
  isRemovalHeld: boolean
}

/** How a copy stands: what metrics count and `status` shows. */
export type CopyState =
  | 'present'
  | 'missing'
  | 'stale'
  | 'conflicting'
  | 'unwanted'
  | 'held'
  | 'none'

/** The one thing to do about a copy. */
export type CopyAction =
  | { type: 'none' }
  | { type: 'apply', reason: 'missing' | 'outdated' | 'adopted' | 'overwritten' }
  | { type: 'delete', reason: 'unwanted' | 'recreated' }
  | { type: 'wait', untilMs: number }

/** The state of a copy and what to do about it. */
export interface CopyVerdict {
  state: CopyState
  action: CopyAction
}

/**
 * Decides what to do about one copy: at most one apply or delete. A Secret that is not ours is written only as `onConflict` says,
 * a source never; nothing in a terminating namespace; and nothing is removed before `pruneAfter`, or in bulk without a person's word.
 */
export function reconcileCopy (situation: CopySituation, nowMs: number): CopyVerdict {
  const { observed, isTerminating, isSource, isWanted } = situation
  if (isTerminating) return leave('none')
  if (isSource) return leave(isWanted && observed !== undefined ? 'present' : isWanted ? 'missing' : 'none')
  return isWanted ? reconcileWanted(situation) : reconcileUnwanted(situation, nowMs)
}

function reconcileWanted ({ observed, contentHash, hasEqualAuths = false, onConflict }: CopySituation): CopyVerdict {
  if (observed === undefined) return contentHash === undefined ? leave('missing') : apply('missing', 'missing')
  if (observed.isOwned) return reconcileOwned(observed, contentHash)
  const mayTakeOver = onConflict === 'overwrite' || (onConflict === 'adopt' && hasEqualAuths && isReplaceable(observed))
  if (!mayTakeOver || contentHash === undefined) return leave('conflicting')
  if (!isReplaceable(observed)) return recreate(observed, 'conflicting')
  return apply('conflicting', onConflict === 'adopt' ? 'adopted' : 'overwritten')
}

function reconcileOwned (observed: ObservedCopy, contentHash: string | undefined): CopyVerdict {
  if (contentHash === undefined) return leave('stale')
  if (!isReplaceable(observed)) return recreate(observed, 'stale')
  return observed.hash === contentHash ? leave('present') : apply('stale', 'outdated')
}

function reconcileUnwanted ({ observed, unwantedSinceMs, pruneAfterMs, isRemovalHeld }: CopySituation, nowMs: number): CopyVerdict {
  if (observed === undefined || !observed.isOwned || observed.isBeingDeleted) return leave('none')
  if (isRemovalHeld) return leave('held')
  const untilMs = (unwantedSinceMs ?? nowMs) + pruneAfterMs
  return { state: 'unwanted', action: nowMs < untilMs ? { type: 'wait', untilMs } : { type: 'delete', reason: 'unwanted' } }
}

/** Neither an immutable Secret nor the type of one can be changed: it goes, and the next reconciliation makes it anew. */
function recreate (observed: ObservedCopy, state: CopyState): CopyVerdict {
  return observed.isBeingDeleted ? leave(state) : { state, action: { type: 'delete', reason: 'recreated' } }
}

function isReplaceable ({ hasWrongType, isImmutable }: ObservedCopy): boolean {
  return !hasWrongType && !isImmutable
}

function apply (state: CopyState, reason: 'missing' | 'outdated' | 'adopted' | 'overwritten'): CopyVerdict {
  return { state, action: { type: 'apply', reason } }
}

function leave (state: CopyState): CopyVerdict {
  return { state, action: { type: 'none' } }
}
