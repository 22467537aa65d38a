import { copyFile, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nameInput, readInput } from '../config/input-file.ts'
import { parseAllManifests } from '../config/parse-manifests.ts'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { Policy } from '../core/policy.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import { createCertificateAuthority, issueCertificate } from '../tls/certificates.ts'
import type { SyncStatus } from '../sync/status/sync-status.ts'
import { startWebhook, type Webhook } from '../webhook/webhook.ts'
import type { Cluster } from './cluster.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { applyManifests, type RefusedObject } from './manifest-application.ts'
import { describePods } from './pod-table.ts'
import { waitForPods } from './pod-arrival.ts'
import { registerWebhook, waitForRegistration } from './registration.ts'
import { demonstrateWorker, type DemonstratedChange } from './demonstration.ts'
import { startSandboxWorker, waitForCopies, type ArrivedCopies } from './sandbox-worker.ts'
import { describeSecrets } from './secret-table.ts'

/** What a sandbox is made of. */
export interface SandboxOptions {
  /** Starts the Kubernetes API: in memory, or a real control plane. */
  startCluster: (signal?: AbortSignal) => Promise<Cluster>
  /** Absent = a copy of the example, free to be edited. */
  configFile?: string
  /** Absent = the example workloads. */
  manifestFiles?: string[]
  log: ProcessLog
  /** Told of each decision record, as it is written. */
  onRecord?: (line: string) => void
  /** Ends the start, and removes what was made so far. */
  signal?: AbortSignal
}

/** A running sandbox: a Kubernetes API, the real webhook registered with it, the real sync worker, and workloads applied. */
export interface Sandbox {
  cluster: Cluster
  webhook: Webhook
  workerMetricsUrl: string
  kubeconfigFile: string
  configFile: string
  decisionLogFile: string
  refused: RefusedObject[]
  /** The Pods and what was injected into them, as a table. */
  describePods: () => Promise<string>
  /** Waits until the worker has done what it can, and says what came of it. */
  waitForCopies: () => Promise<ArrivedCopies>
  /** The Pods' pull secrets beside the Secrets in their namespaces, as a table. */
  describeSecrets: (status: SyncStatus) => Promise<string>
  /** Shows what the worker does when the cluster changes; absent for what is not the example. */
  demonstrate?: () => AsyncGenerator<DemonstratedChange>
  /** Ends everything and removes the sandbox's files. */
  close: () => Promise<void>
}

const EXAMPLES = fileURLToPath(new URL('../../manifests/examples', import.meta.url))
const SOURCES = join(EXAMPLES, 'sources.yaml')
const OWN_NAMESPACE = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: DEFAULT_OWN_NAMESPACE } }
const CERTIFICATE_DAYS = 30

/** Starts a sandbox; everything that it keeps is in a temporary directory. */
export async function startSandbox (options: SandboxOptions): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'pullkeeper-sandbox-'))
  const closers: (() => Promise<void>)[] = [async () => { await rm(directory, { recursive: true, force: true }) }]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    const sandbox = await build(options, directory, closers, close)
    options.signal?.throwIfAborted()
    return sandbox
  } catch (error) {
    await close()
    throw error
  }
}

async function build (options: SandboxOptions, directory: string, closers: (() => Promise<void>)[], close: () => Promise<void>): Promise<Sandbox> {
  const { configFile: ownConfig, manifestFiles, log, signal } = options
  const [cluster, caBundle, configFile] = await Promise.all([
    options.startCluster(signal).then((started) => {
      closers.push(started.close)
      return started
    }),
    writeCertificates(directory),
    provideConfig(directory, ownConfig)
  ])
  const prepared = await applyManifests(cluster, ownConfig === undefined ? await readDocuments([SOURCES]) : [OWN_NAMESPACE], 'default')
  const decisionLogFile = join(directory, 'decisions.jsonl')
  const webhook = await startRegisteredWebhook({ ...options, cluster, directory, configFile, decisionLogFile, caBundle, closers })
  const worker = await startSandboxWorker({ cluster, configFile, log })
  closers.push(worker.close)
  signal?.throwIfAborted()
  const kubeconfigFile = join(directory, 'kubeconfig')
  await writeKubeconfig(kubeconfigFile, cluster, { name: 'pullkeeper-sandbox' })
  const applied = await applyManifests(cluster, await readDocuments(manifestFiles), 'default')
  const refused = [...prepared.refused, ...applied.refused, ...await waitForPods(cluster, applied.expectedPods)]
  const isExample = ownConfig === undefined && manifestFiles === undefined
  return {
    cluster,
    webhook,
    workerMetricsUrl: worker.metricsUrl,
    kubeconfigFile,
    configFile,
    decisionLogFile,
    refused,
    describePods: async () => describePods(cluster, webhook.policy()),
    waitForCopies: async () => waitForCopies(worker, webhook.policy()),
    describeSecrets: async (status) => describeSecrets(cluster, status),
    ...(isExample && { demonstrate: () => demonstrateWorker(worker.client) }),
    close
  }
}

interface RegisteredWebhookOptions extends Pick<SandboxOptions, 'log' | 'onRecord'> {
  cluster: Cluster
  directory: string
  configFile: string
  decisionLogFile: string
  caBundle: string
  closers: (() => Promise<void>)[]
}

/** Starts the webhook and waits until the API server calls it; the registration follows the configuration. */
async function startRegisteredWebhook ({ cluster, directory, configFile, decisionLogFile, caBundle, closers, log, onRecord }: RegisteredWebhookOptions): Promise<Webhook> {
  let records = 0
  const webhook: Webhook = await startWebhook({
    configFile,
    certificateFile: join(directory, 'tls.crt'),
    privateKeyFile: join(directory, 'tls.key'),
    host: '127.0.0.1',
    port: 0,
    metricsPort: 0,
    decisionLogFile,
    ownNamespace: DEFAULT_OWN_NAMESPACE,
    log,
    onRecord (line) {
      records++
      onRecord?.(line)
    },
    onPolicy (policy) {
      register(policy).catch((error: unknown) => { log.error({ err: error }, 'the registration does not follow the configuration') })
    }
  })
  closers.push(async () => { await webhook.close(0) })

  async function register ({ config }: Policy): Promise<void> {
    await registerWebhook(cluster, config, { url: webhook.url, caBundle })
  }

  await register(webhook.policy())
  await waitForRegistration(cluster, () => records > 0)
  return webhook
}

async function writeCertificates (directory: string): Promise<string> {
  const validity = { notBefore: new Date(), days: CERTIFICATE_DAYS }
  const authority = await createCertificateAuthority({ commonName: 'pullkeeper sandbox CA', ...validity })
  const serving = await issueCertificate(authority, { commonName: 'pullkeeper sandbox', names: ['127.0.0.1', 'localhost'], usage: 'serverAuth', ...validity })
  await writeFile(join(directory, 'tls.key'), serving.privateKey, { mode: 0o600 })
  await writeFile(join(directory, 'tls.crt'), serving.certificate)
  return authority.certificate
}

async function provideConfig (directory: string, configFile: string | undefined): Promise<string> {
  if (configFile !== undefined) return configFile
  const copy = join(directory, 'config.yaml')
  await copyFile(join(EXAMPLES, 'config.yaml'), copy)
  return copy
}

async function readDocuments (files = [join(EXAMPLES, 'workloads.yaml')]): Promise<unknown[]> {
  const documents = await Promise.all(files.map(async (file) => {
    return parseAllManifests(String(await readInput(file)), nameInput(file))
  }))
  return documents.flat()
}
