import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { EventNote, EventObject } from '../../src/kubernetes/event-note.ts'
import { createEventRecorder, type EventOutcome, type EventRecorder } from '../../src/kubernetes/event-recorder.ts'
import type { KubeClient, KubeRequest } from '../../src/kubernetes/kube-client.ts'
import { KubeError, type KubeErrorDetails } from '../../src/kubernetes/kube-error.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'

const COPY: EventObject = { apiVersion: 'v1', kind: 'Secret', namespace: 'team-a', name: 'acr-pull' }
const NOTE: EventNote = { type: 'Warning', reason: 'SourceMissing', message: 'the source is missing', object: COPY }
const MINUTE_MS = 60_000

interface StoredEvent {
  metadata: { name: string, namespace: string }
  message: string
  count: number
  lastTimestamp: string
}

interface Fixture {
  recorder: EventRecorder
  clock: FakeClock
  /** Events by path. */
  events: Map<string, StoredEvent>
  writes: string[]
  outcomes: EventOutcome[]
  lines: object[]
  state: { mayWrite: boolean, failure: KubeErrorDetails | undefined }
  list: () => StoredEvent[]
}

function createFixture (): Fixture {
  const clock = createFakeClock()
  const events = new Map<string, StoredEvent>()
  const writes: string[] = []
  const outcomes: EventOutcome[] = []
  const lines: object[] = []
  const state: Fixture['state'] = { mayWrite: true, failure: undefined }
  const answer = ({ method, path, body }: KubeRequest): unknown => {
    writes.push(method)
    if (state.failure !== undefined) throw new KubeError(state.failure)
    if (method === 'PATCH') {
      const event = events.get(path)
      if (event === undefined) throw new KubeError({ status: 404, reason: 'NotFound', message: 'not found' })
      return Object.assign(event, body)
    }
    const event = body as StoredEvent
    const key = `${path}/${event.metadata.name}`
    if (events.has(key)) throw new KubeError({ status: 409, reason: 'AlreadyExists', message: 'already exists' })
    events.set(key, event)
    return event
  }
  const client: KubeClient = { request: async <T>(request: KubeRequest) => answer(request) as T, watch: () => { throw new Error('not here') }, close: async () => {} }
  const line = (fields: object): void => { lines.push(fields) }
  const recorder = createEventRecorder({
    client, clock, instance: 'pullkeeper-sync-0', mayWrite: () => state.mayWrite, onOutcome: (outcome) => { outcomes.push(outcome) }, log: { info: line, warn: line, error: line }
  })
  return { recorder, clock, events, writes, outcomes, lines, state, list: () => [...events.values()] }
}

/** Records the same note so often, so far apart. */
async function repeat ({ recorder, clock }: Fixture, times: number, everyMs: number, note = NOTE): Promise<void> {
  for (let index = 0; index < times; index++) {
    recorder.record(note)
    await clock.advance(everyMs)
  }
}

void t.test('an Event says what, of which object, when and who', async (t) => {
  const { recorder, list } = createFixture()
  recorder.record({ ...NOTE, object: { ...COPY, uid: 'u-1' } })
  await recorder.flush()
  t.strictSame(list(), [{
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `acr-pull.${(BigInt(Date.UTC(2026, 0, 31, 12)) * 1_000_000n).toString(16)}`, namespace: 'team-a' },
    involvedObject: { ...COPY, uid: 'u-1' },
    type: 'Warning',
    reason: 'SourceMissing',
    source: { component: 'pullkeeper-sync' },
    reportingComponent: 'pullkeeper-sync',
    reportingInstance: 'pullkeeper-sync-0',
    firstTimestamp: '2026-01-31T12:00:00Z',
    message: 'the source is missing',
    count: 1,
    lastTimestamp: '2026-01-31T12:00:00Z'
  }])
})

void t.test('an object that stands in no namespace has its Event in default', async (t) => {
  const { recorder, events } = createFixture()
  recorder.record({ ...NOTE, object: { apiVersion: 'v1', kind: 'Namespace', name: 'team-a' } })
  await recorder.flush()
  t.match([...events.keys()], [/^\/api\/v1\/namespaces\/default\/events\/team-a\./])
})

