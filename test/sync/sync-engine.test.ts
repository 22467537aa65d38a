import t from 'tap'
import type { PullSecretConfig } from '../../src/core/pull-secret-config.ts'
import { CONFIG_HASH, createConfig, OWN_NAMESPACE, type RuleParts } from '../helpers/policies.ts'
import { PULL_SECRET, startEngineWorld } from './engine-world.ts'

const NAME = PULL_SECRET.name
const PRUNE_AFTER_MS = 600_000
const NEXT_HASH = 'cd'.repeat(32)
const LAST_HASH = 'ef'.repeat(32)
const teams = Array.from({ length: 11 }, (_, index) => `team-${String(index).padStart(2, '0')}`)

const configure = (...rules: RuleParts[]): PullSecretConfig => createConfig(rules, { pullSecrets: [PULL_SECRET] })
const forTeams = configure({ namespaces: { include: ['team-*'] } })
const forTeamA = configure({ namespaces: { include: ['team-a'] } })
const forNobody = configure()

t.test('a term brings every copy to its namespace, and between terms nothing is written', async (t) => {
  const { engine, clock, copies, putNamespace } = await startEngineWorld(t, forTeams, ['team-a'])
  await clock.advance(1_000)
  t.strictSame(copies(), [])
  engine.begin()
  await clock.advance(0)
  t.strictSame(copies(), [OWN_NAMESPACE, 'team-a'])
  t.ok(engine.isSettled())
  await engine.halt()
  await putNamespace('team-b')
  t.strictSame(copies(), [OWN_NAMESPACE, 'team-a'])
})

t.test('a copy that is not wanted goes after pruneAfter', async (t) => {
  const { engine, clock, copies, follow } = await startEngineWorld(t, forTeams, ['team-a', 'team-b'])
  engine.begin()
  await clock.advance(0)
  await follow(forTeamA, NEXT_HASH)
  await clock.advance(PRUNE_AFTER_MS - 1_000)
  t.strictSame(copies(), [OWN_NAMESPACE, 'team-a', 'team-b'])
  await clock.advance(1_000)
  t.strictSame(copies(), [OWN_NAMESPACE, 'team-a'])
})

t.test('a new term waits pruneAfter anew: nobody knows what was wanted in between', async (t) => {
  const { engine, clock, copies, follow } = await startEngineWorld(t, forTeams, ['team-a', 'team-b'])
  engine.begin()
  await clock.advance(0)
  await follow(forTeamA, NEXT_HASH)
  await clock.advance(PRUNE_AFTER_MS - 1_000)
  await engine.halt()
  await clock.advance(PRUNE_AFTER_MS)
  engine.begin()
  await clock.advance(PRUNE_AFTER_MS - 1_000)
  t.strictSame(copies(), [OWN_NAMESPACE, 'team-a', 'team-b'], 'as long as it should be')
  await clock.advance(1_000)
  t.strictSame(copies(), [OWN_NAMESPACE, 'team-a'])
})

t.test('a removal that waits, and no longer has to, goes on without anybody\'s word', async (t) => {
  const { engine, clock, copies, follow, held, removeSecret } = await startEngineWorld(t, forTeams, teams)
  engine.begin()
  await clock.advance(0)
  t.equal(copies().length, 12)
  await follow(forNobody, NEXT_HASH)
  t.equal(engine.states.count(NAME, 'held'), 11)
  t.strictSame(held, [{ configHash: NEXT_HASH, counts: { copies: 11, unwanted: 11 } }])
  await removeSecret('team-00', NAME)
  t.equal(engine.states.count(NAME, 'held'), 0, 'ten are not many')
  t.equal(engine.states.count(NAME, 'unwanted'), 10)
  await clock.advance(PRUNE_AFTER_MS)
  t.strictSame(copies(), [OWN_NAMESPACE])
})

t.test('each configuration that would remove so much is told with its own hash, once', async (t) => {
  const { engine, clock, copies, follow, held } = await startEngineWorld(t, forTeams, teams)
  engine.begin()
  await clock.advance(0)
  await follow(forNobody, NEXT_HASH)
  await follow(forNobody, LAST_HASH)
  await follow(forNobody, LAST_HASH)
  t.strictSame(held.map(({ configHash }) => configHash), [NEXT_HASH, LAST_HASH])
  await clock.advance(2 * PRUNE_AFTER_MS)
  t.equal(copies().length, 12)
})

t.test('a new term tells anew what waits', async (t) => {
  const { engine, clock, follow, held } = await startEngineWorld(t, forTeams, teams)
  engine.begin()
  await clock.advance(0)
  await follow(forNobody, NEXT_HASH)
  await engine.halt()
  engine.begin()
  await clock.advance(0)
  t.strictSame(held.map(({ configHash }) => configHash), [NEXT_HASH, NEXT_HASH])
})

t.test('a removal that waits again, after it had no need to, is told', async (t) => {
  const byLabel = configure({ namespaces: { selector: { matchLabels: { pull: 'yes' } } } })
  const { engine, clock, follow, held, putNamespace } = await startEngineWorld(t, byLabel, [])
  engine.begin()
  for (const team of teams) await putNamespace(team, { pull: 'yes' })
  await clock.advance(0)
  await follow(forNobody, NEXT_HASH)
  await follow(byLabel, CONFIG_HASH)
  t.equal(engine.states.count(NAME, 'present'), 12)
  t.strictSame(held.map(({ configHash }) => configHash), [NEXT_HASH])
  for (const team of teams) await putNamespace(team)
  await clock.advance(PRUNE_AFTER_MS)
  t.equal(engine.states.count(NAME, 'held'), 11)
  t.strictSame(held.map(({ configHash }) => configHash), [NEXT_HASH, CONFIG_HASH])
  for (const pull of ['yes', 'no']) for (const team of teams) await putNamespace(team, { pull })
  await clock.advance(PRUNE_AFTER_MS)
  t.strictSame(held.map(({ configHash }) => configHash), [NEXT_HASH, CONFIG_HASH, CONFIG_HASH])
})
