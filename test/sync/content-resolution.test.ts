import t from 'tap'
import { resolveContent, type ContentResolution } from '../../src/sync/content-resolution.ts'
import type { LastGood } from '../../src/sync/known-logins.ts'
import { createPullSecret } from '../helpers/policies.ts'
import { encodeDockerConfig } from '../helpers/copies.ts'
import { createContentWorld, createCopiedSecret, createRegistriesSecret, createRegistry, formatView, readPasswords, type ContentWorld } from './content-world.ts'

const FIRST = 'test-password-1'
const SECOND = 'test-password-2'
const SECRET = { namespace: 'platform', name: 'registry' }
const LAST_GOOD: LastGood = { data: encodeDockerConfig(FIRST), verified: 'accepted' }

/** The registries `a.io` and `b.io`, and what was published of them before. */
const startTwo = async (): Promise<{ world: ContentWorld, resolve: (lastGood?: LastGood) => Promise<ContentResolution>, published: LastGood }> => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST }).set('platform/b', { password: FIRST })
  const pullSecret = createRegistriesSecret(createRegistry('a'), createRegistry('b'))
  const resolve = async (lastGood?: LastGood): Promise<ContentResolution> => resolveContent(world.resolver, pullSecret, lastGood)
  const { data = '', verified, accepted } = await resolve()
  world.tried.length = 0
  return { world, resolve, published: { data, verified, accepted } }
}

const reasonsOf = ({ problems }: ContentResolution): string[] => problems.map(({ reason }) => reason)

t.test('several registries are merged into one content', async (t) => {
  const { published } = await startTwo()
  t.strictSame(readPasswords(published.data), { 'a.io': FIRST, 'b.io': FIRST })
  t.equal(published.verified, 'accepted')
})

t.test('the same credentials give the same bytes, in whatever order the registries stand', async (t) => {
  const { world, published } = await startTwo()
  const { data } = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('b'), createRegistry('a')), undefined)
  t.equal(data, published.data)
})

t.test('one credential may serve several servers, and each is tried', async (t) => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST })
  const { data } = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', { servers: ['a.io', 'b.io/team'] })), undefined)
  t.strictSame(readPasswords(data), { 'a.io': FIRST, 'b.io/team': FIRST })
  t.strictSame(world.tried.map(({ server }) => server), ['a.io', 'b.io/team'])
})

const failures: [string, (world: ContentWorld) => void, string][] = [
  ['is not there', ({ secrets }) => { secrets.delete('platform/a') }, 'SourceMissing'],
  ['lacks the key', ({ secrets }) => { secrets.set('platform/a', { other: SECOND }) }, 'SourceMissing'],
  ['may not be read', ({ forbidden }) => { forbidden.add(formatView('a')) }, 'SourceForbidden'],
  ['has not been read yet', ({ unseen }) => { unseen.add(formatView('a')) }, 'SourceUnreadable'],
  ['is empty', ({ secrets }) => { secrets.set('platform/a', { password: '\n' }) }, 'SourceMalformed'],
  ['is not UTF-8', ({ secrets }) => { secrets.set('platform/a', { password: Buffer.from([0x61, 0xff]) }) }, 'SourceMalformed'],
  ['holds what the registry refuses', ({ secrets, answers }) => { secrets.set('platform/a', { password: SECOND }); answers.set('a.io', 'rejected') }, 'CredentialRejected'],
  ['holds what the registry\'s token server accepts, but not the registry', ({ secrets, answers }) => { secrets.set('platform/a', { password: SECOND }); answers.set('a.io', 'token-rejected') }, 'CredentialRejected']
]

for (const [name, fail, reason] of failures) {
  t.test(`a source that ${name} keeps its registry's last good credential, and the others are updated`, async (t) => {
    const { world, resolve, published } = await startTwo()
    fail(world)
    world.secrets.set('platform/b', { password: SECOND })
    const resolution = await resolve(published)
    t.strictSame(readPasswords(resolution.data), { 'a.io': FIRST, 'b.io': SECOND })
    t.strictSame(reasonsOf(resolution), [reason])
    t.strictSame(resolution.problems[0]?.source, { namespace: 'platform', name: 'a' }, 'the Event stands on the source')
    t.equal(resolution.verified, 'accepted', 'what is published has been tried')
  })

  t.test(`a source that ${name} from the beginning leaves its registry out`, async (t) => {
    const { world, resolve } = await startTwo()
    fail(world)
    const resolution = await resolve()
    t.strictSame(readPasswords(resolution.data), { 'b.io': FIRST })
    t.strictSame(reasonsOf(resolution), [reason])
  })
}

