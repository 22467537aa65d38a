import t from 'tap'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import type { ClusterView } from '../../src/sync/cluster-view.ts'
import { createCopyDemand } from '../../src/sync/copy-demand.ts'
import { findReasonNotReady, refreshViewMetrics } from '../../src/sync/readiness.ts'
import type { ViewState } from '../../src/sync/watched-collections.ts'
import { createCopyWorld } from './copy-world.ts'

const fresh = (view: string, parts: Partial<ViewState> = {}): ViewState => ({ view, isReady: true, isFresh: true, isForbidden: false, ageMs: 1500, ...parts })
const stale = (view: string, parts: Partial<ViewState> = {}): ViewState => fresh(view, { isFresh: false, ...parts })

const cases: [string, ViewState[], string | undefined][] = [
  ['all views are fresh', [fresh('namespaces'), fresh('secrets a')], undefined],
  ['a view is stale', [fresh('namespaces'), stale('secrets a'), stale('secrets b')], 'no current view of secrets a, secrets b'],
  ['the right to one Secret is missing, which concerns that one alone', [fresh('namespaces'), stale('secrets a', { isForbidden: true })], undefined],
  ['the right to Namespaces is missing', [stale('namespaces', { isForbidden: true }), fresh('secrets a')], 'no current view of namespaces'],
  ['nothing was listed yet', [stale('namespaces', { isReady: false, ageMs: undefined })], 'no current view of namespaces']
]

for (const [name, states, expected] of cases) {
  t.test(`when ${name}, the worker is ${expected === undefined ? 'ready' : 'not ready'}`, async (t) => {
    t.equal(findReasonNotReady(states), expected)
  })
}

t.test('metrics of the moment follow the views, and those of views that are gone go', async (t) => {
  const metrics = createSyncMetrics()
  const world = createCopyWorld()
  world.addNamespaces('team-a', 'team-b')
  let states = [fresh('namespaces'), stale('secrets x', { ageMs: undefined })]
  const view = { ...world.view, states: () => states } as ClusterView
  const engine = { view, plan: world.plan, demand: createCopyDemand({ plan: world.plan, view, isRemovingAll: false }), queueLength: () => 7 }
  refreshViewMetrics(metrics, engine)
  const read = async (metric: 'viewFresh' | 'viewAgeSeconds' | 'desired' | 'queueLength') => (await metrics[metric].get()).values.map(({ labels, value }) => [...Object.values(labels), value])
  t.strictSame(await read('viewFresh'), [['namespaces', 1], ['secrets x', 0]])
  t.strictSame(await read('viewAgeSeconds'), [['namespaces', 1.5]])
  t.strictSame(await read('desired'), [['example-pull', 3]])
  t.strictSame(await read('queueLength'), [[7]])
  states = [fresh('namespaces')]
  refreshViewMetrics(metrics, engine)
  t.strictSame(await read('viewFresh'), [['namespaces', 1]])
})
