import fc from 'fast-check'
import t from 'tap'
import { MAX_DOCKER_CONFIG_BYTES, parseDockercfg, parseDockerConfig, type DockerConfigEntry } from '../../src/core/docker-config-decoding.ts'

const encode = (text: string): string => Buffer.from(text).toString('base64')
const parse = (text: string): ReturnType<typeof parseDockerConfig> => parseDockerConfig(Buffer.from(text))
const withEntry = (entry: unknown): string => JSON.stringify({ auths: { 'a.io': entry } })
const entry = (username: string, password: string): DockerConfigEntry => ({ server: 'a.io', username, password })

const readable: [string, string, DockerConfigEntry[]][] = [
  ['auth alone is enough', withEntry({ auth: encode('puller:test-password-1') }), [entry('puller', 'test-password-1')]],
  ['so are user name and password', withEntry({ username: 'puller', password: 'test-password-1' }), [entry('puller', 'test-password-1')]],
  ['auth wins over both', withEntry({ username: 'other', password: 'test-password-2', auth: encode('puller:test-password-1') }), [entry('puller', 'test-password-1')]],
  ['an empty auth does not', withEntry({ username: 'puller', password: 'test-password-1', auth: '' }), [entry('puller', 'test-password-1')]],
  ['nor does null', withEntry({ username: 'puller', password: 'test-password-1', auth: null, email: null }), [entry('puller', 'test-password-1')]],
  ['tokens are ignored', withEntry({ auth: encode('00000000-0000-0000-0000-000000000000:'), identitytoken: 'test-token-1', registrytoken: 1 }), [entry('00000000-0000-0000-0000-000000000000', '')]],
  ['a password may hold colons', withEntry({ auth: encode('puller:test:password:1') }), [entry('puller', 'test:password:1')]],
  ['a user name beside its password may hold one', withEntry({ username: 'a:b', password: 'test-password-1' }), [entry('a:b', 'test-password-1')]],
  ['base64 needs no padding', withEntry({ auth: 'Zm9vOmJhcg' }), [entry('foo', 'bar')]],
  ['line breaks in base64 are ignored', withEntry({ auth: 'Zm9vOm\r\nJhcg=\n=\n' }), [entry('foo', 'bar')]],
  ['spare bits in base64 are ignored', withEntry({ auth: 'Zm9vOmJhch==' }), [entry('foo', 'bar')]],
  ['names are read in any case', '{"Auths":{"a.io":{"USERNAME":"puller","paſſword":"test-password-1"}}}', [entry('puller', 'test-password-1')]],
  ['servers are not', '{"auths":{"A.io":{"username":"a"},"a.io":{"username":"b"}}}', [{ server: 'A.io', username: 'a', password: '' }, entry('b', '')]],
  ['a name of no meaning may have any value', '{"auths":{"a.io":{"":1,"x":[{"auth":"!"}]}},"credsStore":"x","y":"a\\":"}', [entry('', '')]],
  ['a server may have an odd name', '{"auths":{"__proto__":{"auth":"Zm9vOmJhcg=="}}}', [{ server: '__proto__', username: 'foo', password: 'bar' }]],
  ['an empty entry is an anonymous pull', withEntry({}), [entry('', '')]],
  ['so is null', withEntry(null), [entry('', '')]],
  ['HttpHeaders may stand there', '{"HttpHeaders":{"a":"b","c":null},"auths":{}}', []],
  ['an empty object has no entries', '{}', []],
  ['null has none', 'null', []],
  ['auths may be null', '{"auths":null}', []],
  ['credential helpers alone have none', '{"credHelpers":{"a.io":"ecr-login"}}', []],
  ['a dockercfg in the wrong place has none', '{"a.io":{"auth":"Zm9vOmJhcg=="}}', []]
]

for (const [name, text, entries] of readable) {
  t.test(name, async (t) => {
    t.match(parse(text), { entries })
    t.equal(Object.keys(parse(text)).includes('error'), false)
  })
}

