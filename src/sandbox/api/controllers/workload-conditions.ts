import { listAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'

/** A condition of a workload's status. */
export interface WorkloadCondition {
  type: string
  status: 'True' | 'False'
  reason: string
  message: string
}

/** The conditions with their times: a condition that was there with the same status keeps the time of its last change. */
export function stampConditions (workload: KubernetesObject, conditions: WorkloadCondition[], time: string): object[] {
  return conditions.map((condition) => {
    const before = listAt(workload, 'status', 'conditions').find((other) => textAt(other, 'type') === condition.type && textAt(other, 'status') === condition.status)
    return { ...condition, lastTransitionTime: textAt(before, 'lastTransitionTime') || time }
  })
}
