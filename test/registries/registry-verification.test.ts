import t from 'tap'
import type { Test } from 'tap'
import { createRegistryTransport } from '../../src/registries/registry-transport.ts'
import { verifyCredential, type VerificationRequest } from '../../src/registries/registry-verification.ts'
import type { VerificationResult } from '../../src/registries/verification-result.ts'
import { startFakeRegistry, type Answer, type FakeRegistry, type Question } from './fake-registry.ts'

const PASSWORD = 'test-password-1'
const BASIC = `Basic ${Buffer.from(`puller:${PASSWORD}`).toString('base64')}`
const TOKEN = 'test-token-1'
const transport = createRegistryTransport({ environment: {} })

type Expected = [VerificationResult['verdict'], VerificationResult['reason'], RegExp?]

async function verify ({ host, caCertificate }: FakeRegistry, parts: Partial<VerificationRequest> = {}): Promise<VerificationResult> {
  return verifyCredential({ server: host, username: 'puller', password: PASSWORD, caCertificates: caCertificate, ...parts }, transport)
}

/** The result, which never shows anything secret. */
function check (t: Test, result: VerificationResult, [verdict, reason, message = /./]: Expected): void {
  t.match(result, { verdict, reason, message })
  t.notMatch(JSON.stringify(result), /test-(password|token)|cHVsbGVy|BODY/)
}

const unauthorized = (...challenges: string[]): Answer => ({ status: 401, headers: { 'www-authenticate': challenges }, body: 'BODY' })

/** A registry that asks for Basic and answers a credential with `answer`. */
const withBasic = (answer: Answer, challenge = 'Basic realm="a"') => ({ authorization }: Question): Answer => authorization === BASIC ? answer : unauthorized(challenge)

const basicCases: [string, (question: Question) => Answer, Expected][] = [
  ['a credential that is let in is accepted', withBasic({ status: 200 }), ['accepted', 'accepted']],
  ['the scheme may be written in any case', withBasic({ status: 200 }, 'bASIC REALM=a'), ['accepted', 'accepted']],
  ['one that is refused with 401 is rejected', withBasic(unauthorized('Basic realm="a"')), ['rejected', 'rejected', /HTTP 401/]],
  ['so is one with 403', withBasic({ status: 403, body: 'BODY' }), ['rejected', 'rejected', /HTTP 403/]],
  ['so is one with 400', withBasic({ status: 400, body: 'BODY' }), ['rejected', 'rejected', /HTTP 400/]],
  ['404 says nothing', withBasic({ status: 404 }), ['unknown', 'unexpected-status', /HTTP 404/]],
  ['429 says nothing', withBasic({ status: 429 }), ['unknown', 'unexpected-status']],
  ['500 says nothing', withBasic({ status: 500 }), ['unknown', 'unexpected-status']],
  ['a redirect says nothing', withBasic({ status: 307, headers: { location: 'https://b.io/v2/' } }), ['unknown', 'redirect', /HTTP 307/]],
  ['a connection that is cut says nothing', withBasic('cut'), ['unknown', 'unreachable']],
  ['an answer without end says nothing', withBasic({ status: 200, body: Buffer.alloc(2 * 1024 * 1024) }), ['unknown', 'oversized']],
  ['a registry that asks for nothing proves nothing', () => ({ status: 200 }), ['unknown', 'anonymous', /verify: false/]],
  ['a firewall\'s 403 to a question without a credential says nothing', () => ({ status: 403 }), ['unknown', 'unexpected-status', /HTTP 403/]],
  ['400 to it says nothing either', () => ({ status: 400 }), ['unknown', 'unexpected-status']],
  ['what is no registry says nothing', () => ({ status: 404 }), ['unknown', 'unexpected-status']],
  ['a redirect of it says nothing', () => ({ status: 301, headers: { location: '/v2' } }), ['unknown', 'redirect']],
  ['401 without a challenge says nothing', () => ({ status: 401 }), ['unknown', 'no-challenge']],
  ['nor does one of another kind', () => unauthorized('Negotiate', 'Digest realm="a", nonce="b"'), ['unknown', 'no-challenge']]
]