t.test('when nothing is good and nothing was, nothing is published', async (t) => {
  const { world, resolve } = await startTwo()
  world.secrets.clear()
  const resolution = await resolve()
  t.equal(resolution.data, undefined)
  t.strictSame(reasonsOf(resolution), ['SourceMissing', 'SourceMissing'])
})

t.test('when all sources fail, the content stays byte for byte', async (t) => {
  const { world, resolve, published } = await startTwo()
  world.secrets.clear()
  const resolution = await resolve(published)
  t.equal(resolution.data, published.data)
  t.equal(resolution.verified, 'accepted')
})

t.test('a server that a failing source gets anew has nothing, and its other server keeps what it had', async (t) => {
  const { world, published } = await startTwo()
  world.secrets.delete('platform/a')
  const wider = createRegistriesSecret(createRegistry('a', { servers: ['a.io', 'new.io'] }), createRegistry('b'))
  t.strictSame(readPasswords((await resolveContent(world.resolver, wider, published)).data), { 'a.io': FIRST, 'b.io': FIRST })
})

t.test('a registry that left the configuration leaves the content', async (t) => {
  const { world, published } = await startTwo()
  t.strictSame(readPasswords((await resolveContent(world.resolver, createRegistriesSecret(createRegistry('b')), published)).data), { 'b.io': FIRST })
})

t.test('what was copied before and no registry could accept is not kept', async (t) => {
  const { world } = await startTwo()
  world.secrets.delete('platform/a')
  const data = Buffer.from(JSON.stringify({ auths: { 'a.io': {}, 'b.io': { username: 'a:b', password: FIRST } } })).toString('base64')
  const resolution = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a'), createRegistry('b')), { data })
  t.strictSame(readPasswords(resolution.data), { 'b.io': FIRST })
})

t.test('an accepted credential is not tried again, also beside one that is', async (t) => {
  const { world, resolve, published } = await startTwo()
  await resolve(published)
  t.strictSame(world.tried, [])
  world.secrets.set('platform/b', { password: SECOND })
  const { accepted } = await resolve(published)
  t.strictSame(world.tried.map(({ server, password }) => [server, password]), [['b.io', SECOND]])
  t.equal(accepted?.size, 2)
})

t.test('after a restart, the canonical copy\'s word that it was accepted is enough', async (t) => {
  const { world, resolve, published: { data, verified } } = await startTwo()
  t.equal((await resolve({ data, verified })).verified, 'accepted')
  t.strictSame(world.tried, [])
  await resolve({ data, verified: 'unknown' })
  t.equal(world.tried.length, 2, 'any other word is not')
})

t.test('one of which nothing was known is tried again, and the accepted one beside it is not', async (t) => {
  const { world, resolve } = await startTwo()
  world.answers.set('a.io', 'timeout')
  const { data = '', verified, accepted, ...rest } = await resolve()
  t.equal(verified, 'unknown', 'the worst of all is told')
  t.strictSame(rest.problems.map(({ reason }) => reason), ['CredentialUnverified'])
  world.tried.length = 0
  world.answers.clear()
  t.match(await resolve({ data, verified, accepted }), { verified: 'accepted', problems: [] })
  t.strictSame(world.tried.map(({ server }) => server), ['a.io'])
})

t.test('of several servers the worst answer counts', async (t) => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST })
  const pullSecret = createRegistriesSecret(createRegistry('a', { servers: ['a.io', '*.b.io', 'c.io'] }))
  const resolve = async (): Promise<ContentResolution> => resolveContent(world.resolver, pullSecret, undefined)
  world.answers.set('*.b.io', 'glob')
  t.match(await resolve(), { verified: 'unknown', problems: [] })
  world.answers.set('c.io', 'timeout')
  t.strictSame(reasonsOf(await resolve()), ['CredentialUnverified'], 'the one that may pass is told')
  world.answers.set('a.io', 'rejected')
  t.strictSame(reasonsOf(await resolve()), ['CredentialRejected'])
})

t.test('a published credential that is refused later stays, and is no longer called accepted', async (t) => {
  const { world, resolve, published } = await startTwo()
  world.answers.set('a.io', 'rejected')
  const resolution = await resolve({ data: published.data, verified: 'unknown' })
  t.equal(resolution.data, published.data)
  t.equal(resolution.verified, 'unknown')
  t.strictSame(reasonsOf(resolution), ['CredentialRejected'])
})

