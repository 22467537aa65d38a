import { openLiveConfig, type ValidConfig } from '../config/live-config.ts'
import type { Clock } from '../core/clock.ts'
import { WORKER_NAME } from '../core/worker-rbac.ts'
import { formatWorkerReport, mergeNames, NAMES_ANNOTATION, parseNames, REPORT_ANNOTATION } from '../core/worker-report.ts'
import { createConfigReporter } from '../observability/config-reporter.ts'
import { createProbeServer } from '../observability/probe-server.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import { createSyncMetrics } from '../observability/sync-metrics.ts'
import { createEventRecorder } from '../kubernetes/event-recorder.ts'
import type { KubeClient } from '../kubernetes/kube-client.ts'
import { startLeaseElection, type LeaseElection } from '../kubernetes/lease-election.ts'
import type { ReflectorIntervals } from '../kubernetes/reflector.ts'
import type { VerificationRequest } from '../registries/registry-verification.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import { createCopyWriter } from './copy-writer.ts'
import { createWorkerReport, listClearedNames } from './engine-report.ts'
import { findReasonNotReady, refreshViewMetrics } from './readiness.ts'
import { startSyncEngine, type SyncEngine } from './sync-engine.ts'
import { createSyncEvents } from './sync-events.ts'
import { compileSyncPlan, listWatchedNames, type SyncPlan } from './sync-plan.ts'

/** Files, addresses and identity of a worker process. */
export interface SyncWorkerOptions {
  configFile: string
  client: KubeClient
  /** The namespace of the Lease and of the canonical copies. */
  ownNamespace: string
  /** Unique to this process start, such as the Pod's name with random bits. */
  identity: string
  host: string
  /** Plain HTTP for `/livez`, `/readyz` and `/metrics`; 0 = any free port. */
  metricsPort: number
  log: ProcessLog
  clock: Clock
  /** Between 0 and 1. */
  random: () => number
  verify: (request: VerificationRequest) => Promise<VerificationResult>
  /** See `ClusterViewOptions`. */
  listNamespaces?: ((plan: SyncPlan) => string[]) | undefined
  reloadIntervals?: { debounceMs?: number, pollMs?: number }
  reflectorIntervals?: Partial<ReflectorIntervals>
}

/** A running worker. */
export interface SyncWorker {
  /** `http://HOST:PORT` of probes and metrics. */
  metricsUrl: string
  isLeader: () => boolean
  /** Ends writes, gives the Lease back and ends the watches. */
  close: () => Promise<void>
}

/**
 * Starts the sync worker: it watches from its start and writes while it leads. Throws when the configuration or the port can
 * not be used; an API server that can not be reached is waited for.
 */
export async function startSyncWorker (options: SyncWorkerOptions): Promise<SyncWorker> {
  const { configFile, client, ownNamespace, identity, log, clock, random, listNamespaces } = options
  const metrics = createSyncMetrics()
  const reporter = createConfigReporter(configFile, metrics, log)
  const running: { engine?: SyncEngine } = {}
  const live = await openLiveConfig({
    file: configFile,
    ...(options.reloadIntervals !== undefined && { intervals: options.reloadIntervals }),
    onConfig (changed) {
      const plan = compile(changed)
      reporter.reportReload()
      reportInForce(changed)
      // Before there is an engine, it begins with what is then in force.
      void running.engine?.follow(plan)
    },
    onRefused (error) { reporter.reportRefused(error, live.current().hash) }
  })

  function compile ({ config, hash }: ValidConfig): SyncPlan {
    const plan = compileSyncPlan(config, { configHash: hash, ownNamespace })
    // What it can not tell is said before the configuration is in force.
    listNamespaces?.(plan)
    return plan
  }

  function reportInForce (configuration: ValidConfig): void {
    const { pullSecrets, retired } = configuration.config
    reporter.reportInForce(configuration, { pullSecrets: pullSecrets.length, retired: retired.length })
  }

  // In this term: every name whose copies may still stand somewhere, and those of them that nobody retired.
  let names: string[] = []
  let forgotten = ''
  // The engine is there first; until there is an election it may not write.
  const leadership: { election?: LeaseElection } = {}
  let closing: Promise<void> | undefined
  const mayWrite = (): boolean => leadership.election?.mayWrite() === true
  const recorder = createEventRecorder({
    client, clock, instance: identity, mayWrite, log, onOutcome (outcome) { if (outcome !== 'written') metrics.eventsDropped.inc() }
  })
  const engine = await startSyncEngine({
    client,
    clock,
    random,
    plan: compile(live.current()),
    writer: createCopyWriter({ client, metrics }),
    events: createSyncEvents(recorder, ownNamespace),
    metrics,
    log,
    verify: options.verify,
    mayWrite,
    listNamespaces,
    ...(options.reflectorIntervals !== undefined && { intervals: options.reflectorIntervals }),
    onReport: report
  })
  running.engine = engine
  if (engine.plan().configHash !== live.current().hash) await engine.follow(compile(live.current()))
  reportInForce(live.current())

  /** The leader's word on the Lease: names at once, since copies of them are about to be written, the rest with the next renewal. */
  function report (): void {
    const { election } = leadership
    if (election?.isLeader() !== true) return
    const before = names.join()
    const watched = listWatchedNames(engine.plan())
    names = mergeNames(names, watched, listClearedNames(engine))
    reportForgotten(names.filter((name) => !watched.includes(name)))
    const annotations = { [REPORT_ANNOTATION]: formatWorkerReport(createWorkerReport(engine)), [NAMES_ANNOTATION]: names.join() }
    election.annotate(annotations, { now: names.join() !== before })
  }

  function reportForgotten (names: string[]): void {
    metrics.forgottenNames.set(names.length)
    if (names.join() !== forgotten && names.length > 0) log.warn({ names }, 'these names left the configuration, and their copies stay; list them in retired to have them removed')
    forgotten = names.join()
  }

  const election = startLeaseElection({
    client,
    namespace: ownNamespace,
    name: WORKER_NAME,
    identity,
    clock,
    random,
    log,
    onStartedLeading ({ annotations }) {
      if (closing !== undefined) return
      metrics.leader.set(1)
      names = parseNames(annotations[NAMES_ANNOTATION])
      forgotten = ''
      engine.begin()
      queueMicrotask(report)
    },
    onStoppedLeading () {
      metrics.leader.set(0)
      metrics.forgottenNames.set(0)
      void engine.halt()
    }
  })
  leadership.election = election
  metrics.leader.set(0)

  const probes = createProbeServer({
    registry: metrics.registry,
    findReasonNotReady: () => findReasonNotReady(engine.view.states()),
    refreshMetrics: () => { refreshViewMetrics(metrics, engine) }
  })

  async function close (): Promise<void> {
    live.close()
    // First, so that no write is under way when another worker takes over.
    await engine.halt()
    await recorder.flush()
    await election.close()
    await engine.close()
    await probes.close()
    log.info('sync worker is stopped')
  }

  const metricsUrl = await probes.listen({ host: options.host, port: options.metricsPort }).catch(async (error: unknown) => {
    await close()
    throw error
  })
  log.info({ metricsUrl, identity }, 'sync worker is started')
  return {
    metricsUrl,
    isLeader: () => election.isLeader(),
    async close () {
      closing ??= close()
      await closing
    }
  }
}
