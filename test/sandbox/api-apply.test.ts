import t from 'tap'
import type { V1Deployment, V1ManagedFieldsEntry, V1Secret } from '@kubernetes/client-node'
import { createClient, listClusterKinds, startCluster } from '../helpers/cluster.ts'
import { createHttpsClient } from '../helpers/https-client.ts'

/** Server-side apply (KEP-555): the same owners, conflicts and refusals from the in-memory API and from kube-apiserver. */

const SECRETS = '/api/v1/namespaces/default/secrets'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
const UID = /^Secret "secret" is invalid: metadata\.uid: Invalid value: "other": field is immutable$/
type Fields = Partial<Omit<V1Secret, 'metadata'>> & { metadata?: object }

interface Failure {
  reason: string
  message: string
  details: { causes: { reason: string, message: string, field: string }[] }
}

const secret = (name: string, { metadata, ...fields }: Fields = {}): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name, ...metadata }, ...fields })
/** Who owns what: `manager operation` and the fields as they are written. */
const ownersOf = (body: { metadata?: { managedFields?: V1ManagedFieldsEntry[] } }): Record<string, unknown> => {
  return Object.fromEntries((body.metadata?.managedFields ?? []).map(({ manager, operation, fieldsV1 }) => [`${manager ?? ''} ${operation ?? ''}`, fieldsV1]))
}

interface Refusal {
  title: string
  query?: string
  body: unknown
  status: number
  message: string | RegExp
}

