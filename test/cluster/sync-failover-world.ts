import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { V1Lease, V1Secret } from '@kubernetes/client-node'
import type { Test } from 'tap'
import { type FaultProxy, startFaultProxy } from '../../src/sandbox/fault-proxy.ts'
import type { ProxiedRequest } from '../../src/sandbox/faults/fault.ts'
import { eventually } from '../helpers/eventually.ts'
import { startSyncProcess, type SyncProcess } from '../helpers/sync-process.ts'
import { createObject, makeDirectory, type TestCluster } from './test-cluster.ts'

/** A worker process, and the way by which it alone reaches the API. */
export interface Candidate {
  process: SyncProcess
  proxy: FaultProxy
}

/** A pull secret in many namespaces, its source, and the workers that keep it. */
export interface FailoverWorld {
  /** The name of the pull secret and of the workers' own namespace. */
  name: string
  namespaces: string[]
  start: (t: Test) => Promise<Candidate>
  rotate: (password: string) => Promise<void>
  copies: () => Promise<V1Secret[]>
  /** Waits until every namespace and the own one hold this password, byte for byte the same. */
  waitForPassword: (password: string) => Promise<V1Secret[]>
  /** Waits until the Lease is held by one of these, and returns that one. */
  waitForLeader: (candidates: Candidate[]) => Promise<Candidate>
}

/** A takeover takes the lease duration, a retry period and the work itself; the machine may be busy. */
const TAKEOVER_MS = 60_000
/** Between two looks at the cluster, which would be work for it otherwise. */
const LOOK_MS = 100

/** As `eventually`, but seldom. */
async function eventuallySeen<T> (what: string, ask: () => Promise<T | undefined>): Promise<T> {
  const seen = await eventually(what, async () => {
    const answer = await ask()
    if (answer === undefined) await delay(LOOK_MS)
    return answer === undefined ? undefined : { answer }
  }, TAKEOVER_MS)
  return seen.answer
}

/** Makes namespaces for all worlds of a cluster. */
export async function createNamespaces ({ client }: TestCluster, count: number): Promise<string[]> {
  const names = Array.from({ length: count }, (_, index) => `team-${index}`)
  await Promise.all(names.map(async (name) => createObject(client, '/api/v1/namespaces', { metadata: { name } })))
  return names
}

/** Makes the source and the own namespace of a pull secret. */
export async function createFailoverWorld (cluster: TestCluster, name: string, namespaces: string[]): Promise<FailoverWorld> {
  const { client } = cluster
  const source = (password: string): object => ({ metadata: { name: 'source' }, stringData: { password } })
  await createObject(client, '/api/v1/namespaces', { metadata: { name } })
  await createObject(client, `/api/v1/namespaces/${name}/secrets`, source('test-password-1'))
  const wanted = namespaces.length + 1

  async function copies (): Promise<V1Secret[]> {
    return (await client.list<V1Secret>(`/api/v1/secrets?fieldSelector=metadata.name%3D${name}`)).body.items
  }

  return {
    name,
    namespaces,
    copies,
    start: async (t) => startCandidate(t, cluster, name, namespaces),
    async rotate (password) {
      const { status } = await client.put(`/api/v1/namespaces/${name}/secrets/source`, source(password))
      if (status !== 200) throw new Error(`the source was not rotated: ${status}`)
    },
    async waitForPassword (password) {
      let last = 0
      return eventuallySeen('every copy is right', async () => {
        const right = (await copies()).filter(({ data }) => holds(data, password))
        last = right.length
        return right.length === wanted && new Set(right.map(({ data }) => data?.['.dockerconfigjson'])).size === 1 ? right : undefined
      }).catch((error: Error) => { throw new Error(`${error.message} (${last} of ${wanted})`) })
    },
    waitForLeader: async (candidates) => eventuallySeen('one of them holds the Lease', async () => {
      const { body } = await client.get<V1Lease>(`/apis/coordination.k8s.io/v1/namespaces/${name}/leases/pullkeeper-sync`)
      return candidates.find(({ process }) => process.identity === body.spec?.holderIdentity)
    })
  }
}

async function startCandidate (t: Test, { cluster }: TestCluster, name: string, namespaces: string[]): Promise<Candidate> {
  const proxy = await startFaultProxy(cluster)
  t.teardown(proxy.close)
  const directory = join(await makeDirectory(t), 'worker')
  await mkdir(directory)
  const process = await startSyncProcess(t, { directory, config: createConfig(name, namespaces), ownNamespace: name, cluster: proxy })
  return { process, proxy }
}

function createConfig (name: string, namespaces: string[]): object {
  const passwordFrom = { secret: { namespace: name, name: 'source', key: 'password' } }
  return {
    pullSecrets: [{ name, registries: [{ servers: ['registry.example.com'], credential: { basic: { username: 'puller', passwordFrom } }, verify: false }] }],
    rules: [{ name: 'teams', matchImages: ['registry.example.com'], namespaces: { include: namespaces }, pullSecrets: [name] }]
  }
}

function holds (data: V1Secret['data'], password: string): boolean {
  const auth = Buffer.from(`puller:${password}`).toString('base64')
  return Buffer.from(data?.['.dockerconfigjson'] ?? '', 'base64').toString().includes(`"${auth}"`)
}

/** Whether a request may change anything. */
export function isWrite ({ method }: ProxiedRequest): boolean {
  return method !== 'GET'
}

/** Writes of copies that came by a candidate's proxy. */
export function listCopyWrites ({ proxy }: Candidate): ProxiedRequest[] {
  return proxy.requests().filter((request) => isWrite(request) && request.path.includes('/secrets/'))
}

/** When the last renewal that the API server confirmed came to the candidate's proxy, by the proxy's clock. */
export function findLastRenewalMs ({ proxy }: Candidate): number {
  return Math.max(...proxy.requests().filter(({ method, path, status }) => method === 'PUT' && path.includes('/leases/') && status === 200).map(({ atMs }) => atMs))
}

/** Waits until a candidate is in the middle of writing. */
export async function waitForWrites (candidate: Candidate, count: number): Promise<void> {
  await eventually(`${count} writes`, () => listCopyWrites(candidate).length >= count, TAKEOVER_MS)
}
