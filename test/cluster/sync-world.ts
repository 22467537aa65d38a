import { setTimeout as delay } from 'node:timers/promises'
import type { CoreV1Event, V1Lease, V1Secret } from '@kubernetes/client-node'
import type { Test } from 'tap'
import type { Credentials } from '../../src/sandbox/cluster-request.ts'
import { waitFor, type ClusterClient, type PatchKind } from '../helpers/cluster.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { startWorker, type RunningWorker, type WorkerSetup } from '../helpers/sync-worker.ts'
import { createObject, type TestCluster } from './test-cluster.ts'

/** A corner of a cluster that no other test touches: an own namespace, one pull secret's name, and namespaces that want it. */
export interface SyncWorld {
  client: ClusterClient
  /** The worker's own namespace. */
  own: string
  /** The name of the pull secret. */
  name: string
  /** What the names of the namespaces that want it begin with. */
  prefix: string
  /** One of `teams`, which were made with the world. */
  team: (index: number) => string
  addNamespace: (suffix: string, labels?: Record<string, string>) => Promise<string>
  /** Creates the source with a password, or gives it another one. */
  putSource: (password: string) => Promise<void>
  /** The pull secret from the source, in all namespaces of the world. */
  config: (changes?: { pullSecret?: object, namespaces?: object, pruneAfter?: string }) => { pullSecrets: object[], rules: object[], sync: object }
  /** Starts a worker, as the cluster's administrator or as whom the credentials say. */
  start: (t: Test, setup?: Partial<WorkerSetup>, credentials?: Credentials) => Promise<RunningWorker>
  copies: () => Promise<Map<string, V1Secret>>
  waitForCopies: (predicate: (copies: Map<string, V1Secret>) => boolean) => Promise<Map<string, V1Secret>>
  /** Waits until exactly these namespaces, and the own one, hold a copy with this password. */
  waitForPassword: (password: string, namespaces: string[]) => Promise<Map<string, V1Secret>>
  /** Every change of a Secret of this name from now on, as `ADDED namespace`. */
  recordChanges: (t: Test, name?: string) => Promise<string[]>
  /** Waits for a warning about a Secret and returns its message. */
  waitForEvent: (namespace: string, name: string, reason: string) => Promise<string>
  events: (namespace: string) => Promise<CoreV1Event[]>
  waitForLease: (predicate: (annotations: Record<string, string>) => boolean) => Promise<Record<string, string>>
}

/** The registry that the pull secret is for. */
export const SERVER = 'registry.example.com'
/** Worlds do not touch each other: their tests run side by side, so many at once. */
export const JOBS = 3
export const PARALLEL = { buffered: true }
/** How long a test looks on to see that nothing happens. */
export const QUIET_MS = 700

let worldCount = 0

/** Makes a corner with the source and some namespaces. */
export async function createWorld ({ cluster, client }: Pick<TestCluster, 'cluster' | 'client'>, { teams = 3, password = 'test-password-1' }: { teams?: number, password?: string } = {}): Promise<SyncWorld> {
  const prefix = `w${worldCount += 1}`
  const [own, name] = [`own-${prefix}`, `pull-${prefix}`]
  const collection = secretsOf(name)

  async function addNamespace (suffix: string, labels: Record<string, string> = {}): Promise<string> {
    await createObject(client, '/api/v1/namespaces', { metadata: { name: `${prefix}-${suffix}`, labels } })
    return `${prefix}-${suffix}`
  }

  async function putSource (password: string): Promise<void> {
    const secret = { metadata: { name: 'source' }, stringData: { password } }
    const { status } = await client.put(secretPath(own, 'source'), secret)
    if (status === 404) await createObject(client, `/api/v1/namespaces/${own}/secrets`, secret)
  }

  async function waitForCopies (predicate: (copies: Map<string, V1Secret>) => boolean): Promise<Map<string, V1Secret>> {
    return byNamespace(await waitFor<V1Secret>(client, collection, (secrets) => predicate(byNamespace(secrets))))
  }

  const world: SyncWorld = {
    client,
    own,
    name,
    prefix,
    team: (index) => `${prefix}-team-${index}`,
    addNamespace,
    putSource,
    config: ({ pullSecret = {}, namespaces = {}, pruneAfter = '1h' } = {}) => ({
      pullSecrets: [{ name, registries: [createRegistry(own)], ...pullSecret }],
      rules: [createRule(name, { include: [`${prefix}-*`], ...namespaces })],
      sync: { pruneAfter }
    }),
    start: async (t, setup = {}, credentials = cluster) => startWorker(t, credentials, { ownNamespace: own, config: world.config(), ...setup }),
    copies: async () => byNamespace((await client.list<V1Secret>(collection)).body.items),
    waitForCopies,
    waitForPassword: async (password, namespaces) => waitForCopies((copies) => {
      const expected = [own, ...namespaces].toSorted().join()
      return [...copies.keys()].toSorted().join() === expected && [...copies.values()].every((copy) => passwordOf(copy) === password)
    }),
    recordChanges: async (t, recorded = name) => recordChanges(t, client, secretsOf(recorded)),
    async waitForEvent (namespace, name, reason) {
      const isWanted = ({ involvedObject, reason: given }: CoreV1Event): boolean => involvedObject.name === name && given === reason
      const events = await waitFor<CoreV1Event>(client, `/api/v1/namespaces/${namespace}/events`, (seen) => seen.some(isWanted))
      return events.find(isWanted)?.message ?? ''
    },
    events: async (namespace) => (await client.list<CoreV1Event>(`/api/v1/namespaces/${namespace}/events`)).body.items,
    async waitForLease (predicate) {
      const path = `/apis/coordination.k8s.io/v1/namespaces/${own}/leases?fieldSelector=metadata.name=pullkeeper-sync`
      const annotationsOf = ([lease]: V1Lease[]): Record<string, string> => lease?.metadata?.annotations ?? {}
      return annotationsOf(await waitFor<V1Lease>(client, path, (leases) => predicate(annotationsOf(leases))))
    }
  }
  await createObject(client, '/api/v1/namespaces', { metadata: { name: own } })
  await putSource(password)
  for (let index = 0; index < teams; index++) await addNamespace(`team-${index}`)
  return world
}

