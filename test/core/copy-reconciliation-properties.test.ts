import assert from 'node:assert/strict'
import fc, { type Arbitrary } from 'fast-check'
import t from 'tap'
import { reconcileCopy, type CopyAction, type CopySituation } from '../../src/core/copy-reconciliation.ts'
import type { ObservedCopy } from '../../src/core/managed-secret.ts'
import { createObserved, NOW_MS } from '../helpers/copies.ts'

const flag = fc.boolean()
const hash = fc.constantFrom('new', 'old')

const observedCopies = (): Arbitrary<ObservedCopy> => fc.record({
  hash, isOwned: flag, hasWrongType: flag, isImmutable: flag, isBeingDeleted: flag, foreignKeys: fc.array(fc.constant('config.json'), { maxLength: 1 })
}).map(createObserved)

const situations = (): Arbitrary<CopySituation> => fc.record({
  observed: fc.option(observedCopies(), { nil: undefined }),
  contentHash: fc.option(hash, { nil: undefined }),
  hasEqualAuths: fc.option(flag, { nil: undefined }),
  isWanted: flag,
  isSource: flag,
  isTerminating: flag,
  onConflict: fc.constantFrom('skip', 'adopt', 'overwrite'),
  unwantedSinceMs: fc.option(fc.integer({ min: NOW_MS - 1_000_000, max: NOW_MS }), { nil: undefined }),
  pruneAfterMs: fc.constantFrom(0, 1, 600_000),
  isRemovalHeld: flag
})

/** What the API server makes of an action: an apply takes over what is there and keeps foreign keys, a delete may have to wait for finalizers. */
const perform = ({ observed, contentHash, ...situation }: CopySituation, action: CopyAction, hasFinalizer: boolean): CopySituation => {
  if (action.type === 'apply') {
    assert.ok(contentHash !== undefined, 'nothing is written without content')
    assert.ok(observed === undefined || (!observed.isImmutable && !observed.hasWrongType), 'what can not be changed is not written')
    return { ...situation, contentHash, observed: createObserved({ ...observed, hash: contentHash, isOwned: true }) }
  }
  if (action.type !== 'delete') return { ...situation, observed, contentHash }
  return { ...situation, contentHash, observed: observed !== undefined && hasFinalizer ? { ...observed, isBeingDeleted: true } : undefined }
}

const MOST_WRITES = 2

t.test('the writes stop: after at most a removal and an apply a copy is as it should be', async () => {
  fc.assert(fc.property(situations(), flag, (first, hasFinalizer) => {
    let situation = first
    let writes = 0
    for (;;) {
      const { state, action } = reconcileCopy(situation, NOW_MS)
      if (action.type === 'none' || action.type === 'wait') {
        if (writes > 0 && !(situation.observed?.isBeingDeleted ?? false)) assert.ok(['present', 'none'].includes(state), `it ends ${state}`)
        return
      }
      assert.ok(++writes <= MOST_WRITES)
      situation = perform(situation, action, hasFinalizer)
      if (action.type === 'apply') assert.deepEqual(reconcileCopy(situation, NOW_MS), { state: 'present', action: { type: 'none' } })
    }
  }), { numRuns: 2000 })
})

const neverWrites = (name: string, force: (situation: CopySituation) => CopySituation): void => {
  t.test(name, async () => {
    fc.assert(fc.property(situations().map(force), (situation) => {
      const { action } = reconcileCopy(situation, NOW_MS)
      assert.ok(action.type === 'none' || action.type === 'wait', action.type)
    }), { numRuns: 1000 })
  })
}

const foreign = (situation: CopySituation): CopySituation => ({ ...situation, observed: createObserved({ ...situation.observed, isOwned: false }) })

neverWrites('under skip nothing that is not ours is written or removed', (situation) => ({ ...foreign(situation), onConflict: 'skip' }))
neverWrites('under adopt nothing is that holds other credentials', (situation) => ({ ...foreign(situation), onConflict: 'adopt', hasEqualAuths: false }))
neverWrites('where nothing is wanted, nothing is that is not ours', (situation) => ({ ...foreign(situation), isWanted: false }))
neverWrites('a source is never touched', (situation) => ({ ...situation, isSource: true }))
neverWrites('a namespace that ends is left alone', (situation) => ({ ...situation, isTerminating: true }))
neverWrites('what waits for a person stays', (situation) => ({ ...situation, isWanted: false, isRemovalHeld: true }))
neverWrites('without content nothing that is wanted is written or removed', ({ contentHash, ...situation }) => ({ ...situation, isWanted: true }))

t.test('nothing that was wanted a moment ago goes before pruneAfter has passed', async () => {
  fc.assert(fc.property(situations(), fc.nat({ max: 1_200_000 }), (situation, laterMs) => {
    const unwanted = { ...situation, isWanted: false, unwantedSinceMs: NOW_MS }
    const { action } = reconcileCopy(unwanted, NOW_MS + laterMs)
    if (action.type === 'delete') assert.ok(laterMs >= situation.pruneAfterMs)
    if (action.type === 'wait') assert.equal(action.untilMs, NOW_MS + situation.pruneAfterMs)
    assert.notEqual(action.type, 'apply', 'and nothing is written where it is not wanted')
  }), { numRuns: 1000 })
})

t.test('a wait ends in the removal that it is for', async () => {
  fc.assert(fc.property(situations(), (situation) => {
    const noted = { ...situation, unwantedSinceMs: situation.unwantedSinceMs ?? NOW_MS }
    const { action } = reconcileCopy(noted, NOW_MS)
    if (action.type === 'wait') assert.deepEqual(reconcileCopy(noted, action.untilMs).action, { type: 'delete', reason: 'unwanted' })
  }), { numRuns: 1000 })
})
