import fc from 'fast-check'
import t from 'tap'
import { formatImageName, parseImageReference } from '../../src/core/image-reference.ts'
import { compileImagePattern, matchesImage, parseRegistryLocation, type RegistryLocation } from '../../src/core/match-images.ts'
import { imageReferences } from '../helpers/arbitraries.ts'
import vectors from '../vectors/match.json' with { type: 'json' }

const matches = (pattern: string, image: string): boolean => {
  const location = parseRegistryLocation(image)
  return location !== undefined && matchesImage(compileImagePattern(pattern), location)
}

t.test('the kubelet agrees', async (t) => {
  for (const { pattern, image, matchImages } of vectors) t.equal(matches(pattern, image), matchImages, `"${pattern}" on ${image}`)
})

const locations: [string, string, RegistryLocation | undefined][] = [
  ['a host is split into labels', 'a.b.io', { labels: ['a', 'b', 'io'], port: '', path: '' }],
  ['case stays', 'Reg.IO/App', { labels: ['Reg', 'IO'], port: '', path: '/App' }],
  ['a port is text', 'a.io:0443/b', { labels: ['a', 'io'], port: '0443', path: '/b' }],
  ['an empty port is none', 'a.io:/b', { labels: ['a', 'io'], port: '', path: '/b' }],
  ['a slash alone is a path', 'a.io/', { labels: ['a', 'io'], port: '', path: '/' }],
  ['a path is not normalised', 'a.io/b/../c//d', { labels: ['a', 'io'], port: '', path: '/b/../c//d' }],
  ['an IPv6 address with a port loses its brackets', '[::1]:5000/b', { labels: ['::1'], port: '5000', path: '/b' }],
  ['an IPv6 address without a port keeps them', '[::1]/b', { labels: ['[::1]'], port: '', path: '/b' }],
  ['a user name vanishes', 'user:pw@a.io/b', { labels: ['a', 'io'], port: '', path: '/b' }],
  ['a user name ends at the last at sign', 'user@b.io@a.io', { labels: ['a', 'io'], port: '', path: '' }],
  ['a query vanishes', 'a.io/b?c=d', { labels: ['a', 'io'], port: '', path: '/b' }],
  ['a fragment vanishes', 'a.io/b#c', { labels: ['a', 'io'], port: '', path: '/b' }],
  ['a percent escape in the path is decoded', 'a.io/%62', { labels: ['a', 'io'], port: '', path: '/b' }],
  ['an escaped non-ASCII byte in the host is decoded', '%C3%A9.io', { labels: ['é', 'io'], port: '', path: '' }],
  ['an escaped ASCII byte in the host is an error', '%61.io', undefined],
  ['a broken escape is an error', 'a.io/%6', undefined],
  ['a broken escape in the fragment is an error', 'a.io#%zz', undefined],
  ['a port that is no number is an error', 'a.io:http', undefined],
  ['a star for a port is an error', 'a.io:*', undefined],
  ['a second colon is part of the host', 'a:b:1', { labels: ['a:b:1'], port: '', path: '' }],
  ['a bracket that is not closed is an error', '[::1', undefined],
  ['text behind the bracket is an error', '[::1]a', undefined],
  ['white space in the host is an error', 'a .io', undefined],
  ['a control character is an error', 'a.io/\u0000', undefined],
  ['a delete character is an error', 'a.io/\u007f', undefined]
]

for (const [name, text, expected] of locations) {
  t.test(name, async (t) => {
    t.strictSame(parseRegistryLocation(text), expected)
  })
}

t.test('a pattern that Go cannot parse is kept and matches nothing', async (t) => {
  const pattern = compileImagePattern('a.io:*')
  t.strictSame(pattern, { pattern: 'a.io:*', location: undefined, globs: [] })
  t.notOk(matchesImage(pattern, { labels: [], port: '', path: '' }))
})

t.test('a bad glob matches nothing', async (t) => {
  t.notOk(matches('a[.io', 'a[.io/b'))
})

t.test('every image is matched by its own name, and by its own host', async () => {
  fc.assert(fc.property(imageReferences(), (image) => {
    const parsed = parseImageReference(image)
    if ('error' in parsed) return false
    const name = formatImageName(parsed.reference)
    if (name.startsWith('[') && !name.includes(']:')) return true
    return matches(name, name) && matches(name.slice(0, name.indexOf('/')), name)
  }))
})

t.test('a megabyte of anything costs one pass', async (t) => {
  for (const unit of ['a', '.', 'a.', '%41', '%', '/', ':', '@', '[', ']', '?', '#']) {
    const text = unit.repeat(1_000_000 / unit.length)
    t.equal(typeof matches(text, `a.io/${text}`), 'boolean', `of "${unit}"`)
    t.equal(typeof matches(`a.io/${text}`, text), 'boolean', `of "${unit}"`)
  }
})
