import { setTimeout as delay } from 'node:timers/promises'
import type { Child } from './child-process.ts'
import { requestCluster } from '../cluster-request.ts'
import type { Credentials } from '../cluster-request.ts'

const POLL_INTERVAL_MS = 50
const REQUEST_TIMEOUT_MS = 5_000

/** What is asked for until it holds: `undefined` when it does, else why it does not yet, in words. */
export type ReadinessCheck = () => Promise<string | undefined>

/**
 * Asks again and again until the check holds.
 * @throws Error with the program's last lines when it ends meanwhile or `deadline` passes
 */
export async function waitUntilReady (child: Child, check: ReadinessCheck, deadline: AbortSignal): Promise<void> {
  for (;;) {
    const notYet = await check().catch((error: Error) => error.message)
    // Asked after the check: what answered may be another program that took the port before ours could.
    const ending = child.ending()
    if (ending !== undefined) throw await describeFailure(child, `ended (${ending})`)
    if (notYet === undefined) return
    if (deadline.aborted) throw await describeFailure(child, `was not ready in time (${notYet})`)
    await delay(POLL_INTERVAL_MS)
  }
}

async function describeFailure (child: Child, what: string): Promise<Error> {
  return new Error(`${child.name} ${what}; its last lines:\n${await child.readLogTail()}`)
}

/** Holds when the etcd with the member name `name` answers: another's etcd on that port does not count. */
export function checkEtcd (url: string, name: string): ReadinessCheck {
  return async () => {
    const response = await fetch(`${url}/v3/cluster/member/list`, {
      method: 'POST', body: '{}', signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    })
    const { members = [] } = await response.json() as { members?: Array<{ name?: string }> }
    return members.some((member) => member.name === name) ? undefined : `another etcd answers at ${url}`
  }
}

/** Holds when the API server says that it is ready (https://kubernetes.io/docs/reference/using-api/health-checks/). */
export function checkApiServer (cluster: Credentials): ReadinessCheck {
  return async () => {
    const { status, body } = await requestCluster<string>(cluster, { method: 'GET', path: '/readyz', signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) })
    return status === 200 ? undefined : `/readyz: ${status} ${JSON.stringify(body)}`
  }
}

/**
 * Holds when a Pod could be created in the namespace `default`.
 * That is later than `/readyz`: the controller manager must have made the ServiceAccount `default`, and before
 * Kubernetes 1.21 a token for it, too.
 */
export function checkPodCreation (cluster: Credentials): ReadinessCheck {
  const pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'readiness' },
    spec: { containers: [{ name: 'main', image: 'registry.invalid/readiness' }] }
  }
  return async () => {
    const { status, body } = await requestCluster<{ message?: string }>(cluster, {
      method: 'POST',
      path: '/api/v1/namespaces/default/pods?dryRun=All',
      body: pod,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    })
    return status === 201 ? undefined : `a Pod can not be created yet: ${body.message ?? status}`
  }
}

/**
 * Does for the namespace `default` what the controller manager would do, so that Pods can be created there, and holds
 * when that is done: the API server makes the namespace a little after it is ready.
 * No token is mounted: before Kubernetes 1.21 that would need a Secret which only the controller manager makes.
 */
export function createDefaultServiceAccount (cluster: Credentials): ReadinessCheck {
  const account = {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name: 'default' },
    automountServiceAccountToken: false
  }
  return async () => {
    const { status, body } = await requestCluster<{ message?: string }>(cluster, {
      method: 'POST',
      path: '/api/v1/namespaces/default/serviceaccounts',
      body: account,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS)
    })
    return status === 201 || status === 409 ? undefined : `the ServiceAccount default could not be created: ${body.message ?? status}`
  }
}
