import { setTimeout as delay } from 'node:timers/promises'
import type { PullSecretConfig } from '../core/pull-secret-config.ts'
import { createWebhookConfiguration } from '../core/webhook-entries.ts'
import { requestCluster, type ClusterAnswer, type Credentials } from './cluster-request.ts'

const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
const PODS_PATH = '/api/v1/namespaces/default/pods'
const MAX_ATTEMPTS = 10
const POLL_MS = 20
const EFFECT_DEADLINE_MS = 10_000

type Answer = ClusterAnswer<{ message?: string }>

/**
 * Registers the webhook at `url` with the entries that a configuration needs, or updates the registration; tries again
 * when somebody else changed it meanwhile. Throws when the API server refuses it.
 */
export async function registerWebhook (cluster: Credentials, config: PullSecretConfig, target: { url: string, caBundle: string }): Promise<void> {
  const wanted = createWebhookConfiguration(config, { target: { url: target.url }, caBundle: target.caBundle }) as WebhookConfiguration
  let answer = await createOrReplace(cluster, wanted)
  for (let attempt = 1; answer.status === 409 && attempt < MAX_ATTEMPTS; attempt++) answer = await createOrReplace(cluster, wanted)
  if (answer.status >= 300) throw new Error(`the webhook could not be registered: ${answer.body.message ?? answer.status}`)
}

/** An API server takes up a registration a moment after it was made: waits, by dry runs, until `isCalled` says so. */
export async function waitForRegistration (cluster: Credentials, isCalled: () => boolean): Promise<void> {
  const deadline = AbortSignal.timeout(EFFECT_DEADLINE_MS)
  const spec = { containers: [{ name: 'probe', image: 'registry.invalid/probe' }] }
  const probe = { apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'registration-probe-' }, spec }
  for (;;) {
    await requestCluster(cluster, { method: 'POST', path: `${PODS_PATH}?dryRun=All`, body: probe })
    if (isCalled()) return
    if (deadline.aborted) throw new Error(`the API server does not call the webhook within ${EFFECT_DEADLINE_MS / 1000} s`)
    await delay(POLL_MS)
  }
}

interface WebhookConfiguration {
  metadata: { name: string, resourceVersion?: string }
}

async function createOrReplace (cluster: Credentials, wanted: WebhookConfiguration): Promise<Answer> {
  const path = `${PATH}/${wanted.metadata.name}`
  const existing = await requestCluster<WebhookConfiguration>(cluster, { method: 'GET', path })
  if (existing.status !== 200) return requestCluster(cluster, { method: 'POST', path: PATH, body: wanted })
  const { resourceVersion } = existing.body.metadata
  return requestCluster(cluster, { method: 'PUT', path, body: { ...wanted, metadata: { ...wanted.metadata, resourceVersion } } })
}
