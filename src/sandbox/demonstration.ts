import { setTimeout as delay } from 'node:timers/promises'
import type { KubeList, Secret } from '../core/kube-object.ts'
import { DOCKER_CONFIG_KEY } from '../core/managed-secret.ts'
import { MERGE_PATCH, type KubeClient } from '../kubernetes/kube-client.ts'

/** One thing that was done to the cluster, and how the worker answered it. */
export interface DemonstratedChange {
  /** Such as `created the namespace new-team`. */
  change: string
  /** What followed, and how soon; absent when it did not. */
  outcome?: string
}

/** What the example's configuration and sources hold. */
const ROTATED = { name: 'acr-pull', source: '/api/v1/namespaces/pullkeeper-system/secrets/acr-token' }
const DELETED = { namespace: 'shop', name: 'registry-example-pull' }
const NEW_NAMESPACE = 'new-team'
const NEW_COPIES = ['acr-pull', 'icr-pull', 'registry-example-pull']
const NEW_PASSWORD = Buffer.from('test-password-rotated').toString('base64')

const DEADLINE_MS = 10_000
const POLL_MS = 1

/** Does to the example what happens to clusters, one thing after another: times are from the request to the state of the API. */
export async function * demonstrateWorker (client: KubeClient): AsyncGenerator<DemonstratedChange> {
  yield await demonstrateRotation(client)
  yield await demonstrateDeletion(client)
  yield await demonstrateNamespace(client)
}

async function demonstrateRotation (client: KubeClient): Promise<DemonstratedChange> {
  const before = await listCopies(client, ROTATED.name)
  const old = new Set(before.map(readContent))
  const elapsedMs = await measure(
    async () => client.request({ method: 'PATCH', path: ROTATED.source, contentType: MERGE_PATCH, body: { data: { password: NEW_PASSWORD } } }),
    async () => (await listCopies(client, ROTATED.name)).every((copy) => !old.has(readContent(copy)))
  )
  return describe('rotated Secret pullkeeper-system/acr-token', elapsedMs, (time) => `${before.length} copies of ${ROTATED.name} followed in ${time}`)
}

async function demonstrateDeletion (client: KubeClient): Promise<DemonstratedChange> {
  const { namespace, name } = DELETED
  const path = `/api/v1/namespaces/${namespace}/secrets/${name}`
  const { metadata: { uid } } = await client.request<Secret>({ method: 'GET', path })
  const elapsedMs = await measure(
    async () => client.request({ method: 'DELETE', path }),
    async () => (await listCopies(client, name, namespace)).some((copy) => copy.metadata.uid !== uid)
  )
  return describe(`deleted the copy ${namespace}/${name}`, elapsedMs, (time) => `it was back in ${time}`)
}

async function demonstrateNamespace (client: KubeClient): Promise<DemonstratedChange> {
  const elapsedMs = await measure(
    async () => client.request({ method: 'POST', path: '/api/v1/namespaces', body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NEW_NAMESPACE } } }),
    async () => (await Promise.all(NEW_COPIES.map(async (name) => listCopies(client, name, NEW_NAMESPACE)))).every(({ length }) => length === 1)
  )
  return describe(`created the namespace ${NEW_NAMESPACE}`, elapsedMs, (time) => `its ${NEW_COPIES.length} Secrets were there in ${time}`)
}

/** How long after the begin of a change its effect is there, in milliseconds; undefined when it never is. */
async function measure (change: () => Promise<unknown>, hasEffect: () => Promise<boolean>): Promise<number | undefined> {
  const startedMs = performance.now()
  await change()
  for (;;) {
    if (await hasEffect()) return performance.now() - startedMs
    if (performance.now() - startedMs > DEADLINE_MS) return undefined
    await delay(POLL_MS)
  }
}

async function listCopies (client: KubeClient, name: string, namespace?: string): Promise<Secret[]> {
  const path = namespace === undefined ? '/api/v1/secrets' : `/api/v1/namespaces/${namespace}/secrets`
  return (await client.request<KubeList<Secret>>({ method: 'GET', path, query: { fieldSelector: `metadata.name=${name}` } })).items
}

function readContent ({ data }: Secret): string {
  return data?.[DOCKER_CONFIG_KEY] ?? ''
}

function describe (change: string, elapsedMs: number | undefined, formatOutcome: (time: string) => string): DemonstratedChange {
  return elapsedMs === undefined ? { change } : { change, outcome: formatOutcome(`${Math.max(1, Math.round(elapsedMs))} ms`) }
}
