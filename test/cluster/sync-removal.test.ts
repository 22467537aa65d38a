import { eventually } from '../helpers/eventually.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { createRegistry, createRule, createWorld, JOBS, lookOn, PARALLEL, passwordOf, patchObject, secretPath, type SyncWorld } from './sync-world.ts'
import { testEachCluster } from './test-cluster.ts'

/** What takes copies away, what makes it wait for a person, and what becomes of names that leave. */

const COPIES = 12
const held = async (metricsUrl: string, secret: string): Promise<number | undefined> => (await fetchMetrics(metricsUrl)).value('pullkeeper_sync_removals_held', { secret })

/** Two pull secrets: the world's own, and another that stays. */
const createTwoConfig = (world: SyncWorld, names: string[], changes: object = {}): object => ({
  pullSecrets: names.map((name) => ({ name, registries: [createRegistry(world.own)] })),
  rules: names.map((name) => createRule(name, { include: [`${world.prefix}-*`] })),
  sync: { pruneAfter: '100ms' },
  ...changes
})

testEachCluster(async (t, cluster) => {
  t.jobs = JOBS
  void t.test('a configuration that loses all its rules removes nothing, says so, and waits', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: COPIES })
    const { own, name, team } = world
    const teams = Array.from({ length: COPIES }, (_, index) => team(index))
    const worker = await world.start(t, { config: world.config({ pruneAfter: '100ms' }) })
    await world.waitForPassword('test-password-1', teams)
    const changes = await world.recordChanges(t)
    await worker.configure({ ...world.config({ pruneAfter: '100ms' }), rules: [] })

    const message = await world.waitForEvent(own, name, 'RemovalHeld')
    const [, approval = ''] = /pullkeeper\.dev\/allow-removal=(\S+)/.exec(message) ?? []
    t.match(message, `would remove ${COPIES} of ${COPIES} copies`)
    await eventually('the metric says how many wait', async () => await held(worker.metricsUrl, name) === COPIES)
    const lease = await world.waitForLease((annotations) => annotations['pullkeeper.dev/report']?.includes('held') === true)
    t.match(JSON.parse(lease['pullkeeper.dev/report'] ?? '') as object, { secrets: { [name]: { held: { copies: COPIES, unwanted: COPIES } } } })
    await lookOn()
    t.strictSame(changes, [])

    await t.test('an approval of another configuration does not count', async (t) => {
      await patchObject(cluster.client, secretPath(own, name), 'merge', { metadata: { annotations: { 'pullkeeper.dev/allow-removal': 'ffffffffffff' } } })
      await lookOn()
      t.strictSame(changes, [`MODIFIED ${own}`])
    })

    await t.test('the annotation that the Event names allows it', async (t) => {
      await patchObject(cluster.client, secretPath(own, name), 'merge', { metadata: { annotations: { 'pullkeeper.dev/allow-removal': approval } } })
      t.equal((await world.waitForPassword('test-password-1', [])).size, 1, 'the canonical copy stays')
      await eventually('nothing waits', async () => await held(worker.metricsUrl, name) === 0)
      await world.waitForLease((annotations) => annotations['pullkeeper.dev/report']?.includes('held') === false)
    })

    await t.test('rules that come back bring the copies back', async () => {
      await worker.configure(world.config())
      await world.waitForPassword('test-password-1', teams)
    })
  })

  void t.test('the guard also holds what was lost while the worker was down, and lets go when the rules are back', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: COPIES })
    const teams = Array.from({ length: COPIES }, (_, index) => world.team(index))
    const first = await world.start(t, { config: world.config({ pruneAfter: '0ms' }) })
    await world.waitForPassword('test-password-1', teams)
    await first.close()
    const second = await world.start(t, { config: { ...world.config({ pruneAfter: '0ms' }), rules: [] } })
    await world.waitForEvent(world.own, world.name, 'RemovalHeld')
    await second.configure(world.config({ pruneAfter: '0ms' }))
    await eventually('nothing waits', async () => await held(second.metricsUrl, world.name) === 0)
    t.equal((await world.copies()).size, COPIES + 1)
  })

  void t.test('half of the copies, or fewer than eleven, go without asking', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: COPIES })
    const worker = await world.start(t, { config: world.config({ pruneAfter: '100ms' }) })
    await world.waitForCopies((copies) => copies.size === COPIES + 1)
    const kept = Array.from({ length: COPIES / 2 }, (_, index) => world.team(index))
    await worker.configure({ ...world.config({ pruneAfter: '100ms' }), rules: [createRule(world.name, { include: kept })] })
    await world.waitForPassword('test-password-1', kept)
    t.equal(await held(worker.metricsUrl, world.name), 0)
  })

  void t.test('a retired name vanishes whatever its number, the canonical copy last', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: COPIES })
    const [kept, gone] = [`kept-${world.prefix}`, world.name]
    const worker = await world.start(t, { config: createTwoConfig(world, [kept, gone]) })
    await world.waitForCopies((copies) => copies.size === COPIES + 1)
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/names'] === `${kept},${gone}`)
    const changes = await world.recordChanges(t)
    await worker.configure(createTwoConfig(world, [kept], { retired: [gone] }))
    await world.waitForCopies((copies) => copies.size === 0)
    await eventually('every removal was seen', () => changes.length >= COPIES + 1)
    t.equal(changes.at(-1), `DELETED ${world.own}`)
    t.equal(changes.length, COPIES + 1, 'and nothing but removals')
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/names'] === kept)
    t.equal((await cluster.client.list(`/api/v1/secrets?fieldSelector=metadata.name=${kept}`)).body.items.length, COPIES + 1)
  })

  void t.test('a name that left without being retired is remembered, also by the next worker, until it is', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 2 })
    const [kept, left] = [`kept-${world.prefix}`, world.name]
    const names = [kept, left].toSorted().join()
    const log: string[] = []
    const first = await world.start(t, { config: createTwoConfig(world, [kept, left]) })
    await world.waitForPassword('test-password-1', [world.team(0), world.team(1)])
    await first.configure(createTwoConfig(world, [kept]))
    await eventually('the metric counts it', async () => (await fetchMetrics(first.metricsUrl)).value('pullkeeper_sync_forgotten_names') === 1)
    await first.close()
    const second = await world.start(t, { config: createTwoConfig(world, [kept]), onLog: (line) => { log.push(line) } })
    await eventually('the next one knows', async () => (await fetchMetrics(second.metricsUrl)).value('pullkeeper_sync_forgotten_names') === 1)
    t.match(log.join('\n'), new RegExp(`${left}.*list them in retired`))
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/names'] === names)
    t.equal((await world.copies()).size, 3, 'its copies stay')
    await second.configure(createTwoConfig(world, [kept], { retired: [left] }))
    await world.waitForCopies((copies) => copies.size === 0)
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/names'] === kept)
    await eventually('nothing is forgotten', async () => (await fetchMetrics(second.metricsUrl)).value('pullkeeper_sync_forgotten_names') === 0)
  })

  void t.test('a wrong file removes nothing: the old configuration stays in force', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 2 })
    const worker = await world.start(t, { config: world.config({ pruneAfter: '0ms' }) })
    await world.waitForPassword('test-password-1', [world.team(0), world.team(1)])
    await worker.configure({ rules: 'none' })
    await eventually('it is refused', async () => (await fetchMetrics(worker.metricsUrl)).value('pullkeeper_config_valid') === 0)
    const added = await world.addNamespace('later')
    const copies = await world.waitForPassword('test-password-1', [world.team(0), world.team(1), added])
    t.equal(passwordOf(copies.get(added) ?? {}), 'test-password-1')
  })
})
