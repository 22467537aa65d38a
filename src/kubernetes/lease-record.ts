/** A Lease of `coordination.k8s.io/v1`, as far as it is read here; all else of it is kept. */
export interface Lease {
  metadata: { annotations?: Record<string, string> }
  spec?: LeaseSpec
}

/** `LeaseSpec`: who holds it since when (https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/). */
export interface LeaseSpec {
  /** Empty or absent = nobody. */
  holderIdentity?: string
  leaseDurationSeconds?: number
  /** MicroTime. */
  acquireTime?: string
  /** MicroTime. */
  renewTime?: string
  leaseTransitions?: number
}

/** What a holder writes. */
export interface LeaseClaim {
  identity: string
  leaseDurationMs: number
  nowMs: number
  /** Set, or removed where null. */
  annotations: Record<string, string | null>
}

/** The holder's identity; empty when nobody holds the Lease, or there is none. */
export function readHolder (lease: Lease | undefined): string {
  return lease?.spec?.holderIdentity ?? ''
}

/** The Lease as its holder writes it: `acquireTime` stays while the holder does, and each other holder is a transition (client-go's tools/leaderelection). */
export function claimLease (lease: Lease, { identity, leaseDurationMs, nowMs, annotations }: LeaseClaim): Lease {
  const { spec = {} } = lease
  const now = formatMicroTime(nowMs)
  const isRenewal = spec.holderIdentity === identity
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations: mergeAnnotations(lease.metadata.annotations, annotations) },
    spec: {
      ...spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
      acquireTime: isRenewal ? spec.acquireTime ?? now : now,
      renewTime: now,
      leaseTransitions: isRenewal || spec.leaseTransitions === undefined ? spec.leaseTransitions ?? 0 : spec.leaseTransitions + 1
    }
  }
}

/** The Lease without a holder, so that another one need not wait for its end (`ReleaseOnCancel` of client-go). */
export function releaseLease (lease: Lease, { nowMs, annotations }: Pick<LeaseClaim, 'nowMs' | 'annotations'>): Lease {
  const now = formatMicroTime(nowMs)
  return {
    ...lease,
    metadata: { ...lease.metadata, annotations: mergeAnnotations(lease.metadata.annotations, annotations) },
    spec: { ...lease.spec, holderIdentity: '', leaseDurationSeconds: 1, acquireTime: now, renewTime: now }
  }
}

/** `metav1.MicroTime`: the API server refuses any other number of digits. */
export function formatMicroTime (timeMs: number): string {
  return new Date(timeMs).toISOString().replace('Z', '000Z')
}

function mergeAnnotations (present: Record<string, string> = {}, changes: Record<string, string | null>): Record<string, string> {
  const entries = Object.entries({ ...present, ...changes })
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => entry[1] !== null))
}
