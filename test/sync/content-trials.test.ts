import t, { type Test } from 'tap'
import type { RegistryCredential } from '../../src/core/pull-secret-config.ts'
import type { VerificationReason } from '../../src/registries/verification-result.ts'
import { resolveContent, type ContentResolution } from '../../src/sync/content-resolution.ts'
import type { LastGood } from '../../src/sync/known-logins.ts'
import { createContentWorld, createRegistriesSecret, createRegistry, readPasswords, type ContentWorld } from './content-world.ts'

const FIRST = 'test-password-1'
const SECOND = 'test-password-2'
const THIRD = 'test-password-3'

interface Setup {
  world: ContentWorld
  /** Resolves, and keeps what comes of it as what was published last. */
  resolve: (parts?: Partial<RegistryCredential>) => Promise<ContentResolution>
}

/** The registry `a.io`, whose password was changed after the first was published, beside `b.io`. */
const start = async (first?: VerificationReason): Promise<Setup> => {
  const world = createContentWorld()
  world.secrets.set('platform/a', { password: FIRST }).set('platform/b', { password: FIRST })
  const trials = new Map<string, number>()
  let lastGood: LastGood | undefined
  const resolve = async (parts: Partial<RegistryCredential> = {}): Promise<ContentResolution> => {
    const resolution = await resolveContent(world.resolver, createRegistriesSecret(createRegistry('a', parts), createRegistry('b')), lastGood)
    lastGood = { data: resolution.data ?? '', verified: resolution.verified, accepted: resolution.accepted, trials }
    return resolution
  }
  if (first !== undefined) world.answers.set('a.io', first)
  await resolve()
  world.secrets.set('platform/a', { password: SECOND })
  return { world, resolve }
}

const reasonsOf = ({ problems }: ContentResolution): string[] => problems.map(({ reason }) => reason)
const passwordOf = ({ data }: ContentResolution): string | undefined => readPasswords(data)?.['a.io']

interface Passing {
  name: string
  fail: (world: ContentWorld, t: Test) => Partial<RegistryCredential>
}

const reasons: VerificationReason[] = ['timeout', 'unreachable', 'tls', 'proxy', 'redirect', 'unexpected-status', 'foreign-realm']
const passing: Passing[] = [
  ...reasons.map((reason): Passing => ({
    name: `a registry's "${reason}"`,
    fail ({ answers }) {
      answers.set('a.io', reason)
      return {}
    }
  })),
  { name: 'a CA bundle that is missing', fail: (_world, t) => ({ caFile: `${t.testdir()}/ca.crt` }) }
]

for (const { name, fail } of passing) {
  t.test(`${name} says nothing against a credential: where none is known to be good, it is published and tried again`, async (t) => {
    const { world, resolve } = await start('timeout')
    const resolution = await resolve(fail(world, t))
    t.strictSame(readPasswords(resolution.data), { 'a.io': SECOND, 'b.io': FIRST })
    t.equal(resolution.verified, 'unknown')
    t.strictSame(reasonsOf(resolution), ['CredentialUnverified'])
  })

  t.test(`${name} says nothing for a credential: it waits three trials where one is in use that was accepted, then it is published`, async (t) => {
    const { world, resolve } = await start()
    const parts = fail(world, t)
    for (let trial = 1; trial <= 3; trial++) {
      const resolution = await resolve(parts)
      t.strictSame(readPasswords(resolution.data), { 'a.io': FIRST, 'b.io': FIRST }, `trial ${trial}`)
      t.equal(resolution.verified, 'accepted', 'what is published was accepted')
      t.match(resolution.problems, [{ reason: 'CredentialUnverified', message: /^a\.io: .*tried 3 times before it replaces the one in use/, source: { namespace: 'platform', name: 'a' } }])
    }
    const resolution = await resolve(parts)
    t.strictSame(readPasswords(resolution.data), { 'a.io': SECOND, 'b.io': FIRST })
    t.equal(resolution.verified, 'unknown')
    t.match(resolution.problems, [{ reason: 'CredentialUnverified', message: /^a\.io: the credential can not be tried/ }])
  })
}

const lasting: VerificationReason[] = ['anonymous', 'no-challenge', 'glob']

for (const reason of lasting) {
  t.test(`a registry's "${reason}" will not pass: the credential is published, and is no problem`, async (t) => {
    const { world, resolve } = await start()
    world.answers.set('a.io', reason)
    const resolution = await resolve()
    t.equal(passwordOf(resolution), SECOND)
    t.equal(resolution.verified, 'unknown')
    t.strictSame(reasonsOf(resolution), [])
  })
}

t.test('a credential that waits is published as soon as it is accepted', async (t) => {
  const { world, resolve } = await start()
  world.answers.set('a.io', 'timeout')
  t.equal(passwordOf(await resolve()), FIRST)
  world.answers.clear()
  const resolution = await resolve()
  t.equal(passwordOf(resolution), SECOND)
  t.match(resolution, { verified: 'accepted', problems: [] })
})

t.test('a credential that waits and is then rejected never replaces the good one', async (t) => {
  const { world, resolve } = await start()
  world.answers.set('a.io', 'timeout')
  await resolve()
  world.answers.set('a.io', 'rejected')
  for (let trial = 0; trial < 5; trial++) {
    const resolution = await resolve()
    t.equal(passwordOf(resolution), FIRST)
    t.equal(resolution.verified, 'accepted')
    t.strictSame(reasonsOf(resolution), ['CredentialRejected'])
  }
})

t.test('each new credential has three trials of its own', async (t) => {
  const { world, resolve } = await start()
  world.answers.set('a.io', 'timeout')
  for (let trial = 1; trial <= 3; trial++) await resolve()
  world.secrets.set('platform/a', { password: THIRD })
  for (let trial = 1; trial <= 3; trial++) t.equal(passwordOf(await resolve()), FIRST)
  t.equal(passwordOf(await resolve()), THIRD)
})

t.test('a credential that waits does not keep back its neighbour\'s', async (t) => {
  const { world, resolve } = await start()
  world.answers.set('a.io', 'timeout')
  world.secrets.set('platform/b', { password: SECOND })
  t.strictSame(readPasswords((await resolve()).data), { 'a.io': FIRST, 'b.io': SECOND })
})

t.test('a CA bundle that is missing is named', async (t) => {
  const { resolve } = await start('timeout')
  const caFile = `${t.testdir()}/ca.crt`
  t.match((await resolve({ caFile })).problems, [{ message: `a.io: the credential can not be tried: it can not be tried with caFile ${caFile} (ENOENT)` }])
})
