import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseAllManifests } from '../config/parse-manifests.ts'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { Policy } from '../core/policy.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import { createCertificateAuthority, issueCertificate } from '../tls/certificates.ts'
import { startWebhook, type Webhook } from '../webhook/webhook.ts'
import type { Cluster } from './cluster.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { applyManifests, countExpectedPods, type RefusedObject } from './manifest-application.ts'
import { describePods, listPods } from './pod-table.ts'
import { registerWebhook } from './registration.ts'

export interface SandboxOptions {
  /** Starts the Kubernetes API: in memory, or a real control plane. */
  startCluster: () => Promise<Cluster>
  /** Absent = a copy of the example, free to be edited. */
  configFile?: string
  /** Absent = the example workloads. */
  manifestFiles?: string[]
  log: ProcessLog
  /** Told of each decision record, as it is written. */
  onRecord?: (line: string) => void
}

/** A running sandbox: a Kubernetes API, the real webhook registered with it, and workloads applied. */
export interface Sandbox {
  cluster: Cluster
  webhook: Webhook
  kubeconfigFile: string
  configFile: string
  decisionLogFile: string
  refused: RefusedObject[]
  /** The Pods and what was injected into them, as a table. */
  describePods: () => Promise<string>
  /** Ends everything and removes the sandbox's files. */
  close: () => Promise<void>
}

const EXAMPLES = fileURLToPath(new URL('../../manifests/examples', import.meta.url))
const CERTIFICATE_DAYS = 30
const PODS_DEADLINE_MS = 15_000
const POLL_MS = 20

/** Starts a sandbox; everything that it keeps is in a temporary directory. */
export async function startSandbox (options: SandboxOptions): Promise<Sandbox> {
  const directory = await mkdtemp(join(tmpdir(), 'pullkeeper-sandbox-'))
  const closers: (() => Promise<void>)[] = [async () => { await rm(directory, { recursive: true, force: true }) }]
  const close = async (): Promise<void> => {
    for (const closer of closers.splice(0).reverse()) await closer()
  }
  try {
    return await build(options, directory, closers, close)
  } catch (error) {
    await close()
    throw error
  }
}

async function build (options: SandboxOptions, directory: string, closers: (() => Promise<void>)[], close: () => Promise<void>): Promise<Sandbox> {
  const [cluster, caBundle, configFile] = await Promise.all([
    options.startCluster().then((started) => {
      closers.push(started.close)
      return started
    }),
    writeCertificates(directory),
    provideConfig(directory, options.configFile)
  ])
  const decisionLogFile = join(directory, 'decisions.jsonl')
  const webhook: Webhook = await startWebhook({
    configFile,
    certificateFile: join(directory, 'tls.crt'),
    privateKeyFile: join(directory, 'tls.key'),
    host: '127.0.0.1',
    port: 0,
    metricsPort: 0,
    decisionLogFile,
    ownNamespace: DEFAULT_OWN_NAMESPACE,
    log: options.log,
    ...(options.onRecord !== undefined && { onRecord: options.onRecord }),
    onPolicy: (policy) => void register(policy)
  })
  closers.push(async () => { await webhook.close(0) })

  async function register ({ config }: Policy): Promise<void> {
    await registerWebhook(cluster, config, { url: webhook.url, caBundle })
  }

  await register(webhook.policy())
  const kubeconfigFile = join(directory, 'kubeconfig')
  await writeKubeconfig(kubeconfigFile, cluster, { name: 'pullkeeper-sandbox' })
  const documents = await readDocuments(options.manifestFiles)
  const refused = await applyManifests(cluster, documents, 'default')
  await waitForPods(cluster, countExpectedPods(documents) - refused.length)
  return { cluster, webhook, kubeconfigFile, configFile, decisionLogFile, refused, describePods: async () => describePods(cluster, webhook.policy()), close }
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
    return parseAllManifests(await readFile(file === '-' ? '/dev/stdin' : file, 'utf8'), file)
  }))
  return documents.flat()
}

/** Controllers make the Pods of workloads a moment later; a Pod that never comes is missing in the table, and that is the truth. */
async function waitForPods (cluster: Cluster, expected: number): Promise<void> {
  const deadline = AbortSignal.timeout(PODS_DEADLINE_MS)
  while (!deadline.aborted && (await listPods(cluster)).length < expected) await delay(POLL_MS)
}
