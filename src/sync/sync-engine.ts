import type { Clock } from '../core/clock.ts'
import { parseObjectKey } from '../core/kube-object.ts'
import { listSourceSecrets } from '../core/source-secrets.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { KubeClient } from '../kubernetes/kube-client.ts'
import type { ReflectorIntervals } from '../kubernetes/reflector.ts'
import { createCredentialSource } from '../registries/credential-sources.ts'
import type { VerificationRequest } from '../registries/registry-verification.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import { createClusterView, formatCopiesView, formatSourceView, listViews, type ClusterView } from './cluster-view.ts'
import { createContentController, type ContentController } from './content-controller.ts'
import { createCopyController } from './copy-controller.ts'
import { createCopyDemand, type CopyDemand } from './copy-demand.ts'
import { createCopyStates, type CopyStates } from './copy-states.ts'
import type { CopyWriter } from './copy-writer.ts'
import { createMountedSources, listSourceFiles } from './mounted-sources.ts'
import { createSyncNotices } from './sync-notices.ts'
import { createSyncTriggers } from './sync-triggers.ts'
import { createServiceAccountController } from './service-account-controller.ts'
import { createSourceReader } from './source-reader.ts'
import type { SyncEvents } from './sync-events.ts'
import { listWatchedNames, type SyncPlan } from './sync-plan.ts'
import { startSyncQueues, type SyncQueue, type SyncQueues } from './sync-queues.ts'

/** What an engine is made of. */
export interface SyncEngineOptions {
  client: KubeClient
  clock: Clock
  random: () => number
  plan: SyncPlan
  writer: CopyWriter
  events: SyncEvents
  metrics: SyncMetrics
  log: ProcessLog
  verify: (request: VerificationRequest) => Promise<VerificationResult>
  mayWrite: () => boolean
  /** See `ClusterViewOptions`. */
  listNamespaces?: ((plan: SyncPlan) => string[]) | undefined
  intervals?: Partial<ReflectorIntervals>
  /** Takes away every copy. */
  isRemovingAll?: boolean
  /** For ServiceAccounts; the writer of copies has its own. */
  isDryRun?: boolean
  /** Told when the state of a pull secret's sources, or a removal that waits, may have changed. */
  onReport?: () => void
  onKeyFailure?: (queue: SyncQueue, key: string, error: unknown, failures: number) => void
  onServiceAccountWrite?: (write: { operation: 'patch', namespace: string, name: string }) => void
}

/** Watches, judges and writes. It watches from its start, and writes between `begin` and `halt`. */
export interface SyncEngine {
  view: ClusterView
  states: CopyStates
  demand: CopyDemand
  contents: Pick<ContentController, 'state'>
  plan: () => SyncPlan
  /** Puts another configuration in force. */
  follow: (plan: SyncPlan) => Promise<void>
  /** Begins a term: everything is looked at anew. */
  begin: () => void
  /** Ends the term; resolves when no write is under way. */
  halt: () => Promise<void>
  /** Whether all that can be seen has been looked at, and nothing waits for its turn. */
  isSettled: () => boolean
  /** How many keys wait or are being worked on. */
  queueLength: () => number
  close: () => Promise<void>
}

