import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../helpers/eventually.ts'
import { createMountedVolume } from '../helpers/mounted-volume.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import type { RunningWorker } from '../helpers/sync-worker.ts'
import { createAuths, createForeignSecret, createRegistry, createWorld, JOBS, lookOn, PARALLEL, passwordOf, patchObject, secretPath, SERVER, serversOf, type SyncWorld } from './sync-world.ts'
import { createObject, makeDirectory, testEachCluster } from './test-cluster.ts'

/** Where content comes from, and what becomes of the copies when a source fails. */

const fromSecret = (world: SyncWorld, key: string, name = 'source'): object => ({ secret: { namespace: world.own, name, key } })

const copyConfig = (world: SyncWorld, copyFrom: object): object => world.config({ pullSecret: { registries: undefined, copyFrom } })

/** How many parts of the pull secret suffer from a reason. */
const problems = async ({ metricsUrl }: RunningWorker, { name }: SyncWorld, reason: string): Promise<number | undefined> => {
  return (await fetchMetrics(metricsUrl)).value('pullkeeper_sync_source_problems', { secret: name, reason })
}

const encode = (text: string): string => Buffer.from(text).toString('base64')

testEachCluster(async (t, cluster) => {
  t.jobs = JOBS
  const { client } = cluster

  void t.test('basic: user name and password from the keys of a Secret', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await patchObject(client, secretPath(world.own, 'source'), 'merge', { stringData: { user: 'robot\n', password: 'test-password-1\n' } })
    const credential = { basic: { usernameFrom: fromSecret(world, 'user'), passwordFrom: fromSecret(world, 'password') } }
    await world.start(t, { config: world.config({ pullSecret: { registries: [createRegistry(world.own, { credential })] } }) })
    const copies = await world.waitForPassword('test-password-1', [world.team(0)])
    const content = Buffer.from(copies.get(world.team(0))?.data?.['.dockerconfigjson'] ?? '', 'base64').toString()
    t.strictSame(JSON.parse(content), { auths: { [SERVER]: { username: 'robot', password: 'test-password-1', auth: encode('robot:test-password-1') } } }, 'without the newline that editors add')
  })

  void t.test('basic: a password from a mounted file, which the copies follow', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const volume = await createMountedVolume(join(await makeDirectory(t), 'volume'), { password: 'test-password-1\n' })
    const credential = { basic: { username: 'puller', passwordFrom: { file: volume.path('password') } } }
    await world.start(t, { config: world.config({ pullSecret: { registries: [createRegistry(world.own, { credential })] } }) })
    await world.waitForPassword('test-password-1', [world.team(0)])
    await volume.swap({ password: 'test-password-2\n' })
    await world.waitForPassword('test-password-2', [world.team(0)])
  })

  void t.test('several registries and servers become one Secret', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await patchObject(client, secretPath(world.own, 'source'), 'merge', { stringData: { other: 'test-password-2' } })
    const registries = [
      createRegistry(world.own, { servers: ['zeta.example.com', 'alpha.example.com:5000/team'] }),
      createRegistry(world.own, { servers: [SERVER], credential: { basic: { username: 'other', passwordFrom: fromSecret(world, 'other') } } })
    ]
    const worker = await world.start(t, { config: world.config({ pullSecret: { registries } }) })
    const [copy = {}] = [...(await world.waitForPassword('test-password-2', [world.team(0)])).values()]
    t.strictSame(serversOf(copy), ['alpha.example.com:5000/team', SERVER, 'zeta.example.com'])
    t.equal(passwordOf(copy, 'zeta.example.com'), 'test-password-1')

    await t.test('and one that fails keeps its old part, while the others are renewed', async (t) => {
      await patchObject(client, secretPath(world.own, 'source'), 'merge', { data: { password: null, other: encode('test-password-3') } })
      const [copy = {}] = [...(await world.waitForPassword('test-password-3', [world.team(0)])).values()]
      t.equal(passwordOf(copy, 'zeta.example.com'), 'test-password-1')
      await eventually('the metric counts it', async () => await problems(worker, world, 'SourceMissing') === 1)
      t.match(await world.waitForEvent(world.own, 'source', 'SourceMissing'), /has no key "password"/)
    })
  })

  void t.test('copyFrom: a dockerconfigjson is copied byte for byte, whatever else it holds', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const text = `{ "auths": { "${SERVER}": { "auth": "${encode('puller:test-password-1')}" } },\n "HttpHeaders": {} }`
    await createObject(client, `/api/v1/namespaces/${world.own}/secrets`, { metadata: { name: 'whole' }, type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': text } })
    await world.start(t, { config: copyConfig(world, { secret: { namespace: world.own, name: 'whole' } }) })
    const copies = await world.waitForPassword('test-password-1', [world.team(0)])
    t.equal(copies.get(world.team(0))?.data?.['.dockerconfigjson'], encode(text))
    t.match(copies.get(world.team(0))?.metadata?.annotations, { 'pullkeeper.dev/source': `copy of Secret ${world.own}/whole` })
  })

  void t.test('copyFrom: a legacy dockercfg becomes a dockerconfigjson', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const legacy = { [SERVER]: { username: 'puller', password: 'test-password-1', email: 'nobody@example.com' } }
    await createObject(client, `/api/v1/namespaces/${world.own}/secrets`, { metadata: { name: 'legacy' }, type: 'kubernetes.io/dockercfg', stringData: { '.dockercfg': JSON.stringify(legacy) } })
    await world.start(t, { config: copyConfig(world, { secret: { namespace: world.own, name: 'legacy' } }) })
    const copies = await world.waitForPassword('test-password-1', [world.team(0)])
    t.equal(copies.get(world.team(0))?.type, 'kubernetes.io/dockerconfigjson')
  })

  void t.test('copyFrom: a file, which the copies follow as long as it can be read', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    const file = join(await makeDirectory(t), 'config.json')
    await writeFile(file, JSON.stringify(createAuths('test-password-1')))
    const worker = await world.start(t, { config: copyConfig(world, { file }) })
    await world.waitForPassword('test-password-1', [world.team(0)])
    await writeFile(file, JSON.stringify(createAuths('test-password-2')))
    await world.waitForPassword('test-password-2', [world.team(0)])
    await writeFile(file, '{"auths":')
    await eventually('the metric counts it', async () => await problems(worker, world, 'SourceMalformed') === 1)
    t.match(await world.waitForEvent(world.own, world.name, 'SourceMalformed'), /no dockerconfigjson that the kubelet can read/)
    await world.waitForPassword('test-password-2', [world.team(0)])
    await writeFile(file, JSON.stringify(createAuths('test-password-3')))
    await world.waitForPassword('test-password-3', [world.team(0)])
    t.equal(await problems(worker, world, 'SourceMalformed'), 0)
  })

  void t.test('a source that is not there yet: nothing is published until it comes', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await client.delete(secretPath(world.own, 'source'))
    const worker = await world.start(t)
    t.match(await world.waitForEvent(world.own, 'source', 'SourceMissing'), new RegExp(`pull secret ${world.name}: there is no Secret ${world.own}/source`))
    await eventually('the metric counts it', async () => await problems(worker, world, 'SourceMissing') === 1)
    const lease = await world.waitForLease((annotations) => annotations['pullkeeper.dev/report']?.includes('SourceMissing') === true)
    t.match(JSON.parse(lease['pullkeeper.dev/report'] ?? '') as object, { secrets: { [world.name]: { problems: [{ reason: 'SourceMissing' }] } } })
    t.equal((await fetchMetrics(worker.metricsUrl)).value('pullkeeper_sync_copies', { secret: world.name, state: 'missing' }), 2)
    t.equal((await world.copies()).size, 0)
    await world.putSource('test-password-1')
    await world.waitForPassword('test-password-1', [world.team(0)])
    t.equal(await problems(worker, world, 'SourceMissing'), 0)
  })

  /** What becomes of a good source, and the reason that is given. */
  const damages: [string, string, object][] = [
    ['is no JSON', 'SourceMalformed', { '.dockerconfigjson': encode('hello') }],
    ['has an auth that the kubelet can not decode', 'SourceMalformed', { '.dockerconfigjson': encode(`{"auths":{"${SERVER}":{"auth":"%%%"}}}`) }],
    ['holds no credential', 'SourceMalformed', { '.dockerconfigjson': encode('{"auths":{},"credHelpers":{"registry.example.com":"ecr-login"}}') }],
    ['has lost its key', 'SourceMalformed', { '.dockerconfigjson': null, other: encode('other') }]
  ]
  for (const [name, reason, data] of damages) {
    void t.test(`a source that ${name}: the copies keep the last good content, and new namespaces get it`, PARALLEL, async (t) => {
      const world = await createWorld(cluster, { teams: 1 })
      // Of no type, as the API server itself checks those of type dockerconfigjson.
      await createObject(client, `/api/v1/namespaces/${world.own}/secrets`, { ...createForeignSecret('whole', createAuths('test-password-1')), type: 'Opaque' })
      const worker = await world.start(t, { config: copyConfig(world, { secret: { namespace: world.own, name: 'whole' } }) })
      await world.waitForPassword('test-password-1', [world.team(0)])
      await patchObject(client, secretPath(world.own, 'whole'), 'merge', { data })
      await world.waitForEvent(world.own, 'whole', reason)
      await eventually('the metric counts it', async () => await problems(worker, world, reason) === 1)
      await client.delete(secretPath(world.team(0), world.name))
      const added = await world.addNamespace('later')
      await world.waitForPassword('test-password-1', [world.team(0), added])
      await client.delete(secretPath(world.own, 'whole'))
      await world.waitForEvent(world.own, 'whole', 'SourceMissing')
      await world.waitForPassword('test-password-1', [world.team(0), added])
    })
  }

  void t.test('a source that is malformed from the start publishes nothing', PARALLEL, async (t) => {
    const world = await createWorld(cluster, { teams: 1 })
    await patchObject(client, secretPath(world.own, 'source'), 'merge', { stringData: { user: 'robot:1' } })
    const credential = { basic: { usernameFrom: fromSecret(world, 'user'), passwordFrom: fromSecret(world, 'password') } }
    await world.start(t, { config: world.config({ pullSecret: { registries: [createRegistry(world.own, { credential })] } }) })
    await eventually('an Event tells', async () => (await world.events(world.own)).some(({ reason, message }) => reason === 'SourceMalformed' && message?.includes('colon')))
    await lookOn()
    t.equal((await world.copies()).size, 0)
  })
})
