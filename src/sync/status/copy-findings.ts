import { reconcileCopy, type CopyState, type CopyVerdict } from '../../core/copy-reconciliation.ts'
import { digestAuths } from '../../core/docker-config.ts'
import { formatObjectKey } from '../../core/kube-object.ts'
import { CONTENT_HASH_ANNOTATION, DOCKER_CONFIG_KEY, hashContent, observeSecret, type ObservedCopy } from '../../core/managed-secret.ts'
import type { CopyCache } from '../copy-cache.ts'
import type { CopyDemand } from '../copy-demand.ts'
import type { SyncPlan } from '../sync-plan.ts'
import type { ClusterSnapshot } from './cluster-snapshot.ts'

/** How one copy stands. */
export interface CopyFinding {
  namespace: string
  state: Exclude<CopyState, 'none'>
  /** Why it is not present; absent when it is. */
  reason?: string
}

/** What every copy should hold. */
interface ExpectedContent {
  hash: string
  authsDigest: string | undefined
}

/** Judges the copies of one name in all namespaces, sorted, as the worker would: by what the canonical copy holds. */
export function judgeCopies (name: string, plan: SyncPlan, snapshot: ClusterSnapshot, demand: CopyDemand): CopyFinding[] {
  const { ownNamespace, pullSecrets, sourceKeys, config } = plan
  const copies = snapshot.copies(name)
  const expected = readExpected(copies, sourceKeys.has(formatObjectKey({ namespace: ownNamespace, name })))
  const onConflict = pullSecrets.get(name)?.onConflict ?? 'skip'

  function judge (namespace: string): CopyFinding[] {
    const known = snapshot.namespaces.get(namespace)
    const isCanonical = namespace === ownNamespace
    const observed = copies?.get(namespace)
    const isWanted = demand.isWanted(namespace, name)
    const verdict = reconcileCopy({
      observed,
      contentHash: expected?.hash,
      hasEqualAuths: observed?.authsDigest !== undefined && observed.authsDigest === expected?.authsDigest,
      isWanted,
      isSource: sourceKeys.has(formatObjectKey({ namespace, name })),
      isTerminating: known === undefined ? !isCanonical : known.isTerminating,
      onConflict,
      pruneAfterMs: config.sync.pruneAfterMs,
      isRemovalHeld: !isWanted && !isCanonical && demand.isHeld(name)
    }, 0)
    const { state } = verdict
    if (state === 'none') return []
    return [{ namespace, state, ...(state !== 'present' && { reason: explain(verdict, observed, expected, ownNamespace) }) }]
  }

  const namespaces = new Set([ownNamespace, ...[...snapshot.namespaces.entries()].map(([namespace]) => namespace)])
  return [...namespaces].toSorted().flatMap(judge)
}

/**
 * The hash that the worker wrote down, not that of what stands there: a canonical copy that someone edited is not what the
 * others should become. A source under the same name in the own namespace is the content itself.
 */
function readExpected (copies: CopyCache | undefined, isSource: boolean): ExpectedContent | undefined {
  const canonical = copies?.canonical()
  if (canonical === undefined) return undefined
  const data = canonical.data?.[DOCKER_CONFIG_KEY] ?? ''
  const authsDigest = digestAuths(Buffer.from(data, 'base64'))
  if (isSource) return { hash: hashContent(data), authsDigest }
  const { isOwned, hash } = observeSecret(canonical)
  return isOwned ? { hash: canonical.metadata.annotations?.[CONTENT_HASH_ANNOTATION] ?? hash, authsDigest } : undefined
}

function explain ({ state, action }: CopyVerdict, observed: ObservedCopy | undefined, expected: ExpectedContent | undefined, ownNamespace: string): string {
  switch (state) {
    case 'missing': return expected === undefined ? 'there is no good content to write' : 'it is not written yet'
    case 'stale': return explainStale(observed, expected, ownNamespace)
    case 'conflicting': return action.type === 'none'
      ? 'a Secret that is not pullkeeper\'s stands here; remove or rename it, or set onConflict: adopt or overwrite'
      : 'a Secret that is not pullkeeper\'s stands here, and the worker takes it over'
    case 'held': return 'it is not wanted any more, and its removal waits for a person'
    default: return 'it is not wanted any more, and goes when sync.pruneAfter has passed'
  }
}

function explainStale (observed: ObservedCopy | undefined, expected: ExpectedContent | undefined, ownNamespace: string): string {
  if (expected === undefined) return `nothing tells what it should hold: pullkeeper's own copy in ${ownNamespace} is not there`
  if (observed?.isImmutable === true) return 'it is immutable, and has to be made anew'
  if (observed?.hasWrongType === true) return 'it is of another type, and has to be made anew'
  return 'its content is not what it should be'
}
