import { setTimeout as delay } from 'node:timers/promises'
import type { V1Secret } from '@kubernetes/client-node'
import type { Test } from 'tap'
import type { ClusterKind } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import {
  createFailoverWorld, createNamespaces, findLastRenewalMs, isWrite, listCopyWrites, waitForWrites, type Candidate, type FailoverWorld
} from './sync-failover-world.ts'
import { testEachCluster } from './test-cluster.ts'

/** Two worker processes with the Lease's periods as in production: one ends in the middle of its work, and the other finishes it. */

const NAMESPACES: Record<ClusterKind, number> = { 'in-memory': 100, 'control-plane': 500 }
/** Where hundreds would show no more. */
const SOME = 100
const RENEW_DEADLINE_MS = 10_000
/** From the worker's last look at its deadline to the arrival of the write, on a busy machine; less than the pause between its attempts. */
const ARRIVAL_MS = 1_000
const LOOK_MS = 100
/** As many writes as are under way at once. */
const IN_FLIGHT = 8

/** A world in the middle of a rotation. */
interface Rotation {
  leader: Candidate
  other: Candidate
  /** The UIDs of the copies, by namespace. */
  uids: Map<string, string>
}

/** Starts two workers, waits until everything stands, rotates the source and waits until a part of the copies has followed. */
async function startRotation (t: Test, world: FailoverWorld): Promise<Rotation> {
  const candidates = await Promise.all([world.start(t), world.start(t)])
  const leader = await world.waitForLeader(candidates)
  const uids = mapCopies(await world.waitForPassword('test-password-1'), 'uid')
  for (const { proxy } of candidates) proxy.forgetRequests()
  // So that there is a renewal to count from, and the work is under way when it is interrupted.
  await eventually('the leader renews', () => findLastRenewalMs(leader) > 0)
  await world.rotate('test-password-2')
  await waitForWrites(leader, world.namespaces.length / 5)
  const other = candidates.find((candidate) => candidate !== leader)
  if (other === undefined) throw new Error('there are two')
  return { leader, other, uids }
}

function mapCopies (copies: V1Secret[], field: 'uid' | 'resourceVersion'): Map<string, string> {
  return new Map(copies.map(({ metadata }) => [metadata?.namespace ?? '', metadata?.[field] ?? '']))
}

/** The other one leads, every copy is right and the one it was, and hardly any write was made twice. */
async function checkTakeover (t: Test, world: FailoverWorld, { leader, other, uids }: Rotation): Promise<void> {
  const interrupted = listCopyWrites(leader).length
  t.ok(interrupted < uids.size, `it was interrupted in the middle (${interrupted} of ${uids.size})`)
  await world.waitForLeader([other])
  const copies = await world.waitForPassword('test-password-2')
  t.strictSame(mapCopies(copies, 'uid'), uids, 'updated in place')
  await waitUntilDone(other, uids.size)
  const made = [leader, other].flatMap(listCopyWrites).filter(({ status }) => status === 200).length
  t.ok(made <= uids.size + IN_FLIGHT, `hardly any write was made twice (${made} for ${uids.size})`)
}

/** The first one leads again after a rotation that the other one carried out: it trusts nothing of what it knew. */
async function checkReturn (t: Test, world: FailoverWorld, { leader, other, uids }: Rotation): Promise<void> {
  await world.rotate('test-password-3')
  const versions = mapCopies(await world.waitForPassword('test-password-3'), 'resourceVersion')
  leader.proxy.forgetRequests()
  other.process.signal('SIGTERM')
  t.equal(await other.process.waitForExit(), 0)
  await world.waitForLeader([leader])
  await waitUntilDone(leader, uids.size)
  t.strictSame(listCopyWrites(leader), [], 'a leader that returns writes nothing')
  t.strictSame(mapCopies(await world.copies(), 'resourceVersion'), versions, 'no copy has changed')
}

/** Waits until a leader has looked at every copy and has nothing left to do. */
async function waitUntilDone ({ process }: Candidate, copies: number): Promise<void> {
  await eventually('the leader has looked at every copy', async () => {
    await delay(LOOK_MS)
    const metrics = await process.metrics()
    const present = metrics.labelsOf('pullkeeper_sync_copies').filter(({ state }) => state === 'present').reduce((sum, labels) => sum + (metrics.value('pullkeeper_sync_copies', labels) ?? 0), 0)
    return metrics.value('pullkeeper_sync_leader') === 1 && metrics.value('pullkeeper_sync_queue_length') === 0 && present === copies
  })
}

