import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { createClient, waitFor, type ClusterClient } from '../helpers/cluster.ts'
import { runCli } from '../helpers/run-cli.ts'
import { readTable, startSandboxProcess, type SandboxProcess } from './sandbox-process.ts'
import { askForPod, askUntil, makeDirectory, namesOf } from './test-cluster.ts'

/** `pullkeeper sandbox` as people start it. */

// They wait for other processes most of the time.
t.jobs = 2
const parallel = Object.freeze({ buffered: true })

const assets = process.env['KUBEBUILDER_ASSETS']
const kinds: [name: string, args: string[], env: NodeJS.ProcessEnv, options: object][] = [
  ['in memory', [], {}, parallel],
  ['real control plane', ['--control-plane'], { KUBEBUILDER_ASSETS: assets }, assets === undefined ? { skip: 'KUBEBUILDER_ASSETS is not set' } : parallel]
]

const EXAMPLES = {
  'payments/checkout': ['+ docker-hub-payments', '+ acr-pull', '+ icr-pull'],
  'payments/ledger-0': ['+ icr-pull'],
  'shop/old-app': ['legacy-regcred', '+ acr-pull'],
  'shop/opted-out': ['-'],
  'shop/report': ['+ registry-example-pull'],
  'shop/web': ['-']
}

const DEMONSTRATED = new RegExp('\n\nWhat the sync worker does when the cluster changes\n' +
  ' {2}rotated Secret pullkeeper-system/acr-token: 4 copies of acr-pull followed in \\d+ ms\n' +
  ' {2}deleted the copy shop/registry-example-pull: it was back in \\d+ ms\n' +
  ' {2}created the namespace new-team: its 3 Secrets were there in \\d+ ms\n')

const CONFIG = `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
rules:
  - name: example
    matchImages: [registry.example.com]
    pullSecrets: [example-pull]
`

// The Deployment comes last: its Pods are not there yet when everything is applied.
const WORKLOADS = `
apiVersion: v1
kind: Namespace
metadata: { name: payments, labels: { team: payments } }
---
apiVersion: v1
kind: Pod
metadata: { name: app, namespace: payments }
spec: { containers: [{ name: app, image: nginx }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
---
apiVersion: v1
kind: Service
metadata: { name: api, namespace: shop }
---
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { containers: [{ name: web, image: registry.example.com/web:1 }] }
`

/** A pull secret whose source nobody has made. */
const SOURCELESS = `${CONFIG}pullSecrets:
  - name: example-pull
    copyFrom: { secret: { namespace: default, name: nowhere } }
`

const OWN_TABLE = { 'payments/app': ['-'], 'shop/web': ['+ example-pull', '+ example-pull'] }
const OWN_REFUSED = ['Service web', 'Service api', 'Service db']
const SELECTOR_RULE = `  - name: team
    matchImages: [registry.example.com]
    namespaces: { selector: { matchLabels: { team: payments } } }
    pullSecrets: [team-pull]
`

const POD = `
apiVersion: v1
kind: Pod
metadata: { name: app }
spec: { containers: [{ name: app, image: registry.example.com/app:1 }] }
`

async function writeFiles (t: Test, contents: Record<string, string>): Promise<Record<string, string>> {
  const directory = await makeDirectory(t)
  const files = Object.entries(contents).map(([name, content]): [string, string, string] => [name, join(directory, name), content])
  for (const [, file, content] of files) await writeFile(file, content)
  return Object.fromEntries(files.map(([name, file]) => [name, file]))
}

/** A client of the sandbox's cluster, by the kubeconfig that it names. */
async function connect (t: Test, sandbox: SandboxProcess): Promise<ClusterClient> {
  const [, file = ''] = await sandbox.waitForOutput(/export KUBECONFIG=(.+)\n/)
  const { clusters, users } = parse(await readFile(file, 'utf8')) as { clusters: { cluster: Record<string, string> }[], users: { user: { token: string } }[] }
  const { server = '', 'certificate-authority-data': ca = '' } = clusters[0]?.cluster ?? {}
  const cluster: Cluster = { url: server, caCertificate: Buffer.from(ca, 'base64').toString(), token: users[0]?.user.token ?? '', close: async () => {} }
  const client = createClient(cluster)
  t.teardown(client.close)
  return client
}

/** The objects that the sandbox refused for their kind. */
function listRefused (stderr: string): string[] {
  return [...stderr.matchAll(/^refused: (.+): the sandbox does not know this kind; it knows /gm)].map(([, object = '']) => object)
}

