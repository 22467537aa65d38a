import t from 'tap'
import type { ValueSource } from '../../src/core/pull-secret-config.ts'
import { createContentWorld, formatView, type ContentWorld } from './content-world.ts'

const KEY: ValueSource = { secret: { namespace: 'platform', name: 'registry', key: 'password' } }
const FILE: ValueSource = { file: '/etc/password' }

const values: [string, string, string][] = [
  ['as it is', 'test-password-1', 'test-password-1'],
  ['without the newline at its end', 'test-password-1\n', 'test-password-1'],
  ['without the newline of Windows', 'test-password-1\r\n', 'test-password-1'],
  ['with spaces, which may be part of it', ' test password ', ' test password '],
  ['with a newline within', 'test\npassword\n', 'test\npassword'],
  ['with letters of all languages', 'test-pässwörd-密\n', 'test-pässwörd-密']
]

for (const [name, content, expected] of values) {
  t.test(`a value is read ${name}, from a Secret and from a file`, async (t) => {
    const { resolver, secrets, files } = createContentWorld()
    secrets.set('platform/registry', { password: content })
    files.set('/etc/password', content)
    t.equal(resolver.sources.read(KEY), expected)
    t.equal(resolver.sources.read(FILE), expected)
  })
}

const failures: [string, ValueSource, (world: ContentWorld) => void, { reason: string, message: string | RegExp }][] = [
  ['a Secret that is not there', KEY, () => {}, { reason: 'SourceMissing', message: 'there is no Secret platform/registry; create it' }],
  ['a Secret without the key', KEY, ({ secrets }) => { secrets.set('platform/registry', {}) }, { reason: 'SourceMissing', message: 'Secret platform/registry has no key "password"; add it' }],
  ['an empty key', KEY, ({ secrets }) => { secrets.set('platform/registry', { password: '' }) }, { reason: 'SourceMalformed', message: 'key "password" of Secret platform/registry is empty' }],
  ['a key that is no text', KEY, ({ secrets }) => { secrets.set('platform/registry', { password: Buffer.from([0xff]) }) }, { reason: 'SourceMalformed', message: /^key "password" of Secret platform\/registry is not UTF-8/ }],
  ['a Secret that may not be read', KEY, ({ forbidden }) => { forbidden.add(formatView('registry')) }, { reason: 'SourceForbidden', message: /apply the rights/ }],
  ['a Secret that has not been listed', KEY, ({ unseen }) => { unseen.add(formatView('registry')) }, { reason: 'SourceUnreadable', message: /has not been read yet/ }],
  ['a file that is not there', FILE, () => {}, { reason: 'SourceMissing', message: /^\/etc\/password/ }],
  ['an empty file', FILE, ({ files }) => { files.set('/etc/password', '\n') }, { reason: 'SourceMalformed', message: '/etc/password is empty' }]
]

for (const [name, source, arrange, expected] of failures) {
  t.test(`${name} is told with what to do`, async (t) => {
    const world = createContentWorld()
    arrange(world)
    t.throws(() => world.resolver.sources.read(source), expected)
  })
}

t.test('a failure names the Secret that is at fault, and no key', async (t) => {
  const { resolver } = createContentWorld()
  t.throws(() => resolver.sources.read(KEY), { name: 'SourceError', source: { namespace: 'platform', name: 'registry' } })
})
