import { parseMetrics } from '../helpers/prometheus-text.ts'
import { countWrites, createAuths, createForeignSecret, createWorld, JOBS, lookOn, PARALLEL, patchObject, secretPath, type SyncWorld } from './sync-world.ts'
import { createObject, testEachCluster, type TestCluster } from './test-cluster.ts'

/** Namespaces come, change and go: which of them hold a copy, and when one leaves. */

const PRUNE_MS = 400

const labelNamespace = async ({ client }: SyncWorld, namespace: string, labels: Record<string, string | null>): Promise<void> => {
  await patchObject(client, `/api/v1/namespaces/${namespace}`, 'merge', { metadata: { labels } })
}

/** Copies only where the label is. */
const createLabelWorld = async (cluster: TestCluster, pruneAfter: string): Promise<{ world: SyncWorld, config: object }> => {
  const world = await createWorld(cluster, { teams: 0 })
  return { world, config: world.config({ namespaces: { selector: { matchLabels: { team: 'payments' } } }, pruneAfter }) }
}

testEachCluster(async (t, cluster) => {
  t.jobs = JOBS
  void t.test('a new namespace gets its copy at once, and the metric tells how soon', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const worker = await world.start(t)
    await world.waitForPassword('test-password-1', [world.team(0)])
    const added = await Promise.all(Array.from({ length: 5 }, async (_, index) => world.addNamespace(`new-${index}`)))
    await world.waitForPassword('test-password-1', [world.team(0), ...added])
    const metrics = parseMetrics(await worker.metrics())
    t.equal(metrics.value('pullkeeper_sync_namespace_delay_seconds_count'), 5, 'those that were there at the start do not count')
    t.strictSame(await countWrites(worker, world.name), { written: 7, failed: 0 })
  })

  void t.test('a namespace that no rule is for gets none', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await createObject(cluster.client, '/api/v1/namespaces', { metadata: { name: `other-${world.prefix}` } })
    await world.start(t, { config: world.config({ namespaces: { exclude: ['*-excluded'] } }) })
    await world.addNamespace('excluded')
    const late = await world.addNamespace('late')
    await world.waitForPassword('test-password-1', [world.team(0), late])
  })

  void t.test('a label makes a namespace want its copy, and its loss takes the copy away after pruneAfter', PARALLEL, async (t) => {
    const { world, config } = await createLabelWorld(cluster, `${PRUNE_MS}ms`)
    const namespace = await world.addNamespace('late')
    const worker = await world.start(t, { config })
    await world.waitForPassword('test-password-1', [])
    await labelNamespace(world, namespace, { team: 'payments' })
    await world.waitForPassword('test-password-1', [namespace])
    const sinceMs = performance.now()
    await labelNamespace(world, namespace, { team: 'other' })
    await world.waitForPassword('test-password-1', [])
    t.ok(performance.now() - sinceMs >= PRUNE_MS, 'not before')
    t.strictSame(await countWrites(worker, world.name), { written: 3, failed: 0 })
  })

  void t.test('a copy that is wanted again in time stays, and its time begins anew when it is not', PARALLEL, async (t) => {
    const { world, config } = await createLabelWorld(cluster, '600ms')
    const namespace = await world.addNamespace('team', { team: 'payments' })
    await world.start(t, { config })
    await world.waitForPassword('test-password-1', [namespace])
    const changes = await world.recordChanges(t)
    await labelNamespace(world, namespace, { team: null })
    await labelNamespace(world, namespace, { team: 'payments' })
    await lookOn()
    t.strictSame(changes, [], 'neither removed nor written')
    const sinceMs = performance.now()
    await labelNamespace(world, namespace, { team: null })
    await world.waitForPassword('test-password-1', [])
    t.ok(performance.now() - sinceMs >= 600)
  })

  void t.test('an opted-out namespace holds none, and one that opts in again gets one', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const out = await world.addNamespace('out', { 'pullkeeper.dev/inject': 'false' })
    await world.start(t, { config: world.config({ pruneAfter: '100ms' }) })
    await world.waitForPassword('test-password-1', [world.team(0)])
    await labelNamespace(world, out, { 'pullkeeper.dev/inject': null })
    await labelNamespace(world, world.team(0), { 'pullkeeper.dev/inject': 'false' })
    await world.waitForPassword('test-password-1', [out])
  })

  void t.test('a Secret that is not ours is not removed where none is wanted', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await createObject(cluster.client, '/api/v1/namespaces', { metadata: { name: `free-${world.prefix}` } })
    await createObject(cluster.client, `/api/v1/namespaces/free-${world.prefix}/secrets`, createForeignSecret(world.name, createAuths('test-password-9')))
    const worker = await world.start(t, { config: world.config({ pruneAfter: '0ms' }) })
    await world.waitForCopies((copies) => copies.size === 3)
    await lookOn()
    t.equal((await world.copies()).size, 3)
    t.equal(parseMetrics(await worker.metrics()).value('pullkeeper_sync_copies', { secret: world.name, state: 'conflicting' }), 0)
  })

  void t.test('a terminating namespace is left alone, and is no failure', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const { client, name } = world
    const ending = await world.addNamespace('ending')
    const log: string[] = []
    const worker = await world.start(t, { onLog: (line) => { log.push(line) } })
    await world.waitForPassword('test-password-1', [world.team(0), ending])
    await patchObject(client, `/api/v1/namespaces/${ending}`, 'merge', { metadata: { finalizers: ['example.com/hold'] } })
    t.equal((await client.delete(`/api/v1/namespaces/${ending}`)).status, 200)
    await world.waitForPassword('test-password-1', [world.team(0)])
    await world.putSource('test-password-2')
    await world.waitForPassword('test-password-2', [world.team(0)])
    await lookOn()
    t.strictSame(await countWrites(worker, name), { written: 5, failed: 0 })
    t.strictSame((await world.events(ending)).filter(({ involvedObject }) => involvedObject.name === name), [])
    t.notMatch(log.join('\n'), /a write failed/)
    await patchObject(client, `/api/v1/namespaces/${ending}`, 'merge', { metadata: { finalizers: [] } })
  })

  void t.test('a namespace that was deleted and made anew gets its copy again', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 2 })
    const { client } = world
    const worker = await world.start(t)
    const first = await world.waitForPassword('test-password-1', [world.team(0), world.team(1)])
    await client.delete(`/api/v1/namespaces/${world.team(0)}`)
    await cluster.client.get(secretPath(world.team(0), world.name))
    await world.waitForPassword('test-password-1', [world.team(1)])
    await createWhenGone(world, world.team(0))
    const again = await world.waitForPassword('test-password-1', [world.team(0), world.team(1)])
    t.not(again.get(world.team(0))?.metadata?.uid, first.get(world.team(0))?.metadata?.uid)
    t.equal((await countWrites(worker, world.name)).failed, 0)
  })
})

async function createWhenGone ({ client }: SyncWorld, name: string): Promise<void> {
  const deadline = AbortSignal.timeout(20_000)
  for (;;) {
    const { status } = await client.create('/api/v1/namespaces', { metadata: { name } })
    if (status === 201) return
    if (deadline.aborted) throw new Error(`namespace ${name} did not end: ${status}`)
  }
}
