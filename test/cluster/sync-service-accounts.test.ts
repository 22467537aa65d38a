import type { V1ServiceAccount } from '@kubernetes/client-node'
import type { Test } from 'tap'
import { waitFor } from '../helpers/cluster.ts'
import { parseMetrics } from '../helpers/prometheus-text.ts'
import type { RunningWorker } from '../helpers/sync-worker.ts'
import { createRule, createWorld, JOBS, lookOn, PARALLEL, patchObject, type SyncWorld } from './sync-world.ts'
import { createObject, testEachCluster, type TestCluster } from './test-cluster.ts'

/** Pull secrets in ServiceAccounts: ours are appended and taken away again, foreign ones stay. */

const accountsPath = (namespace: string): string => `/api/v1/namespaces/${namespace}/serviceaccounts`
const namesOf = ({ imagePullSecrets = [] }: V1ServiceAccount = {}): string[] => imagePullSecrets.map(({ name = '' }) => name)
const addedOf = (account: V1ServiceAccount): string | undefined => account.metadata?.annotations?.['pullkeeper.dev/added']

const waitForSecrets = async ({ client }: SyncWorld, namespace: string, account: string, names: string[]): Promise<V1ServiceAccount> => {
  const [found = {}] = await waitFor<V1ServiceAccount>(client, `${accountsPath(namespace)}?fieldSelector=metadata.name=${account}`, ([found]) => found !== undefined && namesOf(found).join() === names.join())
  return found
}

/** A world with one namespace, and in it the accounts `default` and `builder`, which has a secret of its own. */
const createAccounts = async (cluster: TestCluster): Promise<SyncWorld> => {
  const world = await createWorld(cluster, { teams: 1 })
  const team = world.team(0)
  await createObject(cluster.client, accountsPath(team), { metadata: { name: 'builder', annotations: { note: 'theirs' } }, imagePullSecrets: [{ name: 'theirs' }] })
  await waitFor(cluster.client, `${accountsPath(team)}?fieldSelector=metadata.name=default`, ({ length }) => length === 1)
  return world
}

const startFor = async (t: Test, world: SyncWorld, serviceAccounts: string[]): Promise<RunningWorker> =>
  world.start(t, { config: world.config({ pullSecret: { serviceAccounts }, pruneAfter: '200ms' }) })

testEachCluster(async (t, cluster) => {
  t.jobs = JOBS
  void t.test('named accounts list the pull secret after their own, others are left alone', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    const team = world.team(0)
    await startFor(t, world, ['builder'])
    const account = await waitForSecrets(world, team, 'builder', ['theirs', world.name])
    t.match(account.metadata?.annotations, { note: 'theirs', 'pullkeeper.dev/added': world.name })
    await world.waitForPassword('test-password-1', [team])
    await lookOn()
    await waitForSecrets(world, team, 'default', [])
    await waitForSecrets(world, world.own, 'default', [])
  })

  void t.test('"*" means every account of the namespaces that want it, those to come included, each by one write', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    const worker = await startFor(t, world, ['*'])
    const late = await world.addNamespace('late')
    await createObject(cluster.client, accountsPath(late), { metadata: { name: 'runner' } })
    for (const [namespace, account, names] of [[world.team(0), 'default', []], [world.team(0), 'builder', ['theirs']], [late, 'default', []], [late, 'runner', []]] as const) {
      await waitForSecrets(world, namespace, account, [...names, world.name])
    }
    await lookOn()
    const metrics = parseMetrics(await worker.metrics())
    t.equal(metrics.value('pullkeeper_sync_service_account_writes_total', { result: 'success' }), 4)
    await waitForSecrets(world, world.own, 'default', [])
  })

  void t.test('an account that lists it already is not written, and keeps it when it is unwanted', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    const team = world.team(0)
    await createObject(cluster.client, accountsPath(team), { metadata: { name: 'by-hand' }, imagePullSecrets: [{ name: world.name }, { name: 'theirs' }] })
    const worker = await startFor(t, world, ['*'])
    await waitForSecrets(world, team, 'builder', ['theirs', world.name])
    t.equal(addedOf(await waitForSecrets(world, team, 'by-hand', [world.name, 'theirs'])), undefined)
    await worker.configure(world.config({ pullSecret: { serviceAccounts: ['default'] }, pruneAfter: '200ms' }))
    await waitForSecrets(world, team, 'builder', ['theirs'])
    await waitForSecrets(world, team, 'by-hand', [world.name, 'theirs'])
    await waitForSecrets(world, team, 'default', [world.name])
  })

  void t.test('where it is no longer wanted it goes, after pruneAfter, and what others added meanwhile stays', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    const [team, stays] = [world.team(0), await world.addNamespace('stays')]
    const worker = await startFor(t, world, ['builder', 'default'])
    await waitForSecrets(world, team, 'builder', ['theirs', world.name])
    await patchObject(cluster.client, `${accountsPath(team)}/builder`, 'json', [{ op: 'add', path: '/imagePullSecrets/-', value: { name: 'late' } }])
    const sinceMs = performance.now()
    await worker.configure({ ...world.config({ pullSecret: { serviceAccounts: ['builder', 'default'] }, pruneAfter: '200ms' }), rules: [createRule(world.name, { include: [stays] })] })
    const account = await waitForSecrets(world, team, 'builder', ['theirs', 'late'])
    t.ok(performance.now() - sinceMs >= 200)
    t.strictSame(account.metadata?.annotations, { note: 'theirs' })
    await waitForSecrets(world, team, 'default', [])
    await waitForSecrets(world, stays, 'default', [world.name])
  })

  void t.test('one that somebody took away comes back', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    await startFor(t, world, ['builder'])
    await waitForSecrets(world, world.team(0), 'builder', ['theirs', world.name])
    await patchObject(cluster.client, `${accountsPath(world.team(0))}/builder`, 'merge', { imagePullSecrets: [{ name: 'other' }] })
    await waitForSecrets(world, world.team(0), 'builder', ['other', world.name])
  })

  void t.test('a name that left without being retired stays in the accounts as its copies stay', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    const team = world.team(0)
    const other = { ...world.config({ pullSecret: { name: `other-${world.prefix}`, serviceAccounts: ['builder'] }, pruneAfter: '0ms' }), rules: [createRule(`other-${world.prefix}`, { include: [team] })] }
    const worker = await startFor(t, world, ['builder'])
    await waitForSecrets(world, team, 'builder', ['theirs', world.name])
    await worker.configure(other)
    await waitForSecrets(world, team, 'builder', ['theirs', world.name, `other-${world.prefix}`])
    await lookOn()
    await waitForSecrets(world, team, 'builder', ['theirs', world.name, `other-${world.prefix}`])
    await worker.configure({ ...other, retired: [world.name] })
    await waitForSecrets(world, team, 'builder', ['theirs', `other-${world.prefix}`])
  })

  void t.test('a retired name leaves the accounts, too', PARALLEL, async (t) => {
    const world = await createAccounts(cluster)
    const worker = await startFor(t, world, ['builder'])
    await waitForSecrets(world, world.team(0), 'builder', ['theirs', world.name])
    await worker.configure({ pullSecrets: [], retired: [world.name], rules: [], sync: { pruneAfter: '100ms' } })
    await world.waitForCopies((copies) => copies.size === 0)
    await waitForSecrets(world, world.team(0), 'builder', ['theirs'])
  })
})
