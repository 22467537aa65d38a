import fc from 'fast-check'
import t from 'tap'
import { normalizeRegistryKey, parseRegistryKey, type RegistryKey } from '../../src/core/registry-key.ts'
import { imagePatterns } from '../helpers/arbitraries.ts'
import vectors from '../vectors/match.json' with { type: 'json' }

t.test('the kubelet agrees', async (t) => {
  for (const { pattern, key, invalidKey } of vectors) {
    t.equal(normalizeRegistryKey(pattern), invalidKey === true ? undefined : key ?? '', `"${pattern}"`)
  }
})

const keys: [string, string, RegistryKey | undefined][] = [
  ['a host is all there need be', 'a.io', { host: 'a.io', path: '' }],
  ['case stays', 'https://Reg.IO/Team', { host: 'Reg.IO', path: '/Team' }],
  ['a scheme in upper case is none', 'HTTPS://a.io', { host: 'HTTPS:', path: '//a.io' }],
  ['only one scheme goes', 'https://https://a.io', { host: 'https:', path: '//a.io' }],
  ['a port stays', 'http://a.io:0443/', { host: 'a.io:0443', path: '' }],
  ['an empty port stays, too', 'a.io:/b', { host: 'a.io:', path: '/b' }],
  ['/v1/ goes and what follows stays', 'a.io/v1/b/', { host: 'a.io', path: '/b/' }],
  ['only one of them goes', 'a.io/v1/v2/', { host: 'a.io', path: '/v2/' }],
  ['/v1 without the slash stays', 'a.io/v1', { host: 'a.io', path: '/v1' }],
  ['/v3/ stays', 'a.io/v3/', { host: 'a.io', path: '/v3/' }],
  ['globs stay', '*.a.io:5000/b', { host: '*.a.io:5000', path: '/b' }],
  ['an IPv6 address with a port keeps its brackets', 'https://[::1]:5000/v2/', { host: '[::1]:5000', path: '' }],
  ['so does one without', '[::1]', { host: '[::1]', path: '' }],
  ['a second colon is part of the host', 'a:b:1', { host: 'a:b:1', path: '' }],
  ['user name, query and fragment vanish', 'user:pw@a.io/b?c#d', { host: 'a.io', path: '/b' }],
  ['an escaped slash is one', 'a.io/%76%31/b', { host: 'a.io', path: '/b' }],
  ['a port that is no number is an error', 'a.io:x', undefined],
  ['white space in the host is an error', 'a .io', undefined]
]

for (const [name, server, expected] of keys) {
  t.test(name, async (t) => {
    t.strictSame(parseRegistryKey(server), expected)
    t.equal(normalizeRegistryKey(server), expected && expected.host + expected.path)
  })
}

t.test('a scheme changes nothing', async () => {
  fc.assert(fc.property(imagePatterns(), (pattern) => {
    const key = normalizeRegistryKey(pattern)
    return /^https?:\/\//.test(pattern) || (normalizeRegistryKey(`https://${pattern}`) === key && normalizeRegistryKey(`http://${pattern}`) === key)
  }))
})
