import type { Clock } from '../core/clock.ts'
import { listLiteralNamespaces } from '../core/literal-namespaces.ts'
import { openClusterAccess } from '../kubernetes/cluster-access.ts'
import { createKubeClient, type KubeClient } from '../kubernetes/kube-client.ts'
import { systemClock } from '../kubernetes/system-clock.ts'
import { createRegistryTransport } from '../registries/registry-transport.ts'
import { verifyCredential, type VerificationRequest } from '../registries/registry-verification.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import type { SyncPlan } from '../sync/sync-plan.ts'
import { WRITE_CONCURRENCY } from '../sync/sync-queues.ts'

/** The outside world, as the sync worker is given it. */
export interface SyncConnection {
  client: KubeClient
  clock: Clock
  random: () => number
  verify: (request: VerificationRequest) => Promise<VerificationResult>
  listNamespaces?: (plan: SyncPlan) => string[]
}

/** Beside the writes: Lease, Events and lists. */
const OTHER_CONNECTIONS = 4

/** Opens the way to the cluster and to the registries. */
export async function connectSync ({ kubeconfig, namespaced }: { kubeconfig?: string | undefined, namespaced: boolean }): Promise<SyncConnection> {
  const access = await openClusterAccess(kubeconfig === undefined ? {} : { kubeconfigFile: kubeconfig }, systemClock.monotonicMs)
  const transport = createRegistryTransport({ environment: process.env })
  return {
    client: createKubeClient(access, systemClock, { maxConnections: WRITE_CONCURRENCY + OTHER_CONNECTIONS }),
    clock: systemClock,
    random: Math.random,
    verify: async (request) => verifyCredential(request, transport),
    ...(namespaced && { listNamespaces: ({ config, ownNamespace }: SyncPlan) => [...new Set([ownNamespace, ...listLiteralNamespaces(config, ownNamespace)])] })
  }
}
