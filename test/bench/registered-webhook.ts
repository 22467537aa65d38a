import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseConfig } from '../../src/config/parse-config.ts'
import { createWebhookConfiguration } from '../../src/core/webhook-entries.ts'
import { requestCluster } from '../../src/sandbox/cluster-request.ts'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import type { ApiServerLoad } from './api-server-load.ts'
import type { BenchFiles } from './bench-files.ts'
import type { BenchContext } from './context.ts'
import { getPage, getPlainPage } from './https-client.ts'
import { startFloorServer, startWebhookServer } from './servers.ts'

/** A webhook that can be registered, and counts its calls. */
export interface WebhookVariant {
  name: string
  registration: object
  countCalls: () => Promise<number>
}

export interface Registrar {
  cluster: Cluster
  load: ApiServerLoad
  signal: AbortSignal
}

const COLLECTION = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
const POLL_MS = 100
const MAX_POLLS = 100
/** Probes in a row that must not reach a webhook before it counts as gone. */
const QUIET_PROBES = 5

/** What the webhook answers to the Pods of the benchmark. */
const PATCH = [
  { op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'acr-pull' }, { name: 'mesh-pull' }] },
  { op: 'add', path: '/metadata/annotations', value: { 'pullkeeper.dev/injected': 'acr-pull,mesh-pull' } }
]

/** Starts the floor: it allows every Pod, untouched or with the patch that the webhook would answer. */
export async function createFloorVariant (context: BenchContext, files: BenchFiles, { patches }: { patches: boolean }): Promise<WebhookVariant> {
  const patchFile = join(context.directory, 'patch.json')
  await writeFile(patchFile, JSON.stringify(PATCH))
  const { url } = await startFloorServer(context, files, patches ? { patchFile } : {})
  const name = patches ? 'floor with patch' : 'floor'
  const countCalls = async (): Promise<number> => Number((await getPage(`${url}/count`, files.caCertificate)).body)
  return { name, registration: await createRegistration(url, files), countCalls }
}

/** Starts the webhook. */
export async function createWebhookVariant (context: BenchContext, files: BenchFiles): Promise<WebhookVariant> {
  const { name, url, metricsUrl } = await startWebhookServer(context, files)
  const countCalls = async (): Promise<number> => sumAdmissions((await getPlainPage(`${metricsUrl}/metrics`)).body)
  return { name, registration: await createRegistration(url, files), countCalls }
}

/** Registers one variant, or none, in place of what was registered, and waits until the API server acts on it. */
export async function registerOnly ({ cluster, load, signal }: Registrar, variant: WebhookVariant | undefined, all: WebhookVariant[]): Promise<void> {
  await requestCluster(cluster, { method: 'DELETE', path: `${COLLECTION}/pullkeeper`, signal })
  for (const other of all) await waitUntil(async () => !await isCalled(other, load, QUIET_PROBES), signal)
  if (variant === undefined) return
  const { status, body } = await requestCluster(cluster, { method: 'POST', path: COLLECTION, body: variant.registration, signal })
  if (status !== 201) throw new Error(`${variant.name} could not be registered: ${status} ${JSON.stringify(body)}`)
  await waitUntil(async () => isCalled(variant, load, 1), signal)
}

async function isCalled ({ countCalls }: WebhookVariant, load: ApiServerLoad, probes: number): Promise<boolean> {
  const before = await countCalls()
  await load.createPods(probes, 1)
  return await countCalls() > before
}

async function waitUntil (holds: () => Promise<boolean>, signal: AbortSignal): Promise<void> {
  for (let poll = 0; poll < MAX_POLLS; poll++) {
    if (await holds()) return
    await delay(POLL_MS, undefined, { signal })
  }
  throw new Error('the API server does not act on the changed registration')
}

/** What `pullkeeper register` would write; Fail instead of Ignore, so that a failed call shows. */
async function createRegistration (url: string, { configFile, caCertificate }: BenchFiles): Promise<object> {
  const { config } = parseConfig(await readFile(configFile), configFile)
  if (config === undefined) throw new Error(`${configFile} is no valid configuration`)
  const webhook = { ...config.webhook, failurePolicy: 'Fail' as const }
  return createWebhookConfiguration({ ...config, webhook }, { target: { url }, caBundle: caCertificate })
}

function sumAdmissions (metrics: string): number {
  const counts = [...metrics.matchAll(/^pullkeeper_admissions_total\{.*\} (\d+)$/gm)].map(([, count]) => Number(count))
  return counts.reduce((total, count) => total + count, 0)
}
