import { eventually } from '../helpers/eventually.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { countWrites, createAuths, createWorld, lookOn, passwordOf, patchObject, secretPath } from './sync-world.ts'
import { createObject, testEachCluster } from './test-cluster.ts'

/** The copies of a pull secret: made once, byte-identical, healed, and left alone when all is well. */

testEachCluster(async (t, cluster) => {
  const world = await createWorld(cluster, { teams: 12 })
  const { client, own, name, team } = world
  const teams = Array.from({ length: 12 }, (_, index) => team(index))
  const changes = await world.recordChanges(t)
  const log: string[] = []
  const worker = await world.start(t, { onLog: (line) => { log.push(line) } })

  await t.test('every namespace gets its copy by one write', async (t) => {
    await world.waitForPassword('test-password-1', teams)
    await eventually('all were seen to come', () => changes.length >= 13)
    t.strictSame(changes.toSorted(), [own, ...teams].map((namespace) => `ADDED ${namespace}`).toSorted())
    t.strictSame(await countWrites(worker, name), { written: 13, failed: 0 })
  })

  await t.test('nothing is written while nothing changes', async (t) => {
    await lookOn()
    await lookOn()
    await lookOn()
    t.equal(changes.length, 13)
    t.strictSame(await countWrites(worker, name), { written: 13, failed: 0 })
  })

  await t.test('all copies have the same bytes, the type of a pull secret, and say whose they are', async (t) => {
    const copies = await world.copies()
    t.equal(new Set([...copies.values()].map(({ data }) => JSON.stringify(data))).size, 1)
    for (const { type, metadata, data } of copies.values()) {
      t.equal(type, 'kubernetes.io/dockerconfigjson')
      t.strictSame(Object.keys(data ?? {}), ['.dockerconfigjson'])
      t.strictSame(metadata?.labels, { 'app.kubernetes.io/managed-by': 'pullkeeper' })
      t.match(metadata?.annotations, { 'pullkeeper.dev/content-hash': /^[0-9a-f]{64}$/, 'pullkeeper.dev/source': `basic from Secret ${own}/source` })
    }
  })

  await t.test('the metrics and the probe say that all is well', async (t) => {
    const page = await fetchMetrics(worker.metricsUrl)
    t.equal(page.value('pullkeeper_sync_copies', { secret: name, state: 'present' }), 13)
    for (const state of ['missing', 'stale', 'conflicting', 'unwanted', 'held']) t.equal(page.value('pullkeeper_sync_copies', { secret: name, state }), 0, state)
    t.equal(page.value('pullkeeper_sync_desired_copies', { secret: name }), 13)
    t.equal(page.value('pullkeeper_sync_leader'), 1)
    t.strictSame(await worker.readiness(), { status: 200, text: 'ok\n' })
  })

  await t.test('another password reaches every copy by one write, in place', async (t) => {
    const before = await world.copies()
    changes.length = 0
    await world.putSource('test-password-2')
    const after = await world.waitForPassword('test-password-2', teams)
    for (const [namespace, { metadata }] of after) t.equal(metadata?.uid, before.get(namespace)?.metadata?.uid, namespace)
    await lookOn()
    t.strictSame(changes.toSorted(), [own, ...teams].map((namespace) => `MODIFIED ${namespace}`).toSorted())
    t.equal(new Set([...after.values()].map(({ data }) => JSON.stringify(data))).size, 1)
  })

  await t.test('a change of the source that changes nothing for the copies writes nothing', async (t) => {
    changes.length = 0
    await patchObject(client, secretPath(own, 'source'), 'merge', { metadata: { annotations: { note: 'rotated by hand' } } })
    await lookOn()
    t.strictSame(changes, [])
  })

  await t.test('a deleted copy comes back', async (t) => {
    const [one, canonical] = [secretPath(team(3), name), secretPath(own, name)]
    const { body } = await client.get(one)
    for (const path of [one, canonical]) t.equal((await client.delete(path)).status, 200)
    const copies = await world.waitForPassword('test-password-2', teams)
    await eventually('both were seen to come back', () => changes.filter((change) => change.startsWith('ADDED')).length === 2)
    t.not(copies.get(team(3))?.metadata?.uid, body.metadata?.uid)
  })

  await t.test('an edited copy is made right again, in place', async (t) => {
    changes.length = 0
    const before = await world.copies()
    const edits = [[team(4), '{"auths":{}}'], [team(5), JSON.stringify(createAuths('test-password-other'))]] as const
    for (const [namespace, text] of edits) await patchObject(client, secretPath(namespace, name), 'merge', { data: { '.dockerconfigjson': Buffer.from(text).toString('base64') } })
    const after = await world.waitForPassword('test-password-2', teams)
    for (const namespace of [team(4), team(5)]) t.equal(after.get(namespace)?.metadata?.uid, before.get(namespace)?.metadata?.uid)
    await lookOn()
    t.strictSame(changes.toSorted(), [team(4), team(4), team(5), team(5)].map((namespace) => `MODIFIED ${namespace}`), 'the edit, and one write')
  })

  await t.test('a foreign key, label or annotation in a copy stays, is reported once, and causes no write', async (t) => {
    changes.length = 0
    const path = secretPath(team(6), name)
    await patchObject(client, path, 'merge', { data: { extra: Buffer.from('theirs').toString('base64') }, metadata: { labels: { team: 'six' }, annotations: { note: 'theirs' } } })
    t.match(await world.waitForEvent(team(6), name, 'ForeignKeys'), /a key that pullkeeper did not write/)
    await lookOn()
    t.strictSame(changes, [`MODIFIED ${team(6)}`])
    await world.putSource('test-password-3')
    const { data, metadata } = (await world.waitForPassword('test-password-3', teams)).get(team(6)) ?? {}
    t.match({ data, metadata }, { data: { extra: Buffer.from('theirs').toString('base64') }, metadata: { labels: { team: 'six' }, annotations: { note: 'theirs' } } })
    t.equal((await world.events(team(6))).filter(({ reason }) => reason === 'ForeignKeys').length, 1)
  })

  await t.test('a copy whose label was taken off is somebody else\'s', async (t) => {
    const path = secretPath(team(7), name)
    await patchObject(client, path, 'merge', { metadata: { labels: { 'app.kubernetes.io/managed-by': null } } })
    t.match(await world.waitForEvent(team(7), name, 'PullSecretConflict'), /not pullkeeper's/)
    await world.putSource('test-password-4')
    await world.waitForCopies((copies) => [...copies].every(([namespace, copy]) => passwordOf(copy) === (namespace === team(7) ? 'test-password-3' : 'test-password-4')))
    t.equal((await fetchMetrics(worker.metricsUrl)).value('pullkeeper_sync_copies', { secret: name, state: 'conflicting' }), 1)

    await client.delete(path)
    await world.waitForPassword('test-password-4', teams)
    await eventually('no conflict is left', async () => (await fetchMetrics(worker.metricsUrl)).value('pullkeeper_sync_copies', { secret: name, state: 'conflicting' }) === 0)
  })

  await t.test('Secrets of other names are nobody\'s business', async (t) => {
    const labels = { 'app.kubernetes.io/managed-by': 'pullkeeper' }
    await createObject(client, `/api/v1/namespaces/${team(0)}/secrets`, { metadata: { name: 'other', labels }, stringData: { password: 'test-password-5' } })
    await lookOn()
    t.match((await client.get(secretPath(team(0), 'other'))).body, { data: { password: Buffer.from('test-password-5').toString('base64') } })
  })

  await t.test('the end of the worker gives the Lease back and leaves the copies', async (t) => {
    await worker.close()
    t.notOk((await client.get<{ spec: { holderIdentity?: string } }>(`/apis/coordination.k8s.io/v1/namespaces/${own}/leases/pullkeeper-sync`)).body.spec.holderIdentity)
    t.equal((await world.copies()).size, 13)
    t.notMatch(log.join('\n'), /"level":"error"/)
  })
})
