import fc from 'fast-check'
import t from 'tap'
import { formatImageName, parseImageReference } from '../../src/core/image-reference.ts'
import { compileImagePattern, matchesImage, parseRegistryLocation } from '../../src/core/match-images.ts'
import { listPatternWarnings } from '../../src/core/pattern-warnings.ts'
import { imagePatterns, imageReferences } from '../helpers/arbitraries.ts'

const ordinary: string[] = [
  'registry.example.com', 'registry.example.com/', 'registry.example.com/team/', 'registry.example.com:5000', 'registry.example.com:5000/team/',
  '*.azurecr.io', '*.*.geo.azurecr.io', '*.dkr.ecr.*.amazonaws.com', 'myreg-*.example.com', 'us.icr.io/namespace/',
  'docker.io', 'docker.io/organisation/', 'docker.io/library/', 'quay.io/a_b/c__d/e-f.g/',
  'localhost', 'localhost:5000', 'registry:5000', '10.0.0.1', '10.0.0.1:5000/team/', '[::1]:5000', 'xn--n3h.com', '*.*'
]

for (const pattern of ordinary) {
  t.test(`${pattern} is as it should be`, async (t) => {
    t.strictSame(listPatternWarnings(pattern), [])
  })
}

/** Name, pattern, what the warning says, what it says to write. */
const neverMatching: [string, string, RegExp, string][] = [
  ['a scheme', 'https://registry.example.com/team/', /scheme/, '"registry.example.com/team/"'],
  ['another scheme', 'oci://registry.example.com', /scheme/, '"registry.example.com"'],
  ['a glob in the port', 'registry.example.com:*/team', /port/, '"registry.example.com:5000/team"'],
  ['a port that is no number', 'registry.example.com:http', /number/, '"registry.example.com:5000"'],
  ['white space', 'registry.example.com ', /host\[:port\]\[\/path\]/, '"registry.example.com/team/"'],
  ['the old name of Docker Hub', 'index.docker.io/team/', /docker\.io/, '"docker.io/team/"'],
  ['a dot at the end of the host', 'registry.example.com./team/', /dot/, '"registry.example.com/team/"'],
  ['a dot at the end of the host, before a port', 'registry.example.com.:5000', /dot/, '"registry.example.com:5000"'],
  ['a dot at the beginning of the host', '.azurecr.io', /./, '"*.azurecr.io"'],
  ['two dots side by side', 'registry..example.com', /./, 'write'],
  ['a class that is not closed', 'registry[1-3.example.com', /./, 'write'],
  ['an IPv6 address without a port', '[::1]', /IPv6/, '"[ADDRESS]:PORT"'],
  ['an image of Docker Hub without its host', 'nginx', /Docker Hub/, '"docker.io/library/nginx"'],
  ['an organisation of Docker Hub without its host', 'team/app', /Docker Hub/, '"docker.io/team/app"'],
  ['a star in the path', 'registry.example.com/team/*', /globs/, '"registry.example.com/team/"'],
  ['a class in the path', 'registry.example.com/team-[ab]', /globs/, '"registry.example.com/team-"'],
  ['a tag', 'registry.example.com/team/app:v1', /tag/, '"registry.example.com/team/app"'],
  ['a digest', 'registry.example.com/app:v1@sha256:0', /digest/, '"registry.example.com/app"'],
  ['upper case in the path', 'registry.example.com/Team/', /lower case/, '"registry.example.com/team/"'],
  ['a character that no path has', 'registry.example.com/te am/', /path/, '"-"'],
  ['two slashes side by side', 'registry.example.com//team/', /path/, 'single "/"']
]

for (const [name, pattern, kind, advice] of neverMatching) {
  t.test(`${name} never matches`, async (t) => {
    const warnings = listPatternWarnings(pattern)
    t.equal(warnings.length, 1)
    t.match(warnings[0], /^never matches: /)
    t.match(warnings[0], kind)
    t.match(warnings[0], advice)
  })
}

