import t from 'tap'
import { formatRemovalApproval } from '../../src/core/removal-guard.ts'
import { createCopyDemand, type CopyDemand } from '../../src/sync/copy-demand.ts'
import { createCopy, createSecret } from '../helpers/copies.ts'
import { CONFIG_HASH, createConfig, createPullSecret, OWN_NAMESPACE } from '../helpers/policies.ts'
import { createCopyWorld, createNamespace, type CopyWorld } from './copy-world.ts'

const NAME = 'example-pull'
const teams = (count: number): string[] => Array.from({ length: count }, (_, index) => `team-${index}`)
const withoutRules = createConfig([], { pullSecrets: [createPullSecret()] })
const retired = createConfig([], { retired: [NAME] })

const start = (isRemovingAll = false): { world: CopyWorld, demand: CopyDemand } => {
  const world = createCopyWorld()
  return { world, demand: createCopyDemand({ ...world, isRemovingAll }) }
}

/** A world with so many copies of ours, the canonical one besides. */
const startWithCopies = (count: number, isRemovingAll = false): { world: CopyWorld, demand: CopyDemand } => {
  const { world, demand } = start(isRemovingAll)
  world.addNamespaces(...teams(count))
  for (const namespace of [OWN_NAMESPACE, ...teams(count)]) world.cache().upsert(createCopy(namespace, '1'))
  return { world, demand }
}

t.test('a copy is wanted where the rules say, and in the worker\'s own namespace', async (t) => {
  const { world, demand } = start()
  world.addNamespaces('team-a', 'other')
  t.ok(demand.isWanted('team-a', NAME))
  t.ok(demand.isWanted(OWN_NAMESPACE, NAME))
  t.notOk(demand.isWanted('other', NAME))
  t.notOk(demand.isWanted('team-unseen', NAME))
  t.notOk(demand.isWanted('team-a', 'another'))
  t.equal(demand.countWanted(NAME), 2)
  t.equal(demand.countWanted('another'), 0)
})

t.test('a namespace that ends is not counted', async (t) => {
  const { world, demand } = startWithCopies(3)
  world.view.namespaces.upsert(createNamespace('team-0', true))
  t.equal(demand.countWanted(NAME), 3)
  t.strictSame(demand.counts(NAME), { copies: 2, unwanted: 0 })
})

t.test('copies of others, sources and those in unseen namespaces are not counted', async (t) => {
  const { world, demand } = startWithCopies(2)
  world.addNamespaces('team-foreign', 'team-source')
  world.cache().upsert(createSecret({ metadata: { namespace: 'team-foreign' } }))
  world.cache().upsert(createCopy('team-source', '1'))
  world.cache().upsert(createCopy('team-unseen', '1'))
  world.configure(createConfig([], { pullSecrets: [createPullSecret({ copyFrom: { secret: { namespace: 'team-source', name: NAME } } })] }))
  t.strictSame(demand.counts(NAME), { copies: 2, unwanted: 2 })
})

t.test('a configuration that loses its rules waits for a person, and its approval frees it', async (t) => {
  const { world, demand } = startWithCopies(11)
  t.notOk(demand.isHeld(NAME))
  world.configure(withoutRules)
  demand.invalidate()
  t.strictSame(demand.counts(NAME), { copies: 11, unwanted: 11 })
  t.ok(demand.isHeld(NAME))
  t.ok(demand.isWanted(OWN_NAMESPACE, NAME), 'the canonical copy stays')
  const approve = (version: string, value: string): void => {
    const copy = createCopy(OWN_NAMESPACE, version)
    world.cache().upsert({ ...copy, metadata: { ...copy.metadata, annotations: { 'pullkeeper.dev/allow-removal': value } } })
  }
  approve('2', formatRemovalApproval('cd'.repeat(32)))
  t.ok(demand.isHeld(NAME), 'an approval of another configuration is none')
  approve('3', formatRemovalApproval(CONFIG_HASH))
  t.notOk(demand.isHeld(NAME))
})

t.test('up to ten copies go without a word', async (t) => {
  const { world, demand } = startWithCopies(10)
  world.configure(withoutRules)
  demand.invalidate()
  t.notOk(demand.isHeld(NAME))
})

t.test('a retired name is a person\'s word: nothing waits, and the canonical copy goes last', async (t) => {
  const { world, demand } = startWithCopies(11)
  world.configure(retired)
  demand.invalidate()
  t.notOk(demand.isHeld(NAME))
  t.equal(demand.countWanted(NAME), 0)
  t.notOk(demand.isWanted('team-0', NAME))
  t.ok(demand.isWanted(OWN_NAMESPACE, NAME))
  for (const namespace of teams(11)) world.cache().remove(createCopy(namespace, '2'))
  demand.invalidate()
  t.notOk(demand.isWanted(OWN_NAMESPACE, NAME))
})

t.test('when everything is to go, nothing is wanted and nothing waits', async (t) => {
  const { demand } = startWithCopies(11, true)
  t.notOk(demand.isWanted('team-0', NAME))
  t.notOk(demand.isWanted(OWN_NAMESPACE, NAME))
  t.notOk(demand.isHeld(NAME))
})

t.test('a copy is unwanted since the first question, until it is wanted again', async (t) => {
  const { demand } = start()
  t.equal(demand.unwantedSinceMs('team-a', NAME, 1000), 1000)
  t.equal(demand.unwantedSinceMs('team-a', NAME, 2000), 1000)
  t.equal(demand.unwantedSinceMs('team-b', NAME, 2000), 2000)
  demand.forgetUnwanted('team-a', NAME)
  t.equal(demand.unwantedSinceMs('team-a', NAME, 3000), 3000)
  t.equal(demand.unwantedSinceMs('team-b', NAME, 3000), 2000)
})

t.test('since when the copies of a forgotten name are not wanted is not known, that of others is', async (t) => {
  const { demand } = start()
  t.equal(demand.unwantedSinceMs('team-a', NAME, 1000), 1000)
  t.equal(demand.unwantedSinceMs('team-a', `other-${NAME}`, 1000), 1000)
  demand.forget(NAME)
  t.equal(demand.unwantedSinceMs('team-a', NAME, 3000), 3000)
  t.equal(demand.unwantedSinceMs('team-a', `other-${NAME}`, 3000), 1000)
})

t.test('the own namespace counts once, also where a rule names it', async (t) => {
  const world = createCopyWorld(createConfig([{ namespaces: { include: [OWN_NAMESPACE, 'team-a'] } }]))
  world.addNamespaces('team-a', 'team-b')
  t.ok(world.view.namespaces.get(OWN_NAMESPACE)?.wanted.has(NAME), 'the rule wants it there')
  t.equal(createCopyDemand({ ...world, isRemovingAll: false }).countWanted(NAME), 2)
})
