import { eventually } from '../helpers/eventually.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { countWrites, createAuths, createForeignSecret, createRule, createWorld, JOBS, lookOn, PARALLEL, passwordOf, patchObject, secretPath, type SyncWorld } from './sync-world.ts'
import { createObject, testEachCluster } from './test-cluster.ts'

/** Secrets of a managed name that somebody else made, and copies that somebody spoiled. */

const OURS = { labels: { 'app.kubernetes.io/managed-by': 'pullkeeper' } }

const createSecret = async ({ client }: SyncWorld, namespace: string, secret: object): Promise<void> => {
  await createObject(client, `/api/v1/namespaces/${namespace}/secrets`, secret)
}

/** What stands in the namespace before the worker comes, and whether the worker makes it its own. */
const cases: [string, { onConflict: string, secret: (name: string) => object, isTaken: boolean }][] = [
  ['skip leaves even an equal one alone', { onConflict: 'skip', secret: (name) => createForeignSecret(name, createAuths('test-password-1')), isTaken: false }],
  ['skip leaves another one alone', { onConflict: 'skip', secret: (name) => createForeignSecret(name, createAuths('test-password-9')), isTaken: false }],
  ['adopt takes over equal credentials, written differently', { onConflict: 'adopt', secret: (name) => createForeignSecret(name, createAuths('test-password-1')), isTaken: true }],
  ['adopt leaves other credentials alone', { onConflict: 'adopt', secret: (name) => createForeignSecret(name, createAuths('test-password-9')), isTaken: false }],
  ['adopt leaves a Secret of another type alone', { onConflict: 'adopt', secret: (name) => ({ metadata: { name }, stringData: { '.dockerconfigjson': JSON.stringify(createAuths('test-password-1')) } }), isTaken: false }],
  ['overwrite takes over what is equal', { onConflict: 'overwrite', secret: (name) => createForeignSecret(name, createAuths('test-password-1')), isTaken: true }],
  ['overwrite takes over what is not', { onConflict: 'overwrite', secret: (name) => createForeignSecret(name, createAuths('test-password-9')), isTaken: true }],
  ['overwrite takes over another type', { onConflict: 'overwrite', secret: (name) => ({ metadata: { name }, stringData: { note: 'theirs' } }), isTaken: true }]
]

