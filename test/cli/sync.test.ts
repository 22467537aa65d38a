import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { V1Lease, V1Secret } from '@kubernetes/client-node'
import t, { type Test } from 'tap'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { createClient, startCluster, type ClusterClient } from '../helpers/cluster.ts'
import { runCli, type CliResult } from '../helpers/run-cli.ts'
import { formatConfig } from '../helpers/sync-worker.ts'

/** The command `pullkeeper sync --once`, and what it says of a new user's mistakes; against the API in memory. */

const NAME = 'acr-pull'
const OWN = 'pullkeeper-system'
const PASSWORD = 'test-password-1'

const createConfig = (changes: { pullSecret?: object, other?: object } = {}): string => formatConfig({
  pullSecrets: [{
    name: NAME,
    registries: [{
      servers: ['registry.example.com'],
      credential: { basic: { username: 'puller', passwordFrom: { secret: { namespace: OWN, name: 'source', key: 'password' } } } },
      verify: false
    }],
    ...changes.pullSecret
  }],
  rules: [{ name: 'teams', matchImages: ['registry.example.com'], namespaces: { include: ['team-*'] }, pullSecrets: [NAME] }],
  ...changes.other
})

interface World {
  cluster: Cluster
  client: ClusterClient
  directory: string
  /** Runs `pullkeeper sync` with the configuration and the kubeconfig. */
  sync: (...args: string[]) => Promise<CliResult>
  configure: (text: string) => Promise<void>
  listCopies: () => Promise<string[]>
}

const createWorld = async (t: Test, teams = ['team-a', 'team-b']): Promise<World> => {
  const cluster = await startCluster(t, 'in-memory')
  const client = createClient(cluster)
  t.teardown(client.close)
  const directory = t.testdir({ 'config.yaml': createConfig() })
  await writeKubeconfig(join(directory, 'kubeconfig'), cluster, { name: 'test' })
  for (const name of [OWN, ...teams]) await client.create('/api/v1/namespaces', { metadata: { name } })
  await client.create(`/api/v1/namespaces/${OWN}/secrets`, { metadata: { name: 'source' }, stringData: { password: PASSWORD } })
  return {
    cluster,
    client,
    directory,
    sync: async (...args) => runCli(['sync', '--config', 'config.yaml', '--kubeconfig', 'kubeconfig', ...args], { cwd: directory }),
    configure: async (text) => writeFile(join(directory, 'config.yaml'), text),
    listCopies: async () => (await client.list<V1Secret>(`/api/v1/secrets?fieldSelector=metadata.name=${NAME}`)).body.items.map(({ metadata }) => metadata?.namespace ?? '').toSorted()
  }
}

t.test('--once does what is to be done, says so and exits 0', async (t) => {
  const { sync, listCopies, client } = await createWorld(t)
  const first = await sync('--once')
  t.match(first, { exitCode: 0, stderr: '', stdout: /^3 of 3 copies right; 3 writes, 0 failures, \d+\.\d s\n$/ })
  t.strictSame(await listCopies(), [OWN, 'team-a', 'team-b'])
  t.match(await sync('--once'), { exitCode: 0, stderr: '', stdout: /^3 of 3 copies right; 0 writes, 0 failures/ }, 'again: nothing')
  t.strictSame((await client.list<V1Lease>('/apis/coordination.k8s.io/v1/leases')).body.items, [], 'it takes no Lease')
})

t.test('-o json prints one document, and no secret', async (t) => {
  const { sync } = await createWorld(t)
  const { exitCode, stdout, stderr } = await sync('--once', '-o', 'json')
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  const result = JSON.parse(stdout) as { written: { namespace: string }[] }
  t.match(result, { done: 3, total: 3, writes: 3, failures: 0, failed: [], waiting: 0, elapsedMs: Number })
  t.strictSame(result.written.toSorted((a, b) => a.namespace.localeCompare(b.namespace)), [OWN, 'team-a', 'team-b'].map((namespace) => ({ operation: 'apply', kind: 'Secret', namespace, name: NAME, reason: 'missing' })))
  t.notMatch(stdout, PASSWORD)
})

t.test('--dry-run says what it would write and writes nothing', async (t) => {
  const { sync, configure, listCopies, client } = await createWorld(t)
  await configure(createConfig({ pullSecret: { serviceAccounts: ['default'] } }))
  const { exitCode, stdout, stderr } = await sync('--dry-run')
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  const lines = stdout.trimEnd().split('\n')
  t.strictSame(lines.slice(0, -1).toSorted(), [
    ...[OWN, 'team-a', 'team-b'].map((namespace) => `would apply Secret ${namespace}/${NAME} (missing)`),
    'would patch ServiceAccount team-a/default', 'would patch ServiceAccount team-b/default'
  ])
  t.match(lines.at(-1), /^5 writes would be made, 0 failures/)
  t.strictSame(await listCopies(), [])
  t.strictSame((await client.list('/api/v1/events')).body.items, [])
})

t.test('--once --remove-all takes every copy away, whatever their number, and nothing else', async (t) => {
  const teams = Array.from({ length: 13 }, (_, index) => `team-${index}`)
  const { sync, listCopies, client } = await createWorld(t, teams)
  await sync('--once')
  await client.create('/api/v1/namespaces/default/secrets', { metadata: { name: NAME }, stringData: { note: 'theirs' } })
  t.match(await sync('--once', '--remove-all'), { exitCode: 0, stderr: '', stdout: '14 writes, 0 failures' })
  t.strictSame(await listCopies(), ['default'])
  t.equal((await client.get(`/api/v1/namespaces/${OWN}/secrets/source`)).status, 200)
})

t.test('--remove-all without --once is refused', async (t) => {
  const { sync } = await createWorld(t, [])
  t.match(await sync('--remove-all'), { exitCode: 2, stdout: '', stderr: /--once/ })
})

