import type { V1Pod } from '@kubernetes/client-node'
import { waitFor } from '../helpers/cluster.ts'
import { checkDecisionLog } from './decision-log-checks.ts'
import { startRegisteredWebhook } from './registered-webhook.ts'
import { annotationOf, askForPod, createNamespace, createObject, createServiceAccount, namesOf, storePod, testEachCluster } from './test-cluster.ts'

/** What is injected into Pods of all kinds, what stays in them, and which are left alone. */

const config = {
  rules: [
    { name: 'example', matchImages: ['registry.example.com:5000/team/'], pullSecrets: ['example-pull'] },
    { name: 'ibm', matchImages: ['icr.io', '*.icr.io'], excludeImages: ['free.icr.io'], pullSecrets: ['icr-pull', 'icr-backup-pull'] },
    { name: 'node-identity', matchImages: ['free.icr.io'], pullSecrets: [] }
  ]
}

const EXAMPLE = 'registry.example.com:5000/team/app:1'
const IBM = 'us.icr.io/payments/migrate@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const podSpec = { initContainers: [{ name: 'migrate', image: IBM }], containers: [{ name: 'main', image: EXAMPLE }, { name: 'web', image: 'nginx' }] }
const labels = { app: 'web' }
const template = { metadata: { labels }, spec: podSpec }
const selector = { matchLabels: labels }

const workloads: [string, collection: string, replicas: number, spec: object][] = [
  ['Deployment', '/apis/apps/v1', 2, { replicas: 2, selector, template }],
  ['StatefulSet', '/apis/apps/v1', 1, { serviceName: 'web', selector, template }],
  ['Job', '/apis/batch/v1', 2, { parallelism: 2, completions: 2, template: { ...template, spec: { ...podSpec, restartPolicy: 'Never' } } }]
]

