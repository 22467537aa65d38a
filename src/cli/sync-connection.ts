import type { Clock } from '../core/clock.ts'
import { listLiteralNamespaces } from '../core/literal-namespaces.ts'
import type { ClusterAccess } from '../kubernetes/cluster-access.ts'
import { createKubeClient, type KubeClient } from '../kubernetes/kube-client.ts'
import { openServiceAccountAccess, SERVICE_ACCOUNT_DIRECTORY } from '../kubernetes/service-account-access.ts'
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

/** Who the process is to the cluster. */
export interface AccessOptions {
  kubeconfig?: string
  /** Folder of the ServiceAccount's `token` and `ca.crt`; absent = where the kubelet mounts it, if there is one. */
  serviceAccount?: string
}

/** Opens the way to the cluster and to the registries. */
export async function connectSync (options: AccessOptions & { namespaced: boolean }): Promise<SyncConnection> {
  const access = await openAccess(options)
  const transport = createRegistryTransport({ environment: process.env })
  return {
    client: createKubeClient(access, systemClock, { maxConnections: WRITE_CONCURRENCY + OTHER_CONNECTIONS }),
    clock: systemClock,
    random: Math.random,
    verify: async (request) => verifyCredential(request, transport),
    ...(options.namespaced && { listNamespaces: ({ config, ownNamespace }: SyncPlan) => [...new Set([ownNamespace, ...listLiteralNamespaces(config, ownNamespace)])] })
  }
}

/** As kubectl decides: a kubeconfig if there is one, else the Pod's ServiceAccount. The library for kubeconfigs is loaded only then. */
export async function openAccess ({ kubeconfig, serviceAccount }: AccessOptions): Promise<ClusterAccess> {
  const { KUBECONFIG, KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = process.env
  const hasKubeconfig = kubeconfig !== undefined || (KUBECONFIG ?? '') !== ''
  if (serviceAccount !== undefined && host === undefined) throw new Error('--service-account is for Pods: KUBERNETES_SERVICE_HOST is not set; use --kubeconfig here')
  if (host !== undefined && (serviceAccount !== undefined || !hasKubeconfig)) {
    return openServiceAccountAccess({ directory: serviceAccount ?? SERVICE_ACCOUNT_DIRECTORY, host, port, monotonicMs: systemClock.monotonicMs })
  }
  const { openClusterAccess } = await import('../kubernetes/cluster-access.ts')
  return openClusterAccess(kubeconfig === undefined ? {} : { kubeconfigFile: kubeconfig }, systemClock.monotonicMs)
}
