import { join } from 'node:path'
import t from 'tap'
import { createClient, listClusterKinds, startCluster, waitFor, waitForAuditEvents, type AuditEvent, type ClusterClient } from '../helpers/cluster.ts'
import { patchOf, startWebhookDouble, type Respond, type WebhookDouble } from './api-webhook-double.ts'

/** How webhooks are called, refused and reinvoked: the same in memory and by kube-apiserver. */

const NS = '/api/v1/namespaces/default'
const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
const MUTATION = 'mutation.webhook.admission.k8s.io/'
const ifNeeded = { reinvocationPolicy: 'IfNeeded' }

interface Answer {
  kind: string
  code: number
  message: string
  reason?: string
  metadata: { name?: string }
  spec: { containers: { name: string }[], imagePullSecrets?: { name: string }[] }
}

const injectSecret: Respond = ({ uid, object }) => {
  const list = object?.spec.imagePullSecrets
  const auditAnnotations = { [`record.${uid}`]: 'x', 'bad key': 'dropped' }
  if (list === undefined) return { allowed: true, auditAnnotations, ...patchOf({ op: 'add', path: '/spec/imagePullSecrets', value: [{ name: 'injected' }] }) }
  if (list.some(({ name }) => name === 'injected')) return { allowed: true, auditAnnotations }
  return { allowed: true, auditAnnotations, ...patchOf({ op: 'add', path: '/spec/imagePullSecrets/-', value: { name: 'injected' } }) }
}

const addSidecar: Respond = ({ object }) => {
  const isThere = object?.spec.containers.some(({ name }) => name === 'sidecar') === true
  return isThere ? { allowed: true } : { allowed: true, ...patchOf({ op: 'add', path: '/spec/containers/-', value: { name: 'sidecar', image: 'sidecar' } }) }
}

const ANSWERS: Record<string, Respond> = {
  '/allow': () => ({ allowed: true }),
  '/secret': injectSecret,
  '/sidecar': addSidecar,
  '/deny': () => ({ allowed: false }),
  '/deny-message': () => ({ allowed: false, status: { message: 'no way' } }),
  '/deny-code': () => ({ allowed: false, status: { message: 'no way', code: 418, reason: 'Teapot' } }),
  '/warn': () => ({ allowed: true, warnings: ['careful "x"', 'careful "x"', 'ü', 'two\nlines'] }),
  '/wrong-uid': () => ({ allowed: true, uid: 'other' }),
  '/no-patch-type': () => ({ allowed: true, patch: Buffer.from('[{"op":"add","path":"/metadata/annotations","value":{}}]').toString('base64') }),
  '/empties': () => ({ allowed: true, ...patchOf({ op: 'remove', path: '/spec/containers' }) }),
  '/fails': () => null
}

interface Registration {
  client: ClusterClient
  double: WebhookDouble
  audit: string
}

let count = 0

/**
 * Registers webhooks and waits until kube-apiserver, which notices after a moment, calls them: a probe of its own answers
 * by refusing. The entries before it are the ones under test.
 */
