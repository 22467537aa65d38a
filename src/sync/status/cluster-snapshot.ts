import type { Clock } from '../../core/clock.ts'
import type { KubeList, KubeObject, Namespace, Secret } from '../../core/kube-object.ts'
import { WORKER_NAME } from '../../core/worker-rbac.ts'
import type { KubeClient } from '../../kubernetes/kube-client.ts'
import type { Lease } from '../../kubernetes/lease-record.ts'
import { createLeaseStore } from '../../kubernetes/lease-store.ts'
import { createCopyCache, type CopyCache } from '../copy-cache.ts'
import { createNamespaceCache, type NamespaceCache } from '../namespace-cache.ts'
import { listWatchedNames, type SyncPlan } from '../sync-plan.ts'

/** A cluster as it stood when it was read, in the caches that the worker judges by. */
export interface ClusterSnapshot {
  namespaces: NamespaceCache
  /** Undefined for a name that the plan neither keeps nor removes. */
  copies: (name: string) => CopyCache | undefined
  /** The workers' Lease; undefined when there is none. */
  lease: Lease | undefined
}

/** What the API server listed. */
export interface ListedObjects {
  namespaces: Namespace[]
  /** By name, the Secrets of all namespaces. */
  secrets: ReadonlyMap<string, Secret[]>
  lease: Lease | undefined
}

/** From the watch cache: a consistent list by name would read every Secret of the cluster from etcd. */
const ANY_VERSION = '0'
const LIST_TIMEOUT_MS = 60_000
const LEASE_TIMEOUT_MS = 15_000

/**
 * Reads what a plan is judged by: Namespaces, the Secrets of its names over all namespaces, and the Lease. It reads only,
 * and Namespaces first, so that none looks as if it lacked what the worker just wrote. Rejects with a KubeError.
 */
export async function readClusterSnapshot (client: KubeClient, clock: Clock, plan: SyncPlan): Promise<ClusterSnapshot> {
  const namespaces = await list<Namespace>(client, '/api/v1/namespaces')
  const store = createLeaseStore({ client, clock, namespace: plan.ownNamespace, name: WORKER_NAME, callTimeoutMs: LEASE_TIMEOUT_MS })
  const [lease, ...secrets] = await Promise.all([
    store.read(),
    ...listWatchedNames(plan).map(async (name): Promise<[string, Secret[]]> => [name, await list<Secret>(client, '/api/v1/secrets', { fieldSelector: `metadata.name=${name}` })])
  ])
  return assembleSnapshot(plan, { namespaces, secrets: new Map(secrets), lease })
}

/** Puts what was listed into the worker's caches. */
export function assembleSnapshot (plan: SyncPlan, { namespaces, secrets, lease }: ListedObjects): ClusterSnapshot {
  const known = createNamespaceCache(() => 0, () => {})
  known.setDemand(plan.demand)
  known.replace(namespaces)
  const copies = new Map([...secrets].map(([name, listed]) => [name, fillCache(plan.ownNamespace, listed)]))
  return { namespaces: known, copies: (name) => copies.get(name), lease }
}

function fillCache (ownNamespace: string, secrets: Secret[]): CopyCache {
  const cache = createCopyCache(ownNamespace, () => {})
  for (const secret of secrets) cache.upsert(secret)
  return cache
}

async function list<T extends KubeObject> (client: KubeClient, path: string, query: Record<string, string> = {}): Promise<T[]> {
  const { items } = await client.request<KubeList<T>>({ method: 'GET', path, query: { ...query, resourceVersion: ANY_VERSION }, timeoutMs: LIST_TIMEOUT_MS })
  return items
}
