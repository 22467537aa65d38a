import t from 'tap'
import { SourceError } from '../../src/core/credential-source.ts'
import type { EventNote } from '../../src/kubernetes/event-note.ts'
import { createSyncEvents } from '../../src/sync/sync-events.ts'
import { createObserved } from '../helpers/copies.ts'
import { CONFIG_HASH, OWN_NAMESPACE } from '../helpers/policies.ts'

const NAME = 'example-pull'

/** Events whose recorder takes notes, or not, as `isTaking` says when it is asked. */
const start = (isTaking = () => true) => {
  const notes: EventNote[] = []
  return { notes, events: createSyncEvents({ record: (note) => isTaking() && notes.push(note) > 0 }, OWN_NAMESPACE) }
}

const conflicting = { state: 'conflicting', action: { type: 'none' } } as const
const present = { state: 'present', action: { type: 'none' } } as const

t.test('a conflict is told on the Secret that stands there, once while it stands', async (t) => {
  const { notes, events } = start()
  const foreign = createObserved({ isOwned: false, foreignKeys: ['theirs'] })
  events.reportCopy('team-a', NAME, foreign, conflicting)
  events.reportCopy('team-a', NAME, { ...foreign, resourceVersion: '2' }, conflicting)
  t.match(notes, [{ type: 'Warning', reason: 'PullSecretConflict', object: { kind: 'Secret', namespace: 'team-a', name: NAME, uid: 'uid-1' } }])
  t.equal(notes.length, 1)
  events.reportCopy('team-b', NAME, foreign, conflicting)
  events.reportCopy('team-a', NAME, { ...foreign, uid: 'uid-2' }, conflicting)
  t.equal(notes.length, 3, 'another one is news')
})

t.test('foreign keys in a copy are told once', async (t) => {
  const { notes, events } = start()
  const extended = createObserved({ foreignKeys: ['config.json'] })
  for (let times = 0; times < 3; times++) events.reportCopy('team-a', NAME, extended, present)
  t.match(notes, [{ reason: 'ForeignKeys', message: /^this pull secret holds a key that/ }])
  t.equal(notes.length, 1)
  events.reportCopy('team-a', NAME, createObserved({ foreignKeys: ['a', 'b'] }), present)
  t.match(notes[1], { message: /holds keys that/ })
})

t.test('a copy that is as it should be is not worth an Event', async (t) => {
  const { notes, events } = start()
  events.reportCopy('team-a', NAME, createObserved(), present)
  t.strictSame(notes, [])
})

t.test('a source failure stands on the source, if it is a Secret, and else on the canonical copy', async (t) => {
  const { notes, events } = start()
  events.reportSource(NAME, new SourceError('SourceMissing', 'there is no Secret', { namespace: 'platform', name: 'registry' }))
  events.reportSource(NAME, new SourceError('SourceMissing', '/etc/password: no such file'))
  t.match(notes, [
    { reason: 'SourceMissing', message: `pull secret ${NAME}: there is no Secret`, object: { namespace: 'platform', name: 'registry' } },
    { reason: 'SourceMissing', object: { namespace: OWN_NAMESPACE, name: NAME } }
  ])
})

t.test('a refused write is told on the copy, also where there is none', async (t) => {
  const { notes, events } = start()
  events.reportWriteFailure('team-a', NAME, 'Forbidden (HTTP 403)')
  t.match(notes, [{ reason: 'WriteFailed', message: /Forbidden \(HTTP 403\)/, object: { namespace: 'team-a', name: NAME } }])
  t.equal(notes[0]?.object.uid, undefined)
})

t.test('a removal that waits is told with the command that allows it', async (t) => {
  const { notes, events } = start()
  events.reportHeldRemoval(NAME, { copies: 20, unwanted: 15 }, CONFIG_HASH)
  t.match(notes, [{ reason: 'RemovalHeld', object: { namespace: OWN_NAMESPACE, name: NAME } }])
  t.match(notes[0]?.message, /would remove 15 of 20 copies/)
  t.match(notes[0]?.message, `kubectl annotate secret -n ${OWN_NAMESPACE} ${NAME} pullkeeper.dev/allow-removal=${CONFIG_HASH.slice(0, 12)} --overwrite`)
})

const unsaid = [
  ['a conflict', createObserved({ isOwned: false }), conflicting],
  ['foreign keys', createObserved({ foreignKeys: ['config.json'] }), present]
] as const

for (const [what, observed, verdict] of unsaid) {
  t.test(`what could not be told of ${what} is told at the next occasion, once`, async (t) => {
    let isTaking = false
    const { notes, events } = start(() => isTaking)
    t.notOk(events.reportCopy('team-a', NAME, observed, verdict))
    t.strictSame(notes, [])
    isTaking = true
    t.ok(events.reportCopy('team-a', NAME, observed, verdict))
    t.equal(notes.length, 1)
    isTaking = false
    t.ok(events.reportCopy('team-a', NAME, observed, verdict), 'what was said needs no occasion')
    t.equal(notes.length, 1)
  })
}