async function register ({ client, double }: Registration, entries: [path: string, extra?: object][]): Promise<void> {
  await client.delete(`${CONFIGURATIONS}/under-test`)
  await waitFor(client, CONFIGURATIONS, (found) => !found.some(({ metadata }) => metadata?.name === 'under-test'))
  count += 1
  const probe = double.entry(`probe-${count}`, '/deny-message', { objectSelector: { matchLabels: { probe: `p${count}` } } })
  const webhooks = [...entries.map(([path, extra], index) => double.entry(`entry-${index}`, path, extra)), probe]
  const { status, body } = await client.create(CONFIGURATIONS, { metadata: { name: 'under-test' }, webhooks })
  if (status !== 201) throw new Error(JSON.stringify(body))
  const ask = async (): Promise<string> => {
    const { body } = await client.create<Partial<Answer>>(`${NS}/pods?dryRun=All`, { metadata: { generateName: 'probe-', labels: { probe: `p${count}` } }, spec: { containers: [{ name: 'a', image: 'b' }] } })
    return body.message ?? ''
  }
  let answer = await ask()
  while (!answer.includes(`probe-${count}`)) answer = await ask()
  double.calls.length = 0
}

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const audit = join(t.testdir(), 'audit.log')
    const cluster = await startCluster(t, kind, { auditLog: audit, auditLevel: 'RequestResponse' })
    const client = createClient(cluster)
    t.teardown(() => client.close())
    const double = await startWebhookDouble(t, ANSWERS)
    const context = { client, double, audit }
    await waitFor(client, `${NS}/serviceaccounts?fieldSelector=metadata.name=default`, (accounts) => accounts.length === 1)

    let pods = 0
    const createPod = async (query = '', spec: object = {}, metadata: object = {}): Promise<{ status: number, body: Answer, warnings: string[], name: string }> => {
      const name = `pod-${pods += 1}`
      return { ...await client.create<Answer>(`${NS}/pods${query}`, { metadata: { name, ...metadata }, spec: { containers: [{ name: 'a', image: 'b' }], ...spec } }), name }
    }
    const auditOf = async (name: string): Promise<AuditEvent> => {
      const isMeant = ({ verb, objectRef }: AuditEvent): boolean => verb === 'create' && objectRef?.name === name
      return (await waitForAuditEvents(audit, (events) => events.some(isMeant))).find(isMeant) as AuditEvent
    }

    await t.test('what a webhook is asked', async (t) => {
      await register(context, [['/allow']])
      await createPod('', {}, { name: '', generateName: 'generated-' })
      t.match(double.calls, [{ path: '/allow?timeout=5s', apiVersion: 'admission.k8s.io/v1', request: { operation: 'CREATE', dryRun: false, namespace: 'default', userInfo: { username: 'admin', groups: ['system:masters', 'system:authenticated'] }, oldObject: null, kind: { group: '', version: 'v1', kind: 'Pod' }, resource: { group: '', version: 'v1', resource: 'pods' }, options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' } } }])
      const request = double.calls[0]?.request
      t.equal(request?.name, undefined, 'a generated name is not known yet')
      t.equal(request?.object?.metadata.uid, undefined)
      await createPod('?dryRun=All')
      t.equal(double.calls[1]?.request.dryRun, true)
    })

    await t.test('updates and deletions are shown, too, where a rule asks for them', async (t) => {
      const rules = [{ operations: ['CREATE', 'UPDATE', 'DELETE'], apiGroups: ['*'], apiVersions: ['v1'], resources: ['pods', 'secrets'], scope: 'Namespaced' }]
      await register(context, [['/allow', { rules }]])
      const { name } = await createPod()
      await client.patch(`${NS}/pods/${name}`, 'merge', { metadata: { labels: { a: 'b' } } })
      await client.patch(`${NS}/pods/${name}/status`, 'merge', { status: { message: 'not asked: a subresource' } })
      await client.delete(`${NS}/pods/${name}`)
      t.match(double.calls.map(({ request }) => request), [
        { operation: 'CREATE', name, oldObject: null },
        { operation: 'UPDATE', name, object: { metadata: { labels: { a: 'b' } } }, oldObject: { metadata: { name } } },
        { operation: 'DELETE', name, object: null, oldObject: { metadata: { name } } }
      ])
      t.strictSame(double.calls.map(({ request }) => `${request.operation} ${request.name ?? ''} ${request.userInfo.username}`), ['CREATE', 'UPDATE', 'DELETE', 'DELETE'].map((operation) => `${operation} ${name} admin`))
    })

    await t.test('denials', async (t) => {
      const denied = 'admission webhook "entry-0.double.test" denied the request'
      for (const [path, status, message] of [['/deny', 400, `${denied} without explanation`], ['/deny-message', 400, `${denied}: no way`], ['/deny-code', 418, `${denied}: no way`]] as const) {
        await register(context, [[path, { objectSelector: { matchExpressions: [{ key: 'probe', operator: 'DoesNotExist' }] }, failurePolicy: 'Ignore' }]])
        const { body, name, ...answer } = await createPod()
        t.match({ path, status: answer.status, message: body.message }, { path, status, message })
        t.match((await auditOf(name)).responseStatus, { code: status })
      }
    })

    await t.test('a failing webhook fails the request, or is passed over', async (t) => {
      for (const path of ['/fails', '/wrong-uid', '/no-patch-type']) {
        const onlyReal = { objectSelector: { matchExpressions: [{ key: 'probe', operator: 'DoesNotExist' }] } }
        await register(context, [[path, onlyReal]])
        t.match(await createPod(), { status: 500, body: { reason: 'InternalError', message: /^Internal error occurred: failed calling webhook "entry-0.double.test": / } }, path)
        await register(context, [[path, { ...onlyReal, failurePolicy: 'Ignore' }]])
        const { status, name } = await createPod()
        t.equal(status, 201)
        t.equal((await auditOf(name)).annotations?.[`${MUTATION}round_0_index_0`], '{"configuration":"under-test","webhook":"entry-0.double.test","mutated":false}')
      }
    })

    await t.test('warnings come once each, and none with control characters', async (t) => {
      await register(context, [['/warn']])
      t.strictSame((await createPod()).warnings, ['careful "x"', 'ü'])
    })

    await t.test('what a webhook makes is validated like the rest', async (t) => {
      await register(context, [['/empties', { objectSelector: { matchExpressions: [{ key: 'probe', operator: 'DoesNotExist' }] } }]])
      t.match(await createPod(), { status: 422, body: { message: /is invalid: spec.containers: Required value$/ } })
    })

    await t.test('reinvocation', async (t) => {
      const cases: [string, [string, object?][], string[], number][] = [
        ['a change by a later webhook calls an earlier one again', [['/secret', ifNeeded], ['/sidecar']], ['/secret', '/sidecar', '/secret'], 1],
        ['the token that a sidecar is given is a change, too', [['/secret', ifNeeded], ['/sidecar', ifNeeded]], ['/secret', '/sidecar', '/secret', '/sidecar'], 2],
        ['only those that ask for it', [['/secret'], ['/sidecar', ifNeeded]], ['/secret', '/sidecar', '/sidecar'], 1],
        ['a webhook is not called again for its own change', [['/secret', ifNeeded]], ['/secret'], 0],
        ['nobody changes anything', [['/allow', ifNeeded], ['/allow', ifNeeded]], ['/allow', '/allow'], 0],
        ['never for the first time in the second round', [['/allow', { ...ifNeeded, objectSelector: { matchLabels: { never: 'there' } } }], ['/sidecar']], ['/sidecar'], 0],
        ['a namespaceSelector that does not match', [['/allow', { namespaceSelector: { matchExpressions: [{ key: 'team', operator: 'Exists' }] } }], ['/secret']], ['/secret'], 0]
      ]
      for (const [title, entries, calls, again] of cases) {
        await register(context, entries)
        const { status, body, name } = await createPod()
        t.equal(status, 201, title)
        t.strictSame(double.calls.map(({ path }) => path.split('?')[0]), calls, title)
        t.equal(new Set(double.calls.map(({ request }) => request.uid)).size, calls.length, 'each call has a uid of its own')
        const annotations = (await auditOf(name)).annotations ?? {}
        t.equal(Object.keys(annotations).filter((key) => key.startsWith(`${MUTATION}round_1_`)).length, again, title)
        const records = double.calls.filter(({ path }) => path.startsWith('/secret'))
        const index = entries.findIndex(([path]) => path === '/secret')
        for (const { request } of records) t.equal(annotations[`entry-${index}.double.test/record.${request.uid}`], 'x', `${title}: the record of every call is in the audit log`)
        if (index !== -1) t.strictSame(body.spec.imagePullSecrets, [{ name: 'injected' }])
      }
    })

    await t.test('patches are in the audit log', async (t) => {
      await register(context, [['/allow'], ['/secret']])
      const { name } = await createPod('', { imagePullSecrets: [{ name: 'own' }] })
      const { annotations, ...event } = await auditOf(name)
      t.match(event, { level: 'RequestResponse', stage: 'ResponseComplete', verb: 'create', requestURI: '/api/v1/namespaces/default/pods', objectRef: { resource: 'pods', namespace: 'default' }, responseStatus: { code: 201 }, requestObject: { kind: 'Pod' }, responseObject: { kind: 'Pod', spec: { imagePullSecrets: [{ name: 'own' }, { name: 'injected' }] } } })
      t.match(annotations, {
        'authorization.k8s.io/decision': 'allow',
        [`${MUTATION}round_0_index_0`]: '{"configuration":"under-test","webhook":"entry-0.double.test","mutated":false}',
        [`${MUTATION}round_0_index_1`]: '{"configuration":"under-test","webhook":"entry-1.double.test","mutated":true}',
        'patch.webhook.admission.k8s.io/round_0_index_1': '{"configuration":"under-test","webhook":"entry-1.double.test","patch":[{"op":"add","path":"/spec/imagePullSecrets/-","value":{"name":"injected"}}],"patchType":"JSONPatch"}'
      })
      t.notOk(Object.keys(annotations ?? {}).some((key) => key.includes('bad key')))
    })

    await t.test('the ServiceAccount plugin', async (t) => {
      await client.create(`${NS}/serviceaccounts`, { metadata: { name: 'puller' }, imagePullSecrets: [{ name: 'sa-1' }, { name: 'sa-2' }] })
      await client.create(`${NS}/serviceaccounts`, { metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } }, imagePullSecrets: [{ name: 'listed' }] })
      await register(context, [['/secret', { objectSelector: { matchExpressions: [{ key: 'plain', operator: 'DoesNotExist' }] } }]])
      const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } }
      const names = (answer: { body: Answer }): string[] | undefined => answer.body.spec.imagePullSecrets?.map(({ name }) => name)
      t.strictSame(names(await createPod('', { serviceAccountName: 'puller' })), ['sa-1', 'sa-2', 'injected'], 'copied before the webhooks')
      t.strictSame(names(await createPod('', { serviceAccountName: 'puller', imagePullSecrets: [{ name: 'own' }] })), ['own', 'injected'], 'only into an empty list')
      const refused = async (spec: object, metadata: object, why: string): Promise<unknown> => t.match(await createPod('', spec, metadata), { status: 403, body: { reason: 'Forbidden', message: new RegExp(`^pods "pod-\\d+" is forbidden: ${why}$`) } })
      await refused({ serviceAccountName: 'strict' }, {}, 'imagePullSecrets\\[1\\].name="injected" is not allowed because service account strict does not reference that imagePullSecret')
      await refused({ nodeName: 'n' }, mirror, 'a mirror pod may not reference secrets')
      await refused({ nodeName: 'n', serviceAccountName: 'puller' }, mirror, 'a mirror pod may not reference service accounts')
      const plain = { labels: { plain: 'yes' } }
      t.strictSame(names(await createPod('', { serviceAccountName: 'strict' }, plain)), ['listed'])
      t.match(await createPod('', { nodeName: 'n' }, { ...plain, ...mirror }), { status: 201 })
    })
  })
}
