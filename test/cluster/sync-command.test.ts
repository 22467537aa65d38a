import type { V1Lease } from '@kubernetes/client-node'
import { eventually } from '../helpers/eventually.ts'
import { startSyncProcess } from '../helpers/sync-process.ts'
import { createWorld } from './sync-world.ts'
import { makeDirectory, testEachCluster } from './test-cluster.ts'

/** `pullkeeper sync` as a process of its own. */

testEachCluster(async (t, { cluster, client }) => {
  await t.test('runs until it is told to end, then gives the Lease back', async (t) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      const world = await createWorld({ cluster, client }, { teams: 2 })
      const process = await startSyncProcess(t, { directory: await makeDirectory(t), config: world.config(), ownNamespace: world.own, cluster })
      await world.waitForPassword('test-password-1', [world.team(0), world.team(1)])
      await eventually('it is ready', async () => await process.readiness() === 200)
      process.signal(signal)
      t.equal(await process.waitForExit(), 0, signal)
      const { body } = await client.get<V1Lease>(`/apis/coordination.k8s.io/v1/namespaces/${world.own}/leases/pullkeeper-sync`)
      t.notOk(body.spec?.holderIdentity)
      t.equal(process.log().at(-1)?.msg, 'sync worker is stopped')
      t.notMatch(process.stderr(), /test-password|"level":"error"/)
    }
  })

  await t.test('waits for an API server that it can not reach, says so, and still ends when told', async (t) => {
    const nowhere = { url: 'https://127.0.0.1:1', caCertificate: cluster.caCertificate, token: 'test-password-2' }
    const world = await createWorld({ cluster, client }, { teams: 0 })
    const process = await startSyncProcess(t, { directory: await makeDirectory(t), config: world.config(), ownNamespace: world.own, cluster: nowhere })
    await eventually('it says what is wrong', () => process.log().some(({ msg, reason }) => msg === 'a watch failed' && reason === 'Unreachable'))
    t.equal(await process.readiness(), 503)
    process.signal('SIGTERM')
    t.equal(await process.waitForExit(), 0)
  })
})