void t.test('what happens again raises the count', async (t) => {
  const rows: [string, { times: number, everyMs: number, counts: number[], writes: string[] }][] = [
    ['each minute: each time', { times: 3, everyMs: MINUTE_MS, counts: [3], writes: ['POST', 'PATCH', 'PATCH'] }],
    ['each second: once a minute, with all that were since', { times: 121, everyMs: 1_000, counts: [121], writes: ['POST', 'PATCH', 'PATCH'] }],
    ['all at once: one write', { times: 100, everyMs: 0, counts: [1], writes: ['POST'] }],
    ['each nine minutes: for ever', { times: 5, everyMs: 9 * MINUTE_MS, counts: [5], writes: ['POST', 'PATCH', 'PATCH', 'PATCH', 'PATCH'] }],
    ['after ten minutes: as a new Event', { times: 2, everyMs: 10 * MINUTE_MS, counts: [1, 1], writes: ['POST', 'POST'] }]
  ]
  for (const [name, { times, everyMs, counts, writes }] of rows) {
    await t.test(name, async (t) => {
      const fixture = createFixture()
      await repeat(fixture, times, everyMs)
      t.strictSame(fixture.list().map(({ count }) => count), counts)
      t.strictSame(fixture.writes, writes)
    })
  }

  await t.test('and the time of the last one', async (t) => {
    const fixture = createFixture()
    await repeat(fixture, 2, MINUTE_MS)
    t.match(fixture.list(), [{ firstTimestamp: '2026-01-31T12:00:00Z', lastTimestamp: '2026-01-31T12:01:00Z' }])
  })
})

void t.test('what differs is an Event of its own, also in the same millisecond', async (t) => {
  const { recorder, list } = createFixture()
  const others: EventNote[] = [
    { ...NOTE, type: 'Normal' }, { ...NOTE, reason: 'Rejected' }, { ...NOTE, message: 'another' },
    { ...NOTE, object: { ...COPY, namespace: 'team-b' } }, { ...NOTE, object: { ...COPY, uid: 'u-2' } }, { ...NOTE, object: { ...COPY, name: 'acr-pull-2' } }
  ]
  for (const note of [NOTE, ...others]) recorder.record(note)
  await recorder.flush()
  t.equal(list().length, 7)
})

void t.test('ten messages for one reason of an object stand alone, the rest together', async (t) => {
  const { recorder, clock, list } = createFixture()
  for (let index = 0; index < 30; index++) {
    recorder.record({ ...NOTE, message: `attempt ${index}` })
    await clock.advance(10_000)
  }
  t.strictSame(list().map(({ message }) => message), [...Array.from({ length: 10 }, (_, index) => `attempt ${index}`), '(combined from similar events): attempt 28'])
  t.equal(list().at(-1)?.count, 19)
  await clock.advance(10 * MINUTE_MS)
  recorder.record({ ...NOTE, message: 'later' })
  await recorder.flush()
  t.equal(list().at(-1)?.message, 'later')
})

void t.test('an Event that is no longer there is written anew, with its count', async (t) => {
  const fixture = createFixture()
  await repeat(fixture, 2, MINUTE_MS)
  fixture.events.clear()
  await repeat(fixture, 2, MINUTE_MS)
  t.strictSame(fixture.list().map(({ count }) => count), [4])
  t.strictSame(fixture.writes, ['POST', 'PATCH', 'PATCH', 'POST', 'PATCH'])
})

void t.test('25 at once and then one a second are written, the rest is shed, counted, and made up for', async (t) => {
  const { recorder, clock, list, outcomes } = createFixture()
  const noteOf = (index: number): EventNote => ({ ...NOTE, object: { ...COPY, namespace: `team-${index}` } })
  for (let index = 0; index < 100; index++) recorder.record(noteOf(index))
  await recorder.flush()
  t.equal(list().length, 25)
  t.equal(outcomes.filter((outcome) => outcome === 'shed').length, 75)
  for (let second = 0; second < 10; second++) {
    await clock.advance(1_000)
    recorder.record(noteOf(30))
    recorder.record(noteOf(40 + second))
  }
  await recorder.flush()
  t.equal(list().length, 35)
  t.match(list().find(({ metadata }) => metadata.namespace === 'team-30'), { count: 2 })
})

