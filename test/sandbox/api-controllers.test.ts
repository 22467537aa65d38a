import { join } from 'node:path'
import type { KubernetesObject } from '@kubernetes/client-node'
import t from 'tap'
import { createClient, listClusterKinds, startCluster, waitFor, waitForAuditEvents, type ClusterClient } from '../helpers/cluster.ts'

const NS = '/api/v1/namespaces/default'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
const REPLICA_SETS = '/apis/apps/v1/namespaces/default/replicasets'

type Workload = KubernetesObject & { spec: { replicas: number }, status: { replicas?: number, conditions?: { type: string, status: string, reason: string }[] } }
type Pod = KubernetesObject & { spec: { containers: { image: string }[], hostname?: string } }

const template = (app: string, image: string, spec: object = {}): object => ({ metadata: { labels: { app } }, spec: { containers: [{ name: 'a', image }], ...spec } })
const workload = (name: string, spec: object): object => ({ metadata: { name }, spec: { selector: { matchLabels: { app: name } }, template: template(name, 'first:1'), ...spec } })
const podsOf = async (client: ClusterClient, app: string, predicate: (pods: Pod[]) => boolean): Promise<Pod[]> => waitFor<Pod>(client, `${NS}/pods?labelSelector=app%3D${app}`, predicate)

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const audit = join(t.testdir(), 'audit.log')
    const cluster = await startCluster(t, kind, { auditLog: audit, auditLevel: 'RequestResponse' })
    const client = createClient(cluster)
    t.teardown(() => client.close())
    await waitFor(client, `${NS}/serviceaccounts?fieldSelector=metadata.name=default`, (accounts) => accounts.length === 1)

    await t.test('a Deployment makes Pods by a ReplicaSet, scales them, and takes them along', async (t) => {
      t.match(await client.create(DEPLOYMENTS, workload('web', { replicas: 2 })), { status: 201, body: { metadata: { generation: 1 }, spec: { strategy: { type: 'RollingUpdate' } } } })
      const [pod] = await podsOf(client, 'web', (pods) => pods.length === 2)
      const [replicaSet] = await waitFor<Workload>(client, `${REPLICA_SETS}?labelSelector=app%3Dweb`, (sets) => sets[0]?.status.replicas === 2)
      t.match(replicaSet, { metadata: { name: /^web-[a-z0-9]+$/, labels: { 'pod-template-hash': String }, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'web', controller: true, blockOwnerDeletion: true }], annotations: { 'deployment.kubernetes.io/revision': '1' } } })
      t.match(pod, { metadata: { generateName: `${replicaSet?.metadata?.name ?? ''}-`, labels: { 'pod-template-hash': String }, ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: replicaSet?.metadata?.name, uid: replicaSet?.metadata?.uid, controller: true, blockOwnerDeletion: true }] } })
      const events = await waitForAuditEvents(audit, (all) => all.filter(({ objectRef, responseObject }) => objectRef?.resource === 'pods' && responseObject?.metadata?.labels?.['app'] === 'web').length >= 2)
      t.ok(events.length >= 2, 'the creation of its Pods is audited')

      await client.patch(`${DEPLOYMENTS}/web`, 'merge', { spec: { replicas: 1 } })
      const [left] = await podsOf(client, 'web', (pods) => pods.length === 1)
      await client.delete(`${NS}/pods/${left?.metadata?.name ?? ''}`)
      await podsOf(client, 'web', (pods) => pods.length === 1 && pods[0]?.metadata?.uid !== left?.metadata?.uid)
      await client.patch(`${DEPLOYMENTS}/web/scale`, 'merge', { spec: { replicas: 3 } })
      t.match(await client.get(`${DEPLOYMENTS}/web/scale`), { status: 200, body: { kind: 'Scale', apiVersion: 'autoscaling/v1', spec: { replicas: 3 } } })
      await podsOf(client, 'web', (pods) => pods.length === 3)

      await client.patch(`${DEPLOYMENTS}/web`, 'strategic-merge', { spec: { template: { spec: { containers: [{ name: 'a', image: 'second:2' }] } } } })
      await waitFor<Workload>(client, `${REPLICA_SETS}?labelSelector=app%3Dweb`, (sets) => sets.length === 2)
      await podsOf(client, 'web', (pods) => pods.some(({ spec }) => spec.containers[0]?.image === 'second:2'))

      await client.delete(`${DEPLOYMENTS}/web`, { propagationPolicy: 'Background' })
      await waitFor(client, `${REPLICA_SETS}?labelSelector=app%3Dweb`, (sets) => sets.length === 0)
      await podsOf(client, 'web', (pods) => pods.length === 0)
    })

    await t.test('a StatefulSet makes its first Pod and waits until it is ready', async (t) => {
      await client.create('/apis/apps/v1/namespaces/default/statefulsets', workload('db', { replicas: 2, serviceName: 'db' }))
      const [first] = await podsOf(client, 'db', (pods) => pods.length === 1)
      t.match(first, { metadata: { name: 'db-0', generateName: 'db-', labels: { 'statefulset.kubernetes.io/pod-name': 'db-0' }, ownerReferences: [{ kind: 'StatefulSet', name: 'db', controller: true }] }, spec: { hostname: 'db-0', subdomain: 'db' } })
      await client.patch(`${NS}/pods/db-0/status`, 'merge', { status: { phase: 'Running', conditions: [{ type: 'Ready', status: 'True' }] } })
      t.strictSame((await podsOf(client, 'db', (pods) => pods.length === 2)).map(({ metadata }) => metadata?.name), ['db-0', 'db-1'])
    })

    await t.test('a Job makes a Pod, and ends with it', async (t) => {
      await client.create('/apis/batch/v1/namespaces/default/jobs', { metadata: { name: 'once' }, spec: { template: template('once', 'b', { restartPolicy: 'Never' }) } })
      const [pod] = await podsOf(client, 'once', (pods) => pods.length === 1)
      t.match(pod, { metadata: { generateName: 'once-', labels: { 'job-name': 'once' }, ownerReferences: [{ apiVersion: 'batch/v1', kind: 'Job', name: 'once', controller: true }] } })
      await client.patch(`${NS}/pods/${pod?.metadata?.name ?? ''}/status`, 'merge', { status: { phase: 'Succeeded' } })
      await waitFor<Workload>(client, '/apis/batch/v1/namespaces/default/jobs', ([job]) => job?.status.conditions?.[0]?.type === 'Complete')
    })

    await t.test('a namespace with a finalizer of its own stays, emptied, until that is taken away', async (t) => {
      await client.create('/api/v1/namespaces', { metadata: { name: 'kept', finalizers: ['example.com/keep'] } })
      await client.create('/api/v1/namespaces/kept/configmaps', { metadata: { name: 'content' } })
      await client.delete('/api/v1/namespaces/kept')
      const path = '/api/v1/namespaces?fieldSelector=metadata.name=kept'
      await waitFor<KubernetesObject & { spec: { finalizers?: string[] } }>(client, path, ([namespace]) => namespace?.spec.finalizers === undefined)
      t.strictSame((await client.list('/api/v1/namespaces/kept/configmaps?fieldSelector=metadata.name=content')).body.items, [])
      await client.patch('/api/v1/namespaces/kept', 'merge', { metadata: { finalizers: null } })
      await waitFor(client, path, (namespaces) => namespaces.length === 0)
    })
    await t.test('a refused Pod leaves an Event and a condition, and comes when the reason is gone', async () => {
      await client.create(DEPLOYMENTS, workload('refused', { template: template('refused', 'b', { serviceAccountName: 'later' }) }))
      await waitFor<KubernetesObject & { reason: string, message: string }>(client, `${NS}/events`, (events) => events.some(({ reason, message }) => reason === 'FailedCreate' && message.includes('error looking up service account default/later')))
      await waitFor<Workload>(client, `${REPLICA_SETS}?labelSelector=app%3Drefused`, ([set]) => set?.status.conditions?.some(({ type, reason }) => type === 'ReplicaFailure' && reason === 'FailedCreate') === true)
      await waitFor<Workload>(client, `${DEPLOYMENTS}?fieldSelector=metadata.name%3Drefused`, ([deployment]) => deployment?.status.conditions?.some(({ type }) => type === 'ReplicaFailure') === true)
      await client.create(`${NS}/serviceaccounts`, { metadata: { name: 'later' } })
      await podsOf(client, 'refused', (pods) => pods.length === 1)
    })
  })
}