for (const [kind, args, env, options] of kinds) {
  t.test(`${kind}: --once shows what became of the examples, and leaves nothing behind`, { ...options }, async (t) => {
    const sandbox = await startSandboxProcess(t, ['--once', ...args], { env })
    const { exitCode, stdout, stderr } = await sandbox.ended
    t.strictSame([exitCode, stderr], [0, ''])
    t.match(stdout, /^POD +IMAGE +RULES +PULL SECRETS \(\+ injected\)\n/)
    t.match(stdout, /^shop\/opted-out +\S+ +the Pod is opted out by pullkeeper\.dev\/inject: "false" +-$/m)
    t.match(stdout, /^shop\/web +nginx +no rule matches +-$/m)
    // API servers before 1.31 know no image volumes.
    const { 'shop/model-server': modelServer, ...others } = readTable(stdout)
    t.strictSame(others, EXAMPLES)
    if (kind === 'in memory') t.strictSame(modelServer, ['+ acr-pull'])
    t.match(stdout, /\n\nPOD +PULL SECRET +THE SECRET IN ITS NAMESPACE\n/)
    t.match(stdout, /^payments\/ledger-0 +icr-pull +present: copy of Secret default\/all-icr-io$/m)
    t.match(stdout, /^shop\/report-\w+ +registry-example-pull +present: basic from Secret pullkeeper-system\/registry-example$/m)
    t.match(stdout, /^shop\/old-app +legacy-regcred +absent: not in pullSecrets, so somebody else keeps it\n +acr-pull +present: /m)
    t.match(stdout, DEMONSTRATED)
    t.strictSame(await sandbox.listRemains(), [])
  })

  t.test(`${kind}: it stays with own rules and workloads, follows its configuration and shows decisions until Ctrl-C`, { ...options }, async (t) => {
    const { config = '', workloads = '' } = await writeFiles(t, { config: CONFIG, workloads: WORKLOADS })
    const sandbox = await startSandboxProcess(t, ['--config', config, '-f', workloads, ...args], { env })
    const client = await connect(t, sandbox)
    await sandbox.waitForOutput(/Ctrl-C ends it/)
    const { stdout, stderr } = sandbox.output()
    t.strictSame(readTable(stdout), OWN_TABLE)
    t.strictSame(listRefused(stderr), OWN_REFUSED)

    t.equal((await askForPod(client, 'payments', { name: 'first', images: ['registry.example.com/app'] })).status, 201)
    await sandbox.waitForOutput(/\d\d:\d\d:\d\d +injected +payments\/first +example-pull +\(rules example\)\n/)

    await writeFile(config, CONFIG + SELECTOR_RULE)
    const probe = { name: 'second', images: ['registry.example.com/app'] }
    const { body } = await askUntil(async () => askForPod(client, 'payments', probe, { isDryRun: true }), ({ body }) => namesOf(body).length === 2)
    t.strictSame(namesOf(body), ['team-pull', 'example-pull'])

    sandbox.kill('SIGINT')
    t.equal((await sandbox.ended).exitCode, 0)
    t.strictSame(await sandbox.listRemains(), [])
  })

  t.test(`${kind}: Ctrl-C while it starts leaves nothing behind`, { ...options }, async (t) => {
    const sandbox = await startSandboxProcess(t, args, { env })
    await sandbox.waitForFiles((names) => names.length > 0)
    sandbox.kill('SIGINT')
    await sandbox.ended
    await sandbox.waitForFiles((names) => names.length === 0)
    t.strictSame(await sandbox.listRemains(), [])
  })
}

t.test('--once tells by its exit code that something was refused; the rest is there', { ...parallel }, async (t) => {
  const { config = '', workloads = '', pod = '' } = await writeFiles(t, { config: CONFIG, workloads: WORKLOADS, pod: POD })
  const sandbox = await startSandboxProcess(t, ['--once', '--config', config, '-f', workloads, pod])
  const { exitCode, stdout, stderr } = await sandbox.ended
  t.equal(exitCode, 1)
  t.strictSame(readTable(stdout), { 'default/app': ['+ example-pull'], ...OWN_TABLE })
  t.strictSame(listRefused(stderr), OWN_REFUSED)
  t.strictSame(await sandbox.listRemains(), [])
})

t.test('--once tells by its exit code that a pull secret could not be kept, and why', { ...parallel }, async (t) => {
  const { config = '', pod = '' } = await writeFiles(t, { config: SOURCELESS, pod: POD })
  const { exitCode, stdout, stderr } = await (await startSandboxProcess(t, ['--once', '--config', config, '-f', pod])).ended
  t.strictSame([exitCode, stderr], [1, 'failed: example-pull: there is no Secret default/nowhere; create it\n'])
  t.match(stdout, /^default\/app +example-pull +missing: there is no good content to write$/m)
  t.notMatch(stdout, /new-team/, 'nothing is demonstrated on what is not the example')
})