/** Makes an engine and begins to watch what its plan needs. */
export async function startSyncEngine (options: SyncEngineOptions): Promise<SyncEngine> {
  const { client, clock, random, metrics, events, log, mayWrite, isRemovingAll = false, isDryRun = false, onReport = () => {} } = options
  let { plan } = options
  let queues: SyncQueues | undefined
  let following = Promise.resolve()
  /** Of removals that wait: for which configuration people were told. */
  const heldReports = new Map<string, string>()

  const triggers = createSyncTriggers({
    plan: () => plan,
    view: () => view,
    isHeld: (name) => states.count(name, 'held') > 0,
    isJudged: (namespace, name) => states.get(namespace, name) !== 'none',
    add: (queue, key) => { queues?.add(queue, key) }
  })
  const view = createClusterView({
    client,
    clock,
    random,
    ownNamespace: plan.ownNamespace,
    listNamespaces: options.listNamespaces,
    ...(options.intervals !== undefined && { intervals: options.intervals }),
    events: {
      ...triggers,
      onNamespace (namespace, known) {
        demand.invalidate()
        triggers.onNamespace(namespace, known)
      },
      onCopy (name, namespace) {
        demand.invalidate()
        triggers.onCopy(name, namespace)
      },
      onReady (id) {
        log.info({ view: id }, 'watching')
        triggers.onView(id)
        onReport()
      },
      onFailure: (id, error, delayMs) => { notices.reportWatchFailure(id, error, delayMs) },
      onForbidden (id) {
        triggers.onView(id)
        onReport()
      }
    }
  })
  const notices = createSyncNotices({ events, metrics, log })
  const files = createMountedSources(triggers.onFile)
  const demand = createCopyDemand({ plan: () => plan, view, isRemovingAll })
  const states = createCopyStates(metrics)
  const sources = createSourceReader(view, files)
  const contents = createContentController({
    sources,
    createSource: (credential) => createCredentialSource(credential, sources),
    verify: options.verify,
    pullSecret: (name) => plan.pullSecrets.get(name),
    canonical: (name) => view.copies(name)?.canonical(),
    onContent: triggers.enqueueCopies,
    onResolved (name, state) {
      notices.reportContent(name, state)
      onReport()
    }
  })
  const shared = { plan: () => plan, view, demand, metrics, clock, mayWrite, isRemovingAll }
  const copies = createCopyController({ ...shared, contents, states, writer: options.writer, events })
  const accounts = createServiceAccountController({ ...shared, client, isDryRun, onWrite: options.onServiceAccountWrite })

  async function resolve (name: string): Promise<number | undefined> {
    const pullSecret = plan.pullSecrets.get(name)
    if (pullSecret === undefined) return undefined
    const needed = [formatCopiesView(name), ...listSourceSecrets({ pullSecrets: [pullSecret] }).map(formatSourceView)]
    const isSeen = needed.every((id) => view.isReady(id) || view.isForbidden(id))
    return isSeen ? contents.resolve(name) : undefined
  }

  async function reconcileCopy (key: string): Promise<number | undefined> {
    const [namespace, name] = parseObjectKey(key)
    const heldBefore = states.count(name, 'held')
    const againMs = await copies.reconcile(namespace, name)
    const held = states.count(name, 'held')
    if (listWatchedNames(plan).includes(name)) metrics.removalsHeld.set({ secret: name }, held)
    if (held > 0) lookAfterHeld(name)
    // The canonical copy of a retired name is the last to go.
    const mayBeCleared = plan.retired.has(name) && namespace === plan.ownNamespace
    if ((held > 0) !== (heldBefore > 0) || mayBeCleared) onReport()
    return againMs
  }

  /** The approval is for one configuration; and what holds a removal may end without a change of the other copies. */
  function lookAfterHeld (name: string): void {
    if (demand.isHeld(name)) {
      if (heldReports.get(name) !== plan.configHash) notices.reportHeldRemoval(name, demand.counts(name), plan.configHash)
      heldReports.set(name, plan.configHash)
    } else {
      heldReports.delete(name)
      triggers.enqueueCopies(name)
    }
  }

  /** One configuration after another: of two at once, parts of both could be in force. */
  async function follow (next: SyncPlan): Promise<void> {
    following = following.then(async () => putInForce(next))
    await following
  }

  /** The plan and the namespaces' demand change in one turn: no removal is ever counted by halves of two plans. */
  async function putInForce (next: SyncPlan): Promise<void> {
    const gone = listWatchedNames(plan).filter((name) => !listWatchedNames(next).includes(name))
    plan = next
    for (const name of gone) forget(name)
    const watching = view.follow(plan)
    demand.invalidate()
    await Promise.all([watching, files.follow(listSourceFiles(plan.config))])
    demand.invalidate()
    triggers.enqueueEverything()
    onReport()
  }

  function forget (name: string): void {
    states.forget(name)
    contents.forget(name)
    demand.forget(name)
    heldReports.delete(name)
    notices.forget(name)
  }

  function isInTerm (): boolean {
    return queues !== undefined
  }

  /** What was known in one term may be old in the next one: another worker led in between. */
  async function halt (): Promise<void> {
    const ending = queues
    queues = undefined
    await ending?.close()
    if (!isInTerm()) listWatchedNames(plan).forEach(forget)
  }

  await follow(plan)
  return {
    view,
    states,
    demand,
    contents,
    plan: () => plan,
    follow,
    begin () {
      listWatchedNames(plan).forEach(forget)
      queues = startSyncQueues({ copy: reconcileCopy, content: resolve, serviceAccount: accounts.reconcile }, {
        clock,
        random,
        onFailure (queue, key, error, failures) {
          notices.reportKeyFailure(queue, key, error, failures)
          options.onKeyFailure?.(queue, key, error, failures)
        },
        onTrouble: notices.reportTrouble
      })
      view.forgetSources()
      following = following.then(async () => view.follow(plan))
      demand.invalidate()
      triggers.enqueueEverything()
    },
    halt,
    isSettled: () => queues?.length() === 0 && listViews(plan).every((id) => view.isReady(id) || view.isForbidden(id)),
    queueLength: () => queues?.length() ?? 0,
    async close () {
      await halt()
      files.close()
      await view.close()
    }
  }
}
