import type { ControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'
import type { Fault, ProxiedRequest, RequestFilter } from '../../src/sandbox/faults/fault.ts'
import { eventually } from '../helpers/eventually.ts'
import { checkFaults, SHORT_INTERVALS, type FaultCase } from './sync-faults-run.ts'
import { listWrites } from './sync-faults-world.ts'
import { compactEtcd, findEtcdUrl } from './etcd.ts'
import { testEachCluster } from './test-cluster.ts'

/** What goes wrong with every request: the worker waits as a whole, asks seldom, and makes up for all of it. */

const isWrite = ({ method }: ProxiedRequest): boolean => method !== 'GET'
/** As many as are under way at once. */
const IN_FLIGHT = 8

/** The watches show what happens in the fault, and the writes that follow meet it. */
const strikeWrites = (fault: Fault, matches?: RequestFilter): FaultCase['strike'] => async ({ proxy }, change) => {
  const end = proxy.inject(fault, matches)
  await change()
  return end
}

/** As above, and then no watch is left, either. */
const strikeAll = (fault: Fault, how: 'end' | 'reset'): FaultCase['strike'] => async (world, change) => {
  const end = await strikeWrites(fault)(world, change)
  await eventually('a write meets the fault', () => listWrites(world.proxy.requests()).length > 0)
  world.proxy.cutWatches(how)
  return end
}

const CASES: FaultCase[] = [
  {
    name: 'the API server asks to wait (429 with Retry-After)',
    secret: 'throttled-pull',
    intervals: SHORT_INTERVALS,
    strike: strikeAll({ kind: 'answer', status: 429, retryAfterSeconds: 2 }, 'end'),
    lastsMs: 5_000,
    readiness: 503,
    limits: { reads: 12, writes: 3 * IN_FLIGHT, lease: 8, events: 10 }
  },
  {
    name: 'the API server fails (500)',
    secret: 'failing-pull',
    intervals: SHORT_INTERVALS,
    strike: strikeAll({ kind: 'answer', status: 500 }, 'reset'),
    lastsMs: 6_000,
    readiness: 503,
    limits: { reads: 24, writes: 5 * IN_FLIGHT, lease: 8, events: 10 }
  },
  {
    name: 'writes fail (500), and watches go on',
    secret: 'refused-pull',
    strike: strikeWrites({ kind: 'answer', status: 500 }, isWrite),
    lastsMs: 5_000,
    readiness: 200,
    limits: { reads: 3, writes: 5 * IN_FLIGHT, lease: 8, events: 10 }
  },
  {
    name: 'connections are cut',
    secret: 'reset-pull',
    intervals: SHORT_INTERVALS,
    strike: strikeAll({ kind: 'reset' }, 'reset'),
    lastsMs: 4_000,
    readiness: 503,
    limits: { reads: 24, writes: 5 * IN_FLIGHT, lease: 8, events: 10 }
  },
  {
    name: 'everything stalls: connections open, and silent',
    secret: 'silent-pull',
    intervals: { ...SHORT_INTERVALS, inactivityMs: 3_000 },
    async strike ({ proxy }, change) {
      const changed = change()
      await eventually('a write is made', () => listWrites(proxy.requests()).length > 0)
      const end = proxy.inject({ kind: 'stall' })
      await changed
      return end
    },
    lastsMs: 5_000,
    readiness: 503,
    limits: { reads: 15, writes: 3 * IN_FLIGHT, lease: 6, events: 10 },
    extraWrites: IN_FLIGHT
  },
  {
    name: 'the answers of writes are lost',
    secret: 'lost-pull',
    strike: strikeWrites({ kind: 'reset-after-write' }, isWrite),
    lastsMs: 4_000,
    readiness: 200,
    limits: { reads: 3, writes: 60, lease: 8, events: 20 },
    extraWrites: IN_FLIGHT
  },
  {
    name: 'every answer takes 1.5 s',
    secret: 'slow-pull',
    strike: strikeWrites({ kind: 'delay', delayMs: 1_500 }),
    lastsMs: 4_000,
    readiness: 200,
    limits: { reads: 3, writes: 5 * IN_FLIGHT, lease: 5, events: 10 }
  },
  {
    name: 'the token is refused (401) while watches go on',
    secret: 'refused-token-pull',
    strike: async (world, change) => strikeWrites({ kind: 'reject-token', token: world.proxy.token })(world, change),
    lastsMs: 4_000,
    readiness: 200,
    limits: { reads: 3, writes: 5 * IN_FLIGHT, lease: 8, events: 10 }
  },
  {
    name: 'the token is refused (401), and no watch is left',
    secret: 'locked-out-pull',
    intervals: SHORT_INTERVALS,
    strike: async (world, change) => strikeAll({ kind: 'reject-token', token: world.proxy.token }, 'end')(world, change),
    lastsMs: 3_000,
    readiness: 503,
    limits: { reads: 20, writes: 4 * IN_FLIGHT, lease: 6, events: 10 }
  },
  {
    name: 'the API server is killed and started again, and etcd has forgotten its history',
    secret: 'killed-pull',
    kinds: ['control-plane'],
    isAlone: true,
    intervals: SHORT_INTERVALS,
    async strike ({ cluster }) {
      const { killApiServer, startApiServer } = cluster as ControlPlane
      await killApiServer()
      await compactEtcd(await findEtcdUrl())
      return startApiServer
    },
    lastsMs: 2_000,
    readiness: 503,
    limits: { reads: 20, writes: 0, lease: 6, events: 10 }
  }
]

testEachCluster(async (t, cluster) => { await checkFaults(t, cluster, CASES) })
