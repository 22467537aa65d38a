import assert from 'node:assert/strict'
import fc, { type Arbitrary } from 'fast-check'
import { applyPatch, type Operation } from 'rfc6902'
import t from 'tap'
import type { ServiceAccount } from '../../src/core/kube-object.ts'
import { createServiceAccountPatch, readAdded, type PatchOperation } from '../../src/core/service-account-patch.ts'

interface AccountParts {
  secrets?: { name?: string }[]
  added?: string
  annotations?: Record<string, string>
}

const createAccount = ({ secrets, added, annotations }: AccountParts = {}): ServiceAccount => {
  const notes = added === undefined ? annotations : { ...annotations, 'pullkeeper.dev/added': added }
  return {
    metadata: { name: 'default', namespace: 'team-a', uid: 'uid-1', resourceVersion: '7', ...(notes !== undefined && { annotations: notes }) },
    ...(secrets !== undefined && { imagePullSecrets: secrets })
  }
}

const refs = (...names: string[]): { name: string }[] => names.map((name) => ({ name }))

const demand = (wanted: string[], unwanted: string[] = []): { wanted: Set<string>, unwanted: Set<string> } => ({ wanted: new Set(wanted), unwanted: new Set(unwanted) })

/** The account as the API server makes it of a patch. */
const patched = (account: ServiceAccount, patch: PatchOperation[]): ServiceAccount => {
  const copy = structuredClone(account)
  const failures = applyPatch(copy, patch as Operation[]).filter((failure) => failure !== null)
  assert.deepEqual(failures, [])
  return copy
}

const cases: [string, AccountParts, [string[], string[]?], { listed: unknown, added: string[] } | undefined][] = [
  ['a wanted one is appended to an account without any', {}, [['a']], { listed: refs('a'), added: ['a'] }],
  ['a wanted one is appended after those of others', { secrets: refs('own') }, [['a']], { listed: refs('own', 'a'), added: ['a'] }],
  ['one that stands there already is not ours', { secrets: refs('a') }, [['a']], undefined],
  ['one that we appended stays', { secrets: refs('a'), added: 'a' }, [['a']], undefined],
  ['one that somebody took out comes back', { secrets: [], added: 'a' }, [['a']], { listed: refs('a'), added: ['a'] }],
  ['several are appended in their order', { secrets: refs('b') }, [['c', 'b', 'a']], { listed: refs('b', 'c', 'a'), added: ['c', 'a'] }],
  ['one that we appended goes when it is unwanted', { secrets: refs('own', 'a'), added: 'a' }, [[], ['a']], { listed: refs('own'), added: [] }],
  ['one that others listed stays when it is unwanted', { secrets: refs('own', 'a'), added: 'b' }, [[], ['a', 'own']], undefined],
  ['one that we appended waits as long as nobody says that it is unwanted', { secrets: refs('a'), added: 'a' }, [[]], undefined],
  ['one goes, another comes', { secrets: refs('a', 'own'), added: 'a' }, [['b'], ['a']], { listed: refs('own', 'b'), added: ['b'] }],
  ['one that is gone already is forgotten', { secrets: refs('own'), added: 'a,b' }, [['b'], ['a']], { listed: refs('own', 'b'), added: ['b'] }],
  ['what is wanted and unwanted is wanted', { secrets: refs('a'), added: 'a' }, [['a'], ['a']], undefined],
  ['an entry without a name is left alone', { secrets: [{}, { name: 'a' }], added: 'a' }, [[], ['a']], { listed: [{}], added: [] }],
  ['other annotations stay', { annotations: { 'example.com/x': 'y' } }, [['a']], { listed: refs('a'), added: ['a'] }],
  ['an account that wants nothing is left alone', { secrets: refs('own') }, [[]], undefined]
]

for (const [name, parts, [wanted, unwanted], expected] of cases) {
  t.test(name, async (t) => {
    const account = createAccount(parts)
    const patch = createServiceAccountPatch(account, demand(wanted, unwanted))
    if (expected === undefined) {
      t.equal(patch, undefined)
      return
    }
    t.strictSame(patch?.[0], { op: 'test', path: '/metadata/resourceVersion', value: '7' }, 'it holds for the version that was seen')
    const after = patched(account, patch ?? [])
    t.strictSame(after.imagePullSecrets, expected.listed)
    t.strictSame(readAdded(after), expected.added)
    t.equal(after.metadata.annotations?.['example.com/x'], parts.annotations?.['example.com/x'])
  })
}

t.test('when nothing of ours is left, neither is the annotation', async (t) => {
  const account = createAccount({ secrets: refs('a'), added: 'a', annotations: { 'example.com/x': 'y' } })
  const after = patched(account, createServiceAccountPatch(account, demand([], ['a'])) ?? [])
  t.strictSame(after.metadata.annotations, { 'example.com/x': 'y' })
})

t.test('what people write into the annotation is read with goodwill', async (t) => {
  t.strictSame(readAdded(createAccount({ added: ' a, b,,c ' })), ['a', 'b', 'c'])
  t.strictSame(readAdded(createAccount()), [])
})

const NAMES = ['a', 'b', 'c', 'd', 'own']
const subset = (): Arbitrary<string[]> => fc.subarray(NAMES)

const accounts = (): Arbitrary<ServiceAccount> => fc.record({
  secrets: fc.uniqueArray(fc.oneof(fc.constantFrom(...NAMES).map((name) => ({ name })), fc.constant({})), { selector: (secret) => JSON.stringify(secret) }),
  added: fc.array(fc.constantFrom(...NAMES)).map((names) => names.join()),
  annotations: fc.constantFrom({}, { 'example.com/x': 'y' })
}, { requiredKeys: [] }).map(createAccount)

const namesOf = ({ imagePullSecrets = [] }: ServiceAccount): (string | undefined)[] => imagePullSecrets.map(({ name }) => name)

t.test('nothing is lost, nothing is listed twice, and only what we appended goes', async () => {
  fc.assert(fc.property(accounts(), subset(), subset(), (account, wanted, unwanted) => {
    const patch = createServiceAccountPatch(account, demand(wanted, unwanted))
    const after = patch === undefined ? account : patched(account, patch)
    const before = namesOf(account)
    const listed = namesOf(after)
    assert.equal(new Set(listed).size, listed.length)
    for (const name of wanted) assert.ok(listed.includes(name))
    const gone = before.filter((name) => !listed.includes(name))
    for (const name of gone) assert.ok(name !== undefined && readAdded(account).includes(name) && unwanted.includes(name))
    assert.deepEqual(listed.slice(0, before.length - gone.length), before.filter((name) => !gone.includes(name)), 'the order of what was there stays')
    assert.deepEqual(listed.filter((name) => !before.includes(name)).filter((name) => !readAdded(after).includes(name ?? '')), [], 'what came is noted')
    for (const name of readAdded(after)) assert.ok(readAdded(account).includes(name) || !before.includes(name), 'what others listed never becomes ours')
    assert.equal(after.metadata.annotations?.['example.com/x'], account.metadata.annotations?.['example.com/x'])
  }), { numRuns: 2000 })
})

t.test('a second run has nothing to do', async () => {
  fc.assert(fc.property(accounts(), subset(), subset(), (account, wanted, unwanted) => {
    const patch = createServiceAccountPatch(account, demand(wanted, unwanted))
    const after = patch === undefined ? account : patched(account, patch)
    assert.equal(createServiceAccountPatch(after, demand(wanted, unwanted)), undefined)
  }), { numRuns: 2000 })
})
