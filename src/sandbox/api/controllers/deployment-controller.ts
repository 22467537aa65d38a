import { isDeepStrictEqual } from 'node:util'
import { listAt, numberAt, objectAt, textAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { hashName } from '../objects/object-names.ts'
import { formatTime } from '../objects/object-metadata.ts'
import { DEPLOYMENTS, REPLICA_SETS } from '../objects/resource-table.ts'
import { createControllerClient, createOwnerReference, type ControllerContext } from './controller-client.ts'
import type { Controller } from './controllers.ts'
import { recordEvent } from './event-recorder.ts'
import { findLive, keyOfChange, listOwned } from './owned-objects.ts'
import { stampConditions, type WorkloadCondition } from './workload-conditions.ts'

const NAME = 'deployment-controller'
const HASH_LABEL = 'pod-template-hash'
const REVISION = 'deployment.kubernetes.io/revision'

/**
 * Keeps one ReplicaSet per Pod template, the newest with all replicas. The old ones are emptied when the new one has its Pods:
 * without a kubelet no Pod becomes available, so a rolling update that waits for that would never end.
 * https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
 */
export function createDeploymentController (context: ControllerContext): Controller {
  const { store, now } = context
  const client = createControllerClient(context, NAME)

  async function reconcile (key: string): Promise<void> {
    const deployment = findLive(store, DEPLOYMENTS, key)
    if (deployment === undefined) return
    const owned = listOwned(store, REPLICA_SETS, deployment)
    const current = owned.find((replicaSet) => hasTemplate(replicaSet, deployment)) ?? await createReplicaSet(deployment, owned)
    const wanted = numberAt(deployment, ['spec', 'replicas'], 1)
    await scale(deployment, current, wanted)
    const isFilled = numberAt(current, ['status', 'replicas'], 0) >= wanted
    for (const old of owned) if (old !== current && isFilled) await scale(deployment, old, 0)
    await noteRevision(deployment, current)
    await client.writeStatus(DEPLOYMENTS, deployment, describe(deployment, current.metadata.uid ?? ''))
  }

  async function createReplicaSet (deployment: KubernetesObject, owned: KubernetesObject[]): Promise<KubernetesObject> {
    const replicas = numberAt(deployment, ['spec', 'replicas'], 1)
    const revision = 1 + Math.max(0, ...owned.map((replicaSet) => Number(replicaSet.metadata.annotations?.[REVISION] ?? 0)))
    const made = await client.create(REPLICA_SETS, buildReplicaSet(deployment, replicas, revision))
    recordScaling(deployment, made, 0, replicas)
    return made
  }

  async function scale (deployment: KubernetesObject, replicaSet: KubernetesObject, replicas: number): Promise<void> {
    const before = numberAt(replicaSet, ['spec', 'replicas'], 0)
    if (before === replicas) return
    await client.change(REPLICA_SETS, replicaSet, (latest) => ({ ...latest, spec: { ...objectAt(latest, 'spec'), replicas } }))
    recordScaling(deployment, replicaSet, before, replicas)
  }

  function recordScaling (deployment: KubernetesObject, { metadata }: KubernetesObject, from: number, to: number): void {
    const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${metadata.name ?? ''} from ${from} to ${to}`
    if (from !== to) recordEvent(context, NAME, deployment, { type: 'Normal', reason: 'ScalingReplicaSet', message })
  }

  async function noteRevision (deployment: KubernetesObject, { metadata }: KubernetesObject): Promise<void> {
    const revision = metadata.annotations?.[REVISION] ?? '1'
    if (deployment.metadata.annotations?.[REVISION] === revision) return
    await client.change(DEPLOYMENTS, deployment, (latest) => {
      const { metadata: latestMetadata, ...rest } = latest as KubernetesObject
      return { ...rest, metadata: { ...latestMetadata, annotations: { ...latestMetadata.annotations, [REVISION]: revision } } }
    })
  }

  function describe (deployment: KubernetesObject, currentUid: string): Record<string, unknown> {
    const owned = listOwned(store, REPLICA_SETS, deployment)
    const sum = (field: string): number => owned.reduce((total, replicaSet) => total + numberAt(replicaSet, ['status', field], 0), 0)
    const current = owned.find((replicaSet) => replicaSet.metadata.uid === currentUid)
    const ready = sum('readyReplicas')
    const unavailable = Math.max(0, numberAt(deployment, ['spec', 'replicas'], 1) - ready)
    return {
      observedGeneration: deployment.metadata.generation,
      replicas: sum('replicas'),
      updatedReplicas: numberAt(current, ['status', 'replicas'], 0),
      ...(ready > 0 && { readyReplicas: ready, availableReplicas: ready }),
      ...(unavailable > 0 && { unavailableReplicas: unavailable }),
      conditions: stampConditions(deployment, describeConditions(owned, current, unavailable), formatTime(now()))
    }
  }

  return { reconcile, keyOf: (change) => keyOfChange(DEPLOYMENTS, change) }
}

function describeConditions (owned: KubernetesObject[], current: KubernetesObject | undefined, unavailable: number): WorkloadCondition[] {
  const failure = owned.flatMap((replicaSet) => listAt(replicaSet, 'status', 'conditions')).find((condition) => textAt(condition, 'type') === 'ReplicaFailure')
  const available: WorkloadCondition = unavailable === 0
    ? { type: 'Available', status: 'True', reason: 'MinimumReplicasAvailable', message: 'Deployment has minimum availability.' }
    : { type: 'Available', status: 'False', reason: 'MinimumReplicasUnavailable', message: 'Deployment does not have minimum availability.' }
  return [
    available,
    { type: 'Progressing', status: 'True', reason: 'ReplicaSetUpdated', message: `ReplicaSet "${current?.metadata.name ?? ''}" is progressing.` },
    ...(failure === undefined ? [] : [{ type: 'ReplicaFailure', status: 'True', reason: textAt(failure, 'reason'), message: textAt(failure, 'message') } as const])
  ]
}

function hasTemplate (replicaSet: KubernetesObject, deployment: KubernetesObject): boolean {
  const template = structuredClone(objectAt(replicaSet, 'spec', 'template'))
  Reflect.deleteProperty(objectAt(template, 'metadata', 'labels'), HASH_LABEL)
  return isDeepStrictEqual(template, objectAt(deployment, 'spec', 'template'))
}

function buildReplicaSet (deployment: KubernetesObject, replicas: number, revision: number): KubernetesObject {
  const { name = '', namespace = '' } = deployment.metadata
  const template = objectAt(deployment, 'spec', 'template')
  const hash = hashName(template)
  const labels = { ...objectAt(template, 'metadata', 'labels') as Record<string, string>, [HASH_LABEL]: hash }
  const selector = objectAt(deployment, 'spec', 'selector')
  return structuredClone({
    kind: 'ReplicaSet',
    apiVersion: 'apps/v1',
    metadata: {
      name: `${name}-${hash}`,
      namespace,
      labels,
      annotations: { [REVISION]: String(revision), 'deployment.kubernetes.io/desired-replicas': String(replicas) },
      ownerReferences: [createOwnerReference(deployment)]
    },
    spec: {
      replicas,
      selector: { ...selector, matchLabels: { ...objectAt(selector, 'matchLabels'), [HASH_LABEL]: hash } },
      template: { ...template, metadata: { ...objectAt(template, 'metadata'), labels } }
    }
  })
}
