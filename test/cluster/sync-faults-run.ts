import type { Test } from 'tap'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import type { ClusterClient, ClusterKind } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import type { WorkerSetup } from '../helpers/sync-worker.ts'
import {
  changeWorld, countRequests, createTeams, listWrites, readFailures, startFaultWorld, waitForReadiness, waitUntilIdle, waitUntilRight, type FaultWorld, type RequestCounts
} from './sync-faults-world.ts'
import type { TestCluster } from './test-cluster.ts'

/** Something that goes wrong between the worker and its API server, and what may come of it. */
export interface FaultCase {
  /** A sentence. */
  name: string
  /** The name of the pull secret that it happens to. */
  secret: string
  /** All when absent. */
  kinds?: ClusterKind[]
  /** It meets the whole cluster. */
  isAlone?: boolean
  intervals?: WorkerSetup['reflectorIntervals']
  /** Begins the fault and changes the world in it; what it returns ends it. Without a call of `change` the world is changed afterwards. */
  strike: (world: FaultWorld, change: () => Promise<void>) => Promise<EndFault>
  lastsMs: number
  /** What `/readyz` must say while it lasts: 200 all the time, or 503 in the end. */
  readiness: 200 | 503
  /** The most requests while it lasts. */
  limits: RequestCounts
  /** Writes that arrive beyond one for each copy, at most. */
  extraWrites?: number
}

/** What runs at once; mostly it waits. */
const LANES = 5

/** Checks the cases that this kind of cluster knows, side by side; those that disturb each other one after another. */
export async function checkFaults (t: Test, { cluster, client }: TestCluster, faults: FaultCase[]): Promise<void> {
  await createTeams(client)
  t.jobs = LANES
  const known = faults.filter(({ kinds }) => kinds?.includes(t.name as ClusterKind) ?? true)
  await Promise.all(known.map(async (fault) => t.test(fault.name, { buffered: fault.isAlone !== true }, async (t) => checkFault(t, cluster, client, fault))))
}

/** Ends a fault. */
export type EndFault = () => void | Promise<void>

/** Backoff and grace as in production, but shorter, so that a fault of seconds shows what one of minutes does. */
export const SHORT_INTERVALS = { graceMs: 1_000, minBackoffMs: 200, maxBackoffMs: 2_000 }

/** The deleted, the spoiled and the new copy may be written with the old content first. */
const EARLY_WRITES = 3

/** Changes the world while a fault is on, and checks that the worker comes to terms with both. */
async function checkFault (t: Test, cluster: Cluster, client: ClusterClient, fault: FaultCase): Promise<void> {
  const world = await startFaultWorld(t, cluster, client, fault.secret, fault.intervals)
  const { proxy, witness, worker } = world
  proxy.forgetRequests()
  witness.forgetRequests()
  let changed: string[] | undefined
  const end = await fault.strike(world, async () => { changed = await changeWorld(world) })
  await watchReadiness(world, fault)
  const during = countRequests(proxy.requests())
  for (const kind of ['reads', 'writes', 'lease', 'events'] as const) t.ok(during[kind] <= fault.limits[kind], `no storm of ${kind} (${during[kind]})`)
  const failures = await readFailures(worker)
  const refused = listWrites(proxy.requests()).filter(({ status = 0 }) => status >= 300).length
  t.ok(failures.watches > 0 || fault.readiness === 200, 'the metrics tell of views that are lost')
  t.ok(failures.writes > 0 || refused === 0, 'the metrics tell of writes that are refused')

  await end()
  const copies = await waitUntilRight(world, changed ?? await changeWorld(world), 'test-password-2')
  await waitForReadiness(worker, 200)
  await waitUntilIdle(worker)
  const contents = new Set(copies.map(({ data }) => data?.['.dockerconfigjson']))
  t.equal(contents.size, 1, 'all copies are byte-identical')
  const made = listWrites(witness.requests()).filter(({ status = 0 }) => status >= 200 && status < 300).length
  t.ok(made >= copies.length && made <= copies.length + EARLY_WRITES + (fault.extraWrites ?? 0), `each needed write and hardly any other (${made} for ${copies.length})`)
  t.notMatch(world.log() + await worker.metrics(), /test-password/, 'no credential in log and metrics')
}

/** Waits until the fault has lasted, and that the worker's readiness says what it should. */
async function watchReadiness ({ worker }: FaultWorld, { lastsMs, readiness }: FaultCase): Promise<void> {
  const beganAtMs = performance.now()
  if (readiness === 503) await waitForReadiness(worker, 503)
  await eventually('the fault has lasted', async () => {
    const { status, text } = await worker.readiness()
    if (status !== readiness) throw new Error(`/readyz: ${status} ${text}`)
    return performance.now() - beganAtMs > lastsMs
  }, lastsMs * 2)
}
