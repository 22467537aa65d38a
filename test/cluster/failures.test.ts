import type { V1Pod } from '@kubernetes/client-node'
import { checkDecisionLog } from './decision-log-checks.ts'
import { startRegisteredWebhook, type ConfigParts, type RegisteredEntry } from './registered-webhook.ts'
import { annotationOf, askForPod, askUntil, createNamespace, createServiceAccount, namesOf, storePod, testEachCluster } from './test-cluster.ts'

/** A webhook that is away, API servers and registrations that ask otherwise, and accounts that refuse what it injects. */

const config: ConfigParts = { rules: [{ name: 'example', matchImages: ['registry.example.com'], pullSecrets: ['example-pull'] }] }
const app = { name: 'app', images: ['registry.example.com/app'] }

testEachCluster(async (t, cluster) => {
  const { client } = cluster

  await t.test('the webhook is away, failurePolicy: Ignore: the Pod is admitted without secrets', async (t) => {
    const { close } = await startRegisteredWebhook(t, cluster, { ...config, webhook: { failurePolicy: 'Ignore' } })
    const namespace = await createNamespace(cluster)
    await close()
    t.strictSame(namesOf(await storePod(client, namespace, { ...app, pullSecrets: ['own'] })), ['own'])
  })

  await t.test('the webhook is away, failurePolicy: Fail: the Pod is refused, unless its namespace opted out', async (t) => {
    const { close } = await startRegisteredWebhook(t, cluster, { ...config, webhook: { failurePolicy: 'Fail' } })
    const namespace = await createNamespace(cluster)
    const optedOut = await createNamespace(cluster, 'opted-out', { 'pullkeeper.dev/inject': 'false' })
    await close()
    const { status, body } = await askForPod(client, namespace, app)
    t.match({ status, body }, { status: 500, body: { reason: 'InternalError', message: /failed calling webhook "pods\.pullkeeper\.dev"/ } })
    t.equal((await client.get(`/api/v1/namespaces/${namespace}/pods/app`)).status, 404)
    t.equal((await askForPod(client, optedOut, app)).status, 201)
  })

  await t.test('a registration that knows admission.k8s.io/v1beta1 alone works', async (t) => {
    const adjust = (entry: RegisteredEntry): RegisteredEntry => ({ ...entry, admissionReviewVersions: ['v1beta1'] })
    const webhook = await startRegisteredWebhook(t, cluster, { ...config, unmatched: 'warn' }, { adjust })
    const namespace = await createNamespace(cluster)
    const { status, body, warnings } = await askForPod(client, namespace, { ...app, images: [...app.images, 'nginx'] })
    t.strictSame([status, namesOf(body), warnings.length], [201, ['example-pull'], 1])
    await checkDecisionLog(t, cluster, webhook)
  })

  await t.test('a registration that denies by v1beta1 does so with the same words', async (t) => {
    const adjust = (entry: RegisteredEntry): RegisteredEntry => ({ ...entry, admissionReviewVersions: ['v1beta1'] })
    await startRegisteredWebhook(t, cluster, { ...config, unmatched: 'deny' }, { adjust })
    const { status, body } = await askForPod(client, await createNamespace(cluster), { ...app, images: ['nginx'] })
    t.match({ status, body }, { status: 403, body: { code: 403, reason: 'Forbidden', message: /^admission webhook "pods\.pullkeeper\.dev" denied the request: pullkeeper: no rule matches image "nginx"/ } })
  })

  await t.test('a registration that asks for updates, too, gets none changed', async (t) => {
    const adjust = (entry: RegisteredEntry): RegisteredEntry => ({ ...entry, rules: entry.rules.map((rule) => ({ ...rule, operations: ['CREATE', 'UPDATE', 'DELETE'] })) })
    const webhook = await startRegisteredWebhook(t, cluster, { ...config, unmatched: 'deny' }, { adjust })
    const namespace = await createNamespace(cluster)
    const path = `/api/v1/namespaces/${namespace}/pods/app`
    await storePod(client, namespace, { ...app, images: ['registry.example.com/app'] })
    const updated = await client.patch<V1Pod>(path, 'strategic-merge', { metadata: { labels: { tier: 'gold' } }, spec: { containers: [{ name: 'container-0', image: 'nginx' }] } })
    t.strictSame([updated.status, namesOf(updated.body), updated.body.metadata?.labels], [200, ['example-pull'], { tier: 'gold' }])
    t.equal((await client.delete(`${path}?gracePeriodSeconds=0`)).status, 200)
    const calls = (await webhook.readRecords(namespace)).map(({ operation, outcome, reason }) => `${operation} ${outcome} ${reason}`)
    t.strictSame([...new Set(calls)], ['CREATE injected rule-matched', 'UPDATE skipped not-pod-create', 'DELETE skipped not-pod-create'])
    await checkDecisionLog(t, cluster, webhook)
  })

  await t.test('a ServiceAccount that enforces mountable secrets refuses what it does not list; both remedies work', async (t) => {
    const webhook = await startRegisteredWebhook(t, cluster, config)
    const namespace = await createNamespace(cluster)
    const spec = { serviceAccountName: 'strict' }
    await createServiceAccount(client, namespace, { metadata: { name: 'strict', annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' } } })

    const refused = await askForPod(client, namespace, { ...app, spec })
    t.match(refused, {
      status: 403,
      body: { reason: 'Forbidden', message: 'pods "app" is forbidden: imagePullSecrets[0].name="example-pull" is not allowed because service account strict does not reference that imagePullSecret' }
    })

    const optedOut = await storePod(client, namespace, { ...app, name: 'opted-out', spec, annotations: { 'pullkeeper.dev/inject': 'false' } })
    t.strictSame([namesOf(optedOut), annotationOf(optedOut)], [[], undefined], 'the Pod opts out')

    await client.patch(`/api/v1/namespaces/${namespace}/serviceaccounts/strict`, 'merge', { imagePullSecrets: [{ name: 'example-pull' }] })
    await askUntil(async () => askForPod(client, namespace, { ...app, name: 'listed-probe', spec }, { isDryRun: true }), ({ status }) => status === 201)
    const listed = await storePod(client, namespace, { ...app, name: 'listed', spec })
    t.strictSame(namesOf(listed), ['example-pull'], 'the account lists it')
    t.strictSame((await webhook.readRecords(namespace)).filter(({ dryRun }) => dryRun === false).map(({ pod, outcome, reason }) => [pod, outcome, reason]), [
      ['app', 'injected', 'rule-matched'],
      ['opted-out', 'skipped', 'opted-out'],
      ['listed', 'unchanged', 'already-present']
    ])
  })
})
