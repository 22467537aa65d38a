import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import t from 'tap'
import { formatProblem, hasErrors, parseConfig } from '../../src/config/parse-config.ts'

const DESIGN = new URL('../fixtures/config/design.yaml', import.meta.url)
const HEADER = 'apiVersion: pullkeeper.dev/v1alpha1\nkind: PullSecretConfig\n'

/** Problems as a compiler prints them, without the name of the file. */
const listProblems = (content: string): string[] => {
  const report = parseConfig(content, 'FILE')
  return report.problems.map((problem) => formatProblem('FILE', problem).slice('FILE:'.length))
}

t.test('the complete example is accepted without a problem', async (t) => {
  const content = await readFile(DESIGN)
  const { problems, config, ...report } = parseConfig(content, 'design.yaml')
  t.strictSame(problems, [])
  t.strictSame(report, { file: 'design.yaml', hash: createHash('sha256').update(content).digest('hex') })
  t.strictSame(config?.rules.map(({ name }) => name), ['acr', 'node-identity', 'debug'])
  t.strictSame(config?.rules[0], {
    name: 'acr',
    matchImages: ['*.azurecr.io', '*.*.geo.azurecr.io'],
    excludeImages: ['public.azurecr.io'],
    always: false,
    namespaces: { include: ['*'], exclude: ['kube-*'], selector: { matchLabels: { team: 'payments' } } },
    pullSecrets: ['acr-pull']
  })
  t.match(config, {
    pullSecrets: [
      { name: 'acr-pull', registries: [{ servers: ['myregistry.azurecr.io'], verify: true }, { caFile: '/etc/pullkeeper/ca.crt' }], onConflict: 'skip', onExpired: 'keep', serviceAccounts: [] },
      { name: 'icr-pull', copyFrom: { secret: { namespace: 'default', name: 'all-icr-io' } } }
    ],
    retired: ['old-acr-pull'],
    unmatched: 'allow',
    webhook: { onError: 'allow', annotate: true, failurePolicy: 'Ignore', timeoutSeconds: 3, manageRegistration: true },
    sync: { pruneAfterMs: 600_000, recover: 'off' }
  })
})

const accepted: [string, string][] = [
  ['the smallest configuration', `${HEADER}rules: []\n`],
  ['JSON', '{"apiVersion": "pullkeeper.dev/v1alpha1", "kind": "PullSecretConfig", "rules": []}'],
  ['a byte order mark', `\ufeff${HEADER}rules: []\n`],
  ['line ends of Windows', `${HEADER}rules: []\n`.replaceAll('\n', '\r\n')],
  ['a document that is marked as such', `---\n${HEADER}rules: []\n...\n`],
  ['an alias', `${HEADER}rules:\n  - { name: a, matchImages: &images [a.io], pullSecrets: [] }\n  - { name: b, matchImages: *images, pullSecrets: [] }\n`]
]

for (const [name, content] of accepted) {
  t.test(`${name} is accepted`, async (t) => {
    const report = parseConfig(content, 'FILE')
    t.strictSame(report.problems, [])
    t.notOk(hasErrors(report))
    t.ok(report.config)
  })
}

