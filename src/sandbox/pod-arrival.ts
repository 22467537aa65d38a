import { setTimeout as delay } from 'node:timers/promises'
import { asArray, asObject, asString, type UnknownObject } from '../core/unknown.ts'
import { requestCluster, type Credentials } from './cluster-request.ts'
import type { RefusedObject } from './manifest-application.ts'
import { listPods } from './pod-table.ts'

const DEADLINE_MS = 15_000
const POLL_MS = 20

/**
 * Waits until the controllers have made the Pods of the workloads, or an Event says that one of their Pods was refused.
 * Returns what was refused. A Pod that never comes is missing in the table, and that is the truth.
 */
export async function waitForPods (cluster: Credentials, expected: number): Promise<RefusedObject[]> {
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  for (;;) {
    const [pods, refused] = await Promise.all([listPods(cluster), listRefusedPods(cluster)])
    if (deadline.aborted || pods.length + refused.length >= expected) return refused
    await delay(POLL_MS)
  }
}

/** What controllers say of Pods that the API server refused: Events with the reason FailedCreate, once for each owner. */
async function listRefusedPods (cluster: Credentials): Promise<RefusedObject[]> {
  const { body } = await requestCluster<UnknownObject>(cluster, { method: 'GET', path: '/api/v1/events' })
  const failed = asArray(body.items).map(asObject).filter((event) => event?.reason === 'FailedCreate')
  const byOwner = new Map(failed.map((event) => {
    const owner = asObject(event?.involvedObject)
    const object = `Pod of ${asString(owner?.kind)} ${asString(owner?.namespace)}/${asString(owner?.name)}`
    return [object, { object, message: asString(event?.message) ?? '' }]
  }))
  return [...byOwner.values()].filter(({ message }) => !/service ?account/i.test(message))
}
