import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { KubernetesObject, V1Pod, V1ServiceAccount } from '@kubernetes/client-node'
import t, { type Test } from 'tap'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import type { ClusterAnswer } from '../../src/sandbox/cluster-request.ts'
import { createClient, listClusterKinds, startCluster, type ClusterClient } from '../helpers/cluster.ts'
import { createPod, type PodParts } from '../helpers/pods.ts'

/** A cluster of one kind, started once for the tests of a file. */
export interface TestCluster {
  cluster: Cluster
  client: ClusterClient
  /** The API server's audit log, level Metadata. */
  auditLog: string
}

/** The answer to a creation: the object, or why it was refused. */
export type PodAnswer = ClusterAnswer<V1Pod & { message?: string, reason?: string, code?: number }>

/** The Pods that only ask whether something is so: tests leave their records out. */
export const PROBE_NAME = 'probe'

const TEST_TIMEOUT_MS = 110_000
const ASK_DEADLINE_MS = 30_000
const ASK_AGAIN_MS = 20

let namespaceCount = 0

/** Runs the same tests on each kind of cluster: in memory always, the real control plane where there is one. */
export function testEachCluster (run: (t: Test, cluster: TestCluster) => Promise<void>): void {
  t.setTimeout(TEST_TIMEOUT_MS)
  for (const kind of listClusterKinds()) {
    t.test(kind, { timeout: TEST_TIMEOUT_MS }, async (t) => {
      const auditLog = join(await makeDirectory(t), 'audit.log')
      const cluster = await startCluster(t, kind, { auditLog })
      const client = createClient(cluster)
      t.teardown(client.close)
      await run(t, { cluster, client, auditLog })
    })
  }
}

/** Makes a directory that goes with the test; a second `t.testdir()` of a test would empty the first. */
export async function makeDirectory (t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'pullkeeper-test-'))
  t.teardown(async () => { await rm(directory, { recursive: true }) })
  return directory
}

/**
 * Asks again and again until the answer is as wanted, for what no watch can show: what the API server's own caches know.
 * @throws Error with the last answer when the deadline passes
 */
export async function askUntil<T> (ask: () => Promise<T>, isWanted: (answer: T) => boolean): Promise<T> {
  const deadline = AbortSignal.timeout(ASK_DEADLINE_MS)
  for (;;) {
    const answer = await ask()
    if (isWanted(answer)) return answer
    if (deadline.aborted) throw new Error(`the answer was not as wanted within ${ASK_DEADLINE_MS} ms; the last one: ${JSON.stringify(answer)}`)
    await delay(ASK_AGAIN_MS)
  }
}

/** Makes a namespace of the test's own in which Pods can be created, and returns its name. */
export async function createNamespace ({ client }: TestCluster, base = 'team', labels: Record<string, string> = {}): Promise<string> {
  const name = `${base}-${namespaceCount += 1}`
  // Kubernetes sets the label kubernetes.io/metadata.name since 1.21; on older API servers somebody has to.
  await createObject(client, '/api/v1/namespaces', { metadata: { name, labels: { ...labels, 'kubernetes.io/metadata.name': name } } })
  await waitForPodAdmission(client, name)
  return name
}

/** Waits until Pods of a ServiceAccount are admitted: the controller manager makes the account, and a token for it, a moment later. */
export async function waitForPodAdmission (client: ClusterClient, namespace: string, serviceAccountName = 'default'): Promise<void> {
  const probe = createPod({ name: PROBE_NAME, namespace, annotations: { 'pullkeeper.dev/inject': 'false' }, spec: { serviceAccountName } })
  await askUntil(async () => client.create(`/api/v1/namespaces/${namespace}/pods?dryRun=All`, probe), ({ status }) => status === 201)
}

/** Creates an object that must not be refused, and returns it. */
export async function createObject<T = KubernetesObject> (client: ClusterClient, path: string, object: object): Promise<T> {
  const { status, body } = await client.create<T>(path, object)
  if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(body)}`)
  return body
}

/** Makes a ServiceAccount and waits until its Pods are admitted. */
export async function createServiceAccount (client: ClusterClient, namespace: string, account: V1ServiceAccount & { metadata: { name: string } }): Promise<void> {
  await createObject(client, `/api/v1/namespaces/${namespace}/serviceaccounts`, account)
  await waitForPodAdmission(client, namespace, account.metadata.name)
}

/** Asks for the creation of a Pod. */
export async function askForPod (client: ClusterClient, namespace: string, parts: PodParts, { isDryRun = false } = {}): Promise<PodAnswer> {
  return client.create(`/api/v1/namespaces/${namespace}/pods${isDryRun ? '?dryRun=All' : ''}`, createPod({ ...parts, namespace }))
}

/** Creates a Pod that must not be refused, and returns it as it is stored. */
export async function storePod (client: ClusterClient, namespace: string, parts: PodParts): Promise<V1Pod> {
  const { status, body } = await askForPod(client, namespace, parts)
  if (status !== 201) throw new Error(`Pod ${namespace}/${parts.name}: ${status} ${JSON.stringify(body)}`)
  return (await client.get<V1Pod>(`/api/v1/namespaces/${namespace}/pods/${body.metadata?.name}`)).body
}

/** The names in a Pod's `imagePullSecrets`. */
export function namesOf (pod: V1Pod | undefined): (string | undefined)[] {
  return (pod?.spec?.imagePullSecrets ?? []).map(({ name }) => name)
}

/** What developers are told of the injection. */
export function annotationOf (pod: V1Pod | undefined): string | undefined {
  return pod?.metadata?.annotations?.['pullkeeper.dev/injected']
}
