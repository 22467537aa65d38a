import type { CoreV1Event } from '@kubernetes/client-node'
import { waitFor, waitForAuditEvents } from '../helpers/cluster.ts'
import { checkDecisionLog, listWitnesses } from './decision-log-checks.ts'
import { startRegisteredWebhook, type ConfigParts, type RegisteredWebhook } from './registered-webhook.ts'
import { annotationOf, askForPod, createNamespace, createObject, namesOf, storePod, testEachCluster, waitForPodAdmission } from './test-cluster.ts'

/** Which rules apply in which namespaces, and what becomes of images that no rule matches. */

const denying: ConfigParts = {
  rules: [
    { name: 'payments', matchImages: ['docker.io/payments/'], namespaces: { selector: { matchLabels: { team: 'payments' } } }, pullSecrets: ['payments-pull'] },
    { name: 'example', matchImages: ['registry.example.com'], pullSecrets: ['example-pull'] },
    { name: 'tiers', matchImages: ['docker.io/models/'], namespaces: { selector: { matchExpressions: [{ key: 'tier', operator: 'In', values: ['gold', 'silver'] }] } }, pullSecrets: ['models-pull'] },
    { name: 'payments-example', matchImages: ['registry.example.com/payments/'], namespaces: { selector: { matchLabels: { team: 'payments' } } }, pullSecrets: ['payments-extra-pull', 'example-pull'] },
    { name: 'labs', matchImages: ['icr.io'], namespaces: { include: ['lab-*'], exclude: ['lab-closed-*'] }, pullSecrets: ['icr-pull'] },
    { name: 'nodes', matchImages: ['free.example.com'], pullSecrets: [] },
    { name: 'system', matchImages: ['icr.io'], namespaces: { include: ['kube-system'] }, pullSecrets: ['system-pull'] }
  ],
  unmatched: 'deny'
}

const PAYMENTS = { team: 'payments' }
const GOLD_PAYMENTS = { team: 'payments', tier: 'gold' }
const denied = (...images: string[]): string => {
  const named = images.map((image, index) => `image "${image}" of container "container-${index}"`).join(', ')
  return `admission webhook "pods.pullkeeper.dev" denied the request: pullkeeper: no rule matches ${named}; use a registry that the platform's rules know, or ask for a rule`
}

const cases: [title: string, namespace: [base: string, labels?: Record<string, string>], images: string[], expected: string[] | string][] = [
  ['a rule with a selector, where it holds', ['team', PAYMENTS], ['payments/app'], ['payments-pull']],
  ['a rule with a selector, where another team is', ['team', { team: 'shop' }], ['payments/app'], denied('payments/app')],
  ['a rule with a selector, where no label is', ['team'], ['payments/app'], denied('payments/app')],
  ['the other selector', ['team', { tier: 'silver' }], ['docker.io/models/llm:1'], ['models-pull']],
  ['the other selector does not hold', ['team', PAYMENTS], ['models/llm:1'], denied('models/llm:1')],
  ['both selectors and a rule without', ['team', GOLD_PAYMENTS], ['registry.example.com/app', 'models/llm', 'payments/app'], ['payments-pull', 'models-pull', 'example-pull']],
  ['two rules with equal selectors, and a name that two rules want', ['team', PAYMENTS], ['registry.example.com/payments/app', 'payments/app'], ['payments-pull', 'payments-extra-pull', 'example-pull']],
  ['a rule without selector applies everywhere', ['team'], ['registry.example.com/payments/app'], ['example-pull']],
  ['a rule with include, where it holds', ['lab-open'], ['icr.io/app'], ['icr-pull']],
  ['exclude wins over include', ['lab-closed-x'], ['icr.io/app'], denied('icr.io/app')],
  ['outside of what is included', ['team', PAYMENTS], ['icr.io/app'], denied('icr.io/app')],
  ['an image that the nodes may pull counts as matched', ['team'], ['free.example.com/app'], []],
  ['one matched image does not excuse another', ['team', PAYMENTS], ['nginx', 'payments/app'], denied('nginx')]
]