const surprising: [string, string, RegExp, string][] = [
  ['a path without its final slash', 'registry.example.com/team', /"registry.example.com\/team2" is matched too/, '"registry.example.com/team/"'],
  ['an organisation of Docker Hub without its final slash', 'docker.io/team', /every organisation whose name begins with "team", and no official image/, '"docker.io/team/"'],
  ['an image of Docker Hub without its final slash', 'docker.io/team/app', /"docker.io\/team\/app2" is matched too/, '"docker.io/team/app/"'],
  ['upper case in the host', 'Registry.Example.com:5000/team', /case-sensitively/, '"registry.example.com:5000/team"'],
  ['an empty port', 'registry.example.com:/team/', /empty port/, '"registry.example.com/team/"'],
  ['a user name', 'user@registry.example.com', /user name/, '"registry.example.com"'],
  ['a user name with a password', 'user:word@registry.example.com', /user name/, '"registry.example.com"'],
  ['a query', 'registry.example.com/team?a=b', /query/, '"registry.example.com/team"'],
  ['a query behind the port', 'registry.example.com:5000?a', /query/, '"registry.example.com:5000"'],
  ['a fragment', 'registry.example.com#a', /fragment/, '"registry.example.com"'],
  ['a star alone', '*', /one label/, '"*.*"']
]

for (const [name, pattern, kind, advice] of surprising) {
  t.test(`${name} matches something else than it seems to`, async (t) => {
    const warnings = listPatternWarnings(pattern)
    t.equal(warnings.length, 1)
    t.notMatch(warnings[0], /never matches/)
    t.match(warnings[0], kind)
    t.match(warnings[0], advice)
  })
}

const matches = (pattern: string, image: string): boolean => {
  const parsed = parseImageReference(image)
  const location = 'reference' in parsed ? parseRegistryLocation(formatImageName(parsed.reference)) : undefined
  return location !== undefined && matchesImage(compileImagePattern(pattern), location)
}

/** Patterns that look as if they could match nothing, each with an image that the kubelet's rules give to it. */
const matching: [string, string][] = [
  ['local*', 'localhost/app'],
  ['l*t', 'localhost/app'],
  ['**', 'localhost/app'],
  ['[A-Z]', 'X/app'],
  ['user:word@registry.example.com', 'registry.example.com/app'],
  ['registry.example.com:5000?a', 'registry.example.com:5000/app'],
  ['registry.example.com#a:b', 'registry.example.com/app'],
  ['index.docker.io:443', 'index.docker.io:443/app'],
  ['registry.example.com/%61', 'registry.example.com/app'],
  ['registry.example.com/a%2Db', 'registry.example.com/a-b']
]

for (const [pattern, image] of matching) {
  t.test(`${pattern} matches ${image}, so no warning denies it`, async (t) => {
    t.ok(matches(pattern, image))
    t.notMatch(listPatternWarnings(pattern).join(), /never matches/)
  })
}

t.test('docker.io/library matches official images, so no warning denies it', async (t) => {
  t.ok(matches('docker.io/library', 'nginx'))
  t.notMatch(listPatternWarnings('docker.io/library').join(), /no official image/)
})

t.test('a pattern that is said to match nothing matches no image', async () => {
  fc.assert(fc.property(imagePatterns(), fc.array(imageReferences(), { minLength: 20, maxLength: 40 }), (pattern, images) => {
    fc.pre(/never matches/.test(listPatternWarnings(pattern).join()))
    const matched = images.find((image) => matches(pattern, image))
    if (matched !== undefined) throw new Error(`"${pattern}" matches ${matched}`)
  }), { maxSkipsPerRun: 1000 })
})

t.test('a pattern without a warning, made from an image, matches it', async () => {
  fc.assert(fc.property(imageReferences(), (image) => {
    const parsed = parseImageReference(image)
    if ('error' in parsed) return false
    const { domain } = parsed.reference
    return domain === '' || listPatternWarnings(domain).length > 0 || matches(domain, image)
  }))
})

t.test('no text makes it throw', async () => {
  fc.assert(fc.property(fc.oneof(imagePatterns(), fc.string()), (pattern) => {
    return listPatternWarnings(pattern).every((warning) => warning !== '')
  }))
})

t.test('a megabyte of anything costs one pass', async (t) => {
  for (const unit of ['a', '.', 'a.', ':', '/', '[', '*', '@', '%', 'A']) {
    t.ok(listPatternWarnings(unit.repeat(1_000_000 / unit.length)).length <= 1, `of "${unit}"`)
  }
})
