import { randomUUID } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { DecisionRecord } from '../../src/core/decision-record.ts'
import { createPod, type TestPod } from '../helpers/pods.ts'
import { listSchemaErrors } from '../helpers/record-schema.ts'
import { createReview } from '../helpers/reviews.ts'
import { runCli, type CliResult } from '../helpers/run-cli.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig } from '../helpers/webhook-files.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'

const EXAMPLES = fileURLToPath(new URL('../../manifests/examples/', import.meta.url))

/** One rule for every namespace, one for those of a team. */
const CONFIG = formatConfig({
  more: `  - name: payments
    matchImages: ["payments.example.com"]
    namespaces: { selector: { matchLabels: { team: payments } } }
    pullSecrets: [payments-pull]
`
}).replace('rules:', '  - { name: payments-pull, copyFrom: { file: /etc/pullkeeper/config.json } }\nrules:')

const explain = async (t: Test, manifests: object[], ...args: string[]): Promise<CliResult> => {
  const cwd = t.testdir({ 'config.yaml': CONFIG, 'pods.yaml': manifests.map((manifest) => JSON.stringify(manifest)).join('\n---\n') })
  return runCli(['explain', '--config', 'config.yaml', '-f', 'pods.yaml', ...args], { cwd })
}
const recordsOf = async (t: Test, manifests: object[], ...args: string[]): Promise<DecisionRecord[]> => {
  const { exitCode, stdout, stderr } = await explain(t, manifests, '-o', 'json', ...args)
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  return JSON.parse(stdout) as DecisionRecord[]
}
const namespace = (name: string, labels: Record<string, string>): object => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
const paymentsPod = createPod({ images: ['payments.example.com/app:1'] })

/** Each kind that makes Pods, around the Pod's own metadata and spec. */
const kinds: Record<string, (pod: TestPod) => object> = {
  Pod: (pod) => pod,
  Deployment: ({ spec }) => ({ metadata: { name: 'app' }, spec: { template: { spec } } }),
  StatefulSet: ({ spec }) => ({ metadata: { name: 'app' }, spec: { template: { spec } } }),
  DaemonSet: ({ spec }) => ({ metadata: { name: 'app' }, spec: { template: { spec } } }),
  ReplicaSet: ({ spec }) => ({ metadata: { name: 'app' }, spec: { template: { spec } } }),
  Job: ({ spec }) => ({ metadata: { name: 'app' }, spec: { template: { spec } } }),
  CronJob: ({ spec }) => ({ metadata: { name: 'app' }, spec: { jobTemplate: { spec: { template: { spec } } } } })
}

t.test('every kind that makes Pods, alone and in a List', async (t) => {
  const objects = Object.entries(kinds).map(([kind, build]) => ({ apiVersion: 'v1', kind, ...build(createPod({ namespace: 'shop' })) }))
  const { exitCode, stdout, stderr } = await explain(t, [...objects, { apiVersion: 'v1', kind: 'List', items: objects }], '-n', 'shop', '--namespace-labels', 'team=shop')
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  const explanations = stdout.trimEnd().split('\n\n')
  t.strictSame(explanations.map((text) => text.split('\n')[0]), [...objects, ...objects].map(({ kind }) => `${kind} shop/app`))
  for (const text of explanations) {
    t.match(text, /\n {2}container container-0: registry\.example\.com\/app:1\n {4}\+ example +"registry\.example\.com" matches -> example-pull\n {4}- payments +the namespace has not team=payments\n {2}pull secrets: example-pull \(injected\)$/)
  }
})

t.test('several documents and files, one of them standard input', async (t) => {
  const cwd = t.testdir({ 'config.yaml': CONFIG, 'a.yaml': `---\n${JSON.stringify(createPod({ name: 'a' }))}\n---\n---\n# nothing\n` })
  const { exitCode, stdout } = await runCli(['explain', '--config', 'config.yaml', '-f', 'a.yaml', '-'], { cwd, stdin: JSON.stringify(createPod({ name: 'b' })) })
  t.equal(exitCode, 0)
  t.match(stdout, /Pod team-a\/a\n[^]*Pod team-a\/b\n/)
})

t.test('a manifest\'s own namespace wins over -n', async (t) => {
  const records = await recordsOf(t, [createPod(), createPod({ metadata: { namespace: null } })], '-n', 'shop', '--namespace-labels', 'team=shop')
  t.strictSame(records.map(({ namespace }) => namespace), ['team-a', 'shop'])
})

t.test('a rule with a selector is conditional while the namespace\'s labels are not known', async (t) => {
  const { stdout } = await explain(t, [paymentsPod])
  t.match(stdout, /\? payments +.* if the namespace has team=payments -> payments-pull/)
  t.match(stdout, /pull secrets: payments-pull \(if the namespace matches\)/)
  const records = await recordsOf(t, [paymentsPod])
  t.match(records, [{ outcome: 'skipped', reason: 'namespace-labels-unknown' }, { outcome: 'unchanged', reason: 'no-rule' }])
})