t.test('with verify: false nothing is tried', async (t) => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST }).set('platform/b', { password: FIRST })
  const off = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', { verify: false })), undefined)
  t.equal(off.verified, 'off')
  t.strictSame(world.tried, [])
  const both = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', { verify: false }), createRegistry('b')), undefined)
  t.equal(both.verified, 'off', 'beside one that is accepted, it can not be said of both')
  const other = createContentWorld()
  other.secrets.set('platform/a', { password: FIRST }).set('platform/b', { password: FIRST })
  other.answers.set('b.io', 'timeout')
  const mixed = await resolveContent(other.resolver, createRegistriesSecret(createRegistry('a', { verify: false }), createRegistry('b')), undefined)
  t.equal(mixed.verified, 'unknown', 'beside one that could not be tried, that one counts')
})

t.test('what was never tried is tried when verify is set, though its neighbour was accepted', async (t) => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST }).set('platform/b', { password: FIRST })
  const { data = '', verified, accepted } = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', { verify: false }), createRegistry('b')), undefined)
  world.tried.length = 0
  await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a'), createRegistry('b')), { data, verified, accepted })
  t.strictSame(world.tried.map(({ server }) => server), ['a.io'])
})

t.test('the CA bundle and the allowed realms go with the question', async (t) => {
  const world = createContentWorld()
  const caFile = `${t.testdir({ 'ca.crt': 'PEM' })}/ca.crt`
  world.secrets.set('platform/a', { password: FIRST })
  await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', { caFile, allowedRealms: ['auth.io'] })), undefined)
  t.strictSame(world.tried, [{ server: 'a.io', username: 'puller', password: FIRST, allowedRealms: ['auth.io'], caCertificates: 'PEM' }])
})

t.test('the first end of several credentials counts, and that of what is kept', async (t) => {
  const world = createContentWorld()
  const ends = new Map([['a', 2_000], ['b', 5_000]])
  const expiring = {
    ...world.resolver,
    createSource: ({ basic }: { basic?: { username?: string } }) => ({
      async resolve () {
        const expiresAtMs = ends.get(basic?.username ?? '')
        if (expiresAtMs === undefined) throw new Error('no token')
        return { username: 'token', password: FIRST, expiresAtMs }
      }
    })
  }
  const from = (username: string) => createRegistry(username, { credential: { basic: { username, passwordFrom: {} } } })
  const pullSecret = createRegistriesSecret(from('a'), from('b'))
  const first = await resolveContent(expiring, pullSecret, undefined)
  t.equal(first.expiresAtMs, 2_000)
  ends.delete('a')
  const { expiresAtMs, problems } = await resolveContent(expiring, pullSecret, { data: first.data ?? '', expiresAt: new Date(2_000).toISOString() })
  t.equal(expiresAtMs, 2_000)
  t.match(problems, [{ reason: 'SourceUnreadable', message: 'a.io: an unexpected error (Error)' }])
})

const usernames: [string, string, string | undefined][] = [
  ['a user name may come from a file that ends with a newline', 'test-user-1\n', 'test-user-1'],
  ['or one of Windows', 'test-user-1\r\n', 'test-user-1'],
  ['only the last newline goes', 'test-user-1\n\n', 'test-user-1\n'],
  ['a user name with a colon is refused', 'test:user', undefined]
]

for (const [name, text, expected] of usernames) {
  t.test(name, async (t) => {
    const world = createContentWorld()
    world.files.set('/etc/user', text).set('/etc/password', `${FIRST}\n`)
    const credential = { basic: { usernameFrom: { file: '/etc/user' }, passwordFrom: { file: '/etc/password' } } }
    const { data, problems } = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', { credential })), undefined)
    const auths = data === undefined ? undefined : JSON.parse(Buffer.from(data, 'base64').toString()).auths['a.io']
    t.equal(auths?.username, expected)
    if (expected !== undefined) t.equal(auths.password, FIRST)
    else t.match(problems, [{ reason: 'SourceMalformed', message: /colon/ }])
  })
}

