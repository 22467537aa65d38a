import { eventually } from '../helpers/eventually.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { needsRegistry, startRegistry } from '../helpers/registry-program.ts'
import { createRegistryTransport } from '../../src/registries/registry-transport.ts'
import { verifyCredential } from '../../src/registries/registry-verification.ts'
import { createRegistry, createWorld, lookOn } from './sync-world.ts'
import { testEachCluster } from './test-cluster.ts'

/** A Secret that the worker wrote really pulls, and a credential that the registry refuses is never published. */

testEachCluster(async (t, cluster) => {
  await t.test('pulls by the copy, before and after a wrong password', needsRegistry(), async (t) => {
    const registry = await startRegistry(t, { username: 'puller', password: 'test-password-1' })
    await registry.pushImage('team/app')
    const world = await createWorld(cluster, { teams: 2 })
    const { own, name, team } = world
    const teams = [team(0), team(1)]
    const image = `${registry.host}/team/app`
    const transport = createRegistryTransport({ environment: {} })
    const worker = await world.start(t, {
      config: world.config({ pullSecret: { registries: [createRegistry(own, { servers: [registry.host], verify: true, caFile: registry.caFile })] } }),
      verify: async (request) => verifyCredential(request, transport)
    })
    const contentOf = async (namespace: string): Promise<string> => Buffer.from((await world.copies()).get(namespace)?.data?.['.dockerconfigjson'] ?? '', 'base64').toString()
    const waitForContent = async (password: string): Promise<void> => {
      const wanted = Buffer.from(`puller:${password}`).toString('base64')
      await eventually(`all copies hold ${password}`, async () => {
        const contents = await Promise.all([own, ...teams].map(contentOf))
        return contents.every((content) => content.includes(wanted))
      })
    }
    const metric = async (metricName: string, labels: Record<string, string>): Promise<number | undefined> => (await fetchMetrics(worker.metricsUrl)).value(metricName, { secret: name, ...labels })

    await waitForContent('test-password-1')
    t.match(await registry.pullWithAuthFile(image, await contentOf(team(0))), { isPulled: true })
    t.equal(await metric('pullkeeper_sync_credential_verified', { verdict: 'accepted' }), 1)
    t.match((await world.copies()).get(own)?.metadata?.annotations, { 'pullkeeper.dev/verified': 'accepted' })

    await t.test('a wrong password in the source is told and not published', async (t) => {
      const changes = await world.recordChanges(t)
      await world.putSource('test-password-wrong')
      t.match(await world.waitForEvent(own, 'source', 'CredentialRejected'), /the copies keep what was good before/)
      await eventually('the metric counts it', async () => await metric('pullkeeper_sync_source_problems', { reason: 'CredentialRejected' }) === 1)
      const added = await world.addNamespace('later')
      await world.waitForCopies((copies) => copies.has(added))
      await lookOn()
      t.strictSame(changes, [`ADDED ${added}`])
      for (const namespace of [...teams, added]) t.match(await registry.pullWithAuthFile(image, await contentOf(namespace)), { isPulled: true }, namespace)
    })

    await t.test('the right one is published once it is there', async (t) => {
      await registry.setPassword('test-password-2')
      await world.putSource('test-password-2')
      await waitForContent('test-password-2')
      t.match(await registry.pullWithAuthFile(image, await contentOf(team(1))), { isPulled: true })
      t.equal(await metric('pullkeeper_sync_source_problems', { reason: 'CredentialRejected' }), 0)
      t.equal(await metric('pullkeeper_sync_credential_verified', { verdict: 'accepted' }), 1)
    })
  })

  await t.test('a credential that the registry refuses from the start is not published at all', needsRegistry(), async (t) => {
    const registry = await startRegistry(t, { username: 'puller', password: 'test-password-1' })
    const world = await createWorld(cluster, { teams: 1, password: 'test-password-wrong' })
    const transport = createRegistryTransport({ environment: {} })
    await world.start(t, {
      config: world.config({ pullSecret: { registries: [createRegistry(world.own, { servers: [registry.host], verify: true, caFile: registry.caFile })] } }),
      verify: async (request) => verifyCredential(request, transport)
    })
    await world.waitForEvent(world.own, 'source', 'CredentialRejected')
    await lookOn()
    t.equal((await world.copies()).size, 0)
  })
})
