import t from 'tap'
import type { CoreV1Event, KubernetesObject, V1ServiceAccount } from '@kubernetes/client-node'
import { createClient, listClusterKinds, startCluster, waitFor, type ClusterClient } from '../helpers/cluster.ts'

/** What a controller meets beside its own objects: Events, namespaces that go, preconditions, and patches that test first. */

const NAMESPACES = '/api/v1/namespaces'
const EVENTS = `${NAMESPACES}/default/events`
const SECRETS = `${NAMESPACES}/default/secrets`
const ACCOUNTS = `${NAMESPACES}/default/serviceaccounts`
const REJECTED = { status: 422, body: { reason: 'Invalid', message: 'the server rejected our request due to an error in our request', details: {} } }

const event = (name: string, fields: object = {}): object => ({
  metadata: { name, namespace: 'default' },
  involvedObject: { apiVersion: 'v1', kind: 'Secret', namespace: 'default', name: 'pull' },
  reason: 'SourceMissing',
  message: 'the source is missing',
  source: { component: 'pullkeeper' },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  count: 1,
  type: 'Warning',
  eventTime: null,
  reportingComponent: '',
  reportingInstance: '',
  ...fields
})

/** A namespace that can't go before its ConfigMap `hold` is let go. */
async function createTerminatingNamespace (client: ClusterClient, name: string): Promise<() => Promise<unknown>> {
  await client.create(NAMESPACES, { metadata: { name } })
  await client.create(`${NAMESPACES}/${name}/configmaps`, { metadata: { name: 'hold', finalizers: ['example.com/hold'] } })
  await client.delete(`${NAMESPACES}/${name}`)
  return async () => client.patch(`${NAMESPACES}/${name}/configmaps/hold`, 'merge', { metadata: { finalizers: null } })
}

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const cluster = await startCluster(t, kind)
    const client = createClient(cluster)
    t.teardown(() => client.close())
    await waitFor(client, `${ACCOUNTS}?fieldSelector=metadata.name=default`, (accounts) => accounts.length === 1)

    await t.test('an Event is made once, and its count raised by a patch', async (t) => {
      t.match(await client.create<CoreV1Event>(EVENTS, event('pull.1')), { status: 201, body: { count: 1, reason: 'SourceMissing', eventTime: null } })
      t.match(await client.create(EVENTS, event('pull.1')), { status: 409, body: { message: 'events "pull.1" already exists' } })
      const patch = { count: 2, lastTimestamp: '2026-01-01T00:01:00Z' }
      t.match(await client.patch<CoreV1Event>(`${EVENTS}/pull.1`, 'strategic-merge', patch), { status: 200, body: { ...patch, firstTimestamp: '2026-01-01T00:00:00Z' } })
      t.match(await client.patch<CoreV1Event>(`${EVENTS}/pull.1`, 'merge', { count: 3 }), { status: 200, body: { count: 3 } })
      t.match(await client.patch(`${EVENTS}/none`, 'strategic-merge', patch), { status: 404, body: { message: 'events "none" not found' } })
      const { body } = await client.list<CoreV1Event>(`${EVENTS}?fieldSelector=involvedObject.kind%3DSecret,involvedObject.name%3Dpull,reason%3DSourceMissing`)
      t.match(body.items, [{ metadata: { name: 'pull.1' }, count: 3 }])
    })

    await t.test('an Event stands where its object does; one without a namespace in default', async (t) => {
      const elsewhere = { involvedObject: { kind: 'Secret', namespace: 'other', name: 'pull' } }
      t.match(await client.create(EVENTS, event('pull.2', elsewhere)), { status: 422, body: { message: 'Event "pull.2" is invalid: involvedObject.namespace: Invalid value: "other": does not match event.namespace' } })
      const clusterWide = { involvedObject: { kind: 'Namespace', name: 'shop' } }
      t.equal((await client.create(EVENTS, event('shop.1', clusterWide))).status, 201)
      t.equal((await client.create(`${NAMESPACES}/kube-system/events`, event('shop.1', { ...clusterWide, metadata: { name: 'shop.1' } }))).status, 422)
    })

    await t.test('in a namespace that is going nothing is made, and what is there can still be changed', async (t) => {
      const release = await createTerminatingNamespace(client, 'going')
      const refused = (resource: string, name: string): object => ({
        status: 403,
        body: {
          reason: 'Forbidden',
          message: `${resource} "${name}" is forbidden: unable to create new content in namespace going because it is being terminated`,
          details: { causes: [{ reason: 'NamespaceTerminating', message: 'namespace going is being terminated', field: 'metadata.namespace' }] }
        }
      })
      const secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'pull' } }
      t.match(await client.create(`${NAMESPACES}/going/secrets`, secret), refused('secrets', 'pull'))
      t.match(await client.patch(`${NAMESPACES}/going/secrets/pull?fieldManager=a`, 'apply', secret), refused('secrets', 'pull'))
      t.match(await client.create(`${NAMESPACES}/going/events`, event('e', { metadata: { name: 'e' }, involvedObject: { namespace: 'going' } })), refused('events', 'e'))
      t.equal((await client.patch(`${NAMESPACES}/going/configmaps/hold`, 'merge', { data: { a: 'b' } })).status, 200)
      await release()
      await waitFor(client, `${NAMESPACES}?fieldSelector=metadata.name=going`, (found) => found.length === 0)
      t.match(await client.create(`${NAMESPACES}/going/secrets`, secret), { status: 404, body: { reason: 'NotFound', message: 'namespaces "going" not found', details: { name: 'going', kind: 'namespaces' } } })
    })

    await t.test('a deletion holds to its preconditions', async (t) => {
      const { body } = await client.create<KubernetesObject>(SECRETS, { metadata: { name: 'guarded' } })
      const { uid = '', resourceVersion = '' } = body.metadata ?? {}
      const path = `${SECRETS}/guarded`
      t.match(await client.delete(path, { preconditions: { uid: 'other' } }), { status: 409, body: { reason: 'Conflict', message: `Operation cannot be fulfilled on Secret "guarded": the UID in the precondition (other) does not match the UID in record (${uid}). The object might have been deleted and then recreated` } })
      t.match(await client.delete(path, { preconditions: { uid, resourceVersion: '1' } }), { status: 409, body: { message: `Operation cannot be fulfilled on Secret "guarded": the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified` } })
      t.match(await client.delete(path, { kind: 'DeleteOptions', apiVersion: 'v1', preconditions: { uid, resourceVersion } }), { status: 200, body: { status: 'Success', details: { uid } } })
      t.match(await client.delete(path, { preconditions: { uid } }), { status: 404 })
    })

    await t.test('a JSON Patch on a ServiceAccount changes it only if its tests hold', async (t) => {
      const path = `${ACCOUNTS}/default`
      const patch = async (...operations: object[]): Promise<{ status: number, body: V1ServiceAccount }> => client.patch<V1ServiceAccount>(path, 'json', operations)
      const add = { op: 'add', path: '/imagePullSecrets', value: [{ name: 'one' }] }
      t.match(await patch({ op: 'test', path: '/imagePullSecrets', value: [] }, add), REJECTED)
      t.match(await patch({ op: 'test', path: '/metadata/nope/deeper', value: null }, add), REJECTED)
      t.notOk((await client.get<V1ServiceAccount>(path)).body.imagePullSecrets)
      t.match(await patch({ op: 'test', path: '/imagePullSecrets', value: null }, add), { status: 200, body: { imagePullSecrets: [{ name: 'one' }] } }, 'null is what is absent')
      t.match(await patch({ op: 'test', path: '/imagePullSecrets', value: null }, add), REJECTED)
      const appended = await patch({ op: 'test', path: '/imagePullSecrets', value: [{ name: 'one' }] }, { op: 'add', path: '/imagePullSecrets/-', value: { name: 'two' } })
      t.strictSame(appended.body.imagePullSecrets, [{ name: 'one' }, { name: 'two' }])
      t.match(await patch({ op: 'test', path: '/metadata/resourceVersion', value: '1' }, { op: 'remove', path: '/imagePullSecrets/0' }), REJECTED)
      t.match(await client.patch(`${ACCOUNTS}/none`, 'json', [add]), { status: 404, body: { message: 'serviceaccounts "none" not found' } })
      t.strictSame((await client.get<V1ServiceAccount>(path)).body.imagePullSecrets, [{ name: 'one' }, { name: 'two' }])
    })
  })
}
