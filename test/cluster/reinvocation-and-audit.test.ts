import type { V1Pod } from '@kubernetes/client-node'
import { waitFor } from '../helpers/cluster.ts'
import { patchOf, startWebhookDouble, type Respond } from '../sandbox/api-webhook-double.ts'
import { checkDecisionLog } from './decision-log-checks.ts'
import { registerUntilCalled, startRegisteredWebhook, type ConfigParts, type RegisteredWebhook } from './registered-webhook.ts'
import { annotationOf, askForPod, createNamespace, createObject, namesOf, storePod, testEachCluster } from './test-cluster.ts'

/** Another webhook, registered after ours, adds a sidecar from another registry: ours is called again. */

const SIDECAR_IMAGE = 'mesh.example.com/proxy:1'
const MAIN_IMAGES = ['payments/app', 'registry.example.com/app']
const PAYMENTS = { team: 'payments' }
const inPayments = { selector: { matchLabels: PAYMENTS } }

const config: ConfigParts = {
  rules: [
    { name: 'payments', matchImages: ['docker.io/payments/'], namespaces: inPayments, pullSecrets: ['payments-pull'] },
    { name: 'payments-mesh', matchImages: ['mesh.example.com'], namespaces: inPayments, pullSecrets: ['payments-mesh-pull'] },
    { name: 'example', matchImages: ['registry.example.com'], pullSecrets: ['example-pull'] },
    { name: 'mesh', matchImages: ['mesh.example.com'], namespaces: { exclude: ['strict-*'] }, pullSecrets: ['mesh-pull', 'example-pull'] }
  ],
  unmatched: 'deny'
}

const addSidecar: Respond = ({ object }) => {
  const isThere = object?.spec.containers.some(({ name }) => name === 'sidecar') === true
  return isThere ? { allowed: true } : { allowed: true, ...patchOf({ op: 'add', path: '/spec/containers/-', value: { name: 'sidecar', image: SIDECAR_IMAGE } }) }
}

/** What each call of an entry saw and did, in order. */
async function listCalls ({ readRecords }: RegisteredWebhook, namespace: string, entry: string): Promise<unknown[]> {
  const records = (await readRecords(namespace)).filter((record) => record.entry === entry)
  return records.map(({ outcome, images, present, injected }) => ({ outcome, images: images.map(({ image }) => image), present, injected }))
}

