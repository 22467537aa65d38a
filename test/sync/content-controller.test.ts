import t from 'tap'
import type { Secret } from '../../src/core/kube-object.ts'
import type { PullSecret } from '../../src/core/pull-secret-config.ts'
import type { VerificationResult } from '../../src/registries/verification-result.ts'
import { createContentController, type ContentController, type ContentState } from '../../src/sync/content-controller.ts'
import { createContent, createCopy, createSecret, encodeDockerConfig } from '../helpers/copies.ts'
import { createContentWorld, createCopiedSecret, createRegistriesSecret, createRegistry, readPasswords, type ContentWorld } from './content-world.ts'

const NAME = 'example-pull'
const FIRST = 'test-password-1'
const SECOND = 'test-password-2'
const MINUTE_MS = 60_000

interface Setup {
  world: ContentWorld
  controller: ContentController
  /** What was told of new contents. */
  told: ContentState[]
  configure: (pullSecret: PullSecret | undefined) => void
  /** The password that is published now. */
  password: () => string | undefined
}

const start = (pullSecret = createRegistriesSecret(createRegistry('a')), canonical?: Secret): Setup => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST })
  const told: ContentState[] = []
  let configured: PullSecret | undefined = pullSecret
  const controller = createContentController({
    ...world.resolver,
    pullSecret: () => configured,
    canonical: () => canonical,
    onContent: (_name, state) => { told.push(state) },
    onResolved: () => {}
  })
  return {
    world,
    controller,
    told,
    configure (changed) { configured = changed },
    password: () => readPasswords(controller.state(NAME)?.content?.data)?.['a.io']
  }
}

t.test('before its first resolution nothing is known of a pull secret', async (t) => {
  const { controller, world, told } = start()
  t.equal(controller.state(NAME), undefined)
  world.secrets.clear()
  await controller.resolve(NAME)
  t.match(controller.state(NAME), { content: undefined, problems: [{ reason: 'SourceMissing' }] })
  t.equal(told.length, 1, 'then it is known that there is nothing')
})

t.test('a content is what is published, with its source and what the registries said', async (t) => {
  const { controller } = start()
  await controller.resolve(NAME)
  const data = encodeDockerConfig(FIRST, 'a.io')
  t.strictSame(controller.state(NAME), { content: createContent({ data, source: 'basic from Secret platform/a', verified: 'accepted' }), problems: [] })
})

t.test('only another content is told', async (t) => {
  const { controller, world, told } = start()
  await controller.resolve(NAME)
  await controller.resolve(NAME)
  t.equal(told.length, 1)
  world.secrets.set('platform/a', { password: SECOND })
  await controller.resolve(NAME)
  t.equal(told.length, 2)
  world.secrets.clear()
  await controller.resolve(NAME)
  t.equal(told.length, 2, 'a failure leaves the content as it was')
  t.match(controller.state(NAME), { problems: [{ reason: 'SourceMissing' }] })
})

t.test('a rejected credential leaves the old one, and a good one replaces it', async (t) => {
  const { controller, world, password } = start()
  await controller.resolve(NAME)
  world.secrets.set('platform/a', { password: SECOND })
  world.answers.set('a.io', 'rejected')
  await controller.resolve(NAME)
  t.equal(password(), FIRST)
  world.answers.clear()
  t.equal(await controller.resolve(NAME), undefined)
  t.equal(password(), SECOND)
})

t.test('a refused or untried credential is tried again, ever more seldom, up to an hour', async (t) => {
  const { controller, world } = start()
  world.answers.set('a.io', 'timeout')
  const delays: (number | undefined)[] = []
  for (let attempt = 0; attempt < 8; attempt++) delays.push(await controller.resolve(NAME))
  t.strictSame(delays, [1, 2, 4, 8, 16, 32, 60, 60].map((minutes) => minutes * MINUTE_MS))
  world.answers.set('a.io', 'rejected')
  t.equal(await controller.resolve(NAME), 60 * MINUTE_MS)
  world.answers.clear()
  t.equal(await controller.resolve(NAME), undefined)
  world.secrets.set('platform/a', { password: SECOND })
  world.answers.set('a.io', 'rejected')
  t.equal(await controller.resolve(NAME), MINUTE_MS, 'the next trouble begins anew')
})

t.test('a new credential that can not be tried is held back while the next three trials wait, then it is published', async (t) => {
  const { controller, world, password, told } = start()
  await controller.resolve(NAME)
  world.secrets.set('platform/a', { password: SECOND })
  world.answers.set('a.io', 'timeout')
  for (const minutes of [1, 2, 4]) {
    t.equal(await controller.resolve(NAME), minutes * MINUTE_MS)
    t.equal(password(), FIRST)
    t.match(controller.state(NAME), { content: { verified: 'accepted' }, problems: [{ reason: 'CredentialUnverified' }] })
  }
  t.equal(told.length, 1, 'no copy is written meanwhile')
  await controller.resolve(NAME)
  t.equal(password(), SECOND)
  t.match(controller.state(NAME), { content: { verified: 'unknown' }, problems: [{ reason: 'CredentialUnverified' }] })
  world.answers.clear()
  t.equal(await controller.resolve(NAME), undefined)
  t.match(controller.state(NAME), { content: { verified: 'accepted' }, problems: [] })
})

