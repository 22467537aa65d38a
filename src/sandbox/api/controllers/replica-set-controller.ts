import { numberAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { formatTime } from '../objects/object-metadata.ts'
import { PODS, REPLICA_SETS } from '../objects/resource-table.ts'
import { createControllerClient, type ControllerContext } from './controller-client.ts'
import type { Controller } from './controllers.ts'
import { recordEvent } from './event-recorder.ts'
import { createPodFromTemplate, findLive, isReady, keyOfChange, listActivePods } from './owned-objects.ts'
import { stampConditions } from './workload-conditions.ts'

const NAME = 'replicaset-controller'

/**
 * Keeps as many Pods as a ReplicaSet says.
 * https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
 */
export function createReplicaSetController (context: ControllerContext): Controller {
  const { store, now } = context
  const client = createControllerClient(context, NAME)

  async function reconcile (key: string): Promise<void> {
    const replicaSet = findLive(store, REPLICA_SETS, key)
    if (replicaSet === undefined) return
    const failure = await scale(replicaSet).then(() => undefined, (error: unknown) => error as Error)
    await client.writeStatus(REPLICA_SETS, replicaSet, describe(replicaSet, failure))
    if (failure !== undefined) throw failure
  }

  async function scale (replicaSet: KubernetesObject): Promise<void> {
    const wanted = numberAt(replicaSet, ['spec', 'replicas'], 1)
    const pods = listActivePods(store, replicaSet)
    for (let count = pods.length; count < wanted; count += 1) await createPod(replicaSet)
    const surplus = pods.length > wanted ? pods.slice(wanted - pods.length) : []
    for (const pod of surplus) await deletePod(replicaSet, pod)
  }

  async function createPod (replicaSet: KubernetesObject): Promise<void> {
    try {
      const pod = await client.create(PODS, createPodFromTemplate(replicaSet, { generateName: `${replicaSet.metadata.name ?? ''}-` }))
      recordEvent(context, NAME, replicaSet, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name ?? ''}` })
    } catch (error) {
      recordEvent(context, NAME, replicaSet, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${(error as Error).message}` })
      throw error
    }
  }

  async function deletePod (replicaSet: KubernetesObject, pod: KubernetesObject): Promise<void> {
    await client.remove(PODS, pod)
    recordEvent(context, NAME, replicaSet, { type: 'Normal', reason: 'SuccessfulDelete', message: `Deleted pod: ${pod.metadata.name ?? ''}` })
  }

  function describe (replicaSet: KubernetesObject, failure: Error | undefined): Record<string, unknown> {
    const pods = listActivePods(store, replicaSet)
    const ready = pods.filter(isReady).length
    const conditions = failure === undefined ? [] : [{ type: 'ReplicaFailure', status: 'True', reason: 'FailedCreate', message: failure.message } as const]
    return {
      replicas: pods.length,
      fullyLabeledReplicas: pods.length,
      ...(ready > 0 && { readyReplicas: ready, availableReplicas: ready }),
      observedGeneration: replicaSet.metadata.generation,
      ...(conditions.length > 0 && { conditions: stampConditions(replicaSet, conditions, formatTime(now())) })
    }
  }

  return { reconcile, keyOf: (change) => keyOfChange(REPLICA_SETS, change) }
}
