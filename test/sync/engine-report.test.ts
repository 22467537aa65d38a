import t from 'tap'
import { SourceError } from '../../src/core/credential-source.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { formatCopiesView, type ClusterView } from '../../src/sync/cluster-view.ts'
import type { ContentState } from '../../src/sync/content-controller.ts'
import { createCopyDemand } from '../../src/sync/copy-demand.ts'
import { createCopyStates } from '../../src/sync/copy-states.ts'
import { createWorkerReport, listClearedNames } from '../../src/sync/engine-report.ts'
import type { SyncEngine } from '../../src/sync/sync-engine.ts'
import { createCopy, createSecret } from '../helpers/copies.ts'
import { CONFIG_HASH, createConfig, createPullSecret, OWN_NAMESPACE } from '../helpers/policies.ts'
import { createCopyWorld } from './copy-world.ts'

const config = createConfig([{ pullSecrets: ['a', 'b'] }], { pullSecrets: [createPullSecret({ name: 'a' }), createPullSecret({ name: 'b' })], retired: ['old'] })

const start = () => {
  const world = createCopyWorld(config)
  const forbidden = new Set<string>()
  const contents = new Map<string, ContentState>()
  const view = { ...world.view, isReady: (id: string) => !forbidden.has(id), isForbidden: (id: string) => forbidden.has(id) } as ClusterView
  const states = createCopyStates(createSyncMetrics())
  const demand = createCopyDemand({ plan: world.plan, view, isRemovingAll: false })
  const engine = { view, states, demand, plan: world.plan, contents: { state: (name: string) => contents.get(name) } } as SyncEngine
  return { world, forbidden, contents, states, engine }
}

t.test('what is well is not in the report', async (t) => {
  t.strictSame(createWorkerReport(start().engine), { config: CONFIG_HASH, secrets: {} })
})

t.test('problems, missing rights and removals that wait are', async (t) => {
  const { engine, contents, forbidden, states, world } = start()
  contents.set('a', { problems: [new SourceError('SourceMissing', 'there is no Secret', { namespace: 'platform', name: 'registry' })] })
  forbidden.add(formatCopiesView('b'))
  world.addNamespaces('team-a')
  world.cache('old').upsert(createCopy('team-a', '1', { name: 'old' }))
  states.set('team-a', 'old', 'held')
  t.strictSame(createWorkerReport(engine).secrets, {
    a: { problems: [{ reason: 'SourceMissing', message: 'there is no Secret' }] },
    b: { isForbidden: true },
    old: { held: { copies: 1, unwanted: 1 } }
  })
})

t.test('a retired name is cleared when no copy of ours is left, and that is known', async (t) => {
  const { engine, forbidden, world } = start()
  t.strictSame(listClearedNames(engine), ['old'])
  world.cache('old').upsert(createCopy(OWN_NAMESPACE, '1', { name: 'old' }))
  t.strictSame(listClearedNames(engine), [], 'the canonical copy counts')
  world.cache('old').remove(createCopy(OWN_NAMESPACE, '2', { name: 'old' }))
  world.cache('old').upsert(createSecret({ metadata: { name: 'old' } }))
  t.strictSame(listClearedNames(engine), ['old'], 'what is not ours does not')
  forbidden.add(formatCopiesView('old'))
  t.strictSame(listClearedNames(engine), [])
})
