import t from 'tap'
import type { V1Lease } from '@kubernetes/client-node'
import { requestCluster } from '../../src/sandbox/cluster-request.ts'
import { createClient, listClusterKinds, startCluster } from '../helpers/cluster.ts'

/** Leases as leader election writes them: nobody overwrites what he has not read. */

const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases'
const spec = { holderIdentity: 'one', leaseDurationSeconds: 15, acquireTime: '2026-01-01T00:00:00.123456Z', renewTime: '2026-01-01T00:00:00.123456Z', leaseTransitions: 0 }

interface Refusal {
  title: string
  spec: object
  status: number
  message: RegExp
}

const REFUSALS: Refusal[] = [
  { title: 'a time of three digits, as Date writes it', spec: { renewTime: '2026-01-01T00:00:00.123Z' }, status: 400, message: /parsing time "2026-01-01T00:00:00\.123Z" as "2006-01-02T15:04:05\.000000Z07:00": cannot parse "\.123Z" as "\.000000"/ },
  { title: 'a time without a fraction', spec: { acquireTime: '2026-01-01T00:00:00Z' }, status: 400, message: /parsing time "2026-01-01T00:00:00Z"/ },
  { title: 'a time of seven digits', spec: { acquireTime: '2026-01-01T00:00:00.1234567Z' }, status: 400, message: /parsing time "2026-01-01T00:00:00\.1234567Z"/ },
  { title: 'a duration that is no number', spec: { leaseDurationSeconds: '15' }, status: 400, message: /^Lease in version "v1" cannot be handled as a Lease: / },
  {
    title: 'numbers that make no sense',
    spec: { leaseDurationSeconds: 0, leaseTransitions: -1 },
    status: 422,
    message: /^Lease\.coordination\.k8s\.io "bad" is invalid: \[spec\.leaseDurationSeconds: Invalid value: 0: must be greater than 0, spec\.leaseTransitions: Invalid value: -1: must to greater or equal than 0\]$/
  }
]

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const cluster = await startCluster(t, kind)
    const client = createClient(cluster)
    t.teardown(() => client.close())

    for (const { title, spec, status, message } of REFUSALS) {
      await t.test(`${title} is refused with ${status}`, async (t) => {
        t.match(await client.create(LEASES, { metadata: { name: 'bad' }, spec }), { status, body: { message } })
      })
    }

    await t.test('a Lease is made once, renewed with its version, and never with an old one or none', async (t) => {
      const made = await client.create<V1Lease>(LEASES, { metadata: { name: 'leader' }, spec })
      t.match(made, { status: 201, body: { spec } })
      t.match(await client.create(LEASES, { metadata: { name: 'leader' }, spec }), { status: 409, body: { reason: 'AlreadyExists', message: 'leases.coordination.k8s.io "leader" already exists' } })
      const renewed = await client.put<V1Lease>(`${LEASES}/leader`, { ...made.body, spec: { ...spec, renewTime: '2026-01-01T00:00:05.000000Z' } })
      t.match(renewed, { status: 200, body: { spec: { renewTime: '2026-01-01T00:00:05.000000Z' } } })
      t.match(await client.put(`${LEASES}/leader`, { ...made.body, spec: { ...spec, holderIdentity: 'two' } }), {
        status: 409,
        body: { reason: 'Conflict', message: 'Operation cannot be fulfilled on leases.coordination.k8s.io "leader": the object has been modified; please apply your changes to the latest version and try again' }
      })
      const unread = { status: 422, body: { reason: 'Invalid', message: 'leases.coordination.k8s.io "leader" is invalid: metadata.resourceVersion: Invalid value: 0x0: must be specified for an update' } }
      t.match(await client.put(`${LEASES}/leader`, { metadata: { name: 'leader' }, spec }), unread)
      t.match(await client.put(`${LEASES}/leader`, { metadata: { name: 'leader', resourceVersion: '0' }, spec }), unread)
      t.match(await client.get<V1Lease>(`${LEASES}/leader`), { status: 200, body: { spec: { holderIdentity: 'one', renewTime: '2026-01-01T00:00:05.000000Z' } } })
    })

    await t.test('a PUT makes the Lease that is missing', async (t) => {
      t.match(await client.put(`${LEASES}/fresh`, { metadata: { name: 'fresh', resourceVersion: '5' }, spec }), { status: 201, body: { spec } })
      t.match(await client.put('/api/v1/namespaces/default/secrets/fresh', { metadata: { name: 'fresh' } }), { status: 404 })
    })

    await t.test('a Lease is listed, watched and deleted as everything else', async (t) => {
      const { body } = await client.list(`${LEASES}?fieldSelector=metadata.name%3Dleader`)
      t.equal(body.items.length, 1)
      t.match(await client.patch(`${LEASES}/leader`, 'merge', { spec: { holderIdentity: '' } }), { status: 200 })
      t.match(await client.delete(`${LEASES}/leader`), { status: 200, body: { status: 'Success', details: { name: 'leader', group: 'coordination.k8s.io', kind: 'leases' } } })
      const seen: string[] = []
      for await (const { type } of client.watch(`${LEASES}?fieldSelector=metadata.name%3Dleader`, body.metadata?.resourceVersion ?? '', AbortSignal.timeout(10_000))) {
        seen.push(type)
        if (type === 'DELETED') break
      }
      t.strictSame(seen, ['MODIFIED', 'DELETED'])
    })

    await t.test('kubectl sees who holds it', async (t) => {
      const { body } = await requestCluster<{ columnDefinitions: { name: string }[], rows: { cells: unknown[] }[] }>(cluster, { method: 'GET', path: `${LEASES}?fieldSelector=metadata.name%3Dfresh`, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
      t.strictSame(body.columnDefinitions.map(({ name }) => name), ['Name', 'Holder', 'Age'])
      t.strictSame(body.rows.map(({ cells }) => cells.slice(0, 2)), [['fresh', 'one']])
      const { body: discovery } = await client.get<{ resources: object[] }>('/apis/coordination.k8s.io/v1')
      t.match(discovery.resources.filter((resource) => 'name' in resource && resource.name === 'leases'), [{ kind: 'Lease', namespaced: true, verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'] }])
    })
  })
}