t.test('after a restart, too, the canonical copy\'s word holds a new credential back that can not be tried', async (t) => {
  const canonical = createCopy('pullkeeper-system', '1', { content: createContent({ data: encodeDockerConfig(FIRST, 'a.io'), verified: 'accepted' }) })
  const { controller, world, password } = start(undefined, canonical)
  world.secrets.set('platform/a', { password: SECOND })
  world.answers.set('a.io', 'unreachable')
  t.equal(await controller.resolve(NAME), MINUTE_MS)
  t.equal(password(), FIRST)
})

t.test('what only a change of the source can mend is not tried again by itself', async (t) => {
  const { controller, world } = start()
  world.secrets.clear()
  t.equal(await controller.resolve(NAME), undefined)
})

const OWN = 'pullkeeper-system'
const published = createContent({ data: encodeDockerConfig(FIRST, 'a.io'), source: 'basic from Secret platform/a', verified: 'accepted', expiresAt: '2026-02-01T00:00:00.000Z' })
const malformed = Buffer.from('{"auths":{"a.io":{"auth":"!"}}}').toString('base64')

const canonicals: [string, Secret | undefined, boolean][] = [
  ['of ours is the last good content', createCopy(OWN, '1', { content: published }), true],
  ['that is missing tells nothing', undefined, false],
  ['that is not ours is not trusted', createSecret({ metadata: { namespace: OWN }, data: { '.dockerconfigjson': published.data } }), false],
  ['of another type is not trusted', { ...createCopy(OWN, '1', { content: published }), type: 'Opaque' }, false],
  ['that the kubelet could not read is not trusted', createCopy(OWN, '1', { content: createContent({ data: malformed }) }), false],
  ['without a credential is not trusted', createCopy(OWN, '1', { content: createContent({ data: Buffer.from('{"auths":{}}').toString('base64') }) }), false],
  ['without content is not trusted', { ...createCopy(OWN, '1'), data: {} }, false]
]

for (const [name, canonical, isTrusted] of canonicals) {
  t.test(`after a restart without a source, a canonical copy ${name}`, async (t) => {
    const { controller, world } = start(undefined, canonical)
    world.secrets.clear()
    await controller.resolve(NAME)
    t.strictSame(controller.state(NAME)?.content, isTrusted ? published : undefined)
  })
}

t.test('after a restart with everything in place nothing is tried, and the content is the same', async (t) => {
  const content = createContent({ data: encodeDockerConfig(FIRST, 'a.io'), source: 'basic from Secret platform/a', verified: 'accepted' })
  const { controller, world } = start(undefined, createCopy(OWN, '1', { content }))
  await controller.resolve(NAME)
  t.strictSame(controller.state(NAME), { content, problems: [] })
  t.strictSame(world.tried, [])
})

t.test('what a leader published itself counts more than the canonical copy, which may be behind', async (t) => {
  const { controller, world, password } = start(undefined, createCopy(OWN, '1', { content: createContent({ data: encodeDockerConfig('test-password-0', 'a.io') }) }))
  await controller.resolve(NAME)
  world.secrets.clear()
  await controller.resolve(NAME)
  t.equal(password(), FIRST)
})

t.test('a copy has the source and the content of what is copied', async (t) => {
  const { controller, world } = start(createCopiedSecret())
  world.secrets.set('platform/registry', { '.dockerconfigjson': Buffer.from(encodeDockerConfig(), 'base64') })
  await controller.resolve(NAME)
  t.strictSame(controller.state(NAME)?.content, createContent())
})

t.test('what is resolved for a configuration that has passed is dropped', async (t) => {
  const { world, configure, controller, told } = start()
  const { promise, resolve: answer } = Promise.withResolvers<VerificationResult>()
  world.verify = async () => promise
  const resolving = controller.resolve(NAME)
  configure(undefined)
  controller.forget(NAME)
  answer({ verdict: 'accepted', reason: 'accepted', message: '' })
  t.equal(await resolving, undefined)
  t.equal(controller.state(NAME), undefined)
  t.strictSame(told, [])
})

t.test('what is forgotten is resolved from the beginning', async (t) => {
  const { controller, world } = start()
  await controller.resolve(NAME)
  controller.forget(NAME)
  t.equal(controller.state(NAME), undefined)
  await controller.resolve(NAME)
  t.equal(world.tried.length, 2)
})
