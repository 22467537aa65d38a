import assert from 'node:assert/strict'
import fc, { type Arbitrary } from 'fast-check'
import t from 'tap'
import { parseDockerConfig } from '../../src/core/docker-config-decoding.ts'
import { convertDockercfg, digestAuths, formatDockerConfig, type RegistryLogin } from '../../src/core/docker-config.ts'
import { normalizeRegistryKey } from '../../src/core/registry-key.ts'
import { imagePatterns } from '../helpers/arbitraries.ts'

const login = (parts: Partial<RegistryLogin> = {}): RegistryLogin => ({ servers: ['a.io'], username: 'puller', password: 'test-password-1', ...parts })
const auth = Buffer.from('puller:test-password-1').toString('base64')

t.test('every client finds its form of a credential', async (t) => {
  t.strictSame(JSON.parse(formatDockerConfig([login({ servers: ['b.io', 'https://index.docker.io/v1/'] })])), {
    auths: {
      'b.io': { username: 'puller', password: 'test-password-1', auth },
      'https://index.docker.io/v1/': { username: 'puller', password: 'test-password-1', auth }
    }
  })
})

t.test('no credential is an empty auths', async (t) => {
  t.equal(formatDockerConfig([]), '{"auths":{}}')
})

const SECRET = 'test-password-7'
const refused: [string, RegistryLogin[], RegExp][] = [
  ['a user name with a colon', [login({ username: `a:${SECRET}` })], /colon/],
  ['an empty user name', [login({ username: '' })], /user name is empty/],
  ['an empty password', [login({ password: '' })], /password is empty/],
  ['a server that the kubelet ignores', [login({ servers: [`${SECRET}:*`] })], /no registry/],
  ['one server in two spellings', [login(), login({ servers: ['https://a.io/v2/'] })], /twice/],
  ['more than a Secret can hold', [login({ password: SECRET.repeat(60_000) })], /1 MiB/]
]

for (const [name, logins, message] of refused) {
  t.test(`${name} is refused, and the error does not quote it`, async (t) => {
    t.throws(() => formatDockerConfig(logins), { message })
    t.throws(() => formatDockerConfig(logins), { message: new RegExp(`^(?!.*${SECRET})`) })
  })
}

const texts = (): Arbitrary<string> => fc.string({ unit: 'binary', minLength: 1 })
const logins = (): Arbitrary<RegistryLogin[]> => {
  const servers = imagePatterns().filter((pattern) => normalizeRegistryKey(pattern) !== undefined)
  const credential = fc.record({ username: texts().filter((text) => !text.includes(':')), password: texts() })
  return fc.uniqueArray(fc.tuple(servers, credential), { selector: ([server]) => normalizeRegistryKey(server), maxLength: 5 })
    .map((entries) => entries.map(([server, credential]) => ({ servers: [server], ...credential })))
}

t.test('what is written is read back by the kubelet\'s rules', async () => {
  fc.assert(fc.property(logins(), (logins) => {
    const parsed = parseDockerConfig(Buffer.from(formatDockerConfig(logins)))
    if ('error' in parsed) throw new Error(parsed.error)
    const expected = new Map(logins.map(({ servers, username, password }) => [servers[0], { username, password }]))
    assert.deepEqual(new Map(parsed.entries.map(({ server, username, password }) => [server, { username, password }])), expected)
    assert.equal(parsed.hasCredentials, logins.length > 0)
  }))
})

t.test('the same credentials are the same bytes, in whatever order they come', async () => {
  fc.assert(fc.property(logins().chain((logins) => fc.tuple(fc.constant(logins), fc.shuffledSubarray(logins, { minLength: logins.length }))), ([logins, shuffled]) => {
    assert.equal(formatDockerConfig(shuffled), formatDockerConfig(logins))
  }))
})

t.test('servers that share a credential are the same as each with its own', async (t) => {
  t.equal(formatDockerConfig([login({ servers: ['b.io', 'a.io'] })]), formatDockerConfig([login(), login({ servers: ['b.io'] })]))
})

const dockercfgs: [string, unknown, unknown][] = [
  ['auth alone', { 'a.io': { auth, email: 'a@example.com' } }, { 'a.io': { username: 'puller', password: 'test-password-1', auth } }],
  ['user name and password', { 'a.io': { username: 'puller', password: 'test-password-1' } }, { 'a.io': { username: 'puller', password: 'test-password-1', auth } }],
  ['an anonymous entry', { 'a.io': {} }, { 'a.io': { username: '', password: '', auth: 'Og==' } }],
  ['a user name with a colon', { 'a.io': { username: 'a:b', password: 'test-password-1' } }, { 'a.io': { username: 'a:b', password: 'test-password-1' } }],
  ['nothing', {}, {}]
]

for (const [name, dockercfg, auths] of dockercfgs) {
  t.test(`a dockercfg with ${name} keeps its meaning`, async (t) => {
    const converted = convertDockercfg(Buffer.from(JSON.stringify(dockercfg)))
    if ('error' in converted) throw new Error(converted.error)
    t.strictSame(JSON.parse(converted.dockerConfig), { auths })
    t.equal(digestAuths(Buffer.from(converted.dockerConfig)), digestAuths(Buffer.from(JSON.stringify({ auths: dockercfg }))))
  })
}

t.test('a dockercfg says whether it has a usable credential', async (t) => {
  t.match(convertDockercfg(Buffer.from(`{"a.io":{"auth":"${auth}"}}`)), { hasCredentials: true })
  t.match(convertDockercfg(Buffer.from('{"a.io":{}}')), { hasCredentials: false })
})

t.test('a dockercfg that the kubelet can not read is refused', async (t) => {
  t.match(convertDockercfg(Buffer.from('{"auths":[]}')), { error: /entry 1/ })
})

const isEqual = (a: Buffer, b: Buffer): boolean => digestAuths(a) !== undefined && digestAuths(a) === digestAuths(b)

const comparisons: [string, unknown, unknown, boolean][] = [
  ['order does not count', { 'a.io': { auth }, 'b.io': {} }, { 'b.io': {}, 'a.io': { auth } }, true],
  ['nor does the form of a credential', { 'a.io': { auth } }, { 'a.io': { username: 'puller', password: 'test-password-1', email: 'a@example.com' } }, true],
  ['nor the spelling of a server', { 'a.io': { auth } }, { 'https://a.io/v1/': { auth } }, true],
  ['nor a server that the kubelet ignores', { 'a.io': { auth }, 'b.io:*': {} }, { 'a.io': { auth } }, true],
  ['nothing equals nothing', {}, null, true],
  ['another password counts', { 'a.io': { auth } }, { 'a.io': { username: 'puller', password: 'test-password-2' } }, false],
  ['a further server counts', { 'a.io': { auth } }, { 'a.io': { auth }, 'b.io': { auth } }, false],
  ['a further credential for the same one counts', { 'a.io': { auth } }, { 'a.io': { auth }, 'https://a.io': {} }, false],
  ['what can not be read equals nothing', { 'a.io': { auth: '!' } }, { 'a.io': { auth: '!' } }, false]
]

for (const [name, a, b, expected] of comparisons) {
  t.test(`when two are compared, ${name}`, async (t) => {
    const [first, second] = [Buffer.from(JSON.stringify({ auths: a })), Buffer.from(JSON.stringify({ auths: b }))]
    t.equal(isEqual(first, second), expected)
    t.equal(isEqual(second, first), expected)
  })
}
