import { readFileSync } from 'node:fs'
import t from 'tap'
import { runCli } from '../helpers/run-cli.ts'

/** Every command, and what it can not do without. */
const REQUIRED: Record<string, string[]> = {
  sandbox: [],
  check: ['c.yaml'],
  explain: ['--config', 'c.yaml', '-f', 'pods.yaml'],
  webhook: ['--config', 'c.yaml', '--tls-cert', 'tls.crt', '--tls-key', 'tls.key'],
  status: [],
  certs: ['--dns', 'a'],
  manifests: ['--config', 'c.yaml', '--only', 'rbac']
}
const COMMANDS = Object.keys(REQUIRED)
const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

/** An error for people: where, what, and nothing of what is inside. */
const NO_STACK = /\n\s+at |node_modules|\.ts:\d+|Error:/

t.test('--version prints the version', async (t) => {
  t.strictSame(await runCli(['--version']), { exitCode: 0, stdout: `${version}\n`, stderr: '' })
})

t.test('--help names every command, on standard output', async (t) => {
  const { exitCode, stdout, stderr } = await runCli(['--help'])
  t.equal(exitCode, 0)
  t.equal(stderr, '')
  for (const command of COMMANDS) t.match(stdout, new RegExp(`^  ${command} .*\\S`, 'm'))
})

t.test('help COMMAND is the help of the command', async (t) => {
  t.strictSame(await runCli(['help', 'check']), await runCli(['check', '--help']))
})

for (const command of COMMANDS) {
  t.test(`${command} --help says what it does and what each option means`, async (t) => {
    const { exitCode, stdout, stderr } = await runCli([command, '--help'])
    t.equal(exitCode, 0)
    t.equal(stderr, '')
    t.match(stdout, `Usage: pullkeeper ${command}`)
    const options = stdout.slice(stdout.indexOf('Options:')).split('\n').slice(1).filter((line) => /^ {2}-/.test(line))
    t.ok(options.length > 1)
    for (const option of options) t.match(option, /^ {2}(-\w, )?--[a-z-]+( [<[].*[>\]])? {2,}\S/)
  })

  t.test(`${command} with an unknown option exits 2 and suggests`, async (t) => {
    const { exitCode, stdout, stderr } = await runCli([command, ...REQUIRED[command] ?? [], '--hepl'])
    t.equal(exitCode, 2)
    t.equal(stdout, '')
    t.match(stderr, /unknown option '--hepl'\n\(Did you mean --help\?\)/)
    t.notMatch(stderr, NO_STACK)
  })
}

/** Arguments, and what standard error says; all of these exit 2. */
const misuses: [string, string[], RegExp][] = [
  ['an unknown command', ['chek'], /unknown command 'chek'\n\(Did you mean check\?\)/],
  ['no configuration for explain', ['explain', '-f', 'pods.yaml'], /required option '--config <file>' not specified/],
  ['no manifests for explain', ['explain', '--config', 'c.yaml'], /required option '-f, --filename <files...>' not specified/],
  ['no file for check', ['check'], /missing required argument 'file'/],
  ['two files for check', ['check', 'a', 'b'], /too many arguments/],
  ['no names for certs', ['certs'], /required option '--dns <names...>' not specified/],
  ['an output format that is none', ['check', 'a', '-o', 'xml'], /argument 'xml' is invalid\. Allowed choices are text, json/],
  ['labels that are none', ['explain', '--config', 'c', '-f', 'p', '--namespace-labels', 'team'], /'team' is invalid\. write KEY=VALUE/],
  ['a port that is none', ['webhook', '--config', 'c', '--tls-cert', 'c', '--tls-key', 'k', '--port', '65536'], /'65536' is invalid\. a port is/],
  ['seconds that are none', ['webhook', '--config', 'c', '--tls-cert', 'c', '--tls-key', 'k', '--drain-seconds', '-1'], /'-1' is invalid/],
  ['days that are none', ['certs', '--dns', 'a', '--days', '0'], /'0' is invalid\. write a whole number of days/],
  ['a log level that is none', ['webhook', '--config', 'c', '--tls-cert', 'c', '--tls-key', 'k', '--log-level', 'all'], /Allowed choices are error, warn, info/]
]

for (const [name, args, expected] of misuses) {
  t.test(`exits 2: ${name}`, async (t) => {
    const { exitCode, stdout, stderr } = await runCli(args)
    t.equal(exitCode, 2)
    t.equal(stdout, '')
    t.match(stderr, expected)
    t.match(stderr, '--help', 'says where to look')
    t.notMatch(stderr, NO_STACK)
  })
}

t.test('without a command it shows the help and exits 2', async (t) => {
  const { exitCode, stderr } = await runCli([])
  t.equal(exitCode, 2)
  t.match(stderr, 'Usage: pullkeeper')
})

/** Arguments of commands that can not do their work; these exit 1 with one line. */
const failures: [string, string[], RegExp][] = [
  ['check of a missing file', ['check', 'missing.yaml'], /^pullkeeper: missing\.yaml: no such file or directory\n$/],
  ['check of a directory', ['check', '.'], /^pullkeeper: .*is a directory.*\n$/],
  ['explain with a missing configuration', ['explain', '--config', 'missing.yaml', '-f', 'config.yaml'], /^pullkeeper: missing\.yaml: no such file or directory\n$/],
  ['explain of a missing file', ['explain', '--config', 'config.yaml', '-f', 'missing.yaml'], /^pullkeeper: missing\.yaml: no such file or directory\n$/],
  ['status with a missing kubeconfig', ['status', '--kubeconfig', 'missing.yaml'], /^pullkeeper: missing\.yaml: no such file or directory\n$/],
  ['webhook with a missing configuration', ['webhook', '--config', 'missing.yaml', '--tls-cert', 'a', '--tls-key', 'b'], /^pullkeeper: missing\.yaml: no such file or directory\n$/],
  ['certs into a file', ['certs', '--dns', 'a', '--dir', 'config.yaml'], /^pullkeeper: .*config\.yaml.*\n$/]
]

for (const [name, args, expected] of failures) {
  t.test(`exits 1: ${name}`, async (t) => {
    const cwd = t.testdir({ 'config.yaml': 'apiVersion: pullkeeper.dev/v1alpha1\nkind: PullSecretConfig\nrules: []\n' })
    const { exitCode, stdout, stderr } = await runCli(args, { cwd })
    t.equal(exitCode, 1)
    t.equal(stdout, '')
    t.match(stderr, expected)
    t.notMatch(stderr, NO_STACK)
  })
}
