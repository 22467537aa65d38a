import t from 'tap'
import { compileSyncPlan, listSourceKeys, listWatchedNames } from '../../src/sync/sync-plan.ts'
import { CONFIG_HASH, createConfig, createPullSecret, OWN_NAMESPACE } from '../helpers/policies.ts'
import { createRegistry } from './content-world.ts'

t.test('a plan knows what is kept, what is retired, where it is wanted and what it is made from', async (t) => {
  const copied = createPullSecret({ name: 'copied', copyFrom: { secret: { namespace: 'default', name: 'copied' } } })
  const minted = createPullSecret({ name: 'minted', registries: [createRegistry('b'), createRegistry('a')] })
  const config = createConfig([{ pullSecrets: ['copied'], namespaces: { include: ['team-*'] } }], { pullSecrets: [copied, minted], retired: ['old'] })
  const plan = compileSyncPlan(config, { configHash: CONFIG_HASH, ownNamespace: OWN_NAMESPACE })
  t.strictSame(listWatchedNames(plan), ['copied', 'minted', 'old'])
  t.equal(plan.pullSecrets.get('minted'), minted)
  t.strictSame([...plan.sourceKeys], ['default/copied', 'platform/a', 'platform/b'])
  t.strictSame([...plan.demand({ name: 'team-a', labels: {} })], ['copied'])
  t.strictSame(listSourceKeys(minted), ['platform/a', 'platform/b'])
})