t.test('pullkeeper status shows the sandbox as its guide says, and the worker follows an edited configuration', { ...parallel }, async (t) => {
  const sandbox = await startSandboxProcess(t, [])
  const client = await connect(t, sandbox)
  const [, config = ''] = await sandbox.waitForOutput(/pullkeeper status --config (.+)\n/)
  const [, kubeconfig = ''] = await sandbox.waitForOutput(/export KUBECONFIG=(.+)\n/)
  const status = await runCli(['status', '--config', config], { env: { KUBECONFIG: kubeconfig } })
  t.match(status, { exitCode: 0, stderr: '', stdout: /^sandbox leads, / })
  t.match(status.stdout, /^docker-hub-payments +basic from Secret pullkeeper-system\/docker-hub +unknown +- +2 +2 +0 +0$/m)
  const edited = (await readFile(config, 'utf8')).replaceAll('docker-hub-payments', 'docker-hub-pull')
  await writeFile(config, edited)
  await waitFor(client, '/api/v1/namespaces/payments/secrets?fieldSelector=metadata.name=docker-hub-pull', (secrets) => secrets.length === 1)
  sandbox.kill('SIGINT')
  t.equal((await sandbox.ended).exitCode, 0)
})

t.test('manifests come from standard input, too', { ...parallel }, async (t) => {
  const { config = '' } = await writeFiles(t, { config: CONFIG })
  const { exitCode, stdout, stderr } = await (await startSandboxProcess(t, ['--once', '--config', config, '-f', '-'], { input: POD })).ended
  t.strictSame([exitCode, stderr, readTable(stdout)], [0, '', { 'default/app': ['+ example-pull'] }])
})

t.test('SIGTERM ends it, too', { ...parallel }, async (t) => {
  const sandbox = await startSandboxProcess(t, [])
  await sandbox.waitForOutput(/Ctrl-C ends it/)
  sandbox.kill('SIGTERM')
  t.equal((await sandbox.ended).exitCode, 0)
  t.strictSame(await sandbox.listRemains(), [])
})

const failures: [title: string, files: Record<string, string>, args: string[], message: (files: Record<string, string>) => string | RegExp][] = [
  [
    'a broken configuration: each error with its place',
    { 'config.yaml': `${CONFIG}  - name: Bad\n    matchImage: [x]\n    pullSecrets: []\nunmatched: perhaps\n` },
    ['--config', 'config.yaml'],
    (files) => new RegExp(`${files['config.yaml']}:7:5: error: [^\n]+\n[^\n]+:8:5: error: rules\\[1\\]\\.matchImage: [^\n]+did you mean "matchImages"\\?\n[^\n]+:10:1: error: unmatched: `)
  ],
  ['a configuration that is no YAML', { 'config.yaml': 'rules: [' }, ['--config', 'config.yaml'], (files) => `${files['config.yaml']}:1:9: error: `],
  ['a configuration that is not there', {}, ['--config', '/nowhere/config.yaml'], () => 'pullkeeper: /nowhere/config.yaml: no such file or directory\n'],
  ['manifests that are not there', {}, ['-f', '/nowhere/pods.yaml'], () => 'pullkeeper: /nowhere/pods.yaml: no such file or directory\n'],
  ['manifests that are no YAML', { 'pods.yaml': 'kind: [Pod' }, ['-f', 'pods.yaml'], (files) => `${files['pods.yaml']}:1: no valid YAML: `],
  ['a folder without a control plane', {}, ['--control-plane', '/nowhere'], () => 'pullkeeper: no control plane in "/nowhere": there is no such folder, see https://'],
  ['a control plane without a folder', {}, ['--control-plane'], () => 'pullkeeper: --control-plane needs a folder with etcd and kube-apiserver, or KUBEBUILDER_ASSETS that names one\n']
]

for (const [title, contents, args, message] of failures) {
  t.test(title, { ...parallel }, async (t) => {
    const files = await writeFiles(t, contents)
    const sandbox = await startSandboxProcess(t, ['--once', ...args.map((arg) => files[arg] ?? arg)])
    const { exitCode, stdout, stderr } = await sandbox.ended
    t.match({ exitCode, stdout, stderr }, { exitCode: 1, stdout: '', stderr: message(files) })
    t.notMatch(stderr, /\n {4}at /, 'no stack trace')
    t.strictSame(await sandbox.listRemains(), [])
  })
}
