import type { Clock } from '../core/clock.ts'
import { APPLY_PATCH, type KubeClient, type KubeRequest } from './kube-client.ts'
import { hasStatus, KubeError } from './kube-error.ts'
import type { Lease } from './lease-record.ts'

/** The calls about one Lease; each rejects with a KubeError. */
export interface LeaseStore {
  /** Undefined when there is none. */
  read: () => Promise<Lease | undefined>
  /** Makes a Lease without a holder, or does nothing when there is one; returns what is there. */
  create: () => Promise<Lease>
  /** Writes what was read and changed; a 409 says that someone else was faster. */
  replace: (lease: Lease) => Promise<Lease>
}

/** Which Lease, and how it is reached. */
export interface LeaseStoreOptions {
  client: KubeClient
  clock: Clock
  namespace: string
  name: string
  /** Each call ends after this long, whatever keeps it. */
  callTimeoutMs: number
  /** Ends all calls. */
  signal?: AbortSignal
}

const MANAGER = { fieldManager: 'pullkeeper' }

/**
 * Makes the calls about a Lease. It is created by server-side apply, since RBAC can bind only that to a name (KEP-555);
 * two that apply the same empty object do each other no harm. Everything else is bound to a resourceVersion.
 */
export function createLeaseStore ({ client, clock, namespace, name, callTimeoutMs, signal }: LeaseStoreOptions): LeaseStore {
  const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`
  const empty = { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata: { name, namespace }, spec: {} }

  async function send (request: Omit<KubeRequest, 'path'>): Promise<Lease> {
    signal?.throwIfAborted()
    const call = client.request<Lease>({ path, timeoutMs: callTimeoutMs, ...(signal !== undefined && { signal }), ...request })
    return endWithin(clock, callTimeoutMs, call)
  }

  return {
    async read () {
      try {
        return await send({ method: 'GET' })
      } catch (error) {
        if (hasStatus(error, 404)) return undefined
        throw error
      }
    },
    create: async () => send({ method: 'PATCH', query: MANAGER, contentType: APPLY_PATCH, body: empty }),
    replace: async (lease) => send({ method: 'PUT', query: MANAGER, body: lease })
  }
}

/** The client's own limit begins with the request; what is before it, such as a credential plugin, may hang, too. */
async function endWithin<T> (clock: Clock, timeoutMs: number, call: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const callOff = clock.schedule(() => { reject(new KubeError({ status: 0, reason: 'CallTimeout', message: 'the API server did not answer in time' })) }, timeoutMs)
    call.then(resolve, reject).finally(callOff)
  })
}
