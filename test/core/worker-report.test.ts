import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { formatWorkerReport, mergeNames, parseNames, parseWorkerReport, type WorkerReport } from '../../src/core/worker-report.ts'

const ANNOTATIONS_LIMIT_BYTES = 256 * 1024

const reports = (): fc.Arbitrary<WorkerReport> => {
  const problems = fc.array(fc.record({ reason: fc.string(), message: fc.string({ maxLength: 400 }) }), { minLength: 1, maxLength: 3 })
  const report = fc.record({ problems, isForbidden: fc.constant(true), held: fc.record({ copies: fc.nat(), unwanted: fc.nat() }) }, { requiredKeys: [] })
  return fc.record({ config: fc.string(), secrets: fc.dictionary(fc.stringMatching(/^[a-z0-9-]{1,10}$/), report) }).map((report) => structuredClone(report))
}

t.test('what was written is read again', async () => {
  fc.assert(fc.property(reports(), (report) => {
    assert.deepEqual(parseWorkerReport(formatWorkerReport(report)), report)
  }))
})

t.test('whatever stands in the annotation does no harm', async () => {
  fc.assert(fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
    const report = parseWorkerReport(text)
    if (report !== undefined) assert.equal(typeof report.config, 'string')
  }))
})

const unreadable: [string, string | undefined][] = [['nothing', undefined], ['an empty text', ''], ['no JSON', '{'], ['an array', '[]'], ['an object without secrets', '{"config":"x"}']]

for (const [name, text] of unreadable) {
  t.test(`${name} is no report`, async (t) => {
    t.equal(parseWorkerReport(text), undefined)
  })
}

t.test('a report of which parts make no sense is read without them', async (t) => {
  const text = '{"config":1,"secrets":{"a":{"problems":[{"reason":"R"},7],"isForbidden":"yes","held":{"copies":"x","unwanted":2}},"b":null}}'
  t.strictSame(parseWorkerReport(text), {
    config: '',
    secrets: { a: { problems: [{ reason: 'R', message: '' }, { reason: '', message: '' }], held: { copies: 0, unwanted: 2 } }, b: {} }
  })
})

t.test('long messages are cut', async (t) => {
  const report = parseWorkerReport(formatWorkerReport({ config: 'x', secrets: { a: { problems: [{ reason: 'SourceMissing', message: 'm'.repeat(10_000) }] } } }))
  t.equal(report?.secrets['a']?.problems?.[0]?.message, 'm'.repeat(400))
})

for (const [count, length] of [[300, 100], [1000, 0]] as const) {
  t.test(`of ${count} problems the messages are cut to ${length} characters: the Lease must stay writable`, async (t) => {
    const problems = [{ reason: 'CredentialUnverified', message: 'ü'.repeat(400) }]
    const text = formatWorkerReport({ config: 'x', secrets: Object.fromEntries(Array.from({ length: count }, (_, index) => [`secret-${index}`, { problems }])) })
    t.ok(Buffer.byteLength(text) < ANNOTATIONS_LIMIT_BYTES / 2 + 1)
    t.equal(parseWorkerReport(text)?.secrets['secret-0']?.problems?.[0]?.message.length, length)
  })
}

const names: [string, string[], string[], string[], string[]][] = [
  ['a configured name is remembered', [], ['b', 'a'], [], ['a', 'b']],
  ['a name that left the configuration stays', ['a', 'b'], ['b'], [], ['a', 'b']],
  ['a retired name goes when its last copy has gone', ['a', 'b'], ['a', 'b'], ['a'], ['b']],
  ['each stands once', ['a', 'a'], ['a'], [], ['a']]
]

for (const [name, known, watched, cleared, expected] of names) {
  t.test(name, async (t) => {
    t.strictSame(mergeNames(known, watched, cleared), expected)
    t.strictSame(parseNames(expected.join()), expected)
  })
}

t.test('no annotation names nothing', async (t) => {
  t.strictSame(parseNames(undefined), [])
  t.strictSame(parseNames(''), [])
})
