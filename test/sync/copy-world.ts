import type { Namespace } from '../../src/core/kube-object.ts'
import type { PullSecretConfig } from '../../src/core/pull-secret-config.ts'
import { createCopyCache, type CopyCache } from '../../src/sync/copy-cache.ts'
import { createNamespaceCache, type NamespaceCache } from '../../src/sync/namespace-cache.ts'
import { compileSyncPlan, listWatchedNames, type SyncPlan } from '../../src/sync/sync-plan.ts'
import { CONFIG_HASH, createConfig, OWN_NAMESPACE } from '../helpers/policies.ts'

/** What a worker would see of a cluster. */
export interface CopyWorld {
  plan: () => SyncPlan
  view: { namespaces: NamespaceCache, copies: (name: string) => CopyCache | undefined }
  /** The Secrets of a name, which the plan watches. */
  cache: (name?: string) => CopyCache
  /** Puts another configuration in force. */
  configure: (config: PullSecretConfig) => void
  addNamespaces: (...names: string[]) => void
}

/** Makes a world with pullkeeper's own namespace, where `example-pull` is wanted in every `team-*`. */
export function createCopyWorld (config = createConfig([{ namespaces: { include: ['team-*'] } }])): CopyWorld {
  const caches = new Map<string, CopyCache>()
  const namespaces = createNamespaceCache(() => 0, () => {})
  let plan: SyncPlan

  function configure (changed: PullSecretConfig): void {
    plan = compileSyncPlan(changed, { configHash: CONFIG_HASH, ownNamespace: OWN_NAMESPACE })
    namespaces.setDemand(plan.demand)
    for (const name of listWatchedNames(plan)) if (!caches.has(name)) caches.set(name, createCopyCache(OWN_NAMESPACE, () => {}))
  }

  function cache (name = 'example-pull'): CopyCache {
    const found = caches.get(name)
    if (found === undefined) throw new Error(`${name} is not watched`)
    return found
  }

  configure(config)
  namespaces.upsert(createNamespace(OWN_NAMESPACE))
  return {
    plan: () => plan,
    view: { namespaces, copies: (name) => caches.get(name) },
    cache,
    configure,
    addNamespaces (...names) { for (const name of names) namespaces.upsert(createNamespace(name)) }
  }
}

/** A Namespace as the API sends it; it may be being deleted. */
export function createNamespace (name: string, isTerminating = false): Namespace {
  return { metadata: { name, uid: `uid-of-${name}`, resourceVersion: '1' }, status: { phase: isTerminating ? 'Terminating' : 'Active' } }
}
