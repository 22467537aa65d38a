import t from 'tap'
import { requestCluster } from '../../src/sandbox/cluster-request.ts'
import { createClient, listClusterKinds, startCluster, waitFor, type PatchKind } from '../helpers/cluster.ts'

/** The refusals that people meet, word for word the same from the in-memory API and from kube-apiserver. */

const NS = '/api/v1/namespaces/default'
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
const pod = (fields: object = {}, metadata: object = { name: 'bare' }): object => ({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { containers: [{ name: 'a', image: 'b' }], ...fields } })
const secret = (fields: object): object => ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'bad' }, ...fields })
const dockerConfig = (content: string): object => secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { '.dockerconfigjson': content } })

interface Refusal {
  title: string
  post: [path: string, body: unknown]
  code: number
  reason: string
  message: string | RegExp
}

const REFUSALS: Refusal[] = [
  { title: 'a Pod in a namespace that does not exist', post: ['/api/v1/namespaces/nope/pods', pod()], code: 404, reason: 'NotFound', message: 'namespaces "nope" not found' },
  { title: 'a Pod without containers', post: [`${NS}/pods`, pod({ containers: [] })], code: 422, reason: 'Invalid', message: 'Pod "bare" is invalid: spec.containers: Required value' },
  { title: 'a Pod without name', post: [`${NS}/pods`, pod({}, {})], code: 422, reason: 'Invalid', message: 'Pod "" is invalid: metadata.name: Required value: name or generateName is required' },
  {
    title: 'a Pod with a bad name and bad containers',
    post: [`${NS}/pods`, pod({ containers: [{ name: '', image: '' }, { name: 'a' }] }, { name: 'Bad_x' })],
    code: 422,
    reason: 'Invalid',
    message: 'Pod "Bad_x" is invalid: [metadata.name: Invalid value: "Bad_x": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \'-\' or \'.\', and must start and end with an alphanumeric character (e.g. \'example.com\', regex used for validation is \'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\'), spec.containers[0].name: Required value, spec.containers[0].image: Required value, spec.containers[1].image: Required value]'
  },
  { title: 'a Pod whose namespace is another one', post: [`${NS}/pods`, pod({}, { name: 'x', namespace: 'other' })], code: 400, reason: 'BadRequest', message: /^the namespace of the provided object does not match the namespace sent on the request$/ },
  { title: 'a Pod of an unknown ServiceAccount', post: [`${NS}/pods`, pod({ serviceAccountName: 'nope' })], code: 403, reason: 'Forbidden', message: 'pods "bare" is forbidden: error looking up service account default/nope: serviceaccount "nope" not found' },
  { title: 'an object of another kind', post: [`${NS}/pods`, secret({})], code: 400, reason: 'BadRequest', message: /^Secret in version "v1" cannot be handled as a Pod: / },
  { title: 'labels that are no strings', post: [`${NS}/pods`, pod({}, { name: 'x', labels: { a: 1 } })], code: 400, reason: 'BadRequest', message: /^Pod in version "v1" cannot be handled as a Pod: / },
  { title: 'a bad label', post: [`${NS}/pods`, pod({}, { name: 'x', labels: { 'a/b/c': 'y' } })], code: 422, reason: 'Invalid', message: /a qualified name must consist of alphanumeric characters/ },
  { title: 'a dockerconfigjson Secret without its key', post: [`${NS}/secrets`, secret({ type: 'kubernetes.io/dockerconfigjson', stringData: { a: 'b' } })], code: 422, reason: 'Invalid', message: 'Secret "bad" is invalid: data[.dockerconfigjson]: Required value' },
  { title: 'a dockerconfigjson Secret that is no JSON', post: [`${NS}/secrets`, dockerConfig('b')], code: 422, reason: 'Invalid', message: /^Secret "bad" is invalid: data\[.dockerconfigjson\]: Invalid value: "<secret contents redacted>": invalid character/ },
  { title: 'a dockerconfigjson Secret that is a list', post: [`${NS}/secrets`, dockerConfig('[]')], code: 422, reason: 'Invalid', message: 'Secret "bad" is invalid: data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": json: cannot unmarshal array into Go value of type map[string]interface {}' },
  { title: 'a Secret that is no base64', post: [`${NS}/secrets`, secret({ data: { a: '?' } })], code: 400, reason: 'BadRequest', message: /illegal base64 data at input byte 0/ },
  { title: 'a Secret with a bad key', post: [`${NS}/secrets`, secret({ data: { 'a b': 'YQ==' } })], code: 422, reason: 'Invalid', message: /^Secret "bad" is invalid: data\[a b\]: Invalid value: "a b": a valid config key must consist of/ },
  { title: 'a Secret above 1 MiB', post: [`${NS}/secrets`, secret({ stringData: { a: 'x'.repeat(1024 * 1024 + 1) } })], code: 422, reason: 'Invalid', message: /^Secret "bad" is invalid: data: Too long: .* 1048576 bytes$/ },
  { title: 'a dry run of something else than All', post: [`${NS}/pods?dryRun=Some`, pod()], code: 422, reason: 'Invalid', message: /dryRun: Unsupported value: .*"Some".*: supported values: "All"$/ },
  {
    title: 'a webhook with everything wrong',
    post: [CONFIGURATIONS, { metadata: { name: 'bad' }, webhooks: [{ name: 'a', clientConfig: {}, rules: [{ operations: ['CREATE', 'X'] }] }] }],
    code: 422,
    reason: 'Invalid',
    message: 'MutatingWebhookConfiguration.admissionregistration.k8s.io "bad" is invalid: [webhooks[0].name: Invalid value: "a": should be a domain with at least three segments separated by dots, webhooks[0].rules[0].operations[1]: Unsupported value: "X": supported values: "*", "CONNECT", "CREATE", "DELETE", "UPDATE", webhooks[0].rules[0].apiGroups: Required value, webhooks[0].rules[0].apiVersions: Required value, webhooks[0].rules[0].resources: Required value, webhooks[0].sideEffects: Required value: must specify one of None, NoneOnDryRun, webhooks[0].clientConfig: Required value: exactly one of url or service is required, webhooks[0].admissionReviewVersions: Required value: must specify one of v1, v1beta1]'
  }
]