const unreadable: [string, string, RegExp][] = [
  ['nothing at all', '', /empty/],
  ['what is no JSON', '{"auths":SECRET', /not JSON/],
  ['a byte order mark', '\uFEFF{}', /not JSON/],
  ['an array', '["SECRET"]', /it is not an object/],
  ['auths as an array', '{"auths":["SECRET"]}', /auths is not an object/],
  ['an entry as a text', withEntry('SECRET'), /entry 1 is not an object/],
  ['a number for a password', withEntry({ username: 'SECRET', password: 1 }), /password of entry 1 is not a text/],
  ['a boolean for an e-mail address', withEntry({ email: false }), /email of entry 1/],
  ['an object for auth', withEntry({ auth: {} }), /auth of entry 1 is not a text/],
  ['base64 for URLs', withEntry({ auth: 'Zm8-OmJhcg==' }), /auth of entry 1 is not base64/],
  ['white space in base64', withEntry({ auth: 'Zm9vOmJhcg== ' }), /not base64/],
  ['text that is no base64', withEntry({ auth: 'SECRET!' }), /not base64/],
  ['base64 that is cut', withEntry({ auth: 'Zm9vOmJhc' }), /not base64/],
  ['half of the padding', withEntry({ auth: 'Zm9vOmJhcg=' }), /not base64/],
  ['padding in excess', withEntry({ auth: 'Zm9v====' }), /not base64/],
  ['padding in the middle', withEntry({ auth: 'Zg==Zm9vOmJhcg==' }), /not base64/],
  ['a line break for auth', withEntry({ auth: '\n' }), /no colon/],
  ['auth without a colon', withEntry({ auth: encode('SECRET') }), /no colon/],
  ['auth that is no UTF-8', withEntry({ auth: Buffer.from([0x61, 0x3a, 0xff]).toString('base64') }), /not UTF-8/],
  ['HttpHeaders with a number', '{"HttpHeaders":{"SECRET":1}}', /HttpHeaders/],
  ['HttpHeaders as a text', '{"HttpHeaders":"SECRET"}', /HttpHeaders is not an object/],
  ['one server twice', '{"auths":{"a.io":{"auth":"!"},"a.io":{}}}', /twice/],
  ['auths twice', '{"auths":{"a.io":{}},"auths":{}}', /twice/],
  ['auths in two spellings', '{"auths":{},"Auths":{}}', /twice, in different case/],
  ['auth in two spellings', withEntry({ auth: 'SECRET', Auth: encode('a:b') }), /entry 1 holds a name twice/],
  ['more than a Secret can hold', JSON.stringify({ a: 'x'.repeat(MAX_DOCKER_CONFIG_BYTES) }), /1 MiB/]
]

for (const [name, text, message] of unreadable) {
  t.test(`${name} is refused, without a word of it`, async (t) => {
    const parsed = parse(text)
    t.match(parsed, { error: message })
    t.notMatch(JSON.stringify(parsed), /SECRET|a\.io/)
  })
}

t.test('an error counts the entries', async (t) => {
  t.match(parse('{"auths":{"a.io":{},"b.io":{"auth":"!"}}}'), { error: /entry 2/ })
})

const usable: [string, unknown, boolean][] = [
  ['a credential', { 'a.io': {}, 'b.io': { auth: encode('a:b') } }, true],
  ['nothing', {}, false],
  ['an empty entry', { 'a.io': {} }, false],
  ['a user name without a password', { 'a.io': { auth: encode('a:'), identitytoken: 'test-token-1' } }, false],
  ['a password without a user name', { 'a.io': { password: 'test-password-1' } }, false],
  ['a server that the kubelet ignores', { 'a.io:*': { auth: encode('a:b') } }, false]
]

for (const [name, auths, hasCredentials] of usable) {
  t.test(`${name} is ${hasCredentials ? 'a usable' : 'no usable'} credential`, async (t) => {
    t.match(parse(JSON.stringify({ auths })), { hasCredentials })
    t.match(parseDockercfg(Buffer.from(JSON.stringify(auths))), { hasCredentials })
  })
}

t.test('no bytes make it throw', async () => {
  const isAnswer = (parsed: object): boolean => 'entries' in parsed !== 'error' in parsed
  fc.assert(fc.property(fc.uint8Array(), (bytes) => isAnswer(parseDockerConfig(Buffer.from(bytes)))))
  fc.assert(fc.property(fc.json(), (text) => isAnswer(parse(text)) && isAnswer(parseDockercfg(Buffer.from(text)))))
})

t.test('a megabyte of anything costs one pass', async (t) => {
  for (const unit of ['{', '[', '"', '\\', '"\\"', '{"a":', '[[],', '"a":']) {
    const text = unit.repeat(MAX_DOCKER_CONFIG_BYTES / unit.length)
    t.match(parse(text), { error: /./ }, `of ${unit}`)
  }
  t.match(parse(`{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`), { entries: [] })
  t.match(parse(`{"a":"${'\\"'.repeat(500_000)}"}`), { entries: [] })
})
