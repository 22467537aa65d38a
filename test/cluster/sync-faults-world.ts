import { setTimeout as delay } from 'node:timers/promises'
import type { V1Secret } from '@kubernetes/client-node'
import type { Test } from 'tap'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { type FaultProxy, startFaultProxy } from '../../src/sandbox/fault-proxy.ts'
import type { ProxiedRequest } from '../../src/sandbox/faults/fault.ts'
import type { ClusterClient } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import { parseMetrics } from '../helpers/prometheus-text.ts'
import { startWorker, type RunningWorker, type WorkerSetup } from '../helpers/sync-worker.ts'
import { createObject } from './test-cluster.ts'

/** One pull secret in some namespaces, the worker that keeps it, and the proxy between that and the API. */
export interface FaultWorld {
  cluster: Cluster
  /** Past the proxy: what the test does is not disturbed. */
  client: ClusterClient
  /** Where things go wrong. */
  proxy: FaultProxy
  /** Behind it: what arrives here has reached the API. */
  witness: FaultProxy
  worker: RunningWorker
  /** The name of the pull secret, and of the worker's own namespace. */
  name: string
  /** What the worker logged. */
  log: () => string
}

/** The namespaces that every world has. */
export const TEAMS = Array.from({ length: 20 }, (_, index) => `team-${index}`)

const CONVERGE_MS = 30_000
/** Between two looks at the cluster, which would be work for it otherwise. */
const LOOK_MS = 50

/** Makes the namespaces, once per cluster. */
export async function createTeams (client: ClusterClient): Promise<void> {
  for (const name of TEAMS) await createObject(client, '/api/v1/namespaces', { metadata: { name } })
}

/** Starts a worker behind a proxy and waits until everything stands; all ends with the test. */
export async function startFaultWorld (t: Test, cluster: Cluster, client: ClusterClient, name: string, reflectorIntervals: WorkerSetup['reflectorIntervals'] = {}): Promise<FaultWorld> {
  await createObject(client, '/api/v1/namespaces', { metadata: { name } })
  await createObject(client, `/api/v1/namespaces/${name}/secrets`, createSource('test-password-1'))
  const witness = await startFaultProxy(cluster)
  t.teardown(witness.close)
  const proxy = await startFaultProxy(witness)
  t.teardown(proxy.close)
  const lines: string[] = []
  const worker = await startWorker(t, proxy, { ownNamespace: name, config: createConfig(name), reflectorIntervals, onLog: (line) => { lines.push(line) } })
  const world = { cluster, client, proxy, witness, worker, name, log: () => lines.join('') }
  await waitUntilRight(world, TEAMS, 'test-password-1')
  await waitForReadiness(worker, 200)
  return world
}

/** The Secret that the pull secret is made from. */
export function createSource (password: string): object {
  return { metadata: { name: 'source' }, stringData: { password } }
}

/** The configuration of one pull secret in all `TEAMS`, and in a namespace that is made later. */
export function createConfig (name: string): object {
  const passwordFrom = { secret: { namespace: name, name: 'source', key: 'password' } }
  return {
    pullSecrets: [{ name, registries: [{ servers: ['registry.example.com'], credential: { basic: { username: 'puller', passwordFrom } }, verify: false }] }],
    rules: [{ name: 'teams', matchImages: ['registry.example.com'], namespaces: { include: [...TEAMS, `new-${name}`] }, pullSecrets: [name] }]
  }
}

/** Rotates the source, deletes one copy, spoils another and makes a namespace; returns who must have a copy then. */
export async function changeWorld ({ client, name }: FaultWorld, password = 'test-password-2'): Promise<string[]> {
  const [deleted = '', spoiled = ''] = TEAMS
  const spoiledPatch = { data: { '.dockerconfigjson': Buffer.from('{"auths":{"spoiled.example.com":{}}}').toString('base64') } }
  const changes = await Promise.all([
    client.put(`/api/v1/namespaces/${name}/secrets/source`, createSource(password)),
    client.delete(`/api/v1/namespaces/${deleted}/secrets/${name}`),
    client.patch(`/api/v1/namespaces/${spoiled}/secrets/${name}`, 'merge', spoiledPatch),
    client.create('/api/v1/namespaces', { metadata: { name: `new-${name}` } })
  ])
  const refused = changes.filter(({ status }) => status >= 300)
  if (refused.length > 0) throw new Error(`the world did not change: ${JSON.stringify(refused)}`)
  return [...TEAMS, `new-${name}`]
}

