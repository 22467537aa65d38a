import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { runCli } from '../helpers/run-cli.ts'
import { formatConfig } from '../helpers/webhook-files.ts'

const EXAMPLE = fileURLToPath(new URL('../../manifests/examples/config.yaml', import.meta.url))

/** Wrong in five places of different kinds: two keys, a pattern's type, a value, and a name that stands twice. */
const BAD_CONFIG = `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
rule: []
rules:
  - name: a
    matchImage: ["registry.example.com"]
    pullSecrets: [a-pull]
  - name: b
    matchImages: registry.example.com
    pullSecrets: [a-pull]
  - name: b
    matchImages: ["registry.example.com"]
    pullSecrets: [a-pull]
unmatched: refuse
`
const PLACES = ['config.yaml:3:1', 'config.yaml:6:5', 'config.yaml:9:5', 'config.yaml:11:5', 'config.yaml:14:1']

interface CheckOutput {
  file: string
  valid: boolean
  config: string
  problems: { severity: string, line: number, column: number, message: string, path: (string | number)[] }[]
}

t.test('the example configuration is ok', async (t) => {
  const { exitCode, stdout, stderr } = await runCli(['check', EXAMPLE])
  t.equal(exitCode, 0)
  t.equal(stderr, '')
  t.match(stdout, /config\.yaml: ok: 5 rules in 2 webhook entries, 4 pull secrets; 0 errors, 0 warnings\n$/)
})

t.test('every error is named at once, each with file, line and column, in the order of the file', async (t) => {
  const { exitCode, stdout, stderr } = await runCli(['check', 'config.yaml'], { cwd: t.testdir({ 'config.yaml': BAD_CONFIG }) })
  t.equal(exitCode, 1)
  t.equal(stderr, '')
  const errors = stdout.split('\n').filter((line) => line.includes(' error: '))
  const places = errors.map((line) => line.split(': ')[0])
  for (const place of PLACES) t.ok(places.includes(place), place)
  t.strictSame(places.map((place) => Number(place?.split(':')[1])), places.map((place) => Number(place?.split(':')[1])).toSorted((a, b) => a - b))
  t.match(stdout, /"?matchImage"?.*matchImages/, 'says what to write instead')
  t.match(stdout, new RegExp(`config\\.yaml: not usable: ${errors.length} errors, \\d+ warnings?\n$`))
})

t.test('-o json says the same to programs', async (t) => {
  const text = await runCli(['check', 'config.yaml'], { cwd: t.testdir({ 'config.yaml': BAD_CONFIG }) })
  const { exitCode, stdout } = await runCli(['check', 'config.yaml', '-o', 'json'], { cwd: t.testdir({ 'config.yaml': BAD_CONFIG }) })
  t.equal(exitCode, 1)
  const output = JSON.parse(stdout) as CheckOutput
  t.match(output, { file: 'config.yaml', valid: false, config: createHash('sha256').update(BAD_CONFIG).digest('hex') })
  t.equal(output.problems.length, text.stdout.trimEnd().split('\n').length - 1)
  for (const { line, column, message } of output.problems) t.match(text.stdout, `config.yaml:${line}:${column}: `, message)
})

t.test('-o json of a good file', async (t) => {
  const { exitCode, stdout } = await runCli(['check', EXAMPLE, '--output', 'json'])
  t.equal(exitCode, 0)
  t.strictSame(JSON.parse(stdout), { file: EXAMPLE, valid: true, config: createHash('sha256').update(readFileSync(EXAMPLE)).digest('hex'), problems: [] })
})

t.test('warnings leave a file usable', async (t) => {
  const config = formatConfig().replace('["registry.example.com"]', '["https://registry.example.com"]')
  const { exitCode, stdout } = await runCli(['check', 'config.yaml'], { cwd: t.testdir({ 'config.yaml': config }) })
  t.equal(exitCode, 0)
  t.match(stdout, /^config\.yaml:8:\d+: warning: /m)
  t.match(stdout, /config\.yaml: ok: .*; 0 errors, [1-9]\d* warnings?\n$/)
})

t.test('- reads standard input', async (t) => {
  const good = await runCli(['check', '-'], { stdin: formatConfig() })
  t.equal(good.exitCode, 0)
  t.match(good.stdout, /^stdin: ok: 1 rule in 1 webhook entry, 1 pull secret; 0 errors, 0 warnings\n$/)
  const bad = await runCli(['check', '-'], { stdin: BAD_CONFIG })
  t.equal(bad.exitCode, 1)
  t.match(bad.stdout, /^stdin:3:1: error: /)
})

/** Files that are no configuration at all. */
for (const [name, content] of [['an empty file', ''], ['broken YAML', 'rules: [\n'], ['a list', '- a\n'], ['two documents', `${formatConfig()}---\n${formatConfig()}`], ['a deployment', 'apiVersion: apps/v1\nkind: Deployment\n']] as const) {
  t.test(`${name} is refused with its place`, async (t) => {
    const { exitCode, stdout, stderr } = await runCli(['check', 'config.yaml'], { cwd: t.testdir({ 'config.yaml': content }) })
    t.equal(exitCode, 1)
    t.equal(stderr, '')
    t.match(stdout, /^config\.yaml:\d+:\d+: error: /)
  })
}