/** Where the labels come from, and whether the rule of team payments applies. */
const labelled: [string, object[], string[], boolean][] = [
  ['--namespace-labels that match', [paymentsPod], ['--namespace-labels', 'stage=prod,team=payments'], true],
  ['--namespace-labels that do not', [paymentsPod], ['--namespace-labels', 'team=shop'], false],
  ['a Namespace object that matches', [namespace('team-a', { team: 'payments' }), paymentsPod], [], true],
  ['a Namespace object behind the Pod', [paymentsPod, namespace('team-a', { team: 'payments' })], [], true],
  ['a Namespace object that does not match', [namespace('team-a', { team: 'shop' }), paymentsPod], [], false],
  ['a Namespace object, which wins over --namespace-labels', [namespace('team-a', {}), paymentsPod], ['--namespace-labels', 'team=payments'], false]
]

for (const [name, manifests, args, applies] of labelled) {
  t.test(`labels of the namespace: ${name}`, async (t) => {
    const injected = (await recordsOf(t, manifests, ...args)).flatMap(({ injected }) => injected)
    t.strictSame(injected, applies ? ['payments-pull'] : [])
  })
}

t.test('an opted-out namespace is called by nobody, and said so', async (t) => {
  const manifests = [namespace('team-a', { 'pullkeeper.dev/inject': 'false' }), createPod()]
  t.strictSame(await recordsOf(t, manifests), [])
  const { stdout } = await explain(t, manifests)
  t.match(stdout, /note: the namespace is opted out/)
  t.match(stdout, /pull secrets: none/)
})

t.test('the pull secrets of a ServiceAccount in the input are the Pod\'s, where it has none', async (t) => {
  const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'builder', namespace: 'team-a' }, imagePullSecrets: [{ name: 'account-pull' }] }
  const spec = { serviceAccountName: 'builder' }
  const records = await recordsOf(t, [account, createPod({ spec }), createPod({ spec, pullSecrets: ['own-pull'] }), createPod()], '--namespace-labels', '')
  t.strictSame(records.map(({ present, injected }) => [...present, ...injected]), [['account-pull', 'example-pull'], ['own-pull', 'example-pull'], ['example-pull']])
  t.match((await explain(t, [account, createPod({ spec })])).stdout, /pull secrets: account-pull \(present\), example-pull \(injected\)/)
})

t.test('the example explains itself', async (t) => {
  const { exitCode, stdout, stderr } = await runCli(['explain', '--config', `${EXAMPLES}config.yaml`, '-f', `${EXAMPLES}workloads.yaml`])
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  t.match(stdout, /Deployment payments\/checkout\n[^]*pull secrets: .*docker-hub-payments/)
  t.match(stdout, /image volume model: myregistry\.azurecr\.io\/models\/llm:1/)
})

t.test('-o json is what the webhook records for the same Pods, less what only a call has', async (t) => {
  const pods = [
    createPod(),
    createPod({ pullSecrets: ['example-pull'], images: ['nginx', 'registry.example.com/a@sha256:' + 'a'.repeat(64)] }),
    createPod({ images: ['NO', 'user:name@x'], annotations: { 'pullkeeper.dev/inject': 'false' } }),
    createPod({ namespace: 'kube-system' }),
    { ...createPod(), spec: null },
    createPod({ metadata: { ownerReferences: [{ kind: 'ReplicaSet', name: 'web' }] }, spec: { serviceAccountName: 'builder', volumes: [{ name: 'model', image: { reference: 'registry.example.com/m:1' } }] } })
  ]
  const explained = await recordsOf(t, pods, '--namespace-labels', 'team=payments')
  t.strictSame(explained.flatMap(listSchemaErrors), [])
  const authority = await createTestAuthority()
  const { client, webhook, records } = await startWebhookFixture(t, { authority, keyPair: await authority.issueServer(), config: CONFIG, directory: `${t.testdir()}/webhook` })
  for (const pod of pods) {
    for (const path of webhook.policy().entries.keys()) await client.post(path, createReview({ uid: randomUUID(), namespace: String(pod.metadata['namespace']), pod }))
  }
  const recorded = records().map((line) => {
    const { time, instance, seq, prev, uid, user, dryRun, durationMs, ...rest } = JSON.parse(line) as DecisionRecord
    return rest
  })
  t.strictSame(explained, recorded)
})

/** Input that nothing can be explained of: exit 1, one line. */
const refused: [string, string, string, RegExp][] = [
  ['no workload', CONFIG, JSON.stringify({ kind: 'Secret' }), /no Pod and no workload in pods\.yaml: found only Secret/],
  ['nothing', CONFIG, '', /no Pod and no workload in pods\.yaml: they hold no object/],
  ['a kind that is no workload but a word of the language', CONFIG, 'kind: constructor\nmetadata: { name: a }\n', /no Pod and no workload/],
  ['broken YAML', CONFIG, 'kind: Pod\nspec: [\n', /^pullkeeper: pods\.yaml:\d+: no valid YAML/],
  ['a bad configuration', 'rules: []\n', JSON.stringify(createPod()), /^pullkeeper: the configuration can not be used\nconfig\.yaml:1:1: error: /]
]

for (const [name, config, manifests, expected] of refused) {
  t.test(`refused: ${name}`, async (t) => {
    const cwd = t.testdir({ 'config.yaml': config, 'pods.yaml': manifests })
    const { exitCode, stdout, stderr } = await runCli(['explain', '--config', 'config.yaml', '-f', 'pods.yaml'], { cwd })
    t.equal(exitCode, 1)
    t.equal(stdout, '')
    t.match(stderr, expected)
    t.notMatch(stderr, /\n\s+at |TypeError/)
  })
}
