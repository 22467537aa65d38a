import assert from 'node:assert/strict'
import fc from 'fast-check'
import t from 'tap'
import { formatImageName, formatImageReference, parseImageReference, type ImageReference } from '../../src/core/image-reference.ts'
import { imageReferences } from '../helpers/arbitraries.ts'
import vectors from '../vectors/reference.json' with { type: 'json' }

interface Vector extends Partial<ImageReference> {
  input: string
  error?: boolean
}

const shorten = (text: string): string => text.length > 60 ? `${text.slice(0, 60)}...` : text

t.test('the reference parser of distribution agrees', async (t) => {
  for (const { input, error, domain, path, tag, digest } of vectors as Vector[]) {
    const parsed = parseImageReference(input)
    if (error === true) t.match(parsed, { error: /./ }, `refused: ${shorten(JSON.stringify(input))}`)
    else t.strictSame(parsed, { reference: { domain, path, ...(tag && { tag }), ...(digest && { digest }) } }, shorten(input))
  }
})

const errors: [string, string, RegExp][] = [
  ['an empty image', '', /empty/],
  ['a bare identifier', 'a'.repeat(64), /identifier/],
  ['an upper-case repository', 'registry.example.com/App', /lower case/],
  ['white space', ' nginx', /no valid image reference/],
  ['a scheme', 'https://registry.example.com/app', /no valid image reference/],
  ['a path that is too long', `registry.example.com/${'a'.repeat(256)}`, /longer than 255/],
  ['a digest of the wrong length', `app@sha256:${'a'.repeat(63)}`, /digest/],
  ['a digest in upper case', `app@sha256:${'A'.repeat(64)}`, /digest/],
  ['a digest of an unknown algorithm', `app@md5:${'a'.repeat(32)}`, /digest/]
]

for (const [name, image, message] of errors) {
  t.test(`${name} is refused in words`, async (t) => {
    t.match(parseImageReference(image), { error: message })
  })
}

const names: [string, ImageReference, { name: string, reference: string }][] = [
  ['domain and path', { domain: 'a.io', path: 'b' }, { name: 'a.io/b', reference: 'a.io/b' }],
  ['a path alone where the first component is no host', { domain: '', path: 'a_b.io/c' }, { name: 'a_b.io/c', reference: 'a_b.io/c' }],
  ['tag and digest', { domain: 'a.io', path: 'b', tag: '1', digest: 'sha256:0' }, { name: 'a.io/b', reference: 'a.io/b:1@sha256:0' }]
]

for (const [name, reference, expected] of names) {
  t.test(`a reference is written with ${name}`, async (t) => {
    t.strictSame({ name: formatImageName(reference), reference: formatImageReference(reference) }, expected)
  })
}

t.test('what is written parses to the same parts again', async (t) => {
  for (const { input } of vectors as Vector[]) {
    const parsed = parseImageReference(input)
    if ('reference' in parsed) t.strictSame(parseImageReference(formatImageReference(parsed.reference)), parsed, shorten(input))
  }
})

t.test('every generated reference parses, and its full form parses to the same parts', async () => {
  fc.assert(fc.property(imageReferences(), (image) => {
    const parsed = parseImageReference(image)
    if ('error' in parsed) throw new Error(parsed.error)
    assert.deepEqual(parseImageReference(formatImageReference(parsed.reference)), parsed)
  }))
})

t.test('no text makes it throw', async () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', 'A', '0', '.', '-', '_', ':', '/', '@', '[', ']', 'é', ' ') }), (image) => {
    return Object.keys(parseImageReference(image)).length === 1
  }))
})

/** What an AdmissionReview of 7 MiB has room for. */
const HOSTILE_LENGTHS = [1_000_000, 7_000_000]
const hostileUnits: [string, string][] = [
  ['letters', 'a'],
  ['upper-case letters', 'A'],
  ['digits', '0'],
  ['labels', 'a.'],
  ['upper-case labels', 'A.'],
  ['components', 'a/'],
  ['hyphens', '-'],
  ['hyphenated words', 'a-'],
  ['words with underscores', 'a__'],
  ['colons', ':'],
  ['ports', 'a:'],
  ['digests', 'a@'],
  ['algorithms', 'a+']
]

for (const [name, unit] of hostileUnits) {
  for (const length of HOSTILE_LENGTHS) {
    t.test(`${length / 1_000_000} MB of ${name} is parsed or refused in one pass`, async (t) => {
      const text = unit.repeat(length / unit.length)
      for (const image of [text, `${text}!`, `${text}/a`, `registry.io/${text}!`, `registry.io/a:1@${text}`]) {
        t.equal(Object.keys(parseImageReference(image)).length, 1, shorten(image))
      }
    })
  }
}