/** Content below the two lines of the header, and its problems as `LINE:COLUMN: severity: path: message`. */
const located: [string, string, (string | RegExp)[]][] = [
  ['an unknown key stands where the key is', 'rules: []\nunmatchd: deny\n', ['4:1: error: unmatchd: is an unknown key; did you mean "unmatched"?']],
  ['a wrong value stands where its key is', 'rules: []\nwebhook:\n  timeoutSeconds: 99\n', [/^5:3: error: webhook\.timeoutSeconds: must be .* not the number 99$/]],
  ['a wrong entry of a list stands where it is', 'rules:\n  - name: a\n    matchImages: [a.io, 5]\n    pullSecrets: []\n', ['5:25: error: rules[0].matchImages[1]: must be a string, not the number 5']],
  ['a key that lacks stands where its object is', 'rules:\n  - matchImages: [a.io]\n    pullSecrets: []\n', ['4:5: error: rules[0]: lacks the key "name"']],
  ['a key that the document lacks stands at its top', 'unmatched: deny\n', ['1:1: error: lacks the key "rules"']],
  ['a label key of digits stands where it is', 'rules:\n  - name: a\n    always: true\n    pullSecrets: []\n    namespaces:\n      selector:\n        matchLabels:\n          "5": 1\n', [/^10:11: error: .*must be a string, not the number 1$/]],
  ['a key that is a number stands where it is', 'rules: []\n5: a\n', [/^4:1: error: 5: is an unknown key/]],
  ['what an alias stands for has a problem where the alias is', 'rules:\n  - { name: a, matchImages: &images [a.io/A], pullSecrets: [] }\n  - { name: b, matchImages: *images, pullSecrets: [] }\n', [/^4:38: warning: rules\[0\]/, /^5:16: warning: rules\[1\]/]],
  ['a duplicate is told of, though the schema is kept', 'rules:\n  - { name: a, matchImages: [a.io], pullSecrets: [] }\n  - { name: a, matchImages: [a.io], pullSecrets: [] }\n', [/^5:7: error: rules\[1\]\.name: "a" stands here twice/]],
  ['a warning is told of as one', 'rules:\n  - { name: a, matchImages: [a.io], pullSecrets: [b] }\n', [/^4:51: warning: rules\[0\]\.pullSecrets\[0\]: .*"b"/]],
  ['columns count characters', 'rules: []\nunmatched: [é, 😀]\n', [/^4:1: error: unmatched/]],
  ['an empty list of rules that is no list', 'rules:\n', ['3:1: error: rules: must be a list, not empty']],
  ['YAML that is not closed', 'rules: [\n', [/^\d+:\d+: error: no valid YAML: /]],
  ['YAML with tabs', 'rules:\n\t- a\n', [/^4:1: error: no valid YAML: Tabs/]],
  ['a key that stands twice', 'rules: []\nrules: []\n', [/^4:1: error: no valid YAML: .*unique/]],
  ['several documents', 'rules: []\n---\nrules: []\n', [/^4:1: error: the file holds several documents; a configuration is one$/]],
  ['an alias without its anchor', 'rules: []\nretired: *nobody\n', [/^(?!.*undefined).*error: .*alias/]]
]

for (const [name, content, expected] of located) {
  t.test(name, async (t) => {
    const problems = listProblems(HEADER + content)
    t.equal(problems.length, expected.length, problems.join('\n'))
    t.match(problems, expected)
  })
}

const unusual: [string, string, RegExp][] = [
  ['an empty file', '', /^1:1: error: must be an object, not empty$/],
  ['a file of comments', '# nothing\n', /^\d:1: error: must be an object, not empty$/],
  ['a list', '- a\n', /^1:1: error: must be an object, not a list$/],
  ['a text, which may be a secret, so it is not shown', 'hello', /^1:1: error: must be an object, not a string$/],
  ['a file that expands to gigabytes', `${'abcdefgh'.split('').map((name, index) => `${name}: &${name} [${index === 0 ? 'x' : Array(9).fill(`*${'abcdefgh'[index - 1]}`).join()}]`).join('\n')}\n`, /^(?!.*undefined).*error: .*alias/]
]

for (const [name, content, expected] of unusual) {
  t.test(`${name} has one problem, in words`, async (t) => {
    const problems = listProblems(content)
    t.equal(problems.length, 1)
    t.match(problems[0], expected)
  })
}

t.test('all errors are listed at once, in the order of the file, those of the schema and the others', async (t) => {
  const content = `${HEADER}rules:
  - name: acr
    matchImages: ["*.azurecr.io"]
    pullsecrets: [acr-pull]
  - name: acr
    matchImages: ["https://quay.io"]
    pullSecrets: [quay-pull, quay-pull]
  - name: Third
    pullSecrets: []
unmatched: refuse
retired: [quay-pull]
pullSecrets:
  - name: quay-pull
    onConflict: replace
`
  t.strictSame(listProblems(content).map((problem) => problem.split(': ').slice(0, 3).join(': ')), [
    '4:5: error: rules[0]',
    '6:5: error: rules[0].pullsecrets',
    '7:5: error: rules[1].name',
    '8:19: warning: rules[1].matchImages[0]',
    '9:19: error: rules[1].pullSecrets[0]',
    '9:30: error: rules[1].pullSecrets[1]',
    '9:30: error: rules[1].pullSecrets[1]',
    '10:5: error: rules[2].name',
    '12:1: error: unmatched',
    '13:11: error: retired[0]',
    '16:5: error: pullSecrets[0].onConflict'
  ])
})