testEachCluster(async (t, cluster) => {
  t.jobs = JOBS
  for (const [name, { onConflict, secret, isTaken }] of cases) {
    void t.test(`onConflict: ${name}`, PARALLEL, async (t) => {
      const world = await createWorld(cluster, { teams: 2 })
      const [team, other] = [world.team(0), world.team(1)]
      await createSecret(world, team, secret(world.name))
      const path = secretPath(team, world.name)
      const before = (await cluster.client.get(path)).body.metadata
      const worker = await world.start(t, { config: world.config({ pullSecret: { onConflict } }) })
      const presentCount = async (count: number, conflicts: number): Promise<boolean> => {
        const page = await fetchMetrics(worker.metricsUrl)
        return page.value('pullkeeper_sync_copies', { secret: world.name, state: 'present' }) === count &&
          page.value('pullkeeper_sync_copies', { secret: world.name, state: 'conflicting' }) === conflicts
      }
      if (isTaken) {
        await world.waitForPassword('test-password-1', [team, other])
        await eventually('all is present', async () => presentCount(3, 0))
        await world.putSource('test-password-2')
        await world.waitForPassword('test-password-2', [team, other])
        return
      }
      t.match(await world.waitForEvent(team, world.name, 'PullSecretConflict'), /onConflict/)
      await eventually('one conflict', async () => presentCount(2, 1))
      await lookOn()
      t.strictSame((await cluster.client.get(path)).body.metadata?.resourceVersion, before?.resourceVersion, 'untouched')
      t.strictSame(await countWrites(worker, world.name), { written: 2, failed: 0 })
    })
  }

  void t.test('an adopted Secret keeps its identity and its foreign parts', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const team = world.team(0)
    await createSecret(world, team, createForeignSecret(world.name, createAuths('test-password-1'), { labels: { team: 'theirs' } }))
    const before = (await cluster.client.get(secretPath(team, world.name))).body.metadata
    await world.start(t, { config: world.config({ pullSecret: { onConflict: 'adopt' } }) })
    const adopted = (await world.waitForCopies((copies) => copies.get(team)?.metadata?.labels?.['app.kubernetes.io/managed-by'] === 'pullkeeper')).get(team)
    t.equal(adopted?.metadata?.uid, before?.uid)
    t.equal(adopted?.metadata?.labels?.['team'], 'theirs')
  })

  void t.test('an immutable copy is made anew', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 2 })
    const worker = await world.start(t)
    const before = await world.waitForPassword('test-password-1', [world.team(0), world.team(1)])
    await patchObject(cluster.client, secretPath(world.team(0), world.name), 'merge', { immutable: true })
    await world.waitForCopies((copies) => copies.size === 3 && [...copies.values()].every(({ immutable }) => immutable !== true))
    await world.putSource('test-password-2')
    const after = await world.waitForPassword('test-password-2', [world.team(0), world.team(1)])
    t.not(after.get(world.team(0))?.metadata?.uid, before.get(world.team(0))?.metadata?.uid)
    t.equal(after.get(world.team(1))?.metadata?.uid, before.get(world.team(1))?.metadata?.uid)
    await lookOn()
    t.strictSame(await countWrites(worker, world.name), { written: 8, failed: 0 }, 'three made, one away and again, three rotated')
  })

  void t.test('a copy of the wrong type is made anew', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await createSecret(world, world.team(0), { metadata: { name: world.name, ...OURS }, type: 'Opaque', stringData: { '.dockerconfigjson': '{}' } })
    const worker = await world.start(t)
    const copies = await world.waitForPassword('test-password-1', [world.team(0)])
    t.equal(copies.get(world.team(0))?.type, 'kubernetes.io/dockerconfigjson')
    await lookOn()
    t.strictSame(await countWrites(worker, world.name), { written: 3, failed: 0 })
  })

  void t.test('a source that carries the managed name in a wanted namespace is never written', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 2 })
    const [source, team] = [world.team(0), world.team(1)]
    await createSecret(world, source, createForeignSecret(world.name, createAuths('test-password-1'), OURS))
    const changes = await world.recordChanges(t)
    const config = { ...world.config({ pullSecret: { registries: undefined, copyFrom: { secret: { namespace: source, name: world.name } }, onConflict: 'overwrite' }, pruneAfter: '0ms' }) }
    const worker = await world.start(t, { config })
    await world.waitForPassword('test-password-1', [source, team])
    await lookOn()
    t.strictSame(changes.toSorted(), [`ADDED ${world.own}`, `ADDED ${team}`])

    changes.length = 0
    await patchObject(cluster.client, secretPath(source, world.name), 'merge', { stringData: createForeignSecret(world.name, createAuths('test-password-2')).stringData })
    await world.waitForPassword('test-password-2', [source, team])
    await lookOn()
    t.strictSame(changes.toSorted(), [`MODIFIED ${source}`, `MODIFIED ${team}`, `MODIFIED ${world.own}`].toSorted())

    changes.length = 0
    await worker.configure({ ...config, rules: [createRule(world.name, { include: [team] })] })
    await eventually('the new configuration is in force', async () => (await fetchMetrics(worker.metricsUrl)).value('pullkeeper_sync_desired_copies', { secret: world.name }) === 2)
    await lookOn()
    t.strictSame(changes, [], 'nor is it removed where none is wanted')
    t.strictSame((await world.events(source)).filter(({ reason }) => reason === 'PullSecretConflict'), [])
  })

  void t.test('a Secret of another\'s making in the own namespace is no canonical copy', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await createSecret(world, world.own, createForeignSecret(world.name, createAuths('test-password-9')))
    await world.start(t)
    await world.waitForEvent(world.own, world.name, 'PullSecretConflict')
    const copies = await world.waitForCopies((copies) => copies.size === 2)
    t.equal(passwordOf(copies.get(world.own) ?? {}), 'test-password-9')
    t.equal(passwordOf(copies.get(world.team(0)) ?? {}), 'test-password-1')
  })
})
