import type { Clock } from '../core/clock.ts'
import type { SourceError } from '../core/credential-source.ts'
import { formatObjectKey } from '../core/kube-object.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import { createSyncMetrics } from '../observability/sync-metrics.ts'
import { createEventRecorder } from '../kubernetes/event-recorder.ts'
import type { KubeClient } from '../kubernetes/kube-client.ts'
import { KubeError } from '../kubernetes/kube-error.ts'
import type { VerificationRequest } from '../registries/registry-verification.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import { createCopyWriter } from './copy-writer.ts'
import { startSyncEngine, type SyncEngine } from './sync-engine.ts'
import { createSyncEvents } from './sync-events.ts'
import { listWatchedNames, type SyncPlan } from './sync-plan.ts'
import { describeWriteFailure } from './write-failure.ts'

/** What one convergence is to do. */
export interface ConvergenceOptions {
  client: KubeClient
  clock: Clock
  random: () => number
  plan: SyncPlan
  identity: string
  verify: (request: VerificationRequest) => Promise<VerificationResult>
  log: ProcessLog
  listNamespaces?: ((plan: SyncPlan) => string[]) | undefined
  /** Take away every copy instead. */
  isRemovingAll: boolean
  /** The API server checks every write and keeps none. */
  isDryRun: boolean
  /** Told a few times a second. */
  onProgress?: (progress: ConvergenceProgress) => void
  /** Gives up when nothing moves for this long, in milliseconds. */
  stallMs?: number
}

/** How far it is. */
export interface ConvergenceProgress {
  /** Copies that stand as they should. */
  done: number
  /** Copies that are wanted. */
  total: number
  writes: number
  failures: number
  elapsedMs: number
  /** Undefined as long as nothing can be said. */
  remainingMs?: number
}

/** One write that was made, or that would be. */
export interface ConvergenceWrite {
  operation: 'apply' | 'delete' | 'patch'
  kind: 'Secret' | 'ServiceAccount'
  namespace: string
  name: string
  reason?: string
}

/** What is not as it should be. */
export interface ConvergenceFailure {
  /** `namespace/name` of the object, or the name of the pull secret. */
  object: string
  message: string
}

/** What came of it. */
export interface ConvergenceResult extends ConvergenceProgress {
  written: ConvergenceWrite[]
  failed: ConvergenceFailure[]
  /** Unwanted copies that stay until `pruneAfter` has passed, which only a running worker waits for. */
  waiting: number
}

const LOOK_MS = 100
const STALL_MS = 30_000
/** A write that failed so often is not tried again. */
const MAX_ATTEMPTS = 3

/** Brings everything to what the configuration says, once; never rejects for what failed, but says it. */
export async function converge (options: ConvergenceOptions): Promise<ConvergenceResult> {
  const { client, clock, random, plan, identity, log, isDryRun, isRemovingAll } = options
  const startedAtMs = clock.monotonicMs()
  const metrics = createSyncMetrics()
  const written: ConvergenceWrite[] = []
  const retrying = new Set<string>()
  const failures = new Map<string, string>()
  const recorder = createEventRecorder({ client, clock, instance: identity, mayWrite: () => !isDryRun, log })
  const engine = await startSyncEngine({
    client,
    clock,
    random,
    plan,
    writer: createCopyWriter({ client, metrics, isDryRun, onWrite: ({ operation, namespace, name, reason }) => { note({ operation, kind: 'Secret', namespace, name, reason }) } }),
    events: createSyncEvents(recorder, plan.ownNamespace),
    metrics,
    log,
    verify: options.verify,
    mayWrite: () => true,
    listNamespaces: options.listNamespaces,
    isRemovingAll,
    isDryRun,
    onKeyFailure,
    onServiceAccountWrite: (write) => { note({ kind: 'ServiceAccount', ...write }) }
  })

  function note (write: ConvergenceWrite): void {
    written.push(write)
    retrying.delete(formatObjectKey(write))
    failures.delete(formatObjectKey(write))
  }

  function onKeyFailure (_queue: string, key: string, error: unknown, attempts: number): void {
    if (attempts < MAX_ATTEMPTS) retrying.add(key)
    else retrying.delete(key)
    failures.set(key, error instanceof KubeError ? describeWriteFailure(error) : (error as Error).message)
  }

  function measure (): ConvergenceProgress {
    const names = listWatchedNames(plan)
    const done = names.reduce((sum, name) => sum + engine.states.count(name, 'present'), 0)
    const total = isRemovingAll ? 0 : names.reduce((sum, name) => sum + engine.demand.countWanted(name), 0)
    const elapsedMs = clock.monotonicMs() - startedAtMs
    const isUnderWay = written.length > 0 && total > done
    return {
      done,
      total,
      writes: written.length,
      failures: failures.size,
      elapsedMs,
      ...(isUnderWay && { remainingMs: elapsedMs / written.length * (total - done) })
    }
  }

  engine.begin()
  const stalled = await waitUntilSettled(engine, options, () => retrying.size > 0, () => written.length + failures.size, () => options.onProgress?.(measure()))
  await recorder.flush()
  const failed = [...failures].map(([object, message]) => ({ object, message }))
  const result: ConvergenceResult = { ...measure(), written, failed: [...stalled, ...failed, ...listProblems(engine)], waiting: countWaiting(engine) }
  await engine.close()
  return { ...result, failures: result.failed.length }
}

