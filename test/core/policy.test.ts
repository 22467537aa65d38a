import t from 'tap'
import { compilePolicy, judgeImage, parsePodImage, type CompiledRule, type ImageVerdict } from '../../src/core/policy.ts'
import type { PodImage } from '../../src/core/pod.ts'
import { CONFIG_HASH, createConfig, createPolicy, createPullSecret, OWN_NAMESPACE, type RuleParts } from '../helpers/policies.ts'

const createImage = (image: string): PodImage => ({ container: 'app', field: 'containers', image })

const compile = (parts: RuleParts): CompiledRule => {
  const rule = createPolicy([parts]).entries.get('/mutate')?.rules[0]
  if (rule === undefined) throw new Error('the default entry has no rule')
  return rule
}

t.test('an image is parsed and split for matching', async (t) => {
  t.strictSame(parsePodImage(createImage('registry.io:5000/team/app:1')), {
    container: 'app',
    field: 'containers',
    image: 'registry.io:5000/team/app:1',
    reference: { domain: 'registry.io:5000', path: 'team/app', tag: '1' },
    location: { labels: ['registry', 'io'], port: '5000', path: '/team/app' }
  })
})

t.test('an image that can not be parsed says why', async (t) => {
  const parsed = parsePodImage(createImage('Not An Image'))
  t.match(parsed, { image: 'Not An Image', error: /./ })
  t.notOk('reference' in parsed)
  t.notOk('location' in parsed)
})

t.test('an IPv6 registry without a port is parsed, and its own text does not match it', async (t) => {
  const parsed = parsePodImage(createImage('[::1]/app'))
  t.strictSame(parsed.reference, { domain: '[::1]', path: 'app' })
  t.notOk(judgeImage(compile({ matchImages: ['[::1]'] }), parsed).matches)
})

const verdicts: [string, RuleParts, string, ImageVerdict][] = [
  ['the first pattern that matches decides', { matchImages: ['quay.io', '*.io', '*.*'] }, 'ghcr.io/a', { matches: true, reason: 'pattern', pattern: '*.io' }],
  ['no pattern matches', { matchImages: ['quay.io'] }, 'ghcr.io/a', { matches: false, reason: 'no-pattern' }],
  ['a rule without patterns matches nothing', { always: true }, 'ghcr.io/a', { matches: false, reason: 'no-pattern' }],
  ['excludeImages wins', { matchImages: ['*.io'], excludeImages: ['quay.io', 'ghcr.io'] }, 'ghcr.io/a', { matches: false, reason: 'excluded', pattern: 'ghcr.io' }],
  ['excludeImages wins also where nothing matches', { matchImages: ['quay.io'], excludeImages: ['ghcr.io'] }, 'ghcr.io/a', { matches: false, reason: 'excluded', pattern: 'ghcr.io' }],
  ['excludeImages may name a path', { matchImages: ['*.io'], excludeImages: ['quay.io/open/'] }, 'quay.io/closed/a', { matches: true, reason: 'pattern', pattern: '*.io' }],
  ['tag and digest do not count', { matchImages: ['quay.io/a'] }, `quay.io/a:1@sha256:${'0'.repeat(64)}`, { matches: true, reason: 'pattern', pattern: 'quay.io/a' }],
  ['a short name is on Docker Hub', { matchImages: ['docker.io/library/'] }, 'nginx', { matches: true, reason: 'pattern', pattern: 'docker.io/library/' }],
  ['a pattern that can match nothing does no harm', { matchImages: ['quay.io:*', 'quay.io'] }, 'quay.io/a', { matches: true, reason: 'pattern', pattern: 'quay.io' }],
  ['an unparsable image matches nothing', { matchImages: ['*', '*.*'] }, 'quay.io/A', { matches: false, reason: 'unparsable' }]
]

for (const [name, rule, image, expected] of verdicts) {
  t.test(name, async (t) => {
    t.strictSame(judgeImage(compile(rule), parsePodImage(createImage(image))), expected)
  })
}

t.test('rules are sorted into the entries that evaluate them, the default last', async (t) => {
  const selector = { matchLabels: { team: 'a' } }
  const policy = createPolicy([{ name: 'one' }, { name: 'two', namespaces: { selector } }, { name: 'three' }, { name: 'four', namespaces: { selector } }])
  t.strictSame([...policy.entries.values()].map(({ rules }) => rules.map(({ rule }) => rule.name)), [['two', 'four'], ['one', 'three']])
  t.strictSame([...policy.entries.entries()].map(([path, entry]) => path === entry.path), [true, true])
  t.equal([...policy.entries.keys()].at(-1), '/mutate')
})

t.test('it knows every name that it may inject, and what it was made of', async (t) => {
  const config = createConfig([{ pullSecrets: ['b', 'elsewhere'] }, { name: 'other', pullSecrets: ['b'] }], { pullSecrets: [createPullSecret({ name: 'a' }), createPullSecret({ name: 'b' })] })
  const policy = compilePolicy(config, { configHash: CONFIG_HASH, ownNamespace: OWN_NAMESPACE })
  t.strictSame([...policy.pullSecretNames].sort(), ['a', 'b', 'elsewhere'])
  t.equal(policy.config, config)
  t.equal(policy.configHash, CONFIG_HASH)
  t.equal(policy.ownNamespace, OWN_NAMESPACE)
})

t.test('a configuration without rules has the default entry', async (t) => {
  t.strictSame([...createPolicy([]).entries.keys()], ['/mutate'])
})
