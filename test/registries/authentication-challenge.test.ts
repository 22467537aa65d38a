import fc from 'fast-check'
import t from 'tap'
import { parseAuthenticationChallenges, type AuthenticationChallenge } from '../../src/registries/authentication-challenge.ts'

const challenge = (scheme: string, parameters: Record<string, string> = {}): AuthenticationChallenge => ({ scheme, parameters })
const basic = challenge('basic', { realm: 'a' })

const cases: [string, string | string[] | undefined, AuthenticationChallenge[]][] = [
  ['no header is no challenge', undefined, []],
  ['nor is an empty one', '', []],
  ['a scheme may stand alone', 'Basic', [challenge('basic')]],
  ['Basic has a realm', 'Basic realm="basic-realm"', [challenge('basic', { realm: 'basic-realm' })]],
  ['Bearer has a token server', 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"', [challenge('bearer', { realm: 'https://auth.docker.io/token', service: 'registry.docker.io' })]],
  ['schemes and names are read in any case', 'BASIC Realm="A"', [challenge('basic', { realm: 'A' })]],
  ['quotes may be left out', 'basic realm=a', [basic]],
  ['white space does not count', 'Basic   realm = "a" ,\t charset="UTF-8" ', [challenge('basic', { realm: 'a', charset: 'UTF-8' })]],
  ['a quoted text may hold commas and equal signs', 'Bearer realm="a, b=c",scope="repository:x:pull,push"', [challenge('bearer', { realm: 'a, b=c', scope: 'repository:x:pull,push' })]],
  ['a quoted text may hold quotes', 'Basic realm="a\\"b\\\\"', [challenge('basic', { realm: 'a"b\\' })]],
  ['a quoted text may be empty', 'Basic realm=""', [challenge('basic', { realm: '' })]],
  ['several stand in one header', 'Basic realm="a", Bearer realm="b", service=c', [basic, challenge('bearer', { realm: 'b', service: 'c' })]],
  ['or in several headers', ['Negotiate', 'Basic realm="a"'], [challenge('negotiate'), basic]],
  ['a scheme without parameters may come first', 'Negotiate, Basic realm="a"', [challenge('negotiate'), basic]],
  ['a token in their place is skipped', 'Negotiate YQ==, Basic realm="a"', [challenge('negotiate'), basic]],
  ['empty elements are skipped', ', ,Basic realm="a",, ', [basic]],
  ['of a name that stands twice the last counts', 'Basic realm="b", realm="a"', [basic]],
  ['what can not be read ends its header', ['Basic realm="a", @@, Bearer realm="b"', 'Bearer realm="c"'], [basic, challenge('bearer', { realm: 'c' })]],
  ['a text without its end is none', 'Bearer realm="https://a', [challenge('bearer'), challenge('realm')]]
]

for (const [name, header, expected] of cases) {
  t.test(name, async (t) => {
    t.strictSame(parseAuthenticationChallenges(header), expected)
  })
}

t.test('what is written is read back', async () => {
  const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`
  const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,8}$/)
  const texts = fc.string({ unit: fc.constantFrom('a', 'B', '"', '\\', ',', '=', ' ', '/', ':') })
  fc.assert(fc.property(fc.array(fc.tuple(name, fc.array(fc.tuple(name, texts)))), (challenges) => {
    const header = challenges.map(([scheme, parameters]) => `${scheme} ${parameters.map(([key, text]) => `${key}=${quote(text)}`).join(', ')}`).join(', ')
    const parsed = parseAuthenticationChallenges(header)
    const expected = challenges.map(([scheme, parameters]) => challenge(scheme, Object.fromEntries(parameters)))
    return JSON.stringify(parsed) === JSON.stringify(expected)
  }))
})

t.test('no text makes it throw or wait', async (t) => {
  fc.assert(fc.property(fc.string(), (text) => Array.isArray(parseAuthenticationChallenges(text))))
  for (const unit of ['a', 'a ', 'a=', 'a="', '"', '\\"', ',', ' ', 'a b=c,', 'a a==', 'a=b ']) {
    t.ok(Array.isArray(parseAuthenticationChallenges(unit.repeat(64 * 1024 / unit.length))), `of "${unit}"`)
  }
})
