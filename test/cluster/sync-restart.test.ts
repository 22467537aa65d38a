import { countWrites, createAuths, createRule, createWorld, JOBS, lookOn, PARALLEL, passwordOf, patchObject, secretPath } from './sync-world.ts'
import { testEachCluster } from './test-cluster.ts'

/** What a new worker finds: all in place, or what changed while there was none. */

testEachCluster(async (t, cluster) => {
  t.jobs = JOBS
  void t.test('with everything in place a restart writes nothing', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 4 })
    const teams = [0, 1, 2, 3].map(world.team)
    const first = await world.start(t)
    await world.waitForPassword('test-password-1', teams)
    await first.close()
    const before = await world.copies()
    const changes = await world.recordChanges(t)
    const second = await world.start(t, { identity: 'worker-2' })
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/names'] === world.name)
    const added = await world.addNamespace('sign')
    await world.waitForPassword('test-password-1', [...teams, added])
    await lookOn()
    t.strictSame(changes, [`ADDED ${added}`])
    t.strictSame(await countWrites(second, world.name), { written: 1, failed: 0 })
    for (const [namespace, { metadata }] of before) t.equal((await world.copies()).get(namespace)?.metadata?.resourceVersion, metadata?.resourceVersion)
  })

  void t.test('what changed meanwhile is made right, each by one write, and only that', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 5 })
    const { client, name, team } = world
    const teams = [0, 1, 2, 3, 4].map(team)
    const first = await world.start(t)
    await world.waitForPassword('test-password-1', teams)
    await first.close()
    await client.delete(secretPath(team(0), name))
    await patchObject(client, secretPath(team(1), name), 'merge', { data: { '.dockerconfigjson': Buffer.from(JSON.stringify(createAuths('test-password-8'))).toString('base64') } })
    const added = await world.addNamespace('new')
    await client.delete(`/api/v1/namespaces/${team(2)}`)
    await world.waitForCopies((copies) => !copies.has(team(2)))
    const changes = await world.recordChanges(t)
    await world.start(t)
    await world.waitForPassword('test-password-1', [team(0), team(1), team(3), team(4), added])
    await lookOn()
    t.strictSame(changes.toSorted(), [`ADDED ${added}`, `ADDED ${team(0)}`, `MODIFIED ${team(1)}`].toSorted())
  })

  void t.test('a source that was rotated meanwhile reaches every copy by one write', PARALLEL, async (t) => {
    const world = await createWorld(cluster)
    const teams = [0, 1, 2].map(world.team)
    const first = await world.start(t)
    await world.waitForPassword('test-password-1', teams)
    await first.close()
    await world.putSource('test-password-2')
    const changes = await world.recordChanges(t)
    await world.start(t)
    await world.waitForPassword('test-password-2', teams)
    await lookOn()
    t.strictSame(changes.toSorted(), [world.own, ...teams].map((namespace) => `MODIFIED ${namespace}`).toSorted())
  })

  void t.test('copies of a rule that went meanwhile leave after pruneAfter', PARALLEL, async (t) => {
    const world = await createWorld(cluster)
    const first = await world.start(t)
    await world.waitForPassword('test-password-1', [0, 1, 2].map(world.team))
    await first.close()
    await world.start(t, { config: { ...world.config({ pruneAfter: '200ms' }), rules: [createRule(world.name, { include: [world.team(1)] })] } })
    await world.waitForPassword('test-password-1', [world.team(1)])
  })

  void t.test('a new worker knows the last good content by the canonical copy alone', PARALLEL, async (t) => {
    const world = await createWorld(cluster)
    const { client, name, own, team } = world
    const first = await world.start(t)
    await world.waitForPassword('test-password-1', [0, 1, 2].map(team))
    await first.close()
    await client.delete(secretPath(own, 'source'))
    await client.delete(secretPath(team(0), name))
    await patchObject(client, secretPath(team(1), name), 'merge', { data: { '.dockerconfigjson': Buffer.from(JSON.stringify(createAuths('test-password-7'))).toString('base64') } })
    await world.start(t)
    await world.waitForPassword('test-password-1', [0, 1, 2].map(team))
    t.match(await world.waitForEvent(own, 'source', 'SourceMissing'), /create it/)
  })

  void t.test('a copy elsewhere is never trusted as a source', PARALLEL, async (t) => {
    const world = await createWorld(cluster)
    const { client, name, own, team } = world
    const first = await world.start(t)
    await world.waitForPassword('test-password-1', [0, 1, 2].map(team))
    await first.close()
    for (const path of [secretPath(own, 'source'), secretPath(own, name), secretPath(team(0), name)]) await client.delete(path)
    const second = await world.start(t)
    await world.waitForEvent(own, 'source', 'SourceMissing')
    await lookOn()
    t.strictSame([...await world.copies()].map(([namespace, copy]) => [namespace, passwordOf(copy)]).toSorted(), [team(1), team(2)].map((namespace) => [namespace, 'test-password-1']))
    t.strictSame(await countWrites(second, name), { written: 0, failed: 0 })
  })
})
