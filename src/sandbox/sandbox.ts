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
import { startWebhook, type Webhook } from '../webhook/webhook.ts'
import type { Cluster } from './cluster.ts'
import { writeKubeconfig } from './kubeconfig.ts'
import { applyManifests, type RefusedObject } from './manifest-application.ts'
import { describePods } from './pod-table.ts'
import { waitForPods } from './pod-arrival.ts'
import { registerWebhook, waitForRegistration } from './registration.ts'

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
  const [cluster, caBundle, configFile] = await Promise.all([
    options.startCluster(options.signal).then((started) => {
      closers.push(started.close)
      return started
    }),
    writeCertificates(directory),
    provideConfig(directory, options.configFile)
  ])
  const decisionLogFile = join(directory, 'decisions.jsonl')
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
    log: options.log,
    onRecord (line) {
      records++
      options.onRecord?.(line)
    },
    onPolicy (policy) {
      register(policy).catch((error: unknown) => { options.log.error({ err: error }, 'the registration does not follow the configuration') })
    }
  })
  closers.push(async () => { await webhook.close(0) })

  async function register ({ config }: Policy): Promise<void> {
    await registerWebhook(cluster, config, { url: webhook.url, caBundle })
  }

  await register(webhook.policy())
  await waitForRegistration(cluster, () => records > 0)
  options.signal?.throwIfAborted()
  const kubeconfigFile = join(directory, 'kubeconfig')
  await writeKubeconfig(kubeconfigFile, cluster, { name: 'pullkeeper-sandbox' })
  const applied = await applyManifests(cluster, await readDocuments(options.manifestFiles), 'default')
  const refused = [...applied.refused, ...await waitForPods(cluster, applied.expectedPods)]
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
    return parseAllManifests(String(await readInput(file)), nameInput(file))
  }))
  return documents.flat()
}