testEachCluster(async (t, cluster) => {
  const { client } = cluster
  const webhook = await startRegisteredWebhook(t, cluster, config)
  const [selectorEntry, defaultEntry] = [...webhook.webhook.policy().entries.values()].map(({ name }) => name) as [string, string]
  const sidecar = await startWebhookDouble(t, { '/sidecar': addSidecar })
  // The API server calls configurations in the order of their names.
  const registration = { metadata: { name: 'sidecar-injector' }, webhooks: [sidecar.entry('sidecar', '/sidecar', { timeoutSeconds: 30, failurePolicy: 'Fail' })] }
  await registerUntilCalled(t, cluster, registration, () => sidecar.calls.length > 0)

  await t.test('list and annotation hold what both calls of both entries added', async (t) => {
    const namespace = await createNamespace(cluster, 'team', PAYMENTS)
    const pod = await storePod(client, namespace, { name: 'app', images: MAIN_IMAGES, pullSecrets: ['own'], annotations: { note: 'stays', 'pullkeeper.dev/injected': 'made-up,own' } })
    t.strictSame(pod.spec?.containers.map(({ image }) => image), [...MAIN_IMAGES, SIDECAR_IMAGE])
    t.strictSame(namesOf(pod), ['own', 'payments-pull', 'example-pull', 'payments-mesh-pull', 'mesh-pull'])
    t.strictSame(pod.metadata?.annotations, { note: 'stays', 'pullkeeper.dev/injected': 'payments-pull,example-pull,payments-mesh-pull,mesh-pull' })
    t.strictSame(await listCalls(webhook, namespace, selectorEntry), [
      { outcome: 'injected', images: MAIN_IMAGES, present: ['own'], injected: ['payments-pull'] },
      { outcome: 'injected', images: [...MAIN_IMAGES, SIDECAR_IMAGE], present: ['own', 'payments-pull', 'example-pull'], injected: ['payments-mesh-pull'] }
    ])
    t.strictSame(await listCalls(webhook, namespace, defaultEntry), [
      { outcome: 'injected', images: MAIN_IMAGES, present: ['own', 'payments-pull'], injected: ['example-pull'] },
      { outcome: 'injected', images: [...MAIN_IMAGES, SIDECAR_IMAGE], present: ['own', 'payments-pull', 'example-pull', 'payments-mesh-pull'], injected: ['mesh-pull'] }
    ])
  })

  await t.test('where no selector holds, the default entry alone is called, twice', async (t) => {
    const namespace = await createNamespace(cluster)
    const pod = await storePod(client, namespace, { name: 'app', images: ['registry.example.com/app'] })
    t.strictSame(namesOf(pod), ['example-pull', 'mesh-pull'])
    t.equal(annotationOf(pod), 'example-pull,mesh-pull')
    const records = await webhook.readRecords(namespace)
    t.strictSame(records.map(({ entry, injected }) => [entry, injected]), [[defaultEntry, ['example-pull']], [defaultEntry, ['mesh-pull']]])
    t.equal(new Set(records.map(({ uid }) => uid)).size, 2, 'each call has a uid of its own')
  })

  await t.test('a second call that finds everything there changes nothing', async (t) => {
    const namespace = await createNamespace(cluster)
    const pod = await storePod(client, namespace, { name: 'app', images: ['mesh.example.com/app'] })
    t.strictSame(namesOf(pod), ['mesh-pull', 'example-pull'])
    t.strictSame((await webhook.readRecords(namespace)).map(({ outcome, reason }) => [outcome, reason]), [['injected', 'rule-matched'], ['unchanged', 'already-present']])
  })

  await t.test('a sidecar that only a rule with a selector matches is no reason to deny, where the selector holds', async (t) => {
    const namespace = await createNamespace(cluster, 'strict', PAYMENTS)
    const pod = await storePod(client, namespace, { name: 'app', images: MAIN_IMAGES })
    t.strictSame(namesOf(pod), ['payments-pull', 'example-pull', 'payments-mesh-pull'])
    t.equal(annotationOf(pod), 'payments-pull,example-pull,payments-mesh-pull')
  })

  await t.test('a sidecar that no rule matches is denied by name, though the first call was content', async (t) => {
    const namespace = await createNamespace(cluster, 'strict')
    const { status, body } = await askForPod(client, namespace, { name: 'app', images: ['registry.example.com/app'] })
    t.match({ status, body }, { status: 403, body: { reason: 'Forbidden', message: `no rule matches image "${SIDECAR_IMAGE}" of container "sidecar"` } })
    t.equal((await client.get(`/api/v1/namespaces/${namespace}/pods/app`)).status, 404)
    t.strictSame((await webhook.readRecords(namespace)).map(({ outcome }) => outcome), ['injected', 'denied'])
  })

  await t.test('an opted-out Pod gets its sidecar and nothing of ours', async (t) => {
    const namespace = await createNamespace(cluster, 'team', PAYMENTS)
    const pod = await storePod(client, namespace, { name: 'app', images: MAIN_IMAGES, labels: { 'pullkeeper.dev/inject': 'false' } })
    t.strictSame([pod.spec?.containers.length, namesOf(pod), annotationOf(pod)], [3, [], undefined])
  })

  await t.test('the Pods of a Deployment, which have no name yet when it is asked', async (t) => {
    const namespace = await createNamespace(cluster, 'team', PAYMENTS)
    const labels = { app: 'web' }
    const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'payments/app' }] } }
    await createObject(client, `/apis/apps/v1/namespaces/${namespace}/deployments`, { metadata: { name: 'web' }, spec: { replicas: 2, selector: { matchLabels: labels }, template } })
    const pods = await waitFor<V1Pod>(client, `/api/v1/namespaces/${namespace}/pods`, (pods) => pods.length === 2)
    for (const pod of pods) {
      t.strictSame(namesOf(pod), ['payments-pull', 'payments-mesh-pull', 'mesh-pull', 'example-pull'])
      t.equal(annotationOf(pod), 'payments-pull,payments-mesh-pull,mesh-pull,example-pull')
    }
    const records = await webhook.readRecords(namespace)
    t.equal(records.length, 8, 'two Pods, two entries, two calls')
    t.ok(records.every(({ pod, owner }) => pod?.startsWith('web-') === true && owner?.kind === 'ReplicaSet'))
  })

  await t.test('a dry run is one in every call', async (t) => {
    const namespace = await createNamespace(cluster, 'team', PAYMENTS)
    const { status, body } = await askForPod(client, namespace, { name: 'app', images: MAIN_IMAGES }, { isDryRun: true })
    t.strictSame([status, namesOf(body)], [201, ['payments-pull', 'example-pull', 'payments-mesh-pull', 'mesh-pull']])
    t.strictSame((await webhook.readRecords(namespace)).map(({ dryRun }) => dryRun), [true, true, true, true])
  })

  await t.test('every call of both entries is in the decision log and in the audit log', async (t) => {
    await checkDecisionLog(t, cluster, webhook)
  })
})