void t.test('a follower writes nothing and remembers nothing', async (t) => {
  const fixture = createFixture()
  fixture.state.mayWrite = false
  await repeat(fixture, 5, 1_000)
  t.strictSame(fixture.writes, [])
  fixture.state.mayWrite = true
  await repeat(fixture, 1, 0)
  t.match(fixture.list(), [{ count: 1 }])
  fixture.events.clear()
  await fixture.clock.advance(MINUTE_MS)
  fixture.recorder.record(NOTE)
  fixture.state.mayWrite = false
  await fixture.recorder.flush()
  t.strictSame(fixture.writes, ['POST', 'PATCH'], 'no second call once it may not')
})

void t.test('a write that fails is logged and counted, and the next one counts it in', async (t) => {
  const fixture = createFixture()
  for (const status of [500, 403, 0]) {
    fixture.state.failure = { status, reason: 'Failed', message: 'failed' }
    await repeat(fixture, 1, MINUTE_MS)
  }
  t.strictSame(fixture.outcomes, ['failed', 'failed', 'failed'])
  t.match(fixture.lines, [{ object: COPY, reason: 'SourceMissing', err: { status: 500 } }, {}, {}])
  fixture.state.failure = undefined
  await repeat(fixture, 1, 0)
  t.match(fixture.list(), [{ count: 4 }])
})

void t.test('in a namespace that is gone or goes, nothing is said about it', async (t) => {
  const gone: KubeErrorDetails[] = [
    { status: 404, reason: 'NotFound', message: 'namespaces "team-a" not found' },
    { status: 403, reason: 'Forbidden', message: 'unable to create new content', causes: ['NamespaceTerminating'] }
  ]
  for (const failure of gone) {
    const fixture = createFixture()
    fixture.state.failure = failure
    await repeat(fixture, 1, 0)
    t.strictSame(fixture.writes, ['POST'])
    t.strictSame(fixture.lines, [])
    t.strictSame(fixture.outcomes, [])
  }
})

void t.test('messages have at most 1,024 bytes, and whole characters', async (t) => {
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 2_000, size: 'max' }), async (message) => {
    const text = message.toWellFormed()
    const { recorder, list } = createFixture()
    recorder.record({ ...NOTE, message: text })
    await recorder.flush()
    const written = list()[0]?.message ?? ''
    if (!text.startsWith(written)) throw new Error('not a beginning of the message')
    const length = Buffer.byteLength(written)
    if (length > 1_024 || (written !== text && length < 1_021)) throw new Error(`${length} bytes`)
  }))
  t.pass()
})

void t.test('names are valid however long the object\'s name is', async (t: Test) => {
  const { recorder, list } = createFixture()
  for (const name of ['a'.repeat(253), `${'a'.repeat(235)}.${'b'.repeat(17)}`, 'a']) recorder.record({ ...NOTE, object: { ...COPY, name } })
  await recorder.flush()
  t.equal(list().length, 3)
  for (const { metadata } of list()) {
    t.ok(metadata.name.length <= 253)
    t.match(metadata.name, /^[a-z0-9]+(\.[a-z0-9]+)*$/)
  }
})

void t.test('what it remembers is bounded: of more than 4,096 the oldest is a new Event', async (t) => {
  const fixture = createFixture()
  const noteOf = (index: number): EventNote => ({ ...NOTE, object: { ...COPY, namespace: `team-${index}` } })
  fixture.recorder.record(noteOf(0))
  for (let index = 1; index <= 4_096; index++) fixture.recorder.record(noteOf(index))
  await fixture.clock.advance(MINUTE_MS)
  await repeat(fixture, 1, 0, noteOf(0))
  t.strictSame(fixture.list().filter(({ metadata }) => metadata.namespace === 'team-0').map(({ count }) => count), [1, 1])
})
