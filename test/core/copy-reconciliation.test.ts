import t from 'tap'
import { reconcileCopy, type CopyAction, type CopySituation, type CopyState } from '../../src/core/copy-reconciliation.ts'
import { createObserved, createSituation, NOW_MS, PRUNE_AFTER_MS } from '../helpers/copies.ts'

type Expected = [state: CopyState, action: CopyAction]

const none: CopyAction = { type: 'none' }
const foreign = createObserved({ isOwned: false })
const old = createObserved({ hash: 'old' })
const unwanted = { isWanted: false, observed: createObserved(), unwantedSinceMs: NOW_MS }

const tables: Record<string, [name: string, situation: Partial<CopySituation>, expected: Expected][]> = {
  'a wanted copy that is ours': [
    ['is written where there is none', { observed: undefined }, ['missing', { type: 'apply', reason: 'missing' }]],
    ['is left alone as it should be', { observed: createObserved() }, ['present', none]],
    ['is updated in place when its content is another', { observed: old }, ['stale', { type: 'apply', reason: 'outdated' }]],
    ['is left alone with a foreign key beside ours', { observed: createObserved({ foreignKeys: ['config.json'] }) }, ['present', none]],
    ['goes to be made anew when it is immutable', { observed: createObserved({ isImmutable: true }) }, ['stale', { type: 'delete', reason: 'recreated' }]],
    ['goes to be made anew when it is of another type', { observed: createObserved({ hasWrongType: true, hash: 'old' }) }, ['stale', { type: 'delete', reason: 'recreated' }]],
    ['is not deleted twice', { observed: createObserved({ isImmutable: true, isBeingDeleted: true }) }, ['stale', none]],
    ['is heeded also while somebody deletes it', { observed: createObserved({ hash: 'old', isBeingDeleted: true }) }, ['stale', { type: 'apply', reason: 'outdated' }]],
    ['has no past: how long it was not wanted means nothing', { observed: createObserved(), unwantedSinceMs: 0 }, ['present', none]]
  ],
  'a wanted copy without a known content': [
    ['is not written', { contentHash: undefined, observed: undefined }, ['missing', none]],
    ['keeps what it holds', { contentHash: undefined, observed: old }, ['stale', none]],
    ['is not even taken away to be made anew', { contentHash: undefined, observed: createObserved({ isImmutable: true }) }, ['stale', none]],
    ['takes nothing over', { contentHash: undefined, observed: foreign, onConflict: 'overwrite' }, ['conflicting', none]]
  ],
  'a Secret of that name that is not ours': [
    ['is skipped', { observed: foreign, onConflict: 'skip' }, ['conflicting', none]],
    ['is skipped even if it holds our content', { observed: foreign, onConflict: 'skip', hasEqualAuths: true }, ['conflicting', none]],
    ['is adopted if its credentials are ours', { observed: foreign, onConflict: 'adopt', hasEqualAuths: true }, ['conflicting', { type: 'apply', reason: 'adopted' }]],
    ['is not adopted with other credentials', { observed: foreign, onConflict: 'adopt', hasEqualAuths: false }, ['conflicting', none]],
    ['is not adopted when nobody compared', { observed: foreign, onConflict: 'adopt' }, ['conflicting', none]],
    ['is not adopted in another type', { observed: createObserved({ isOwned: false, hasWrongType: true }), onConflict: 'adopt', hasEqualAuths: true }, ['conflicting', none]],
    ['is not adopted immutable', { observed: createObserved({ isOwned: false, isImmutable: true }), onConflict: 'adopt', hasEqualAuths: true }, ['conflicting', none]],
    ['is overwritten', { observed: foreign, onConflict: 'overwrite' }, ['conflicting', { type: 'apply', reason: 'overwritten' }]],
    ['gives way when it is immutable and to be overwritten', { observed: createObserved({ isOwned: false, isImmutable: true }), onConflict: 'overwrite' }, ['conflicting', { type: 'delete', reason: 'recreated' }]],
    ['gives way when it has another type and is to be overwritten', { observed: createObserved({ isOwned: false, hasWrongType: true }), onConflict: 'overwrite' }, ['conflicting', { type: 'delete', reason: 'recreated' }]],
    ['is never removed where nothing is wanted', { observed: foreign, isWanted: false, onConflict: 'overwrite', unwantedSinceMs: 0 }, ['none', none]]
  ],
  'a source under a managed name': [
    ['is the pull secret of its namespace', { isSource: true, observed: foreign }, ['present', none]],
    ['is not overwritten', { isSource: true, observed: foreign, onConflict: 'overwrite' }, ['present', none]],
    ['is not adopted', { isSource: true, observed: foreign, onConflict: 'adopt', hasEqualAuths: true }, ['present', none]],
    ['is not updated though it carries our label', { isSource: true, observed: old }, ['present', none]],
    ['is not made anew', { isSource: true, observed: createObserved({ isImmutable: true, hasWrongType: true }) }, ['present', none]],
    ['is not created in its owner\'s stead', { isSource: true, observed: undefined }, ['missing', none]],
    ['is not removed though it carries our label', { isSource: true, ...unwanted, unwantedSinceMs: 0 }, ['none', none]]
  ],
  'an unwanted copy': [
    ['waits for pruneAfter from the moment it is not wanted', unwanted, ['unwanted', { type: 'wait', untilMs: NOW_MS + PRUNE_AFTER_MS }]],
    ['waits for what is left of it', { ...unwanted, unwantedSinceMs: NOW_MS - PRUNE_AFTER_MS + 1 }, ['unwanted', { type: 'wait', untilMs: NOW_MS + 1 }]],
    ['goes when pruneAfter is over', { ...unwanted, unwantedSinceMs: NOW_MS - PRUNE_AFTER_MS }, ['unwanted', { type: 'delete', reason: 'unwanted' }]],
    ['counts from now when nobody knows since when', { ...unwanted, unwantedSinceMs: undefined }, ['unwanted', { type: 'wait', untilMs: NOW_MS + PRUNE_AFTER_MS }]],
    ['goes at once without a delay', { ...unwanted, pruneAfterMs: 0 }, ['unwanted', { type: 'delete', reason: 'unwanted' }]],
    ['stays when it is wanted again', { ...unwanted, isWanted: true, unwantedSinceMs: 0 }, ['present', none]],
    ['waits for a person when it is one of too many', { ...unwanted, unwantedSinceMs: 0, isRemovalHeld: true }, ['held', none]],
    ['goes whatever it holds', { ...unwanted, observed: old, contentHash: undefined, unwantedSinceMs: 0 }, ['unwanted', { type: 'delete', reason: 'unwanted' }]],
    ['is not deleted twice', { ...unwanted, observed: createObserved({ isBeingDeleted: true }), unwantedSinceMs: 0 }, ['none', none]],
    ['is nothing where there is none', { ...unwanted, observed: undefined, unwantedSinceMs: 0 }, ['none', none]]
  ],
  'in a namespace that ends': [
    ['nothing is created', { isTerminating: true, observed: undefined }, ['none', none]],
    ['nothing is updated', { isTerminating: true, observed: old }, ['none', none]],
    ['nothing is removed', { isTerminating: true, ...unwanted, unwantedSinceMs: 0 }, ['none', none]],
    ['nothing conflicts', { isTerminating: true, observed: foreign, onConflict: 'overwrite' }, ['none', none]]
  ]
}

for (const [subject, cases] of Object.entries(tables)) {
  t.test(subject, async (t) => {
    for (const [name, situation, [state, action]] of cases) {
      t.strictSame(reconcileCopy(createSituation(situation), NOW_MS), { state, action }, name)
    }
  })
}
