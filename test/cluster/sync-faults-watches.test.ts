import type { InMemoryCluster } from '../../src/sandbox/api/in-memory-cluster.ts'
import type { FaultProxy } from '../../src/sandbox/fault-proxy.ts'
import type { ProxiedRequest } from '../../src/sandbox/faults/fault.ts'
import { checkFaults, SHORT_INTERVALS, type FaultCase } from './sync-faults-run.ts'
import { testEachCluster } from './test-cluster.ts'

/** What goes wrong with watches and lists: the view is old, the worker says so, and nothing that happened meanwhile is lost. */

const isWatch = ({ isWatch }: ProxiedRequest): boolean => isWatch
const isRead = ({ method }: ProxiedRequest): boolean => method === 'GET'

function cutFor (proxy: FaultProxy): () => void {
  const end = proxy.inject({ kind: 'reset' }, isWatch)
  proxy.cutWatches('reset')
  return end
}

const CASES: FaultCase[] = [
  {
    name: 'watches that end are opened again, and nobody is alarmed',
    secret: 'ended-pull',
    async strike ({ proxy }, change) {
      proxy.cutWatches('end')
      await change()
      return () => {}
    },
    lastsMs: 1_000,
    readiness: 200,
    limits: { reads: 12, writes: 40, lease: 3, events: 10 }
  },
  {
    name: 'watches are cut, and new ones, too',
    secret: 'cut-pull',
    intervals: SHORT_INTERVALS,
    async strike ({ proxy }, change) {
      const end = cutFor(proxy)
      await change()
      return end
    },
    lastsMs: 3_000,
    readiness: 503,
    limits: { reads: 20, writes: 0, lease: 4, events: 10 }
  },
  {
    name: 'watches stall: open, and silent',
    secret: 'stalled-pull',
    intervals: { ...SHORT_INTERVALS, inactivityMs: 2_000 },
    async strike ({ proxy }, change) {
      const end = proxy.inject({ kind: 'stall' }, isWatch)
      await change()
      return end
    },
    lastsMs: 3_000,
    readiness: 503,
    limits: { reads: 20, writes: 0, lease: 5, events: 10 }
  },
  {
    name: 'a watch is always too late (410), and lists go on',
    secret: 'expired-pull',
    async strike ({ proxy }, change) {
      const end = proxy.inject({ kind: 'expire-watch' })
      proxy.cutWatches('reset')
      await change()
      return end
    },
    lastsMs: 4_000,
    readiness: 200,
    limits: { reads: 30, writes: 40, lease: 5, events: 10 }
  },
  {
    name: 'watches and lists are too late (410)',
    secret: 'gone-pull',
    intervals: SHORT_INTERVALS,
    async strike ({ proxy }, change) {
      const ends = [proxy.inject({ kind: 'expire-watch' }), proxy.inject({ kind: 'answer', status: 410 }, isRead)]
      proxy.cutWatches('reset')
      await change()
      return () => { ends.forEach((end) => { end() }) }
    },
    lastsMs: 3_000,
    readiness: 503,
    limits: { reads: 30, writes: 0, lease: 4, events: 10 }
  },
  {
    name: 'the history is gone when the watches come back',
    secret: 'compacted-pull',
    kinds: ['in-memory'],
    isAlone: true,
    intervals: SHORT_INTERVALS,
    async strike ({ proxy, cluster }, change) {
      const end = cutFor(proxy)
      await change()
      return () => {
        (cluster as InMemoryCluster).compact()
        end()
      }
    },
    lastsMs: 2_000,
    readiness: 503,
    limits: { reads: 20, writes: 0, lease: 4, events: 10 }
  }
]

testEachCluster(async (t, cluster) => { await checkFaults(t, cluster, CASES) })