interface Status {
  kind: string
  status: string
  reason: string
  message: string
  code: number
}

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const cluster = await startCluster(t, kind)
    const client = createClient(cluster)
    t.teardown(() => client.close())
    await waitFor(client, `${NS}/serviceaccounts?fieldSelector=metadata.name=default`, (accounts) => accounts.length === 1)

    for (const { title, post: [path, body], code, reason, message } of REFUSALS) {
      await t.test(`${title} is refused with ${code}`, async (t) => {
        const answer = await client.create<Status>(path, body)
        t.match({ httpStatus: answer.status, ...answer.body }, { httpStatus: code, kind: 'Status', status: 'Failure', code, reason })
        if (typeof message === 'string') t.equal(answer.body.message, message)
        else t.match(answer.body.message, message)
      })
    }

    await t.test('a wrong token is refused with 401', async (t) => {
      const { status, body } = await requestCluster<Status>({ ...cluster, token: 'wrong' }, { method: 'GET', path: '/api/v1/pods' })
      t.match({ status, body }, { status: 401, body: { reason: 'Unauthorized', message: 'Unauthorized' } })
    })

    await t.test('a body of another type is refused with 415', async (t) => {
      const { status, body } = await requestCluster<Status>(cluster, { method: 'POST', path: `${NS}/pods`, body: {}, contentType: 'text/plain' })
      t.match({ status, body }, { status: 415, body: { reason: 'UnsupportedMediaType', message: /^the body of the request was in an unknown format - accepted media types include: application\/json, application\/yaml, / } })
    })

    await t.test('unknown resources, methods and selectors', async (t) => {
      t.match(await client.get<Status>('/api/v1/nosuch'), { status: 404, body: { message: 'the server could not find the requested resource' } })
      t.match(await client.create<Status>(NS, {}), { status: 405, body: { reason: 'MethodNotAllowed', message: 'the server does not allow this method on the requested resource' } })
      t.match(await client.get<Status>(`${NS}/secrets?fieldSelector=spec.foo%3Dc`), { status: 400, body: { message: 'field label not supported: spec.foo' } })
      t.match(await client.get<Status>(`${NS}/secrets?labelSelector=a%20b`), { status: 400, body: { message: /^unable to parse requirement/ } })
      t.match(await client.get<Status>(`${NS}/pods/x`), { status: 404, body: { message: 'pods "x" not found' } })
      t.match(await client.get<Status>('/apis/apps/v1/namespaces/default/deployments/x'), { status: 404, body: { message: 'deployments.apps "x" not found', details: { name: 'x', group: 'apps', kind: 'deployments' } } })
    })

    await t.test('a Pod is made with its defaults, and its pull secrets stay as they are', async (t) => {
      const made = await client.create<Record<string, unknown>>(`${NS}/pods`, pod({ containers: [{ name: 'a', image: 'b' }, { name: 'c', image: 'd:5000/e:1' }] }))
      t.match({ status: made.status, body: made.body }, {
        status: 201,
        body: {
          kind: 'Pod',
          metadata: { name: 'bare', namespace: 'default', uid: /^[0-9a-f-]{36}$/, resourceVersion: /^\d+$/, creationTimestamp: /^\d{4}-.*Z$/ },
          spec: {
            serviceAccountName: 'default',
            serviceAccount: 'default',
            restartPolicy: 'Always',
            dnsPolicy: 'ClusterFirst',
            schedulerName: 'default-scheduler',
            terminationGracePeriodSeconds: 30,
            enableServiceLinks: true,
            containers: [{ imagePullPolicy: 'Always' }, { imagePullPolicy: 'IfNotPresent' }]
          },
          status: { phase: 'Pending', qosClass: 'BestEffort' }
        }
      })
      t.match(await client.create<Status>(`${NS}/pods`, pod()), { status: 409, body: { reason: 'AlreadyExists', message: 'pods "bare" already exists' } })
      const changed = { ...made.body, spec: { ...made.body.spec as object, imagePullSecrets: [{ name: 'late' }] } }
      t.match(await client.put<Status>(`${NS}/pods/bare`, changed), { status: 422, body: { reason: 'Invalid', message: /^Pod "bare" is invalid: spec: Forbidden: pod updates may not change fields other than[^]*ImagePullSecrets/ } })
      t.match(await client.put<Status>(`${NS}/pods/bare`, { ...made.body, metadata: { name: 'bare', resourceVersion: '1' } }), { status: 409, body: { reason: 'Conflict', message: 'Operation cannot be fulfilled on pods "bare": the object has been modified; please apply your changes to the latest version and try again' } })
      t.match(await client.put<Status>(`${NS}/pods/bare`, { ...made.body, metadata: { name: 'other' } }), { status: 400, body: { message: /^the name of the object \(other.*\) does not match the name on the URL \(bare.*\)$/ } })
      const uid = { preconditions: { uid: 'abc' } }
      t.match(await client.delete<Status>(`${NS}/pods/bare`, uid), { status: 409, body: { message: /^Operation cannot be fulfilled on Pod "bare": the UID in the precondition \(abc\) does not match the UID in record/ } })
      t.match(await client.delete(`${NS}/pods/bare`), { status: 200, body: { kind: 'Pod', metadata: { name: 'bare', deletionTimestamp: String, deletionGracePeriodSeconds: 0 } } })
      t.match(await client.get(`${NS}/pods/bare`), { status: 404 })
    })

    await t.test('a dry run answers like the real thing and stores nothing', async (t) => {
      const { status, body } = await client.create(`${NS}/pods?dryRun=All`, pod({}, { generateName: 'dry-' }))
      t.match({ status, body }, { status: 201, body: { metadata: { name: /^dry-[a-z0-9]{5}$/, uid: String } } })
      t.match(await client.get(`${NS}/pods/${body.metadata?.name ?? ''}`), { status: 404 })
    })

    await t.test('a Secret: stringData, the type stays, deletion answers with a Status', async (t) => {
      const made = await client.create(`${NS}/secrets`, { metadata: { name: 'mine' }, stringData: { a: 'b' } })
      t.match(made, { status: 201, body: { type: 'Opaque', data: { a: 'Yg==' } } })
      t.match(await client.patch<Status>(`${NS}/secrets/mine`, 'merge', { type: 'foo' }), { status: 422, body: { message: 'Secret "mine" is invalid: type: Invalid value: "foo": field is immutable' } })
      t.match(await client.delete(`${NS}/secrets/mine`), { status: 200, body: { kind: 'Status', status: 'Success', details: { name: 'mine', kind: 'secrets' } } })
    })

    await t.test('patches of all kinds, and those that can not be applied', async (t) => {
      const path = `${NS}/configmaps/patched`
      await client.create(`${NS}/configmaps`, { metadata: { name: 'patched', labels: { a: 'b' } }, data: { x: '1', y: '2' } })
      const apply = async (type: PatchKind, body: unknown): Promise<unknown> => (await client.patch<Record<string, unknown>>(path, type, body)).body.data
      t.strictSame(await apply('merge', { data: { x: null, z: '3' } }), { y: '2', z: '3' })
      t.strictSame(await apply('strategic-merge', { data: { y: null } }), { z: '3' })
      t.strictSame(await apply('json', [{ op: 'add', path: '/data/q', value: '4' }]), { z: '3', q: '4' })
      const { body: before } = await client.get(path)
      await apply('merge', { data: { q: '4' } })
      t.equal((await client.get(path)).body.metadata?.resourceVersion, before.metadata?.resourceVersion, 'a patch that changes nothing is no write')
      t.match(await client.patch<Status>(path, 'json', [{ op: 'test', path: '/data/q', value: 'no' }]), { status: 422, body: { reason: 'Invalid', message: 'the server rejected our request due to an error in our request' } })
      t.match(await client.patch<Status>(path, 'json', { a: 1 }), { status: 400, body: { reason: 'BadRequest' } })
      t.match(await client.patch<Status>(path, 'merge', { metadata: { resourceVersion: '1' } }), { status: 409, body: { reason: 'Conflict' } })
      t.match(await client.patch<Status>(`${NS}/configmaps/none`, 'merge', {}), { status: 404 })
      t.match(await client.put(path, { metadata: { name: 'patched', uid: 'other' } }), { status: 409 })
    })

    await t.test('a Pod template merges by name and replaces what has no key', async (t) => {
      const path = '/apis/apps/v1/namespaces/default/deployments'
      const template = { metadata: { labels: { app: 'm' } }, spec: { imagePullSecrets: [{ name: 'one' }], tolerations: [{ key: 'k' }], containers: [{ name: 'a', image: 'a' }, { name: 'b', image: 'b' }] } }
      await client.create(path, { metadata: { name: 'merged' }, spec: { replicas: 0, selector: { matchLabels: { app: 'm' } }, template } })
      const patch = {
        spec: {
          template: {
            spec: {
              imagePullSecrets: [{ name: 'two' }],
              tolerations: [{ key: 'l', operator: 'Exists' }],
              $setElementOrder: undefined,
              '$setElementOrder/containers': [{ name: 'c' }, { name: 'b' }],
              containers: [{ name: 'c', image: 'c' }, { name: 'b', image: 'b:2' }, { name: 'a', $patch: 'delete' }]
            }
          }
        }
      }
      const { body } = await client.patch<{ spec: { template: { spec: { imagePullSecrets: object[], tolerations: object[], containers: { name: string, image: string }[] } } } }>(`${path}/merged`, 'strategic-merge', patch)
      const { imagePullSecrets, tolerations, containers } = body.spec.template.spec
      t.strictSame(new Set(imagePullSecrets.map((entry) => JSON.stringify(entry))), new Set(['{"name":"one"}', '{"name":"two"}']))
      t.match(tolerations, [{ key: 'l' }])
      t.equal(tolerations.length, 1)
      t.strictSame(containers.map(({ name, image }) => [name, image]), [['c', 'c'], ['b', 'b:2']])
    })

    await t.test('a namespace: born with its ServiceAccount, gone with its content', async (t) => {
      await client.create('/api/v1/namespaces', { metadata: { name: 'short-lived' } })
      await waitFor(client, '/api/v1/namespaces/short-lived/serviceaccounts', (accounts) => accounts.some(({ metadata }) => metadata?.name === 'default'))
      await client.create('/api/v1/namespaces/short-lived/pods', pod())
      t.match(await client.delete('/api/v1/namespaces/short-lived'), { status: 200, body: { kind: 'Namespace', status: { phase: 'Terminating' }, metadata: { deletionTimestamp: String } } })
      await waitFor(client, '/api/v1/namespaces?fieldSelector=metadata.name=short-lived', (namespaces) => namespaces.length === 0)
      t.strictSame((await client.list('/api/v1/namespaces/short-lived/pods')).body.items, [])
      t.match(await client.delete<Status>('/api/v1/namespaces/default'), { status: 403, body: { message: 'namespaces "default" is forbidden: this namespace may not be deleted' } })
    })
  })
}
