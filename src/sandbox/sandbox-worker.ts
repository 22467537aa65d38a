import { setTimeout as delay } from 'node:timers/promises'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { Policy } from '../core/policy.ts'
import { createKubeClient, type KubeClient } from '../kubernetes/kube-client.ts'
import { systemClock } from '../kubernetes/system-clock.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import { readClusterSnapshot } from '../sync/status/cluster-snapshot.ts'
import { createSyncStatus, isFailure, type PullSecretStatus, type SyncStatus } from '../sync/status/sync-status.ts'
import { compileSyncPlan } from '../sync/sync-plan.ts'
import { startSyncWorker } from '../sync/sync-worker.ts'
import type { Credentials } from './cluster-request.ts'
import { createLoopbackAccess } from './loopback-access.ts'

/** The sync worker of a sandbox, and what `pullkeeper status` would say of it. */
export interface SandboxWorker {
  client: KubeClient
  metricsUrl: string
  readStatus: (policy: Policy) => Promise<SyncStatus>
  close: () => Promise<void>
}

/** As the worker itself has for its writes, and a few for the rest. */
const MAX_CONNECTIONS = 12
const ARRIVAL_DEADLINE_MS = 10_000
const POLL_MS = 20

const UNTRIED: VerificationResult = { verdict: 'unknown', reason: 'unreachable', message: 'the sandbox asks no registry' }

/** Starts the real worker against a sandbox's API; only registries are out of its reach, so that made-up credentials stay here. */
export async function startSandboxWorker ({ cluster, configFile, log }: { cluster: Credentials, configFile: string, log: ProcessLog }): Promise<SandboxWorker> {
  const client = createKubeClient(createLoopbackAccess(cluster), systemClock, { maxConnections: MAX_CONNECTIONS })
  const worker = await startSyncWorker({
    configFile,
    client,
    ownNamespace: DEFAULT_OWN_NAMESPACE,
    identity: 'sandbox',
    host: '127.0.0.1',
    metricsPort: 0,
    log,
    clock: systemClock,
    random: Math.random,
    verify: async () => UNTRIED
  }).catch(async (error: unknown) => {
    await client.close()
    throw error
  })
  return {
    client,
    metricsUrl: worker.metricsUrl,
    async readStatus ({ config, configHash, ownNamespace }) {
      const plan = compileSyncPlan(config, { configHash, ownNamespace })
      return createSyncStatus(plan, await readClusterSnapshot(client, systemClock, plan), systemClock.nowMs())
    },
    async close () {
      await worker.close()
      await client.close()
    }
  }
}

/** What became of the pull secrets. */
export interface ArrivedCopies {
  status: SyncStatus
  /** What keeps copies from being there, one line each. */
  failures: string[]
}

/** Waits until every copy is there, or the worker has said why not. */
export async function waitForCopies (worker: Pick<SandboxWorker, 'readStatus'>, policy: Policy): Promise<ArrivedCopies> {
  const deadline = AbortSignal.timeout(ARRIVAL_DEADLINE_MS)
  for (;;) {
    const status = await worker.readStatus(policy)
    if (deadline.aborted || status.pullSecrets.every(isSettled)) return { status, failures: status.pullSecrets.flatMap(listFailures) }
    await delay(POLL_MS)
  }
}

function isSettled (pullSecret: PullSecretStatus): boolean {
  return pullSecret.missing + pullSecret.stale === 0 || pullSecret.problems.some(isFailure)
}

function listFailures ({ name, missing, stale, problems }: PullSecretStatus): string[] {
  const failures = problems.filter(isFailure).map(({ message }) => `${name}: ${message}`)
  return failures.length === 0 && missing + stale > 0 ? [`${name}: ${missing} copies are missing and ${stale} are stale`] : failures
}
