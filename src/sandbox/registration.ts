import type { PullSecretConfig } from '../core/pull-secret-config.ts'
import { createWebhookConfiguration } from '../core/webhook-entries.ts'
import { requestCluster, type Credentials } from './cluster-request.ts'

const PATH = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

/** Registers the webhook at `url` with the entries that a configuration needs, or updates the registration. */
export async function registerWebhook (cluster: Credentials, config: PullSecretConfig, target: { url: string, caBundle: string }): Promise<void> {
  const wanted = createWebhookConfiguration(config, { target: { url: target.url }, caBundle: target.caBundle }) as { metadata: { name: string } }
  const path = `${PATH}/${wanted.metadata.name}`
  const existing = await requestCluster<{ metadata: { resourceVersion: string } }>(cluster, { method: 'GET', path })
  const answer = existing.status === 200
    ? await put(cluster, path, wanted, existing.body.metadata.resourceVersion)
    : await requestCluster<{ message?: string }>(cluster, { method: 'POST', path: PATH, body: wanted })
  if (answer.status >= 300) throw new Error(`the webhook could not be registered: ${answer.body.message ?? answer.status}`)
}

async function put (cluster: Credentials, path: string, wanted: { metadata: object }, resourceVersion: string) {
  const body = { ...wanted, metadata: { ...wanted.metadata, resourceVersion } }
  return requestCluster<{ message?: string }>(cluster, { method: 'PUT', path, body })
}
