import { numberAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { hashName } from '../objects/object-names.ts'
import { PODS, STATEFUL_SETS } from '../objects/resource-table.ts'
import { createControllerClient, type ControllerContext } from './controller-client.ts'
import type { Controller } from './controllers.ts'
import { recordEvent } from './event-recorder.ts'
import { createPodFromTemplate, findLive, isReady, keyOfChange, listActivePods } from './owned-objects.ts'

const NAME = 'statefulset-controller'
const REVISION_LABEL = 'controller-revision-hash'

/**
 * Keeps the numbered Pods of a StatefulSet. With the policy OrderedReady the next one waits until the one before is ready, as in a real
 * cluster: without a kubelet that is the first Pod only. A changed template replaces Pods at once. No volume claims are made.
 * https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/
 */
export function createStatefulSetController (context: ControllerContext): Controller {
  const { store } = context
  const client = createControllerClient(context, NAME)

  async function reconcile (key: string): Promise<void> {
    const statefulSet = findLive(store, STATEFUL_SETS, key)
    if (statefulSet === undefined) return
    const revision = formatRevision(statefulSet)
    const wanted = listWantedNames(statefulSet)
    const obsolete = listActivePods(store, statefulSet).filter(({ metadata }) => !wanted.includes(metadata.name ?? '') || metadata.labels?.[REVISION_LABEL] !== revision)
    for (const pod of obsolete.reverse()) await client.remove(PODS, pod)
    const failure = await createMissing(statefulSet, wanted, revision).then(() => undefined, (error: unknown) => error as Error)
    await client.writeStatus(STATEFUL_SETS, statefulSet, describe(statefulSet, revision))
    if (failure !== undefined) throw failure
  }

  async function createMissing (statefulSet: KubernetesObject, wanted: string[], revision: string): Promise<void> {
    const isOrdered = textAt(statefulSet, 'spec', 'podManagementPolicy') !== 'Parallel'
    for (const [index, name] of wanted.entries()) {
      const pod = store.get(PODS, statefulSet.metadata.namespace ?? '', name) ?? await createPod(statefulSet, name, index, revision)
      if (isOrdered && !isReady(pod)) return
    }
  }

  async function createPod (statefulSet: KubernetesObject, name: string, index: number, revision: string): Promise<KubernetesObject> {
    const owner = statefulSet.metadata.name ?? ''
    const labels = { [REVISION_LABEL]: revision, 'statefulset.kubernetes.io/pod-name': name, 'apps.kubernetes.io/pod-index': String(index) }
    const pod = createPodFromTemplate(statefulSet, { name, generateName: `${owner}-`, labels })
    pod.spec = { ...objectAt(pod, 'spec'), hostname: name, subdomain: textAt(statefulSet, 'spec', 'serviceName') }
    try {
      const made = await client.create(PODS, pod)
      recordEvent(context, NAME, statefulSet, { type: 'Normal', reason: 'SuccessfulCreate', message: `create Pod ${name} in StatefulSet ${owner} successful` })
      return made
    } catch (error) {
      recordEvent(context, NAME, statefulSet, { type: 'Warning', reason: 'FailedCreate', message: `create Pod ${name} in StatefulSet ${owner} failed error: ${(error as Error).message}` })
      throw error
    }
  }

  function describe (statefulSet: KubernetesObject, revision: string): Record<string, unknown> {
    const pods = listActivePods(store, statefulSet)
    const ready = pods.filter(isReady).length
    return {
      observedGeneration: statefulSet.metadata.generation,
      replicas: pods.length,
      currentReplicas: pods.length,
      updatedReplicas: pods.length,
      ...(ready > 0 && { readyReplicas: ready }),
      availableReplicas: ready,
      currentRevision: revision,
      updateRevision: revision,
      collisionCount: 0
    }
  }

  return { reconcile, keyOf: (change) => keyOfChange(STATEFUL_SETS, change) }
}

function formatRevision (statefulSet: KubernetesObject): string {
  return `${statefulSet.metadata.name ?? ''}-${hashName(objectAt(statefulSet, 'spec', 'template'))}`
}

function listWantedNames (statefulSet: KubernetesObject): string[] {
  return Array.from({ length: numberAt(statefulSet, ['spec', 'replicas'], 1) }, (_, index) => `${statefulSet.metadata.name ?? ''}-${index}`)
}