/** The entries whose selectors hold, in the order of the configuration, then the default one. */
function listExpectedEntries ({ webhook }: RegisteredWebhook, labels: Record<string, string> = {}): string[] {
  const [payments, tiers, ...others] = [...webhook.policy().entries.values()].map(({ name }) => name)
  return [labels['team'] === 'payments' ? payments : [], 'tier' in labels ? tiers : [], ...others].flatMap((name) => name ?? [])
}

/** The entries that were called, in order; those that were called again, since a later one changed the Pod, had nothing left to do. */
async function listCalledEntries ({ readRecords }: RegisteredWebhook, namespace: string): Promise<string[]> {
  const called = new Set<string>()
  for (const { entry, outcome } of await readRecords(namespace)) {
    if (called.has(entry) && outcome !== 'unchanged') throw new Error(`${entry} was called again and ${outcome}`)
    called.add(entry)
  }
  return [...called]
}

testEachCluster(async (t, cluster) => {
  const { client, auditLog } = cluster

  await t.test('unmatched: deny', async (t) => {
    const webhook = await startRegisteredWebhook(t, cluster, denying)

    for (const [title, [base, labels], images, expected] of cases) {
      await t.test(title, async (t) => {
        const namespace = await createNamespace(cluster, base, labels)
        const { status, body } = await askForPod(client, namespace, { name: 'app', images })
        const stored = await client.get(`/api/v1/namespaces/${namespace}/pods/app`)
        if (typeof expected === 'string') {
          t.match({ status, body }, { status: 403, body: { code: 403, reason: 'Forbidden', message: expected } })
          t.equal(body.message, expected)
          t.equal(stored.status, 404, 'no Pod is there')
          t.match((await webhook.readRecords(namespace)).at(-1), { entry: 'pods.pullkeeper.dev', outcome: 'denied', reason: 'unmatched-image', injected: [] })
        } else {
          t.equal(status, 201)
          t.strictSame(namesOf(stored.body), expected)
          t.equal(annotationOf(stored.body), expected.length === 0 ? undefined : expected.join(','))
        }
        t.strictSame(await listCalledEntries(webhook, namespace), listExpectedEntries(webhook, labels))
      })
    }

    await t.test('an opted-out Pod, an opted-out namespace and a mirror Pod are never denied', async (t) => {
      const optOut = { 'pullkeeper.dev/inject': 'false' }
      const parts = { name: 'app', images: ['nginx'] }
      const mirror = { ...parts, annotations: { 'kubernetes.io/config.mirror': 'hash' }, spec: { nodeName: 'node-1' } }
      t.strictSame(namesOf(await storePod(client, await createNamespace(cluster, 'team', PAYMENTS), mirror)), [])
      t.strictSame(namesOf(await storePod(client, await createNamespace(cluster, 'team', PAYMENTS), { ...parts, annotations: optOut })), [])
      t.strictSame(namesOf(await storePod(client, await createNamespace(cluster, 'team', optOut), parts)), [])
    })

    await t.test('a Deployment that is denied says so in an Event of its ReplicaSet', async (t) => {
      const namespace = await createNamespace(cluster)
      const labels = { app: 'web' }
      const template = { metadata: { labels }, spec: { containers: [{ name: 'container-0', image: 'nginx' }] } }
      await createObject(client, `/apis/apps/v1/namespaces/${namespace}/deployments`, { metadata: { name: 'web' }, spec: { selector: { matchLabels: labels }, template } })
      const isFailure = ({ reason }: CoreV1Event): boolean => reason === 'FailedCreate'
      const events = await waitFor<CoreV1Event>(client, `/api/v1/namespaces/${namespace}/events`, (events) => events.some(isFailure))
      t.match(events.find(isFailure), { involvedObject: { kind: 'ReplicaSet' }, message: `Error creating: ${denied('nginx')}` })
    })

    await t.test('the audit event of a denial holds the witness of its record', async (t) => {
      const namespace = await createNamespace(cluster)
      await askForPod(client, namespace, { name: 'app', images: ['nginx'] })
      const events = await waitForAuditEvents(auditLog, (events) => events.some(({ objectRef }) => objectRef?.namespace === namespace && objectRef.name === 'app'))
      const event = events.find(({ objectRef }) => objectRef?.namespace === namespace && objectRef.name === 'app')
      const [record] = await webhook.readRecords(namespace)
      t.equal(event?.responseStatus?.code, 403)
      t.match(event && listWitnesses(event), [`pods.pullkeeper.dev/record.${record?.uid} ${record?.instance}/${record?.seq}/`])
    })

    await t.test('namespaces of Kubernetes itself are left alone, but for the rules that include one by name', async (t) => {
      for (const namespace of ['kube-system', 'kube-public', 'kube-node-lease']) await waitForPodAdmission(client, namespace)
      const images = ['registry.example.com/app', 'icr.io/app']
      const own = await storePod(client, 'kube-system', { name: 'app', images: ['icr.io/app'] })
      t.strictSame([namesOf(own), annotationOf(own)], [['system-pull'], 'system-pull'])
      for (const namespace of ['kube-public', 'kube-node-lease']) {
        const pod = await storePod(client, namespace, { name: 'app', images })
        t.strictSame([namesOf(pod), annotationOf(pod)], [[], undefined], namespace)
      }
    })

    await t.test('every call is in the decision log and in the audit log', async (t) => {
      await checkDecisionLog(t, cluster, webhook)
    })
  })

  await t.test('unmatched: warn', async (t) => {
    const webhook = await startRegisteredWebhook(t, cluster, { ...denying, unmatched: 'warn' })
    const unmatched = (image: string, index: number): string => `pullkeeper: image "${image}" of container "container-${index}" is matched by no rule, so no pull secret was added for it`

    await t.test('who asks is warned of each image that no rule matches', async (t) => {
      const namespace = await createNamespace(cluster)
      const { status, body, warnings } = await askForPod(client, namespace, { name: 'app', images: ['registry.example.com/app', 'nginx', 'payments/app'] })
      t.strictSame([status, namesOf(body)], [201, ['example-pull']])
      t.strictSame(warnings, [unmatched('nginx', 1), unmatched('payments/app', 2)])
    })

    await t.test('nobody is warned where the selector holds', async (t) => {
      const namespace = await createNamespace(cluster, 'team', PAYMENTS)
      const { status, warnings } = await askForPod(client, namespace, { name: 'app', images: ['payments/app'] })
      t.strictSame([status, warnings], [201, []])
    })

    await t.test('an image that can not be parsed is left to the kubelet, with a warning that arrives whatever it holds', async (t) => {
      const namespace = await createNamespace(cluster)
      const { status, warnings } = await askForPod(client, namespace, { name: 'app', images: ['Not "an"\n\tÍmage'] })
      t.equal(status, 201)
      t.equal(warnings.length, 1)
      t.match(warnings[0], 'pullkeeper: image "Not "an"\\u000a\\u0009Ímage" of container "container-0" is left to the kubelet: ')
    })

    await t.test('a handful of warnings arrives, however many images there are', async (t) => {
      const namespace = await createNamespace(cluster)
      const images = Array.from({ length: 50 }, (_, index) => `unknown.example.net/${'path/'.repeat(20)}app-${index}`)
      const { status, warnings } = await askForPod(client, namespace, { name: 'app', images })
      t.strictSame([status, warnings.length, warnings.at(-1)], [201, 5, 'pullkeeper: 46 more warnings, see the decision log'])
    })

    await t.test('every call is in the decision log and in the audit log', async (t) => {
      await checkDecisionLog(t, cluster, webhook)
    })
  })

  await t.test('no rule names a namespace of Kubernetes: a Pod there is not touched', async (t) => {
    const webhook = await startRegisteredWebhook(t, cluster, { rules: [{ name: 'all', always: true, pullSecrets: ['all-pull'] }], unmatched: 'deny' })
    for (const namespace of ['kube-system', 'kube-public', 'kube-node-lease']) {
      const { status, body } = await askForPod(client, namespace, { name: 'untouched' })
      t.strictSame([status, namesOf(body), annotationOf(body)], [201, [], undefined], namespace)
    }
    t.notOk((await webhook.readRecords('kube-system')).some(({ outcome }) => outcome !== 'skipped'))
  })
})