t.test('a kind of credential that this release does not know concerns its registry only', async (t) => {
  const { world } = await startTwo()
  const pullSecret = createRegistriesSecret(createRegistry('a', { credential: { azure: { identity: 'workloadIdentity' } } }), createRegistry('b'))
  const resolution = await resolveContent(world.resolver, pullSecret, undefined)
  t.strictSame(readPasswords(resolution.data), { 'b.io': FIRST })
  t.strictSame(reasonsOf(resolution), ['SourceUnsupported'])
})

const encoded = (text: string): string => Buffer.from(text).toString('base64')
const dockerConfig = Buffer.from(encodeDockerConfig(SECOND), 'base64').toString()

const copies: [string, Record<string, string> | undefined, string | undefined, RegExp?][] = [
  ['a dockerconfigjson is copied byte for byte', { '.dockerconfigjson': ` ${dockerConfig}\n` }, encoded(` ${dockerConfig}\n`)],
  ['a legacy dockercfg is converted', { '.dockercfg': JSON.stringify(JSON.parse(dockerConfig).auths) }, encodeDockerConfig(SECOND)],
  ['where both stand, the dockerconfigjson counts', { '.dockerconfigjson': dockerConfig, '.dockercfg': '{}' }, encodeDockerConfig(SECOND)],
  ['what is no JSON is not copied', { '.dockerconfigjson': '{"auths":' }, undefined, /not JSON/],
  ['nor is a text with a byte order mark, which the kubelet refuses', { '.dockerconfigjson': `\uFEFF${dockerConfig}` }, undefined, /not JSON/],
  ['nor is an auth that is no base64', { '.dockerconfigjson': '{"auths":{"a.io":{"auth":"!"}}}' }, undefined, /base64/],
  ['nor is an auth without a colon', { '.dockerconfigjson': `{"auths":{"a.io":{"auth":"${encoded('x')}"}}}` }, undefined, /colon/],
  ['nor is an empty key', { '.dockerconfigjson': '' }, undefined, /empty/],
  ['nor are auths without a credential', { '.dockerconfigjson': '{"auths":{"a.io":{"identitytoken":"test-token-1"}}}' }, undefined, /no user name with a password/],
  ['nor are credential helpers', { '.dockerconfigjson': '{"credHelpers":{"a.io":"ecr-login"}}' }, undefined, /no user name with a password/],
  ['nor is a malformed dockercfg', { '.dockercfg': '{"a.io":1}' }, undefined, /entry 1/],
  ['nor is a Secret without either key', { 'config.json': dockerConfig }, undefined, /neither the key/],
  ['nor is one that is not there', undefined, undefined, /there is no Secret platform\/registry/]
]

for (const [name, secret, expected, problem] of copies) {
  t.test(`copyFrom: ${name}`, async (t) => {
    const world = createContentWorld()
    if (secret !== undefined) world.secrets.set('platform/registry', secret)
    const resolution = await resolveContent(world.resolver, createCopiedSecret(), LAST_GOOD)
    t.equal(resolution.data, expected ?? LAST_GOOD.data, 'and what was good stays')
    t.match(resolution.problems, problem === undefined ? [] : [{ message: problem, source: SECRET }])
    t.equal(resolution.problems.length, problem === undefined ? 0 : 1)
    t.equal((await resolveContent(world.resolver, createCopiedSecret(), undefined)).data, expected, 'nothing is published instead')
  })
}

t.test('copyFrom: a Secret that may not be read is told with the way to the right', async (t) => {
  const world = createContentWorld()
  world.forbidden.add(formatView('registry'))
  t.match(await resolveContent(world.resolver, createCopiedSecret(), LAST_GOOD), {
    data: LAST_GOOD.data, problems: [{ reason: 'SourceForbidden', message: /pullkeeper manifests --only rbac/ }]
  })
})

t.test('copyFrom: a mounted file is copied, and a malformed or missing one is not', async (t) => {
  const world = createContentWorld()
  const pullSecret = createPullSecret({ copyFrom: { file: '/etc/config.json' } })
  world.files.set('/etc/config.json', dockerConfig)
  t.match(await resolveContent(world.resolver, pullSecret, LAST_GOOD), { data: encoded(dockerConfig), problems: [] })
  world.files.set('/etc/config.json', '{')
  t.match(await resolveContent(world.resolver, pullSecret, LAST_GOOD), { data: LAST_GOOD.data, problems: [{ reason: 'SourceMalformed', message: /config.json/ }] })
  world.files.clear()
  t.match(await resolveContent(world.resolver, pullSecret, LAST_GOOD), { data: LAST_GOOD.data, problems: [{ reason: 'SourceMissing' }] })
})
