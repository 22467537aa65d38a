import type { Clock } from '../core/clock.ts'
import { formatObjectKey, type ServiceAccount } from '../core/kube-object.ts'
import { createServiceAccountPatch, readAdded } from '../core/service-account-patch.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'
import { JSON_PATCH, type KubeClient } from '../kubernetes/kube-client.ts'
import { hasStatus, type KubeError } from '../kubernetes/kube-error.ts'
import { NAMESPACES_VIEW, SERVICE_ACCOUNTS_VIEW, type ClusterView } from './cluster-view.ts'
import type { CopyDemand } from './copy-demand.ts'
import { DRY_RUN, FIELD_MANAGER, WRITE_TIMEOUT_MS } from './copy-writer.ts'
import { listWatchedNames, type SyncPlan } from './sync-plan.ts'

/** What a ServiceAccount controller needs. */
export interface ServiceAccountControllerOptions {
  client: KubeClient
  plan: () => SyncPlan
  view: ClusterView
  demand: CopyDemand
  metrics: Pick<SyncMetrics, 'serviceAccountWrites'>
  clock: Clock
  mayWrite: () => boolean
  isRemovingAll: boolean
  /** The API server checks every write and keeps none. */
  isDryRun: boolean
  onWrite?: ((write: { operation: 'patch', namespace: string, name: string }) => void) | undefined
}

/** Lists pull secrets in ServiceAccounts, for those who want both ways. */
export interface ServiceAccountController {
  /** Does what one account, `namespace/name`, needs; returns the milliseconds after which to look again. Rejects with a KubeError. */
  reconcile: (key: string) => Promise<number | undefined>
}

/** Makes the controller of ServiceAccounts. */
export function createServiceAccountController (options: ServiceAccountControllerOptions): ServiceAccountController {
  const { client, plan, view, demand, metrics, clock, mayWrite, isRemovingAll, isDryRun, onWrite } = options

  async function reconcile (key: string): Promise<number | undefined> {
    const account = view.serviceAccount(key)
    if (account === undefined || !view.isReady(NAMESPACES_VIEW) || !view.isReady(SERVICE_ACCOUNTS_VIEW)) return undefined
    const namespace = view.namespaces.get(account.metadata.namespace ?? '')
    if (namespace === undefined || namespace.isTerminating) return undefined
    const wanted = listWanted(account)
    const { unwanted, againMs } = sortOut(account, wanted)
    const patch = createServiceAccountPatch(account, { wanted, unwanted })
    if (patch !== undefined && mayWrite()) await write(account, patch)
    return againMs
  }

  function listWanted ({ metadata: { namespace = '', name } }: ServiceAccount): Set<string> {
    const wanted = view.namespaces.get(namespace)?.wanted
    return new Set(plan().config.pullSecrets.flatMap((pullSecret) => {
      const isNamed = pullSecret.serviceAccounts.includes('*') || pullSecret.serviceAccounts.includes(name)
      return !isRemovingAll && isNamed && wanted?.has(pullSecret.name) === true ? [pullSecret.name] : []
    }))
  }

  /**
   * What we appended goes as late as a copy goes: Pods that are made meanwhile may still need it. A name that left the
   * configuration without being retired stays as its copies do.
   */
  function sortOut (account: ServiceAccount, wanted: Set<string>): { unwanted: Set<string>, againMs?: number } {
    const nowMs = clock.nowMs()
    const pruneAfterMs = isRemovingAll ? 0 : plan().config.sync.pruneAfterMs
    const idle = `serviceaccount ${formatObjectKey(account.metadata)}`
    const watched = listWatchedNames(plan())
    const leaving = readAdded(account).filter((name) => watched.includes(name)).filter((name) => {
      if (!wanted.has(name)) return !demand.isHeld(name)
      demand.forgetUnwanted(idle, name)
      return false
    })
    const waits = leaving.map((name) => demand.unwantedSinceMs(idle, name, nowMs) + pruneAfterMs - nowMs)
    const rest = waits.filter((waitMs) => waitMs > 0)
    return {
      unwanted: new Set(leaving.filter((_name, index) => (waits[index] ?? 0) <= 0)),
      ...(rest.length > 0 && { againMs: Math.min(...rest) })
    }
  }

  async function write ({ metadata: { namespace = '', name } }: ServiceAccount, patch: object[]): Promise<void> {
    try {
      const written = await client.request<ServiceAccount>({
        method: 'PATCH',
        path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}`,
        query: { fieldManager: FIELD_MANAGER, ...(isDryRun && DRY_RUN) },
        contentType: JSON_PATCH,
        body: patch,
        timeoutMs: WRITE_TIMEOUT_MS
      })
      view.keepServiceAccount(written)
      metrics.serviceAccountWrites.inc({ result: 'success' })
      onWrite?.({ operation: 'patch', namespace, name })
    } catch (error) {
      metrics.serviceAccountWrites.inc({ result: (error as KubeError).reason })
      // It is another one by now, or gone: the watch tells.
      if (!hasStatus(error, 404, 409, 422)) throw error
    }
  }

  return { reconcile }
}
