import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { parse, parseAllDocuments } from 'yaml'
import { runCli, type CliResult } from '../helpers/run-cli.ts'
import { formatConfig } from '../helpers/webhook-files.ts'

const EXAMPLE = fileURLToPath(new URL('../../manifests/examples/config.yaml', import.meta.url))
const KINDS = ['ServiceAccount', 'ClusterRole', 'ClusterRoleBinding', 'Role', 'RoleBinding']

/** What the tests read of a manifest. */
interface Manifest {
  kind: string
  metadata: { name: string, namespace?: string }
  rules?: { resources: string[], resourceNames?: unknown[] }[]
}

const print = async (t: Test, config: string, ...args: string[]): Promise<CliResult> => {
  return runCli(['manifests', '--config', 'config.yaml', '--only', 'rbac', ...args], { cwd: t.testdir({ 'config.yaml': config }) })
}
const parseStream = (stdout: string): Manifest[] => parseAllDocuments(stdout).map((document) => document.toJS() as Manifest)

t.test('prints a YAML stream with every object of the worker\'s rights', async (t) => {
  const { exitCode, stdout, stderr } = await print(t, formatConfig())
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  const manifests = parseStream(stdout)
  t.strictSame(manifests.map(({ kind }) => kind), KINDS)
  t.strictSame(manifests.map(({ metadata }) => metadata.namespace), ['pullkeeper-system', undefined, undefined, 'pullkeeper-system', 'pullkeeper-system'])
  t.notMatch(stdout, /[&*]a\d/, 'no aliases: every document stands for itself')
})

t.test('the example configuration', async (t) => {
  const { exitCode, stdout } = await runCli(['manifests', '--config', EXAMPLE, '--only', 'rbac'])
  t.equal(exitCode, 0)
  t.strictSame(parseStream(stdout).find(({ kind }) => kind === 'ClusterRole')?.rules?.[0]?.resourceNames, ['acr-pull', 'docker-hub-payments', 'icr-pull', 'registry-example-pull'])
})

t.test('-o json prints the same as one List', async (t) => {
  const yaml = await print(t, formatConfig())
  const { exitCode, stdout, stderr } = await print(t, formatConfig(), '-o', 'json')
  t.match({ exitCode, stderr }, { exitCode: 0, stderr: '' })
  t.strictSame(JSON.parse(stdout), { apiVersion: 'v1', kind: 'List', items: parseStream(yaml.stdout) })
})

t.test('--namespace says where pullkeeper runs', async (t) => {
  const { stdout } = await print(t, formatConfig(), '--namespace', 'own')
  t.strictSame(parseStream(stdout).flatMap(({ metadata }) => metadata.namespace ?? []), ['own', 'own', 'own'])
})

t.test('--namespaced prints Roles only', async (t) => {
  const config = formatConfig().replace('pullSecrets: [', 'namespaces: { include: [team-b, team-a] }\n    pullSecrets: [')
  const { exitCode, stdout } = await print(t, config, '--namespaced')
  t.equal(exitCode, 0)
  t.strictSame(parseStream(stdout).map(({ kind, metadata }) => `${kind} ${metadata.namespace}`), [
    'ServiceAccount pullkeeper-system',
    ...['pullkeeper-system', 'team-a', 'team-b'].flatMap((namespace) => [`Role ${namespace}`, `RoleBinding ${namespace}`])
  ])
})

t.test('--namespaced names the rule that is for every namespace, and what to write', async (t) => {
  t.strictSame(await print(t, formatConfig(), '--namespaced'), {
    exitCode: 1,
    stdout: '',
    stderr: 'pullkeeper: rights in single namespaces need rules that list their namespaces by name\n' +
      'rule "example" is for every namespace; write namespaces: { include: [NAME, ...] } with the whole name of each\n'
  })
})

/** Names that are something else to a reader of YAML 1.1 (kubectl) or 1.2, when they stand without quotes. */
for (const name of ['no', 'on', 'y', 'null', 'true', '123', '1e3', '0o17', '0x1f', '0b11', '017', '1.5', '2020-01-01']) {
  t.test(`a Secret named ${name} stays a name`, async (t) => {
    const { stdout } = await print(t, formatConfig({ pullSecret: `"${name}"` }))
    for (const version of ['1.1', '1.2'] as const) {
      const [, role] = stdout.split('---\n').map((document) => parse(document, { version }) as Manifest)
      t.strictSame(role?.rules?.[0]?.resourceNames, [name], `YAML ${version}`)
    }
    t.match(stdout, `- "${name}"\n`)
  })
}

t.test('errors of the configuration are printed as check prints them, and nothing else', async (t) => {
  const { exitCode, stdout, stderr } = await print(t, formatConfig().replace('rules:', 'rule:'))
  t.equal(exitCode, 1)
  t.equal(stdout, '')
  t.match(stderr, /^pullkeeper: the configuration can not be used\nconfig\.yaml:1:1: error: lacks .*\nconfig\.yaml:6:1: error: rule: .*did you mean /)
})

t.test('- reads the configuration from standard input', async (t) => {
  const { exitCode, stdout } = await runCli(['manifests', '--config', '-', '--only', 'rbac'], { stdin: formatConfig() })
  t.equal(exitCode, 0)
  t.strictSame(parseStream(stdout).map(({ kind }) => kind), KINDS)
})

t.test('--help has an example', async (t) => {
  const { exitCode, stdout } = await runCli(['manifests', '--help'])
  t.equal(exitCode, 0)
  t.match(stdout, 'pullkeeper manifests --config config.yaml --only rbac | kubectl apply -f -')
})

const misuses: [string, string[], RegExp][] = [
  ['no part', ['--config', 'c'], /required option '--only <part>' not specified/],
  ['a part that is none', ['--config', 'c', '--only', 'all'], /argument 'all' is invalid\. Allowed choices are rbac/],
  ['no configuration', ['--only', 'rbac'], /required option '--config <file>' not specified/],
  ['a format that is none', ['--config', 'c', '--only', 'rbac', '-o', 'text'], /Allowed choices are yaml, json/],
  ['a namespace that is none', ['--config', 'c', '--only', 'rbac', '-n', 'My_NS'], /'My_NS' is invalid\. a namespace is a DNS label/]
]

for (const [name, args, expected] of misuses) {
  t.test(`exits 2: ${name}`, async (t) => {
    const { exitCode, stdout, stderr } = await runCli(['manifests', ...args])
    t.match({ exitCode, stdout }, { exitCode: 2, stdout: '' })
    t.match(stderr, expected)
  })
}