/** Returns what was waited for in vain. */
async function waitUntilSettled (engine: SyncEngine, { clock, stallMs = STALL_MS }: ConvergenceOptions, isRetrying: () => boolean, countMoves: () => number, tell: () => void): Promise<ConvergenceFailure[]> {
  let lastMove = { atMs: clock.monotonicMs(), count: 0 }
  while (!engine.isSettled() || isRetrying()) {
    tell()
    await new Promise<void>((resolve) => { clock.schedule(resolve, LOOK_MS) })
    const count = countMoves() + engine.view.states().filter(({ isReady }) => isReady).length
    if (count !== lastMove.count) lastMove = { atMs: clock.monotonicMs(), count }
    if (clock.monotonicMs() - lastMove.atMs > stallMs) return listUnseen(engine, stallMs)
  }
  tell()
  return []
}

function listUnseen (engine: SyncEngine, stallMs: number): ConvergenceFailure[] {
  const unseen = engine.view.states().filter(({ isReady }) => !isReady).map(({ view }) => view)
  const what = unseen.length > 0 ? `the API server does not show ${unseen.join(', ')}` : 'the API server does not take writes'
  return [{ object: 'cluster', message: `nothing moved for ${Math.round(stallMs / 1000)} s: ${what}; --log-level warn shows why` }]
}

function listProblems ({ view, plan, contents, states, demand }: SyncEngine): ConvergenceFailure[] {
  const forbidden = view.states().filter(({ isForbidden }) => isForbidden).map((state) => ({ object: state.view, message: 'no right to watch it; apply the rights of this configuration: pullkeeper manifests --only rbac' }))
  return [...forbidden, ...[...plan().pullSecrets.keys()].flatMap((name) => {
    const problems: SourceError[] = contents.state(name)?.problems ?? []
    const conflicts = states.count(name, 'conflicting')
    const held = states.count(name, 'held')
    return [
      ...problems.filter(({ reason }) => reason !== 'CredentialUnverified').map(({ message }) => ({ object: name, message })),
      ...(conflicts > 0 ? [{ object: name, message: `${conflicts} ${conflicts === 1 ? 'namespace holds' : 'namespaces hold'} a Secret of this name that is not pullkeeper's; pullkeeper status shows which` }] : []),
      ...(held > 0 ? [{ object: name, message: `the removal of ${held} of ${demand.counts(name).copies} copies waits for a person; pullkeeper status shows how to allow it` }] : [])
    ]
  })]
}

function countWaiting ({ states, plan }: SyncEngine): number {
  return listWatchedNames(plan()).reduce((sum, name) => sum + states.count(name, 'unwanted'), 0)
}
