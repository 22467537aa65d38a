import { join } from 'node:path'
import t from 'tap'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createEventRecorder, type EventOutcome } from '../../src/kubernetes/event-recorder.ts'
import { createKubeClient } from '../../src/kubernetes/kube-client.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { createClient, listClusterKinds, startCluster } from '../helpers/cluster.ts'

const MINUTE_MS = 60_000

for (const kind of listClusterKinds()) {
  void t.test(`${kind}: Events`, async (t) => {
    const cluster = await startCluster(t, kind)
    const api = createClient(cluster)
    t.teardown(api.close)
    const kubeconfigFile = join(t.testdir(), 'kubeconfig')
    await writeKubeconfig(kubeconfigFile, cluster, { name: 'test' })
    const client = createKubeClient(await openClusterAccess({ kubeconfigFile }, systemClock.monotonicMs), systemClock, { maxConnections: 2 })
    t.teardown(client.close)
    let laterMs = 0
    const clock = { ...systemClock, nowMs: () => systemClock.nowMs() + laterMs, monotonicMs: () => systemClock.monotonicMs() + laterMs }
    const outcomes: EventOutcome[] = []
    const lines: object[] = []
    const line = (fields: object): void => { lines.push(fields) }
    const recorder = createEventRecorder({
      client, clock, instance: 'pullkeeper-sync-0', mayWrite: () => true, onOutcome: (outcome) => { outcomes.push(outcome) }, log: { info: line, warn: line, error: line }
    })
    const object = { apiVersion: 'v1', kind: 'Secret', name: 'acr-pull' }
    const note = { type: 'Warning', reason: 'SourceMissing', message: 'the source is missing' } as const
    await api.create('/api/v1/namespaces', { metadata: { name: 'going' } })
    await api.create('/api/v1/namespaces/going/configmaps', { metadata: { name: 'stays', finalizers: ['example.com/stay'] } })
    await api.delete('/api/v1/namespaces/going')

    await t.test('about a copy that is absent stand in its namespace, and are counted', async (t) => {
      for (let times = 0; times < 3; times++) {
        recorder.record({ ...note, object: { ...object, namespace: 'default' } })
        await recorder.flush()
        laterMs += MINUTE_MS
      }
      const { body } = await api.list('/api/v1/namespaces/default/events?fieldSelector=reason=SourceMissing')
      t.match(body.items, [{
        metadata: { name: /^acr-pull\.[0-9a-f]{16}$/ },
        involvedObject: { ...object, namespace: 'default' },
        type: 'Warning',
        message: 'the source is missing',
        count: 3,
        source: { component: 'pullkeeper-sync' },
        reportingComponent: 'pullkeeper-sync',
        reportingInstance: 'pullkeeper-sync-0'
      }])
      t.equal(body.items.length, 1)
      t.strictSame(outcomes, ['written', 'written', 'written'])
    })

    await t.test('about an object without namespace stand in default', async (t) => {
      recorder.record({ ...note, reason: 'Waiting', object: { apiVersion: 'v1', kind: 'Namespace', name: 'going' } })
      await recorder.flush()
      const { body } = await api.list('/api/v1/namespaces/default/events?fieldSelector=reason=Waiting')
      t.match(body.items, [{ involvedObject: { kind: 'Namespace', name: 'going' } }])
    })

    await t.test('for a namespace that is gone or goes are dropped', async (t) => {
      outcomes.length = 0
      for (const namespace of ['absent', 'going']) recorder.record({ ...note, object: { ...object, namespace } })
      await recorder.flush()
      t.strictSame({ outcomes, lines }, { outcomes: [], lines: [] })
      t.match(await api.list('/api/v1/namespaces/going/events?fieldSelector=reason=SourceMissing'), { body: { items: [] } })
    })
  })
}
