import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createKubeClient } from '../../src/kubernetes/kube-client.ts'
import { type LeaseElection, startLeaseElection } from '../../src/kubernetes/lease-election.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { createClient, listClusterKinds, startCluster } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import type { StoredLease } from './lease-world.ts'

const LEASE = '/apis/coordination.k8s.io/v1/namespaces/default/leases/pullkeeper-sync'
const PERIODS = { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 200 }

interface Standing {
  election: LeaseElection
  events: string[]
  problems: unknown[]
}

async function openConfig (t: Test, cluster: Cluster): Promise<string> {
  const file = join(t.testdir(), 'kubeconfig')
  await writeKubeconfig(file, cluster, { name: 'test' })
  return file
}

async function stand (t: Test, kubeconfigFile: string, identity: string): Promise<Standing> {
  const access = await openClusterAccess({ kubeconfigFile }, systemClock.monotonicMs)
  const client = createKubeClient(access, systemClock, { maxConnections: 2 })
  const events: string[] = []
  const problems: unknown[] = []
  const election = startLeaseElection({
    client,
    namespace: 'default',
    name: 'pullkeeper-sync',
    identity,
    clock: systemClock,
    random: Math.random,
    ...PERIODS,
    onStartedLeading: () => { events.push('started') },
    onStoppedLeading: (reason) => { events.push(reason) },
    log: { info: () => {}, warn: (fields) => { problems.push(fields) }, error: (fields) => { problems.push(fields) } }
  })
  t.teardown(async () => {
    await election.close()
    await client.close()
  })
  return { election, events, problems }
}

for (const kind of listClusterKinds()) {
  void t.test(`${kind}: two stand for a Lease`, async (t) => {
    const cluster = await startCluster(t, kind)
    const api = createClient(cluster)
    t.teardown(api.close)
    const kubeconfigFile = await openConfig(t, cluster)
    const both = await Promise.all(['a', 'b'].map(async (identity) => stand(t, kubeconfigFile, identity)))
    const leaders = (): Standing[] => both.filter(({ election }) => election.mayWrite())
    const first = await eventually('one of them leads', () => leaders()[0])
    const second = both[both.indexOf(first) === 0 ? 1 : 0]
    const firstName = both.indexOf(first) === 0 ? 'a' : 'b'
    if (second === undefined) throw new Error('there are two')

    await t.test('one leads and renews', async (t) => {
      const { body: before } = await api.get<StoredLease>(LEASE)
      t.match(before, { spec: { holderIdentity: firstName, leaseDurationSeconds: 3, leaseTransitions: 0 } })
      t.match(before.spec?.renewTime, /\.\d{6}Z$/)
      await eventually('it is renewed', async () => (await api.get<StoredLease>(LEASE)).body.metadata.resourceVersion !== before.metadata.resourceVersion)
      t.strictSame(leaders(), [first])
    })

    await t.test('annotations of the leader stand beside someone else\'s', async (t) => {
      await api.patch(LEASE, 'merge', { metadata: { annotations: { note: 'by hand' }, labels: { team: 'platform' } } })
      first.election.annotate({ 'pullkeeper.dev/report': '{}' }, { now: true })
      const { body } = await eventually('the annotation is there', async () => {
        const answer = await api.get<StoredLease>(LEASE)
        return answer.body.metadata.annotations?.['pullkeeper.dev/report'] === undefined ? undefined : answer
      })
      t.match(body.metadata, { annotations: { note: 'by hand', 'pullkeeper.dev/report': '{}' }, labels: { team: 'platform' } })
      t.strictSame(first.events, ['started'])
      await eventually('the other one sees it', () => second.election.annotations()['pullkeeper.dev/report'] === '{}')
    })

    await t.test('a Lease that is deleted comes back', async () => {
      await api.delete(LEASE)
      await eventually('one leads again', async () => {
        const { status, body } = await api.get<StoredLease>(LEASE)
        return status === 200 && body.spec?.holderIdentity !== '' && leaders().length === 1
      })
    })

    await t.test('the one takes over when the other one ends', async (t) => {
      const leader = leaders()[0]
      const follower = both.find((standing) => standing !== leader)
      if (leader === undefined || follower === undefined) throw new Error('one leads')
      const { body: before } = await api.get<StoredLease>(LEASE)
      await leader.election.close()
      await eventually('the other one leads', () => follower.election.mayWrite())
      const { body: after } = await api.get<StoredLease>(LEASE)
      t.equal(after.spec?.leaseTransitions, (before.spec?.leaseTransitions ?? 0) + 1)
      t.equal(leader.events.at(-1), 'closed')
      await follower.election.close()
      t.match((await api.get<StoredLease>(LEASE)).body.spec, { holderIdentity: '', leaseDurationSeconds: 1 })
    })

    t.strictSame(both.map(({ problems }) => problems), [[], []])
  })
}
