import type { Clock } from '../core/clock.ts'
import { reconcileCopy, type CopyVerdict } from '../core/copy-reconciliation.ts'
import { formatObjectKey } from '../core/kube-object.ts'
import { EXPIRES_AT_ANNOTATION, hasEqualAuths, observeSecret, SOURCE_ANNOTATION, VERIFIED_ANNOTATION, type ObservedCopy, type PullSecretContent } from '../core/managed-secret.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'
import { hasStatus } from '../kubernetes/kube-error.ts'
import { formatCopiesView, NAMESPACES_VIEW, type ClusterView } from './cluster-view.ts'
import type { ContentController } from './content-controller.ts'
import type { CopyDemand } from './copy-demand.ts'
import type { CopyStates } from './copy-states.ts'
import type { CopyWriter } from './copy-writer.ts'
import type { SyncEvents } from './sync-events.ts'
import type { SyncPlan } from './sync-plan.ts'

/** What a copy controller needs. */
export interface CopyControllerOptions {
  plan: () => SyncPlan
  view: ClusterView
  demand: CopyDemand
  contents: Pick<ContentController, 'state'>
  states: CopyStates
  writer: CopyWriter
  events: SyncEvents
  metrics: Pick<SyncMetrics, 'namespaceDelaySeconds'>
  clock: Clock
  /** Whether a write may start now. */
  mayWrite: () => boolean
  /** Take away everything, at once. */
  isRemovingAll: boolean
}

/** Brings copies to what they should be, one at a time. */
export interface CopyController {
  /** Does the one thing that a copy needs; returns the milliseconds after which to look again. Rejects with a KubeError. */
  reconcile: (namespace: string, name: string) => Promise<number | undefined>
}

/** A namespace that is not there, and that no watch would tell of, is looked at again after this long. */
const UNSEEN_NAMESPACE_MS = 30_000
/** An Event for which there were too many others is tried again after this long. */
const UNSAID_MS = 60_000
/** What a stale view calls unwanted is looked at again after this long. */
const STALE_VIEW_MS = 15_000