testEachCluster(async (t, cluster) => {
  const { client } = cluster
  const webhook = await startRegisteredWebhook(t, cluster, config)

  for (const [kind, prefix, count, spec] of workloads) {
    await t.test(`the Pods of a ${kind} that nobody edited get the right secrets`, async (t) => {
      const namespace = await createNamespace(cluster)
      await createObject(client, `${prefix}/namespaces/${namespace}/${kind.toLowerCase()}s`, { metadata: { name: 'web' }, spec })
      const pods = await waitFor<V1Pod>(client, `/api/v1/namespaces/${namespace}/pods`, (pods) => pods.length === count)
      for (const pod of pods) {
        t.strictSame(namesOf(pod), ['example-pull', 'icr-pull', 'icr-backup-pull'])
        t.equal(annotationOf(pod), 'example-pull,icr-pull,icr-backup-pull')
      }
      const records = await webhook.readRecords(namespace)
      t.equal(records.length, count, 'one record per Pod')
      for (const record of records) {
        t.match(record, {
          entry: 'pods.pullkeeper.dev',
          pod: /^web-/,
          owner: { kind: kind === 'Deployment' ? 'ReplicaSet' : kind, name: /^web/ },
          user: /^system:serviceaccount:kube-system:[a-z]+-?[a-z]*-controller$/,
          serviceAccount: 'default',
          operation: 'CREATE',
          dryRun: false,
          outcome: 'injected',
          reason: 'rule-matched',
          present: [],
          injected: ['example-pull', 'icr-pull', 'icr-backup-pull']
        })
        t.strictSame(record.rules, ['example', 'ibm'])
        t.strictSame(record.images.map(({ container, rules }) => [container, rules]), [['migrate', ['ibm']], ['main', ['example']], ['web', []]])
      }
    })
  }

  await t.test('a bare Pod gets the secrets of the rules that match, and nothing else', async (t) => {
    const namespace = await createNamespace(cluster)
    t.strictSame(namesOf(await storePod(client, namespace, { name: 'one', images: [EXAMPLE] })), ['example-pull'])
    for (const [name, image] of [['no-rule', 'nginx'], ['other-path', 'registry.example.com:5000/other/app'], ['excluded', 'free.icr.io/app']] as const) {
      const pod = await storePod(client, namespace, { name, images: [image] })
      t.strictSame([namesOf(pod), pod.metadata?.annotations], [[], undefined], name)
    }
    t.strictSame((await webhook.readRecords(namespace)).map(({ pod, user, outcome, reason }) => [pod, user, outcome, reason]), [
      ['one', 'admin', 'injected', 'rule-matched'],
      ['no-rule', 'admin', 'unchanged', 'no-rule'],
      ['other-path', 'admin', 'unchanged', 'no-rule'],
      ['excluded', 'admin', 'unchanged', 'no-secret-needed']
    ])
  })

  await t.test('secrets of the ServiceAccount and of the author stay, first and in order, and no name comes twice', async (t) => {
    const namespace = await createNamespace(cluster)
    await createServiceAccount(client, namespace, { metadata: { name: 'legacy' }, imagePullSecrets: [{ name: 'legacy-pull' }, { name: 'icr-pull' }] })
    const spec = { serviceAccountName: 'legacy' }
    const images = [EXAMPLE, IBM]
    const cases = [
      { name: 'account', parts: { images, spec }, expected: ['legacy-pull', 'icr-pull', 'example-pull', 'icr-backup-pull'], annotation: 'example-pull,icr-backup-pull' },
      { name: 'author', parts: { images, pullSecrets: ['z-own', 'icr-backup-pull', 'a-own'] }, expected: ['z-own', 'icr-backup-pull', 'a-own', 'example-pull', 'icr-pull'], annotation: 'example-pull,icr-pull' },
      { name: 'both', parts: { images: [EXAMPLE], pullSecrets: ['own'], spec }, expected: ['own', 'example-pull'], annotation: 'example-pull' },
      { name: 'all-there', parts: { images, pullSecrets: ['icr-backup-pull', 'icr-pull', 'example-pull'] }, expected: ['icr-backup-pull', 'icr-pull', 'example-pull'], annotation: undefined }
    ]
    for (const { name, parts, expected, annotation } of cases) {
      const pod = await storePod(client, namespace, { name, ...parts })
      t.strictSame(namesOf(pod), expected, name)
      t.equal(annotationOf(pod), annotation, name)
    }
    t.strictSame((await webhook.readRecords(namespace)).map(({ pod, reason, present }) => [pod, reason, present]), [
      ['account', 'rule-matched', ['legacy-pull', 'icr-pull']],
      ['author', 'rule-matched', ['z-own', 'icr-backup-pull', 'a-own']],
      ['both', 'rule-matched', ['own']],
      ['all-there', 'already-present', ['icr-backup-pull', 'icr-pull', 'example-pull']]
    ])
  })

  await t.test('a mirror Pod and Pods that opted out are left untouched', async (t) => {
    const namespace = await createNamespace(cluster)
    const images = [EXAMPLE]
    const optOut = { 'pullkeeper.dev/inject': 'false' }
    const cases = [
      { name: 'mirror', parts: { annotations: { 'kubernetes.io/config.mirror': 'hash' }, spec: { nodeName: 'node-1' } }, expected: [] },
      { name: 'annotated', parts: { annotations: optOut }, expected: [] },
      { name: 'labelled', parts: { labels: optOut, pullSecrets: ['own'] }, expected: ['own'] }
    ]
    for (const { name, parts, expected } of cases) {
      const pod = await storePod(client, namespace, { name, images, ...parts })
      t.strictSame([namesOf(pod), annotationOf(pod)], [expected, undefined], name)
    }
    t.strictSame((await webhook.readRecords(namespace)).map(({ pod, outcome, reason }) => [pod, outcome, reason]), [
      ['mirror', 'skipped', 'mirror-pod'],
      ['annotated', 'skipped', 'opted-out'],
      ['labelled', 'skipped', 'opted-out']
    ])
  })

  await t.test('in a namespace that opted out nothing is even asked', async (t) => {
    const namespace = await createNamespace(cluster, 'opted-out', { 'pullkeeper.dev/inject': 'false' })
    t.strictSame(namesOf(await storePod(client, namespace, { name: 'app', images: [EXAMPLE] })), [])
    t.strictSame(await webhook.readRecords(namespace), [])
  })

  await t.test('an update is none of its business: the list stays as it is, and nothing is asked', async (t) => {
    const namespace = await createNamespace(cluster)
    await storePod(client, namespace, { name: 'app', images: [EXAMPLE] })
    const { status } = await client.patch(`/api/v1/namespaces/${namespace}/pods/app`, 'strategic-merge', { metadata: { labels: { tier: 'gold' } } })
    t.equal(status, 200)
    const pod = (await client.get<V1Pod>(`/api/v1/namespaces/${namespace}/pods/app`)).body
    t.strictSame([namesOf(pod), annotationOf(pod), pod.metadata?.labels], [['example-pull'], 'example-pull', { tier: 'gold' }])
    t.equal((await webhook.readRecords(namespace)).length, 1)
  })

  await t.test('a dry run is answered and recorded as one, and nothing is created', async (t) => {
    const namespace = await createNamespace(cluster)
    const { status, body } = await askForPod(client, namespace, { name: 'app', images: [EXAMPLE] }, { isDryRun: true })
    t.strictSame([status, namesOf(body), annotationOf(body)], [201, ['example-pull'], 'example-pull'])
    t.equal((await client.get(`/api/v1/namespaces/${namespace}/pods/app`)).status, 404)
    t.match(await webhook.readRecords(namespace), [{ pod: 'app', dryRun: true, outcome: 'injected' }])
  })

  await t.test('a Pod with 200 images and one of a megabyte are Pods like others', async (t) => {
    const namespace = await createNamespace(cluster)
    const images = Array.from({ length: 200 }, (_, index) => `${index % 2 === 0 ? 'us.icr.io' : 'registry.example.com:5000/team'}/app-${index}:1`)
    t.strictSame(namesOf(await storePod(client, namespace, { name: 'many', images })), ['example-pull', 'icr-pull', 'icr-backup-pull'])
    const env = Array.from({ length: 10 }, (_, index) => ({ name: `BLOB_${index}`, value: 'é'.repeat(50_000) }))
    const large = await storePod(client, namespace, { name: 'large', spec: { containers: [{ name: 'main', image: EXAMPLE, env }] } })
    t.strictSame([namesOf(large), large.spec?.containers[0]?.env?.[9]?.value?.length], [['example-pull'], 50_000])
    t.strictSame((await webhook.readRecords(namespace)).map(({ images }) => images.length), [200, 1])
  })

  await t.test('every call of all this is in the decision log and in the audit log', async (t) => {
    await checkDecisionLog(t, cluster, webhook)
  })
})