/** A registry whose password stands in the Secret `source`. */
export function createRegistry (own: string, changes: object = {}): object {
  const credential = { basic: { username: 'puller', passwordFrom: { secret: { namespace: own, name: 'source', key: 'password' } } } }
  return { servers: [SERVER], credential, verify: false, ...changes }
}

/** A rule that wants one pull secret in some namespaces. */
export function createRule (secret: string, namespaces: object): object {
  return { name: secret.replaceAll('.', '-'), matchImages: [SERVER], namespaces, pullSecrets: [secret] }
}

/** A pull secret of somebody else's making. */
export function createForeignSecret (name: string, dockerConfig: object, metadata: object = {}): { metadata: object, type: string, stringData: Record<string, string> } {
  return { metadata: { name, ...metadata }, type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': JSON.stringify(dockerConfig) } }
}

/** What the worker would write, in somebody else's words. */
export function createAuths (password: string, username = 'puller'): object {
  return { auths: { [SERVER]: { auth: Buffer.from(`${username}:${password}`).toString('base64') } } }
}

/** The path of one Secret. */
export function secretPath (namespace: string, name: string): string {
  return `/api/v1/namespaces/${namespace}/secrets/${name}`
}

/** The Secrets of one name in all namespaces. */
export function secretsOf (name: string): string {
  return `/api/v1/secrets?fieldSelector=metadata.name=${name}`
}

/** Changes an object, which must not be refused. */
export async function patchObject (client: ClusterClient, path: string, kind: PatchKind, body: unknown): Promise<void> {
  const { status, body: answer } = await client.patch(path, kind, body)
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`)
}

/** The password for the registry, by the kubelet's rule: `auth` counts. */
export function passwordOf ({ data = {} }: V1Secret, server = SERVER): string | undefined {
  const auth = readAuths(data['.dockerconfigjson'])[server]?.auth
  return auth === undefined ? undefined : Buffer.from(auth, 'base64').toString().replace(/^[^:]*:/, '')
}

/** The servers that a Secret has a credential for. */
export function serversOf ({ data = {} }: V1Secret): string[] {
  return Object.keys(readAuths(data['.dockerconfigjson']))
}

/** How many writes of Secrets of this name succeeded, and how many failed. */
export async function countWrites (worker: RunningWorker, secret: string): Promise<{ written: number, failed: number }> {
  const page = await fetchMetrics(worker.metricsUrl)
  const labels = page.labelsOf('pullkeeper_sync_writes_total').filter((labels) => labels['secret'] === secret)
  const sum = (isCounted: (result: string | undefined) => boolean): number => labels.filter(({ result }) => isCounted(result))
    .reduce((count, series) => count + (page.value('pullkeeper_sync_writes_total', series) ?? 0), 0)
  return { written: sum((result) => result === 'success'), failed: sum((result) => result !== 'success') }
}

/** Looks on for a while: there is no other way to see that nothing happens. */
export async function lookOn (): Promise<void> {
  await delay(QUIET_MS)
}

function readAuths (data: string | undefined): Record<string, { auth?: string }> {
  try {
    return (JSON.parse(Buffer.from(data ?? '', 'base64').toString()) as { auths?: Record<string, { auth?: string }> }).auths ?? {}
  } catch {
    return {}
  }
}

function byNamespace (secrets: V1Secret[]): Map<string, V1Secret> {
  return new Map(secrets.map((secret) => [secret.metadata?.namespace ?? '', secret]))
}

async function recordChanges (t: Test, client: ClusterClient, path: string): Promise<string[]> {
  const changes: string[] = []
  const ending = new AbortController()
  const { body } = await client.list(path)
  const watching = (async () => {
    for await (const { type, object } of client.watch(path, body.metadata?.resourceVersion ?? '', ending.signal)) {
      if (type !== 'BOOKMARK') changes.push(`${type} ${object.metadata?.namespace ?? ''}`)
    }
  })().catch((error: unknown) => { if (!ending.signal.aborted) changes.push(`the watch failed: ${(error as Error).message}`) })
  t.teardown(async () => {
    ending.abort()
    await watching
  })
  return changes
}
