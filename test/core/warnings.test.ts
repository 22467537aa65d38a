import fc from 'fast-check'
import t from 'tap'
import type { PodImage } from '../../src/core/pod.ts'
import { describeDenial, formatWarning, listWarnings } from '../../src/core/warnings.ts'

const createImage = (image: string, parts: Partial<PodImage> = {}): PodImage => ({ container: 'app', field: 'containers', image, ...parts })
const createImages = (count: number): PodImage[] => Array.from({ length: count }, (_, index) => createImage(`image-${index}`))

const lines: [string, string, string][] = [
  ['a short text stays as it is', 'pullkeeper: all is well', 'pullkeeper: all is well'],
  ['256 bytes stay', 'a'.repeat(256), 'a'.repeat(256)],
  ['a byte more is cut', 'a'.repeat(257), `${'a'.repeat(253)}...`],
  ['bytes count, not characters', 'é'.repeat(129), `${'é'.repeat(126)}...`],
  ['a character is never cut in two', `${'a'.repeat(252)}€€€€`, `${'a'.repeat(252)}...`],
  ['nor one beyond the basic plane', `${'a'.repeat(250)}😀😀`, `${'a'.repeat(250)}...`],
  ['a line break is escaped', 'a\nb\r', 'a\\u000ab\\u000d'],
  ['a terminal sequence is escaped', '\u001b[31mred', '\\u001b[31mred'],
  ['delete and C1 controls are escaped', '\u007f\u009b', '\\u007f\\u009b'],
  ['the line breaks of Unicode are escaped', '\u2028\u2029', '\\u2028\\u2029']
]

for (const [name, text, expected] of lines) {
  t.test(name, async (t) => {
    t.equal(formatWarning(text), expected)
  })
}

t.test('no text makes a warning longer than 256 bytes or longer than a line', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
    const line = formatWarning(text)
    return Buffer.byteLength(line) <= 256 && !/\p{Cc}|\p{Zl}|\p{Zp}/u.test(line)
  }))
})

t.test('unmatched images are told of only where the configuration says so', async (t) => {
  const unmatched = [createImage('quay.io/a')]
  t.strictSame(listWarnings('allow', unmatched, unmatched), [])
  t.strictSame(listWarnings('deny', unmatched, unmatched), [])
  t.strictSame(listWarnings('warn', unmatched, unmatched), ['pullkeeper: image "quay.io/a" of container "app" is matched by no rule, so no pull secret was added for it'])
})

t.test('unparsable images are always told of, first', async (t) => {
  const unparsable = { ...createImage('A B', { container: 'model', field: 'volumes' }), error: 'it is wrong' }
  const unmatched = createImage('quay.io/a')
  for (const unmatchedPolicy of ['allow', 'warn', 'deny'] as const) {
    t.equal(listWarnings(unmatchedPolicy, [unmatched, unparsable], [])[0], 'pullkeeper: image "A B" of volume "model" is left to the kubelet: it is wrong')
  }
  t.match(listWarnings('warn', [unmatched, unparsable], [unmatched]), [/volume "model"/, /container "app"/])
})

t.test('five warnings are shown, of more only four and how many there are', async (t) => {
  t.equal(listWarnings('warn', [], createImages(5)).length, 5)
  t.match(listWarnings('warn', [], createImages(5)).at(-1), 'image-4')
  const warnings = listWarnings('warn', [], createImages(1000))
  t.equal(warnings.length, 5)
  t.equal(warnings.at(-1), 'pullkeeper: 996 more warnings, see the decision log')
})

t.test('long and hostile names leave every warning one line of at most 256 bytes', async (t) => {
  const hostile = createImage(`\n\u001b[2J${'é'.repeat(1_000_000)}`, { container: '\n'.repeat(1_000_000) })
  for (const warning of listWarnings('warn', [{ ...hostile, error: 'it is wrong' }], [hostile])) {
    t.ok(Buffer.byteLength(warning) <= 256)
    t.notMatch(warning, /\p{Cc}/u)
  }
})

t.test('a denial names the images and what to do', async (t) => {
  const message = describeDenial([createImage('quay.io/a'), createImage('ghcr.io/b', { container: 'model', field: 'volumes' })])
  t.match(message, 'pullkeeper: no rule matches image "quay.io/a" of container "app", image "ghcr.io/b" of volume "model"; ')
  t.match(message, /ask for a rule$/)
  t.notMatch(message, /more/)
})

t.test('a denial names five images and counts the rest', async (t) => {
  t.notMatch(describeDenial(createImages(5)), /more/)
  t.match(describeDenial(createImages(7)), /image-4.* and 2 more;/)
  t.notMatch(describeDenial(createImages(7)), /image-5/)
})

t.test('a denial is one line of bounded length, whatever the names', async (t) => {
  const hostile = createImage('\u0000'.repeat(1_000_000), { container: '\n'.repeat(1_000_000) })
  const message = describeDenial([hostile, hostile, hostile, hostile, hostile, hostile])
  t.ok(message.length < 10_000)
  t.notMatch(message, /\p{Cc}/u)
})
