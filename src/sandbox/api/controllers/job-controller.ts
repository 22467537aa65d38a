import { numberAt, textAt, valueAt, type KubernetesObject } from '../objects/kubernetes-object.ts'
import { formatTime } from '../objects/object-metadata.ts'
import { JOBS, PODS } from '../objects/resource-table.ts'
import { createControllerClient, type ControllerContext } from './controller-client.ts'
import type { Controller } from './controllers.ts'
import { recordEvent } from './event-recorder.ts'
import { createPodFromTemplate, findLive, keyOfChange, listActivePods, listOwned } from './owned-objects.ts'
import { stampConditions, type WorkloadCondition } from './workload-conditions.ts'

const NAME = 'job-controller'

/**
 * Runs the Pods of a Job: as many at a time as `parallelism`, until enough have succeeded or too many failed. Pods end only when a
 * client that plays the kubelet writes their status.
 * https://kubernetes.io/docs/concepts/workloads/controllers/job/
 */
export function createJobController (context: ControllerContext): Controller {
  const { store, now } = context
  const client = createControllerClient(context, NAME)

  async function reconcile (key: string): Promise<void> {
    const job = findLive(store, JOBS, key)
    if (job === undefined || textAt(job, 'status', 'completionTime') !== '') return
    const failure = await createMissing(job).then(() => undefined, (error: unknown) => error as Error)
    await client.writeStatus(JOBS, job, describe(job))
    if (failure !== undefined) throw failure
  }

  async function createMissing (job: KubernetesObject): Promise<void> {
    if (valueAt(job, 'spec', 'suspend') === true || findEnd(job) !== undefined) return
    const left = numberAt(job, ['spec', 'completions'], 1) - countPods(job, 'Succeeded')
    const wanted = Math.min(numberAt(job, ['spec', 'parallelism'], 1), left)
    for (let count = listActivePods(store, job).length; count < wanted; count += 1) await createPod(job)
  }

  async function createPod (job: KubernetesObject): Promise<void> {
    try {
      const pod = await client.create(PODS, createPodFromTemplate(job, { generateName: `${job.metadata.name ?? ''}-` }))
      recordEvent(context, NAME, job, { type: 'Normal', reason: 'SuccessfulCreate', message: `Created pod: ${pod.metadata.name ?? ''}` })
    } catch (error) {
      recordEvent(context, NAME, job, { type: 'Warning', reason: 'FailedCreate', message: `Error creating: ${(error as Error).message}` })
      throw error
    }
  }

  function countPods (job: KubernetesObject, phase: string): number {
    return listOwned(store, PODS, job).filter((pod) => textAt(pod, 'status', 'phase') === phase).length
  }

  function findEnd (job: KubernetesObject): WorkloadCondition | undefined {
    if (countPods(job, 'Succeeded') >= numberAt(job, ['spec', 'completions'], 1)) {
      return { type: 'Complete', status: 'True', reason: 'CompletionsReached', message: 'Reached expected number of succeeded pods' }
    }
    if (countPods(job, 'Failed') <= numberAt(job, ['spec', 'backoffLimit'], 6)) return undefined
    return { type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded', message: 'Job has reached the specified backoff limit' }
  }

  function describe (job: KubernetesObject): Record<string, unknown> {
    const time = formatTime(now())
    const [succeeded, failed] = [countPods(job, 'Succeeded'), countPods(job, 'Failed')]
    const end = findEnd(job)
    return {
      startTime: textAt(job, 'status', 'startTime') || time,
      active: listActivePods(store, job).length,
      ready: 0,
      terminating: 0,
      uncountedTerminatedPods: {},
      ...(succeeded > 0 && { succeeded }),
      ...(failed > 0 && { failed }),
      ...(end !== undefined && { conditions: stampConditions(job, [end], time) }),
      ...(end?.type === 'Complete' && { completionTime: time })
    }
  }

  return { reconcile, keyOf: (change) => keyOfChange(JOBS, change) }
}