t.test('copies that nobody wants wait for a running worker, and it says so', async (t) => {
  const { sync, configure, listCopies } = await createWorld(t)
  await sync('--once')
  await configure(createConfig({ other: { rules: [] } }))
  t.match(await sync('--once'), { exitCode: 0, stdout: /2 unwanted copies stay until sync\.pruneAfter has passed/ })
  t.equal((await listCopies()).length, 3)
})

t.test('exits 1 when anything failed, and says what', async (t) => {
  const { sync, client } = await createWorld(t)
  await client.create('/api/v1/namespaces/team-b/secrets', { metadata: { name: NAME }, stringData: { note: 'theirs' } })
  t.match(await sync('--once'), { exitCode: 1, stdout: /^failed: acr-pull: 1 namespace holds [^\n]*not pullkeeper's[^\n]*\n2 of 3 copies right; 2 writes, 1 failure/ })
  await client.delete(`/api/v1/namespaces/${OWN}/secrets/source`)
  t.match(await sync('--once'), { exitCode: 1, stdout: `failed: acr-pull: there is no Secret ${OWN}/source; create it` })
})

t.test('a bulk removal that waits for a person is a failure', async (t) => {
  const { sync, configure, listCopies } = await createWorld(t, Array.from({ length: 12 }, (_, index) => `team-${index}`))
  await sync('--once')
  await configure(createConfig({ other: { rules: [], sync: { pruneAfter: '0ms' } } }))
  t.match(await sync('--once'), { exitCode: 1, stdout: 'the removal of 12 of 12 copies waits for a person' })
  t.equal((await listCopies()).length, 13)
})

t.test('--namespaced refuses a rule whose namespaces are not listed by name, and says which', async (t) => {
  const { sync, configure, listCopies } = await createWorld(t)
  t.match(await sync('--once', '--namespaced'), { exitCode: 1, stdout: '', stderr: /^pullkeeper: rights in single namespaces [^]*rule "teams" is for the namespaces "team-\*"; write / })
  await configure(createConfig({ other: { rules: [{ name: 'one', matchImages: ['registry.example.com'], namespaces: { include: ['team-b'] }, pullSecrets: [NAME] }] } }))
  t.match(await sync('--once', '--namespaced'), { exitCode: 0, stdout: '2 of 2 copies right' })
  t.strictSame(await listCopies(), [OWN, 'team-b'])
})

/** A new user's mistakes: what is done before, the options, and what is said. */
const mistakes: [name: string, args: string[], expected: RegExp][] = [
  ['a configuration that is not there', ['--config', 'missing.yaml', '--kubeconfig', 'kubeconfig'], /^pullkeeper: missing\.yaml: no such file or directory\n$/],
  ['a configuration that is another file', ['--config', 'kubeconfig', '--kubeconfig', 'kubeconfig'], /kubeconfig:\d+:\d+: error: /],
  ['a kubeconfig that is not there', ['--config', 'config.yaml', '--kubeconfig', 'missing'], /^pullkeeper: [^\n]*missing[^\n]*\n$/],
  ['a kubeconfig that is another file', ['--config', 'config.yaml', '--kubeconfig', 'config.yaml'], /^pullkeeper: [^\n]*config\.yaml[^\n]*\n$/],
  ['a kubeconfig that is no YAML', ['--config', 'config.yaml', '--kubeconfig', 'broken'], /^pullkeeper: [^\n]*broken[^\n]*\n$/],
  ['a kubeconfig without a current context', ['--config', 'config.yaml', '--kubeconfig', 'empty'], /^pullkeeper: [^\n]*empty[^\n]*current context[^\n]*\n$/],
  ['an API server that is not there', ['--config', 'config.yaml', '--kubeconfig', 'nowhere'], /^pullkeeper: the API server can not be reached: ECONNREFUSED\n$/],
  ['a credential that the API server does not know', ['--config', 'config.yaml', '--kubeconfig', 'stranger'], /^pullkeeper: the API server does not accept the credential[^\n]*\n$/]
]
t.test('mistakes end it with one line and exit code 1', async (t) => {
  const { cluster, directory } = await createWorld(t, [])
  await writeKubeconfig(join(directory, 'stranger'), { ...cluster, token: 'test-password-2' }, { name: 'stranger' })
  await writeFile(join(directory, 'broken'), '{ clusters: [')
  await writeFile(join(directory, 'empty'), 'apiVersion: v1\nkind: Config\n')
  await writeKubeconfig(join(directory, 'nowhere'), { url: 'https://127.0.0.1:1', caCertificate: '', token: 'test-password-1' }, { name: 'nowhere' })
  for (const [name, args, expected] of mistakes) {
    const result = await runCli(['sync', ...args, '--once'], { cwd: directory })
    t.match(result, { exitCode: 1, stdout: '', stderr: expected }, name)
    t.notMatch(result.stderr, /\n\s+at /)
  }
})

t.test('the worker, too, ends with one line when it can not begin', async (t) => {
  const { directory } = await createWorld(t, [])
  const start = async (...args: string[]): Promise<CliResult> => runCli(['sync', ...args, '--metrics-port', '0'], { cwd: directory })
  t.match(await start('--config', 'missing.yaml', '--kubeconfig', 'kubeconfig'), { exitCode: 1, stderr: /^pullkeeper: missing\.yaml: no such file or directory\n$/ })
  t.match(await start('--config', 'config.yaml', '--kubeconfig', 'missing'), { exitCode: 1, stderr: /^pullkeeper: [^\n]*missing[^\n]*\n$/ })
  t.match(await start('--kubeconfig', 'kubeconfig'), { exitCode: 2, stderr: /--config/ })
})