/** What the schema refuses must not come back as another problem of what is left. */
const repaired: [string, string, string][] = [
  ['matchImages that is no list', 'rules:\n  - { name: a, matchImages: a.io, pullSecrets: [] }\n', '4:16'],
  ['always that is no boolean', 'rules:\n  - { name: a, always: yes please, pullSecrets: [] }\n', '4:16'],
  ['registries that are no list', 'rules: []\npullSecrets:\n  - { name: a, registries: a.io }\n', '5:16'],
  ['a name that is none', 'rules: []\npullSecrets:\n  - { name: A, copyFrom: { file: /a } }\n  - { name: b, copyFrom: { file: /a } }\n', '5:7'],
  ['pull secrets of a rule that are no list, where they are needed', 'unmatched: deny\nrules:\n  - { name: a, matchImages: [a.io], namespaces: { selector: { matchLabels: { b: c } } }, pullSecrets: d }\n', '5:90'],
  ['pullSecrets that are no list', 'rules:\n  - { name: a, matchImages: [a.io], pullSecrets: [b] }\npullSecrets: { name: b, copyFrom: { file: /b } }\n', '5:1']
]

for (const [name, content, place] of repaired) {
  t.test(`${name}: told of once`, async (t) => {
    t.match(listProblems(HEADER + content), [new RegExp(`^${place}: error: `)])
    t.equal(listProblems(HEADER + content).length, 1, listProblems(HEADER + content).join('\n'))
  })
}

t.test('only errors keep a configuration from being used', async (t) => {
  const withWarning = parseConfig(`${HEADER}rules:\n  - { name: a, matchImages: [a.io], pullSecrets: [b] }\n`, 'FILE')
  t.equal(hasErrors(withWarning), false)
  t.ok(withWarning.config)
  const withError = parseConfig(`${HEADER}rules:\n  - { name: a, pullSecrets: [] }\n`, 'FILE')
  t.equal(hasErrors(withError), true)
  t.notOk('config' in withError)
})

t.test('the hash is that of the bytes, for a text and a buffer alike', async (t) => {
  const content = `${HEADER}rules: [] # é\n`
  const expected = createHash('sha256').update(Buffer.from(content)).digest('hex')
  t.equal(parseConfig(content, 'FILE').hash, expected)
  t.equal(parseConfig(Buffer.from(content), 'FILE').hash, expected)
  t.equal(parseConfig('rules: [', 'FILE').hash, createHash('sha256').update('rules: [').digest('hex'))
})

t.test('no file makes it throw, and every problem has its place', async () => {
  const lines = fc.constantFrom('rules:', '  - name: a', '    pullSecrets: [a', '    pullSecrets: [a]', 'pullSecrets:', '  - *a', '  - &a', ' x: {', '}', '---', '...', '? [a]', ': b', '"', "'", '|', '!!binary a', '!x y', '%TAG', '\t', '# c', '<<: *a', '5: 6', '~: ~')
  const content = fc.oneof(fc.string({ unit: 'binary' }), fc.array(lines, { maxLength: 8 }).map((lines) => lines.join('\n')), fc.array(lines, { maxLength: 8 }).map((lines) => HEADER + lines.join('\n')))
  fc.assert(fc.property(content, (content) => {
    const { problems, config } = parseConfig(content, 'FILE')
    return (config !== undefined || problems.length > 0) && problems.every(({ line, column }) => line >= 1 && column >= 1 && line <= content.split('\n').length + 1)
  }))
})
