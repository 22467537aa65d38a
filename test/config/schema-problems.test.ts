import fc from 'fast-check'
import t from 'tap'
import { isConfigDocument, listSchemaProblems } from '../../src/config/schema-problems.ts'

const header = { apiVersion: 'pullkeeper.dev/v1alpha1', kind: 'PullSecretConfig', rules: [] }
const rule = { name: 'a', pullSecrets: [] }
const inRule = (parts: object): object => ({ ...header, rules: [rule, { ...rule, ...parts }] })
const inPullSecret = (parts: object): object => ({ ...header, pullSecrets: [{ name: 'a', ...parts }] })
const inSelector = (selector: object): object => inRule({ namespaces: { selector } })

const cases: [string, unknown, [path: string, message: string | RegExp][]][] = [
  ['a valid document', header, []],
  ['an empty file', null, [['', 'must be an object, not empty']]],
  ['a list', [], [['', 'must be an object, not a list']]],
  ['a text, which may be a secret, so it is not shown', 'rules', [['', 'must be an object, not a string']]],
  ['keys that lack', { apiVersion: header.apiVersion }, [['', 'lacks the key "kind"'], ['', 'lacks the key "rules"']]],
  ['a wrong version', { ...header, apiVersion: 'v1' }, [['apiVersion', 'must be pullkeeper.dev/v1alpha1, not "v1"']]],
  ['an unknown key that is near a known one', { ...header, pulSecrets: [] }, [['pulSecrets', 'is an unknown key; did you mean "pullSecrets"?']]],
  ['an unknown key that differs in case only', inRule({ MATCHIMAGES: [] }), [['rules/1/MATCHIMAGES', 'is an unknown key; did you mean "matchImages"?']]],
  ['an unknown key in capitals', { ...header, RULES: [] }, [['RULES', 'is an unknown key; did you mean "rules"?']]],
  ['an unknown key that is near none', { ...header, zzz: 1 }, [['zzz', /^is an unknown key; known here: apiVersion, kind, pullSecrets, retired, rules, unmatched, webhook, sync$/]]],
  ['a wrong value that is near a right one', { ...header, unmatched: 'denie' }, [['unmatched', 'must be one of allow, warn, deny, not "denie"; did you mean "deny"?']]],
  ['a wrong value that differs in case only', { ...header, webhook: { failurePolicy: 'IGNORE' } }, [['webhook/failurePolicy', 'must be one of Ignore, Fail, not "IGNORE"; did you mean "Ignore"?']]],
  ['a wrong value that is near none', { ...header, sync: { recover: 'xyzzy' } }, [['sync/recover', /^must be one of off, report, evict, not "xyzzy"/]]],
  ['a wrong value of another kind', { ...header, sync: { recover: false } }, [['sync/recover', 'must be one of off, report, evict, not the boolean false']]],
  ['a text for a list', inRule({ matchImages: 'a.io' }), [['rules/1/matchImages', 'must be a list, not "a.io"']]],
  ['an object for a list', { ...header, rules: {} }, [['rules', 'must be a list, not an object']]],
  ['a number for a text', inRule({ name: 1 }), [['rules/1/name', 'must be a string, not the number 1']]],
  ['a text for a boolean', inRule({ always: 'yes' }), [['rules/1/always', 'must be a boolean, not "yes"']]],
  ['a fraction for a whole number', { ...header, webhook: { timeoutSeconds: 1.5 } }, [['webhook/timeoutSeconds', 'must be an integer, not the number 1.5']]],
  ['a number out of range', { ...header, webhook: { timeoutSeconds: 31 } }, [['webhook/timeoutSeconds', 'must be a whole number of seconds from 1 to 30, not the number 31']]],
  ['an empty list', inRule({ matchImages: [] }), [['rules/1/matchImages', 'must not be empty']]],
  ['a text of the wrong form', { ...header, sync: { pruneAfter: '10 min' } }, [['sync/pruneAfter', 'must be a duration such as 30s, 10m or 1h, not "10 min"']]],
  ['a value that is empty', inRule({ namespaces: null }), [['rules/1/namespaces', 'must be an object, not empty']]],
  ['no choice', inPullSecret({ copyFrom: {} }), [['pullSecrets/0/copyFrom', 'is empty; write exactly one of secret, file']]],
  ['two choices', inPullSecret({ copyFrom: { file: '/a', secret: { namespace: 'a', name: 'b' } } }), [['pullSecrets/0/copyFrom', 'has more than one key; keep exactly one of secret, file']]],
  ['an unknown choice', inPullSecret({ copyFrom: { files: '/a' } }), [['pullSecrets/0/copyFrom/files', 'is an unknown key; did you mean "file"?']]],
  ['a label key that is none', inSelector({ matchLabels: { 'a b': 'c' } }), [['rules/1/namespaces/selector/matchLabels/a b', 'is no valid key here']]],
  ['a label key with a slash', inSelector({ matchLabels: { 'example.com/a': 1 } }), [['rules/1/namespaces/selector/matchLabels/example.com/a', 'must be a string, not the number 1']]],
  ['a label value that is none', inSelector({ matchLabels: { a: '-' } }), [['rules/1/namespaces/selector/matchLabels/a', /^must be a label value: .*, not "-"$/]]]
]

for (const [name, document, expected] of cases) {
  t.test(`${name}: every problem has its path and says what to write`, async (t) => {
    const problems = listSchemaProblems(document)
    t.strictSame(problems.map(({ path }) => path.join('/')), expected.map(([path]) => path))
    t.match(problems.map(({ message }) => message), expected.map(([, message]) => message))
    t.ok(problems.every(({ severity }) => severity === 'error'))
    t.equal(isConfigDocument(document), expected.length === 0)
  })
}

t.test('indexes in a path are numbers, keys are texts', async (t) => {
  t.strictSame(listSchemaProblems(inRule({ matchImages: ['a.io', 1] })).map(({ path }) => path), [['rules', 1, 'matchImages', 1]])
  t.strictSame(listSchemaProblems(inSelector({ matchLabels: { 5: 1 } })).map(({ path }) => path), [['rules', 1, 'namespaces', 'selector', 'matchLabels', '5']])
})

t.test('all problems are listed at once', async (t) => {
  const problems = listSchemaProblems({ kind: 'Config', rules: [{ nam: 'a' }, { name: 'B', pullSecrets: ['C'] }], unmatched: 'no' })
  t.strictSame(problems.map(({ path }) => path.join('/')).sort(), ['', 'kind', 'rules/0', 'rules/0', 'rules/0/nam', 'rules/1/name', 'rules/1/pullSecrets/0', 'unmatched'])
})

t.test('any document is valid or has a problem, each in words', async () => {
  const nearby = fc.record({ rules: fc.array(fc.dictionary(fc.constantFrom('name', 'matchImages', 'namespaces', 'x'), fc.jsonValue())), pullSecrets: fc.array(fc.dictionary(fc.constantFrom('name', 'registries', 'copyFrom'), fc.jsonValue())) }, { requiredKeys: [] })
  fc.assert(fc.property(fc.oneof(fc.jsonValue(), nearby.map((parts) => ({ ...header, ...parts }))), (document) => {
    const problems = listSchemaProblems(document)
    return (problems.length === 0) === isConfigDocument(document) && problems.every(({ message }) => message !== '' && !message.includes('undefined'))
  }))
})