/** Waits until exactly these namespaces and the worker's own hold the right copy, and returns the copies. */
export async function waitUntilRight (world: Pick<FaultWorld, 'client' | 'name'>, namespaces: string[], password: string, deadlineMs = CONVERGE_MS): Promise<V1Secret[]> {
  const wanted = [world.name, ...namespaces].toSorted().join()
  let last = ''
  return eventually('every copy is right', async () => {
    await delay(LOOK_MS)
    const { body: { items } } = await world.client.list<V1Secret>(`/api/v1/secrets?fieldSelector=metadata.name%3D${world.name}`)
    const right = items.filter((secret) => isRight(secret, password))
    last = `${right.length} of ${items.length} right`
    return right.length === items.length && listNamespaces(items).toSorted().join() === wanted && items
  }, deadlineMs).catch((error: Error) => { throw new Error(`${error.message} (${last})`) })
}

function listNamespaces (secrets: V1Secret[]): string[] {
  return secrets.map(({ metadata }) => metadata?.namespace ?? '')
}

function isRight ({ type, data, metadata }: V1Secret, password: string): boolean {
  const auth = Buffer.from(`puller:${password}`).toString('base64')
  const content = Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString()
  return type === 'kubernetes.io/dockerconfigjson' && content.includes(`"${auth}"`) && !content.includes('spoiled') &&
    metadata?.labels?.['app.kubernetes.io/managed-by'] === 'pullkeeper'
}

/** Waits until `/readyz` answers so, and `/metrics` says the same. */
export async function waitForReadiness (worker: RunningWorker, status: 200 | 503): Promise<void> {
  await eventually(`/readyz answers ${status}`, async () => {
    await delay(LOOK_MS)
    return (await worker.readiness()).status === status && (await areViewsFresh(worker)) === (status === 200)
  })
}

async function areViewsFresh (worker: RunningWorker): Promise<boolean> {
  const page = parseMetrics(await worker.metrics())
  return page.labelsOf('pullkeeper_sync_view_fresh').every((labels) => page.value('pullkeeper_sync_view_fresh', labels) === 1)
}

/** How often the worker says that a list or a watch, or a write, has failed. */
export async function readFailures (worker: RunningWorker): Promise<{ watches: number, writes: number }> {
  const page = parseMetrics(await worker.metrics())
  const sum = (name: string): number => page.labelsOf(name).filter(({ result }) => result !== 'success').reduce((total, labels) => total + (page.value(name, labels) ?? 0), 0)
  return { watches: sum('pullkeeper_sync_watch_failures_total'), writes: sum('pullkeeper_sync_writes_total') }
}

/** Waits until the worker has nothing left to do. */
export async function waitUntilIdle (worker: RunningWorker): Promise<void> {
  await eventually('no key waits', async () => parseMetrics(await worker.metrics()).value('pullkeeper_sync_queue_length') === 0)
}

/** Writes of Secrets among requests. */
export function listWrites (requests: ProxiedRequest[]): ProxiedRequest[] {
  return requests.filter(({ method, path }) => method !== 'GET' && path.includes('/secrets/'))
}

/** Of each kind of request how many there were. */
export interface RequestCounts {
  /** Lists and watches. */
  reads: number
  writes: number
  lease: number
  events: number
}

/** Counts requests by their kind. */
export function countRequests (requests: ProxiedRequest[]): RequestCounts {
  return {
    reads: requests.filter(({ method, path }) => method === 'GET' && !path.includes('/leases/')).length,
    writes: listWrites(requests).length,
    lease: requests.filter(({ path }) => path.includes('/leases/')).length,
    events: requests.filter(({ path }) => /\/events(\/|$)/.test(path)).length
  }
}
