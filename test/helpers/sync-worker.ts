import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { Clock } from '../../src/core/clock.ts'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createKubeClient } from '../../src/kubernetes/kube-client.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import { createProcessLog } from '../../src/observability/process-log.ts'
import type { VerificationRequest } from '../../src/registries/registry-verification.ts'
import type { VerificationResult } from '../../src/registries/verification-result.ts'
import type { Credentials } from '../../src/sandbox/cluster-request.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { startSyncWorker, type SyncWorker, type SyncWorkerOptions } from '../../src/sync/sync-worker.ts'

interface Test {
  teardown: (close: () => Promise<void>) => unknown
}

/** What a test may change about the worker; the rest is as in production. */
export interface WorkerSetup extends Partial<Pick<SyncWorkerOptions, 'reflectorIntervals' | 'listNamespaces' | 'identity' | 'ownNamespace'>> {
  /** The configuration, without apiVersion and kind. */
  config: object
  clock?: Clock
  verify?: (request: VerificationRequest) => Promise<VerificationResult>
  /** Receives the lines of the process log. */
  onLog?: (line: string) => void
}

/** A worker in the test's own process, and the file that it follows. */
export interface RunningWorker extends SyncWorker {
  /** Writes another configuration; it is in force soon after. */
  configure: (config: object) => Promise<void>
  configFile: string
  /** The text of `/metrics`. */
  metrics: () => Promise<string>
  /** The status and the text of `/readyz`. */
  readiness: () => Promise<{ status: number, text: string }>
}

export const OWN_NAMESPACE = 'pullkeeper-system'

/** The text of a configuration file. */
export function formatConfig (config: object): string {
  return stringify({ apiVersion: 'pullkeeper.dev/v1alpha1', kind: 'PullSecretConfig', rules: [], ...config })
}

/** Starts a worker in this process against a cluster, as its administrator or by another token; it ends with the test. */
export async function startWorker (t: Test, cluster: Credentials, setup: WorkerSetup): Promise<RunningWorker> {
  const directory = await mkdtemp(join(tmpdir(), 'pullkeeper-sync-'))
  const configFile = join(directory, 'config.yaml')
  const kubeconfigFile = join(directory, 'kubeconfig')
  await writeFile(configFile, formatConfig(setup.config))
  await writeKubeconfig(kubeconfigFile, cluster, { name: 'test' })
  const clock = setup.clock ?? systemClock
  const client = createKubeClient(await openClusterAccess({ kubeconfigFile }, clock.monotonicMs), clock, { maxConnections: 12 })
  const worker = await startSyncWorker({
    ...setup,
    client,
    configFile,
    ownNamespace: setup.ownNamespace ?? OWN_NAMESPACE,
    identity: setup.identity ?? 'worker-1',
    host: '127.0.0.1',
    metricsPort: 0,
    log: createProcessLog('info', { write: (line: string) => { setup.onLog?.(line) } } as unknown as NodeJS.WritableStream),
    clock,
    random: Math.random,
    verify: setup.verify ?? (async () => ({ verdict: 'accepted', reason: 'accepted', message: 'the registry accepts the credential' })),
    reloadIntervals: { debounceMs: 20, pollMs: 200 }
  })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    closing ??= worker.close().then(client.close).then(async () => rm(directory, { recursive: true, force: true }))
    await closing
  }
  t.teardown(close)
  return {
    ...worker,
    close,
    configFile,
    configure: async (config) => writeFile(configFile, formatConfig(config)),
    metrics: async () => (await fetch(`${worker.metricsUrl}/metrics`)).text(),
    async readiness () {
      const answer = await fetch(`${worker.metricsUrl}/readyz`)
      return { status: answer.status, text: await answer.text() }
    }
  }
}