for (const [name, answer, expected] of basicCases) {
  t.test(name, async (t) => {
    const registry = await startFakeRegistry(t, answer)
    check(t, await verify(registry), expected)
    t.strictSame(new Set(registry.questions.map(({ path }) => path)), new Set(['/v2/']))
    t.equal(registry.questions[0]?.authorization, undefined, 'it is asked without the credential first')
  })
}

/** A registry with a token server on the same host. */
interface BearerParts {
  challenges?: string[]
  realm?: string
  token?: (question: Question) => Answer
  api?: (question: Question) => Answer
}

async function startBearer (t: Test, { challenges, realm, token, api }: BearerParts): Promise<FakeRegistry> {
  const registry: FakeRegistry = await startFakeRegistry(t, (question) => {
    if (question.path.startsWith('/token')) return token?.(question) ?? { status: question.authorization === BASIC ? 200 : 401, body: JSON.stringify({ token: TOKEN }) }
    if (question.authorization === `Bearer ${TOKEN}`) return api?.(question) ?? { status: 200 }
    return unauthorized(...(challenges ?? [`Bearer realm="${realm ?? `https://${registry.host}/token`}",service="test registry",scope="registry:catalog:*"`]))
  })
  return registry
}

const tokenBody = (body: unknown): (() => Answer) => () => ({ status: 200, body: JSON.stringify(body) })

const bearerCases: [string, BearerParts, Expected][] = [
  ['a token that is let in accepts the credential', {}, ['accepted', 'accepted']],
  ['it may be called access_token', { token: tokenBody({ access_token: TOKEN, expires_in: 60 }) }, ['accepted', 'accepted']],
  ['and token may be empty beside it', { token: tokenBody({ token: '', access_token: TOKEN }) }, ['accepted', 'accepted']],
  ['a token server\'s 401 rejects it', { token: () => ({ status: 401, body: 'BODY' }) }, ['rejected', 'rejected', /HTTP 401 from its token server/]],
  ['so does its 403', { token: () => ({ status: 403 }) }, ['rejected', 'rejected']],
  ['so does its 400', { token: () => ({ status: 400 }) }, ['rejected', 'rejected']],
  ['its 404 says nothing', { token: () => ({ status: 404 }) }, ['unknown', 'unexpected-status']],
  ['its 503 says nothing', { token: () => ({ status: 503 }) }, ['unknown', 'unexpected-status']],
  ['its redirect says nothing', { token: () => ({ status: 302, headers: { location: '/elsewhere' } }) }, ['unknown', 'redirect']],
  ['a connection that it cuts says nothing', { token: () => 'cut' }, ['unknown', 'unreachable']],
  ['an answer without a token says nothing', { token: tokenBody({}) }, ['unknown', 'malformed-token']],
  ['a token that is no text says nothing', { token: tokenBody({ token: 1 }) }, ['unknown', 'malformed-token']],
  ['a token that no header can hold says nothing', { token: tokenBody({ token: 'test-token-1\r\nHost: b.io' }) }, ['unknown', 'malformed-token']],
  ['an answer that is no JSON says nothing', { token: () => ({ status: 200, body: 'BODY' }) }, ['unknown', 'malformed-token']],
  ['a token that the registry refuses rejects it', { api: () => ({ status: 403 }) }, ['rejected', 'token-rejected', /HTTP 403/]],
  ['a registry that fails on the token says nothing', { api: () => ({ status: 502 }) }, ['unknown', 'unexpected-status']],
  ['a token server elsewhere says nothing', { realm: 'https://b.example.com/token' }, ['unknown', 'foreign-realm', /https:\/\/b\.example\.com/]],
  ['one over http says nothing', { realm: 'http://localhost/token' }, ['unknown', 'foreign-realm', /http:\/\/localhost/]],
  ['none at all says nothing', { challenges: ['Bearer service="a"'] }, ['unknown', 'foreign-realm', /no URL/]],
  ['Basic is not tried beside a token server elsewhere', { challenges: ['Basic realm="a"', 'Bearer realm="https://b.example.com/"'] }, ['unknown', 'foreign-realm']]
]

for (const [name, parts, expected] of bearerCases) {
  t.test(name, async (t) => {
    const registry = await startBearer(t, parts)
    check(t, await verify(registry), expected)
    const credentialed = registry.questions.filter(({ authorization }) => authorization === BASIC)
    t.strictSame(credentialed.map(({ path }) => path), expected[1] === 'foreign-realm' ? [] : ['/token?service=test+registry&scope=registry%3Acatalog%3A*'])
  })
}

t.test('a token server elsewhere is sent the credential only if it is listed', async (t) => {
  // For the name 127.0.0.1, which is not the registry's.
  const tokens = await startFakeRegistry(t, () => ({ status: 200, body: JSON.stringify({ token: TOKEN }) }))
  const realm = `https://${tokens.host.replace('localhost', '127.0.0.1')}/token?account=a`
  const registry = await startBearer(t, { realm })
  check(t, await verify(registry), ['unknown', 'foreign-realm', /allowedRealms/])
  check(t, await verify(registry, { allowedRealms: ['b.example.com'] }), ['unknown', 'foreign-realm'])
  t.strictSame(tokens.questions, [])
  check(t, await verify(registry, { allowedRealms: ['127.0.0.1'] }), ['accepted', 'accepted'])
  t.strictSame(tokens.questions, [{ path: '/token?account=a&service=test+registry&scope=registry%3Acatalog%3A*', authorization: BASIC }])
})

t.test('a registry is found beside a path', async (t) => {
  const registry = await startFakeRegistry(t, withBasic({ status: 200 }))
  check(t, await verify(registry, { server: `https://${registry.host}/team/` }), ['accepted', 'accepted'])
  t.strictSame(registry.questions.map(({ path }) => path), ['/v2/', '/v2/'])
})

t.test('a user name and a password may hold any character', async (t) => {
  const registry = await startFakeRegistry(t, ({ authorization }) => authorization === undefined ? unauthorized('Basic') : { status: 200 })
  check(t, await verify(registry, { username: 'püller', password: 'a:b"\u{1F511}' }), ['accepted', 'accepted'])
  t.equal(registry.questions[1]?.authorization, `Basic ${Buffer.from('püller:a:b"\u{1F511}').toString('base64')}`)
})

const unaskable: [string, Expected][] = [
  ['*.azurecr.io', ['unknown', 'glob', /one registry's own host/]],
  ['http://localhost', ['unknown', 'not-https', /never sent over http/]],
  ['localhost:*', ['unknown', 'invalid-server']]
]

for (const [server, expected] of unaskable) {
  t.test(`nothing is asked of ${server}`, async (t) => {
    check(t, await verifyCredential({ server, username: 'puller', password: PASSWORD }, transport), expected)
  })
}

t.test('a certificate for another name says nothing', async (t) => {
  const registry = await startFakeRegistry(t, withBasic({ status: 200 }), ['b.example.com'])
  check(t, await verify(registry), ['unknown', 'tls', /ERR_TLS_CERT_ALTNAME_INVALID/])
  t.strictSame(registry.questions, [])
})

t.test('a CA bundle that is none says nothing', async (t) => {
  const registry = await startFakeRegistry(t, withBasic({ status: 200 }))
  check(t, await verify(registry, { caCertificates: 'BODY' }), ['unknown', 'tls', /caFile/])
})

t.test('a registry that is silent says nothing, and is not waited for', async (t) => {
  const registry = await startFakeRegistry(t, withBasic('silent'))
  const transport = createRegistryTransport({ environment: {}, timeoutMs: 200 })
  const request = { server: registry.host, username: 'puller', password: PASSWORD, caCertificates: registry.caCertificate }
  check(t, await verifyCredential(request, transport), ['unknown', 'timeout', /network policies/])
})