/** Makes the controller of copies: observe, decide, act. */
export function createCopyController (options: CopyControllerOptions): CopyController {
  const { plan, view, demand, contents, states, writer, events, clock, mayWrite, isRemovingAll } = options

  async function reconcile (namespace: string, name: string): Promise<number | undefined> {
    if (!isKnown(name)) return undefined
    const content = contentFor(namespace, name)
    const observed = view.copies(name)?.get(namespace)
    const verdict = isLastOfRetired(namespace, name) ? { state: 'unwanted' as const, action: { type: 'none' as const } } : judge(namespace, name, observed, content)
    const before = states.get(namespace, name)
    states.set(namespace, name, verdict.state)
    const isSaid = observed === undefined || events.reportCopy(namespace, name, observed, verdict)
    const againMs = await act({ namespace, name, observed, content, verdict, isNew: before === 'none' || before === 'missing' })
    return isSaid ? againMs : againMs ?? UNSAID_MS
  }

  /** The canonical copy of a retired name waits for the others to go. */
  function isLastOfRetired (namespace: string, name: string): boolean {
    return plan().retired.has(name) && namespace === plan().ownNamespace && demand.isWanted(namespace, name)
  }

  /** Nothing is judged before all that it depends on was seen. */
  function isKnown (name: string): boolean {
    const isSeen = view.isReady(NAMESPACES_VIEW) && view.isReady(formatCopiesView(name))
    return isSeen && (isRemovingAll || plan().retired.has(name) || contents.state(name) !== undefined)
  }

  /** What is taken away was seen unwanted just now, not some time ago. */
  function isCurrent (name: string): boolean {
    return isRemovingAll || (view.isFresh(NAMESPACES_VIEW) && view.isFresh(formatCopiesView(name)))
  }

  function contentFor (namespace: string, name: string): PullSecretContent | undefined {
    const content = contents.state(name)?.content
    if (content === undefined || namespace === plan().ownNamespace) return content
    const { verified, ...rest } = content
    return rest
  }

  function judge (namespace: string, name: string, observed: ObservedCopy | undefined, content: PullSecretContent | undefined): CopyVerdict {
    const { config, pullSecrets, ownNamespace, sourceKeys } = plan()
    const nowMs = clock.nowMs()
    const known = view.namespaces.get(namespace)
    const isCanonical = namespace === ownNamespace
    const isWanted = demand.isWanted(namespace, name)
    const isUnwanted = !isWanted && observed !== undefined
    if (!isUnwanted) demand.forgetUnwanted(namespace, name)
    const verdict = reconcileCopy({
      observed,
      contentHash: content?.hash,
      hasEqualAuths: content !== undefined && observed !== undefined && hasEqualAuths(observed, content.data),
      isWanted,
      isSource: sourceKeys.has(formatObjectKey({ namespace, name })),
      isTerminating: known === undefined ? !isCanonical : known.isTerminating,
      onConflict: pullSecrets.get(name)?.onConflict ?? 'skip',
      unwantedSinceMs: isUnwanted ? demand.unwantedSinceMs(namespace, name, nowMs) : undefined,
      pruneAfterMs: isRemovingAll ? 0 : config.sync.pruneAfterMs,
      isRemovalHeld: !isWanted && !isCanonical && demand.isHeld(name)
    }, nowMs)
    const isOutdated = verdict.state === 'present' && isCanonical && observed?.isOwned === true && !hasCurrentNotes(name, content)
    return isOutdated ? { state: 'present', action: { type: 'apply', reason: 'outdated' } } : verdict
  }

  /** People and the next leader read the canonical copy's annotations. */
  function hasCurrentNotes (name: string, content: PullSecretContent | undefined): boolean {
    const annotations = view.copies(name)?.canonical()?.metadata.annotations ?? {}
    return annotations[SOURCE_ANNOTATION] === content?.source && annotations[EXPIRES_AT_ANNOTATION] === content?.expiresAt &&
      annotations[VERIFIED_ANNOTATION] === content?.verified
  }

  interface Step {
    namespace: string
    name: string
    observed: ObservedCopy | undefined
    content: PullSecretContent | undefined
    verdict: CopyVerdict
    isNew: boolean
  }

  async function act (step: Step): Promise<number | undefined> {
    const { verdict: { action } } = step
    if (action.type === 'none') return undefined
    if (action.type === 'wait') return action.untilMs - clock.nowMs()
    if (action.type === 'delete' && action.reason === 'unwanted' && !isCurrent(step.name)) return STALE_VIEW_MS
    // The last moment before the call: after the deadline another worker may lead.
    if (!mayWrite()) return undefined
    try {
      if (action.type === 'apply') await apply(step, action.reason)
      else await remove(step, action.reason)
      return undefined
    } catch (error) {
      return recover(step, error)
    }
  }

  async function apply ({ namespace, name, content, isNew }: Step, reason: string): Promise<void> {
    if (content === undefined) return
    const secret = await writer.apply(namespace, name, content, reason)
    const { hash } = observeSecret(secret)
    view.copies(name)?.keepAnswer(secret)
    // An admission webhook may have changed what was written.
    states.set(namespace, name, hash === content.hash ? 'present' : 'stale')
    const seenAtMs = view.namespaces.get(namespace)?.seenAtMs
    if (isNew && seenAtMs !== undefined) options.metrics.namespaceDelaySeconds.observe((clock.monotonicMs() - seenAtMs) / 1000)
  }

  async function remove ({ namespace, name, observed }: Step, reason: string): Promise<void> {
    if (observed === undefined) return
    await writer.remove(namespace, name, observed, reason)
    view.copies(name)?.remove({ metadata: { ...observed, namespace, name } })
  }

  /** What the end of a namespace causes is no failure; the rest is the queue's business. */
  function recover ({ namespace, name, verdict: { action } }: Step, error: unknown): number | undefined {
    // It has gone, or is another one by now: the watch tells.
    if (hasStatus(error, 404, 409) && action.type === 'delete') return undefined
    if (hasStatus(error, 404) || (hasStatus(error, 403) && error.causes.includes('NamespaceTerminating'))) {
      states.set(namespace, name, 'none')
      return plan().ownNamespace === namespace || view.namespaces.get(namespace)?.isTerminating === false ? UNSEEN_NAMESPACE_MS : undefined
    }
    throw error
  }

  return { reconcile }
}
