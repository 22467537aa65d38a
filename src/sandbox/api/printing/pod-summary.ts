import { listAt, numberAt, textAt, valueAt, type KubernetesObject } from '../objects/kubernetes-object.ts'

/** What `kubectl get pods` says of a Pod. */
export interface PodSummary {
  /** Ready containers of all, `1/2`. */
  ready: string
  status: string
  restarts: number
}

/** Sums a Pod up as the API server's printer does, for the states that a client can write into `status`. */
export function summarizePod (pod: KubernetesObject): PodSummary {
  const statuses = listAt(pod, 'status', 'containerStatuses')
  const total = listAt(pod, 'spec', 'containers').length
  const ready = statuses.filter((status) => valueAt(status, 'ready') === true).length
  const restarts = statuses.reduce<number>((sum, status) => sum + numberAt(status, ['restartCount'], 0), 0)
  return { ready: `${ready}/${total}`, status: describeStatus(pod, statuses), restarts }
}

function describeStatus (pod: KubernetesObject, statuses: unknown[]): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating'
  const reasons = statuses.flatMap((status) => [
    textAt(status, 'state', 'waiting', 'reason'),
    textAt(status, 'state', 'terminated', 'reason')
  ])
  return reasons.find((reason) => reason !== '') ?? (textAt(pod, 'status', 'reason') || textAt(pod, 'status', 'phase'))
}