/** Applied to a Secret `secret` of type Opaque. */
const REFUSALS: Refusal[] = [
  { title: 'no field manager', query: '', body: secret('secret'), status: 422, message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch' },
  { title: 'a field manager of 129 bytes', query: `fieldManager=${'x'.repeat(129)}`, body: secret('secret'), status: 422, message: 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Too long: must have at most 128 bytes' },
  { title: 'a configuration with owners', body: secret('secret', { metadata: { managedFields: [] } }), status: 400, message: 'metadata.managedFields must be nil' },
  { title: 'a configuration without version', body: { kind: 'Secret' }, status: 400, message: 'Incorrect version specified in apply patch. Specified patch version: , expected: v1' },
  { title: 'a configuration of another version', body: { ...secret('secret'), apiVersion: 'v2' }, status: 400, message: 'Incorrect version specified in apply patch. Specified patch version: v2, expected: v1' },
  { title: 'a configuration of no kind', body: { apiVersion: 'v1' }, status: 500, message: 'failed to create typed patch object: no corresponding type for /v1, Kind=' },
  { title: 'a configuration that is a list', body: [], status: 400, message: /^error decoding YAML: / },
  { title: 'another name', body: secret('other'), status: 400, message: 'the name of the object (other) does not match the name on the URL (secret)' },
  { title: 'another uid', body: secret('secret', { metadata: { uid: 'other' } }), status: 422, message: UID },
  { title: 'an old resourceVersion', body: secret('secret', { metadata: { resourceVersion: '1' } }), status: 409, message: 'Operation cannot be fulfilled on secrets "secret": the object has been modified; please apply your changes to the latest version and try again' },
  { title: 'another type', query: 'fieldManager=a&force=true', body: secret('secret', { type: 'kubernetes.io/dockercfg', data: { '.dockercfg': 'e30=' } }), status: 422, message: 'Secret "secret" is invalid: type: Invalid value: "kubernetes.io/dockercfg": field is immutable' }
]

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const cluster = await startCluster(t, kind)
    const client = createClient(cluster)
    t.teardown(() => client.close())
    const apply = async <T = V1Secret>(name: string, body: unknown, query = 'fieldManager=a', path = SECRETS): Promise<{ status: number, body: T }> => client.patch<T>(`${path}/${name}?${query}`, 'apply', body)
    const read = async (name: string): Promise<V1Secret> => (await client.get<V1Secret>(`${SECRETS}/${name}`)).body

    await t.test('an apply makes the object, and its manager owns what it said, no defaults', async (t) => {
      const { status, body } = await apply('made', secret('made', { metadata: { labels: { l: '1' }, annotations: { n: 'x' } }, data: { x: 'eA==' } }))
      t.match({ status, type: body.type, data: body.data }, { status: 201, type: 'Opaque', data: { x: 'eA==' } })
      t.strictSame(ownersOf(body), { 'a Apply': { 'f:data': { 'f:x': {} }, 'f:metadata': { 'f:annotations': { 'f:n': {} }, 'f:labels': { 'f:l': {} } } } })
      t.match(body.metadata?.managedFields, [{ apiVersion: 'v1', fieldsType: 'FieldsV1', time: /^\d{4}-.*:\d\dZ$/ }])
    })

    await t.test('YAML is read, too', async (t) => {
      const https = createHttpsClient(cluster.url, { ca: cluster.caCertificate })
      t.teardown(() => https.close())
      const { status, body } = await https.send({
        method: 'PATCH',
        path: `${SECRETS}/yaml?fieldManager=a`,
        headers: { authorization: `Bearer ${cluster.token}`, 'content-type': 'application/apply-patch+yaml' },
        body: 'apiVersion: v1\nkind: Secret\nmetadata:\n  name: yaml\ndata:\n  k: eA==\n'
      })
      t.equal(status, 201, body)
      t.strictSame((await read('yaml')).data, { k: 'eA==' })
    })

    await t.test('an apply that changes nothing writes nothing', async (t) => {
      const applied = secret('same', { metadata: { labels: { l: '1' } }, data: { x: 'eA==' } })
      const { body: first } = await apply('same', applied)
      const { status, body: second } = await apply('same', applied)
      t.equal(status, 200)
      t.strictSame(second, first)
      t.strictSame(await read('same'), first)
    })

    await t.test('a field that its manager no longer applies goes, unless another one applied it', async (t) => {
      await apply('dropped', secret('dropped', { metadata: { labels: { l: '1' }, annotations: { n: 'x' } }, data: { x: 'eA==', y: 'eQ==' } }))
      await client.patch(`${SECRETS}/dropped?fieldManager=c`, 'merge', { data: { foreign: 'eA==' } })
      await apply('dropped', secret('dropped', { data: { x: 'eA==', z: 'eg==' } }), 'fieldManager=b')
      const { body } = await apply('dropped', secret('dropped', { metadata: { labels: { l: '1' } } }))
      t.strictSame(body.data, { x: 'eA==', z: 'eg==', foreign: 'eA==' })
      t.match(body.metadata, { labels: { l: '1' } })
      t.notOk(body.metadata?.annotations)
      t.strictSame(ownersOf(body), { 'a Apply': { 'f:metadata': { 'f:labels': { 'f:l': {} } } }, 'b Apply': { 'f:data': { 'f:x': {}, 'f:z': {} } }, 'c Update': { 'f:data': { 'f:foreign': {} } } })
    })

    await t.test('a field of another manager is a conflict, unless the value is the same', async (t) => {
      await apply('contested', secret('contested', { data: { x: 'eA==', y: 'eQ==' } }))
      const one = await apply<Failure>('contested', secret('contested', { data: { x: 'eg==' } }), 'fieldManager=b')
      t.match(one, { status: 409, body: { reason: 'Conflict', message: 'Apply failed with 1 conflict: conflict with "a": .data.x', details: { causes: [{ reason: 'FieldManagerConflict', message: 'conflict with "a"', field: '.data.x' }] } } })
      const two = await apply<Failure>('contested', secret('contested', { data: { x: 'eg==', y: 'eg==' } }), 'fieldManager=b&force=false')
      t.equal(two.body.message, 'Apply failed with 2 conflicts: conflicts with "a":\n- .data.x\n- .data.y')
      const { status, body } = await apply('contested', secret('contested', { data: { x: 'eA==' } }), 'fieldManager=b')
      t.equal(status, 200)
      t.strictSame(ownersOf(body), { 'a Apply': { 'f:data': { 'f:x': {}, 'f:y': {} } }, 'b Apply': { 'f:data': { 'f:x': {} } } })
    })

    await t.test('a forced apply takes the field, and its owner has it no longer', async (t) => {
      await apply('forced', secret('forced', { data: { x: 'eA==', y: 'eQ==' } }))
      const { status, body } = await apply('forced', secret('forced', { data: { x: 'eg==' } }), 'fieldManager=b&force=true')
      t.equal(status, 200)
      t.strictSame(body.data, { x: 'eg==', y: 'eQ==' })
      t.strictSame(ownersOf(body), { 'a Apply': { 'f:data': { 'f:y': {} } }, 'b Apply': { 'f:data': { 'f:x': {} } } })
    })

    await t.test('writes of all kinds have owners: by their fieldManager, or by the user agent', async (t) => {
      const made = await client.create<V1Secret>(`${SECRETS}?fieldManager=poster`, secret('written', { metadata: { labels: { l: '1' } }, data: { x: 'eA==' } }))
      t.strictSame(ownersOf(made.body), { 'poster Update': { 'f:data': { '.': {}, 'f:x': {} }, 'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } }, 'f:type': {} } })
      const { body } = await client.patch<V1Secret>(`${SECRETS}/written?fieldManager=patcher`, 'merge', { data: { x: 'eg==', m: 'eA==' } })
      t.strictSame(ownersOf(body)['patcher Update'], { 'f:data': { 'f:m': {}, 'f:x': {} } })
      t.strictSame(ownersOf(body)['poster Update'], { 'f:data': {}, 'f:metadata': { 'f:labels': { '.': {}, 'f:l': {} } }, 'f:type': {} })
      const { body: put } = await client.put<V1Secret>(`${SECRETS}/written`, { ...body, data: { x: 'eg==', p: 'eA==' } })
      t.strictSame(ownersOf(put)['patcher Update'], { 'f:data': { 'f:x': {} } })
      t.strictSame(ownersOf(put)['unknown Update'], { 'f:data': { 'f:p': {} } })
      t.match(await apply<Failure>('written', secret('written', { data: { p: 'eg==' } })), { status: 409, body: { message: 'Apply failed with 1 conflict: conflict with "unknown" using v1: .data.p' } })
    })

    await t.test('what was never recorded belongs to before-first-apply', async (t) => {
      const made = await client.create<V1Secret>(SECRETS, secret('unrecorded', { data: { x: 'eA==' } }))
      const { body: emptied } = await client.put<V1Secret>(`${SECRETS}/unrecorded`, { ...made.body, metadata: { ...made.body.metadata, managedFields: [] } })
      t.strictSame(ownersOf(emptied), {})
      t.match(await apply<Failure>('unrecorded', secret('unrecorded', { data: { x: 'eg==' } })), { status: 409, body: { message: 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.x' } })
      const { body } = await apply('unrecorded', secret('unrecorded', { data: { x: 'eg==' } }), 'fieldManager=a&force=true')
      t.strictSame(ownersOf(body)['a Apply'], { 'f:data': { 'f:x': {} } })
    })

    await t.test('lists are merged by their keys, others have one owner', async (t) => {
      const container = { name: 'a', image: 'a:1', args: ['x'], ports: [{ containerPort: 80 }] }
      const deployment = (spec: object, replicas?: number): object => ({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'lists' }, spec: { ...(replicas !== undefined && { replicas }), template: { spec } } })
      const whole = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'lists' }, spec: { replicas: 0, selector: { matchLabels: { app: 'l' } }, template: { metadata: { labels: { app: 'l' } }, spec: { containers: [container], imagePullSecrets: [{ name: 'one' }] } } } }
      const made = await apply<V1Deployment>('lists', whole, 'fieldManager=a', DEPLOYMENTS)
      t.strictSame(ownersOf(made.body)['a Apply'], {
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:metadata': { 'f:labels': { 'f:app': {} } },
            'f:spec': {
              'f:containers': { 'k:{"name":"a"}': { '.': {}, 'f:args': {}, 'f:image': {}, 'f:name': {}, 'f:ports': { 'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} } } } },
              'f:imagePullSecrets': { 'k:{"name":"one"}': { '.': {}, 'f:name': {} } }
            }
          }
        }
      })
      const refused = await apply<Failure>('lists', deployment({ containers: [{ name: 'a', args: ['y'] }] }, 1), 'fieldManager=b', DEPLOYMENTS)
      t.match(refused, { status: 409, body: { message: 'Apply failed with 2 conflicts: conflicts with "a":\n- .spec.replicas\n- .spec.template.spec.containers[name="a"].args' } })
      const added = await apply<V1Deployment>('lists', deployment({ containers: [{ name: 'b', image: 'b' }], imagePullSecrets: [{ name: 'two' }] }), 'fieldManager=b', DEPLOYMENTS)
      const names = ({ spec }: V1Deployment): unknown[] => [spec?.template.spec?.containers.map(({ name }) => name), spec?.template.spec?.imagePullSecrets]
      t.strictSame(names(added.body), [['a', 'b'], [{ name: 'one' }, { name: 'two' }]])
      const left = await apply<V1Deployment>('lists', deployment({}), 'fieldManager=b', DEPLOYMENTS)
      t.strictSame(names(left.body), [['a'], [{ name: 'one' }]])
      t.match(await apply<Failure>('lists', deployment({ containers: [{ name: 'a' }, { name: 'a' }] }), 'fieldManager=b', DEPLOYMENTS), { status: 500, body: { message: 'failed to create typed patch object: .spec.template.spec.containers: duplicate entries for key [name="a"]' } })
    })

    await t.test('finalizers are a set, each with its owner', async (t) => {
      await apply('held', secret('held', { metadata: { finalizers: ['example.com/a'] } }))
      const { body } = await apply('held', secret('held', { metadata: { finalizers: ['example.com/b'] } }), 'fieldManager=b')
      t.strictSame(body.metadata?.finalizers, ['example.com/a', 'example.com/b'])
      t.strictSame((await apply('held', secret('held'))).body.metadata?.finalizers, ['example.com/b'])
    })

    await t.test('an immutable Secret takes labels, and no content', async (t) => {
      await apply('frozen', secret('frozen', { immutable: true, data: { x: 'eA==' } }))
      t.match(await apply<Failure>('frozen', secret('frozen', { immutable: true, data: { x: 'eQ==' } }), 'fieldManager=a&force=true'), { status: 422, body: { reason: 'Invalid', message: 'Secret "frozen" is invalid: data: Forbidden: field is immutable when `immutable` is set' } })
      t.match(await apply<Failure>('frozen', secret('frozen', { data: { x: 'eQ==' } })), { status: 422, body: { message: 'Secret "frozen" is invalid: [immutable: Forbidden: field is immutable when `immutable` is set, data: Forbidden: field is immutable when `immutable` is set]' } })
      t.match(await apply('frozen', secret('frozen', { immutable: true, metadata: { labels: { l: 'v' } }, data: { x: 'eA==' } })), { status: 200, body: { metadata: { labels: { l: 'v' } } } })
    })

    await t.test('a dry run answers as the real thing, and stores nothing', async (t) => {
      t.match(await apply('dry', secret('dry', { data: { x: 'eA==' } }), 'fieldManager=a&dryRun=All'), { status: 201, body: { data: { x: 'eA==' } } })
      t.equal((await client.get(`${SECRETS}/dry`)).status, 404)
      const { body: before } = await apply('wet', secret('wet', { data: { x: 'eA==' } }))
      t.match(await apply('wet', secret('wet', { data: { x: 'eg==' } }), 'fieldManager=a&dryRun=All'), { status: 200, body: { data: { x: 'eg==' } } })
      t.strictSame(await read('wet'), before)
    })

    await t.test('where there is nothing: the name must be in the configuration, and a uid is too much', async (t) => {
      t.match(await apply<Failure>('absent', { apiVersion: 'v1', kind: 'Secret' }), { status: 400, body: { message: 'the name of the object (absent based on URL) was undeterminable: name must be provided' } })
      t.match(await apply<Failure>('absent', secret('absent', { metadata: { uid: 'other' } })), { status: 409, body: { message: 'Operation cannot be fulfilled on secrets "absent": uid mismatch: the provided object specified uid other, and no existing object was found' } })
      t.match(await apply<Failure>('absent', secret('absent'), 'fieldManager=a', '/api/v1/namespaces/nope/secrets'), { status: 404, body: { message: 'namespaces "nope" not found' } })
    })

    await t.test('two who make it at the same time both end in one', async (t) => {
      const answers = await Promise.all(['a', 'b'].map(async (manager) => apply('raced', secret('raced', { data: { [manager]: 'eA==' } }), `fieldManager=${manager}`)))
      t.strictSame(answers.map(({ status }) => status).sort((x, y) => x - y), [200, 201])
      t.strictSame((await read('raced')).data, { a: 'eA==', b: 'eA==' })
    })

    await apply('secret', secret('secret', { type: 'Opaque', data: { x: 'eA==' } }))
    for (const { title, query, body, status, message } of REFUSALS) {
      await t.test(`${title} is refused with ${status}`, async (t) => {
        t.match(await apply<Failure>('secret', body, query), { status, body: { message } })
      })
    }

    await t.test('only an apply can be forced', async (t) => {
      t.match(await client.patch(`${SECRETS}/secret?force=true`, 'merge', {}), { status: 422, body: { message: 'PatchOptions.meta.k8s.io "" is invalid: force: Forbidden: may not be specified for non-apply patch' } })
    })
  })
}
