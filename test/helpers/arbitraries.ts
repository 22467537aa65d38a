import fc, { type Arbitrary } from 'fast-check'
import type { UnknownObject } from '../../src/core/unknown.ts'
import type { RuleParts } from './policies.ts'

const hosts = (): Arbitrary<string> => fc.oneof(
  fc.constantFrom('', 'docker.io', 'index.docker.io', 'localhost', 'registry.example.com', 'myregistry.azurecr.io', 'us.icr.io', 'a_b.io'),
  fc.constantFrom('HUB', 'Registry.Example.com', 'X', '10.0.0.1', '[::1]', '[2001:db8::1]', 'index.docker.io:443', 'local-host:5000'),
  fc.array(fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,6}[a-z0-9])?$/), { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'))
)

const ports = (): Arbitrary<string> => fc.constantFrom('', '', ':5000', ':443', ':80')

const paths = (): Arbitrary<string> => fc.array(
  fc.oneof(fc.constantFrom('team', 'library', 'app', 'a', 'abc', 'v1'), fc.stringMatching(/^[a-z0-9]{1,6}((\.|_|__|-{1,3})[a-z0-9]{1,6})?$/)),
  { minLength: 1, maxLength: 4 }
).map((components) => components.join('/'))

const tags = (): Arbitrary<string> => fc.oneof(fc.constant(''), fc.stringMatching(/^:[A-Za-z0-9_][A-Za-z0-9_.-]{0,10}$/))

const digests = (): Arbitrary<string> => fc.oneof(fc.constant(''), fc.stringMatching(/^@sha256:[a-f0-9]{64}$/))

/** Image references that distribution's grammar accepts. */
export function imageReferences (): Arbitrary<string> {
  return fc.tuple(hosts(), ports(), paths(), tags(), digests()).map(([host, port, path, tag, digest]) => {
    const hasPort = host !== '' && host !== 'a_b.io' && !/:\d+$/.test(host)
    return `${host}${hasPort ? port : ''}${host === '' ? '' : '/'}${path}${tag}${digest}`
  })
}

/** `matchImages` patterns: sensible ones, and all that people write by mistake. */
export function imagePatterns (): Arbitrary<string> {
  const host = fc.oneof(hosts(), fc.constantFrom(
    '*', '**', '*.*', '*.io', '*.azurecr.io', 'local*', 'l*t', 'localhost', 'example', 'my-registry', '[A-Z]', '[a-z]*', '.azurecr.io', 'registry..io',
    'registry.io.', 'a[.io', 'user@registry.example.com', 'user:pw@registry.example.com', 'registry.example.com?x', 'registry.example.com#x:y', '*:5000'
  ))
  const port = fc.oneof(ports(), fc.constantFrom(':', ':*', ':50*0', ':50?0', ':x', ':5000?x'))
  const path = fc.oneof(fc.constantFrom('', '', '/', '/team', '/Team', '/team/', '/team/*', '//', '/a?', '/%61', '/a%2Db', '/app:1', '/app@sha256', '/a b', '/library'), paths().map((path) => `/${path}`))
  const scheme = fc.oneof({ weight: 8, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom('https://', 'http://', 'oci://', 'docker.io://') })
  return fc.tuple(scheme, host, port, path).map((parts) => parts.join(''))
}

const SECRET_NAMES = ['a-pull', 'b-pull', 'c-pull', 'd-pull']

const secretNames = (): Arbitrary<string[]> => fc.uniqueArray(fc.constantFrom(...SECRET_NAMES), { maxLength: 3 })

const pullSecretLists = (): Arbitrary<unknown> => fc.oneof(
  fc.constant(null),
  fc.array(fc.oneof(fc.record({ name: fc.constantFrom(...SECRET_NAMES, 'own', '') }), fc.constantFrom({}, null, { name: null })), { maxLength: 4 })
)

const annotations = (): Arbitrary<unknown> => fc.oneof(
  fc.constantFrom(null, {}),
  fc.record({
    'pullkeeper.dev/injected': fc.oneof(fc.string(), fc.array(fc.constantFrom(...SECRET_NAMES, 'own', 'foreign', '')).map((names) => names.join(','))),
    'pullkeeper.dev/inject': fc.constantFrom('true', '', 'no'),
    'example.com/other': fc.string()
  }, { requiredKeys: [] })
)

const images = (): Arbitrary<unknown> => fc.oneof({ weight: 6, arbitrary: imageReferences() }, { weight: 1, arbitrary: fc.string() }, { weight: 1, arbitrary: fc.constantFrom(null, '') })

const containers = (): Arbitrary<unknown> => fc.array(fc.record({ name: fc.string({ maxLength: 5 }), image: images() }, { requiredKeys: [] }), { maxLength: 3 })

/** Pods as the API server sends them, and a little worse; neither mirror nor opted out. */
export function pods (): Arbitrary<UnknownObject> {
  const metadata = fc.record({ name: fc.string(), generateName: fc.string(), annotations: annotations(), labels: fc.constantFrom(null, {}, { app: 'web' }) }, { requiredKeys: [] })
  const volumes = fc.array(fc.oneof(fc.record({ name: fc.string(), image: fc.record({ reference: images() }) }), fc.constant({ name: 'v', emptyDir: {} })), { maxLength: 2 })
  const spec = fc.record({
    containers: containers(),
    initContainers: containers(),
    ephemeralContainers: containers(),
    volumes,
    imagePullSecrets: pullSecretLists(),
    nodeSelector: fc.constantFrom(null, { disk: 'ssd' })
  }, { requiredKeys: ['containers'] })
  return fc.record({ apiVersion: fc.constant('v1'), kind: fc.constant('Pod'), metadata, spec }).map((pod) => structuredClone(pod))
}

/** Rules with and without namespace selectors, for Secrets that several of them share. */
export function rules (): Arbitrary<RuleParts[]> {
  const patterns = fc.uniqueArray(fc.constantFrom('*.io', '*.*', '*.example.com', '*.azurecr.io', 'docker.io/library/', 'localhost', '*:5000', 'us.icr.io/team'), { minLength: 1, maxLength: 3 })
  const namespaces = fc.constantFrom({}, {}, ...['a', 'b', 'c'].map((team) => ({ selector: { matchLabels: { team } } })), { include: ['other'] })
  const images = fc.oneof(fc.record({ matchImages: patterns }), fc.record({ always: fc.constant(true) }))
  return fc.array(fc.tuple(images, namespaces, secretNames()), { minLength: 1, maxLength: 6 }).map((tuples) => {
    return tuples.map(([images, namespaces, pullSecrets], index) => ({ name: `rule-${index}`, ...images, namespaces, pullSecrets }))
  })
}