/** Waits until a worker that led once has asked for the Lease twice more: it had time to do wrong. */
async function waitUntilBack ({ process, proxy }: Candidate, sinceMs: number): Promise<void> {
  const asked = (): number => proxy.requests().filter(({ method, path, atMs }) => method === 'GET' && path.includes('/leases/') && atMs > sinceMs).length
  await eventually('it asks for the Lease again', () => asked() >= 2, 30_000)
  await eventually('it knows that it leads no more', async () => (await process.metrics()).value('pullkeeper_sync_leader') === 0)
}

testEachCluster(async (t, cluster) => {
  const namespaces = await createNamespaces(cluster, NAMESPACES[t.name as ClusterKind])
  t.jobs = 4

  const killed = t.test('kill -9 of the leader in the middle of a rotation: the other one finishes', { buffered: true }, async (t) => {
    const world = await createFailoverWorld(cluster, 'killed-pull', namespaces)
    const rotation = await startRotation(t, world)
    rotation.leader.process.signal('SIGKILL')
    t.equal(await rotation.leader.process.waitForExit(), 'SIGKILL')
    await checkTakeover(t, world, rotation)
  })

  const stopped = t.test('SIGSTOP of the leader in the middle, SIGCONT when the other one has finished: it writes no more', { buffered: true }, async (t) => {
    const world = await createFailoverWorld(cluster, 'stopped-pull', namespaces)
    const rotation = await startRotation(t, world)
    const { leader, other } = rotation
    leader.process.signal('SIGSTOP')
    await checkTakeover(t, world, rotation)
    const versions = mapCopies(await world.copies(), 'resourceVersion')

    const continuedAtMs = performance.now()
    leader.process.signal('SIGCONT')
    await waitUntilBack(leader, continuedAtMs)
    t.strictSame(leader.proxy.requests().filter((request) => isWrite(request) && request.atMs > continuedAtMs), [], 'no write after SIGCONT, the Lease included')
    t.match(leader.process.log().filter(({ msg }) => msg === 'this process leads no more'), [{ reason: 'deadline' }], 'it ended by its own deadline')
    t.equal(await world.waitForLeader([leader, other]), other, 'the other one leads still')
    t.strictSame(mapCopies(await world.copies(), 'resourceVersion'), versions, 'no copy has changed')
  })

  const stalled = t.test('the leader\'s API server stalls for longer than the renew deadline: no write starts after it', { buffered: true }, async (t) => {
    const world = await createFailoverWorld(cluster, 'stalled-pull', namespaces.slice(0, SOME))
    const rotation = await startRotation(t, world)
    const { leader, other } = rotation
    const endStall = leader.proxy.inject({ kind: 'stall' })
    await checkTakeover(t, world, rotation)
    t.match(leader.process.log().filter(({ msg }) => msg === 'this process leads no more'), [{ reason: 'deadline' }], 'it ended by its own deadline')

    const endedAtMs = performance.now()
    endStall()
    await waitUntilBack(leader, endedAtMs)
    const deadlineMs = findLastRenewalMs(leader) + RENEW_DEADLINE_MS
    const late = leader.proxy.requests().filter((request) => isWrite(request) && request.atMs > deadlineMs + ARRIVAL_MS)
    t.strictSame(late, [], 'no write after the deadline')
    const attempts = listCopyWrites(leader).filter(({ status }) => status === undefined).length
    t.ok(attempts > 0 && attempts <= 4 * IN_FLIGHT, `it tried, and not often (${attempts})`)
    t.equal(await world.waitForLeader([leader, other]), other, 'the other one leads still')
    await checkReturn(t, world, rotation)
  })

  const idle = t.test('a takeover and a restart with everything in place: no write', { buffered: true }, async (t) => {
    const world = await createFailoverWorld(cluster, 'idle-pull', namespaces.slice(0, SOME))
    const candidates = await Promise.all([world.start(t), world.start(t)])
    const leader = await world.waitForLeader(candidates)
    const other = candidates.find((candidate) => candidate !== leader)
    if (other === undefined) throw new Error('there are two')
    const versions = mapCopies(await world.waitForPassword('test-password-1'), 'resourceVersion')
    await waitUntilDone(leader, versions.size)

    leader.process.signal('SIGKILL')
    await world.waitForLeader([other])
    await waitUntilDone(other, versions.size)
    t.strictSame(listCopyWrites(other), [], 'the new leader writes nothing')

    other.process.signal('SIGTERM')
    t.equal(await other.process.waitForExit(), 0)
    const next = await world.start(t)
    await world.waitForLeader([next])
    await waitUntilDone(next, versions.size)
    t.strictSame([...listCopyWrites(other), ...listCopyWrites(next)], [], 'nor does one that is started anew')
    t.strictSame(mapCopies(await world.copies(), 'resourceVersion'), versions, 'no copy has changed')
  })
  await Promise.all([killed, stopped, stalled, idle])
})
