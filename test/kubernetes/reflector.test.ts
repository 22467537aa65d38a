import t, { type Test } from 'tap'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import type { WatchEvent } from '../../src/kubernetes/watch-events.ts'
import { within } from '../helpers/eventually.ts'
import { answer, startReflectorWorld, unreachable, type Note, type ReflectorWorld, type Trouble } from './reflector-world.ts'

const MINUTE_MS = 60_000

async function start (t: Test, trouble: Trouble = {}): Promise<ReflectorWorld> {
  const world = startReflectorWorld(trouble)
  t.teardown(async () => world.reflector.close())
  await world.clock.advance(0)
  return world
}

const lists = ({ asked }: ReflectorWorld): Record<string, string>[] => asked.filter(({ kind }) => kind === 'list').map(({ query }) => query)
const watches = ({ asked }: ReflectorWorld): Record<string, string>[] => asked.filter(({ kind }) => kind === 'watch').map(({ query }) => query)

/** Minutes pass as they do when all is well: with a bookmark in each. */
async function passMinutes (world: ReflectorWorld, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute++) {
    await world.clock.advance(MINUTE_MS)
    world.bookmark()
    await world.clock.advance(0)
  }
}

const throwing = (error: () => Error) => (): never => { throw error() }
const failing = (error: () => Error) => async function * (): AsyncGenerator<WatchEvent<Note>> { throw error() }
const sending = (event: () => WatchEvent<Note>) => async function * ({ onOpen }: { onOpen?: () => void }): AsyncGenerator<WatchEvent<Note>> {
  onOpen?.()
  yield event()
}
const errorEvent = (code: number): WatchEvent<Note> => ({ type: 'ERROR', object: { kind: 'Status', code, reason: 'Expired' } as unknown as Note })
const invalid = (): KubeError => new KubeError({ status: 0, reason: 'InvalidAnswer', message: 'no event' })

void t.test('it lists from the watch cache, watches from there, and follows', async (t) => {
  const world = await start(t)
  t.strictSame(lists(world), [{ fieldSelector: 'metadata.name=a', resourceVersion: '0' }])
  t.strictSame(watches(world), [{ fieldSelector: 'metadata.name=a', resourceVersion: '101', allowWatchBookmarks: 'true', timeoutSeconds: '300' }])
  world.put('a', 'second')
  world.put('b', 'first')
  await world.clock.advance(0)
  t.strictSame([...world.view], [['a', 'second'], ['b', 'first']])
  world.remove('a')
  await world.clock.advance(0)
  t.strictSame([...world.view], [['b', 'first']])
  t.equal(world.asked.length, 2)
})

void t.test('it knows nothing before the first list', async (t) => {
  const world = await start(t, { list: throwing(unreachable) })
  t.equal(world.reflector.hasSynced(), false)
  t.equal(world.reflector.isFresh(), false)
  t.equal(world.reflector.ageMs(), undefined)
  world.trouble.list = undefined as never
  await world.clock.advance(MINUTE_MS)
  t.equal(world.reflector.hasSynced(), true)
  t.equal(world.reflector.isFresh(), true)
})

void t.test('a watch that ends goes on from the last version, that of a bookmark included, without a list and a failure', async (t) => {
  const world = await start(t)
  world.put('a', 'second')
  world.bookmark()
  await world.clock.advance(2_000)
  world.endWatches('cleanly')
  await world.clock.advance(0)
  world.put('a', 'third')
  await world.clock.advance(0)
  t.ok(world.isRight())
  t.equal(lists(world).length, 1)
  t.strictSame(watches(world).map(({ resourceVersion }) => resourceVersion), ['101', '103'])
  t.strictSame(world.failures, [])
})

void t.test('a watch that is cut goes on from the last version after a moment', async (t) => {
  const world = await start(t)
  await world.clock.advance(2_000)
  world.endWatches('cut')
  world.put('a', 'second')
  await world.clock.advance(799)
  t.equal(watches(world).length, 1)
  await world.clock.advance(1)
  t.ok(world.isRight())
  t.equal(lists(world).length, 1)
  t.strictSame(world.failures.map(({ reason }) => reason), ['Unreachable'])
})

void t.test('a watch on which nothing comes is given up and made anew', async (t) => {
  const world = await start(t)
  await world.clock.advance(149_999)
  t.equal(world.reflector.isFresh(), true)
  await world.clock.advance(1)
  t.equal(world.reflector.isFresh(), false)
  t.equal(world.reflector.ageMs(), 150_000)
  t.strictSame(world.failures.map(({ reason }) => reason), ['SilentWatch'])
  await world.clock.advance(800)
  t.equal(watches(world).length, 2)
  t.equal(world.reflector.isFresh(), true)
})

void t.test('bookmarks keep a watch alive, and the view fresh', async (t) => {
  const world = await start(t)
  await passMinutes(world, 10)
  t.equal(world.reflector.isFresh(), true)
  t.equal(world.reflector.ageMs(), 0)
  t.equal(world.asked.length, 2)
})

void t.test('after a while the collection is listed again, at least as new as known: lost events are found', async (t) => {
  const world = await start(t)
  world.view.set('ghost', 'whose end was lost')
  await passMinutes(world, 11)
  world.endWatches('cleanly')
  await world.clock.advance(0)
  t.ok(world.isRight())
  const [, relist] = lists(world)
  t.strictSame(relist, { fieldSelector: 'metadata.name=a', resourceVersion: '112', resourceVersionMatch: 'NotOlderThan' })
})

void t.test('it is listed again also when each watch before was cut', async (t) => {
  const world = await start(t)
  for (let count = 0; count < 6; count++) {
    await passMinutes(world, 2)
    world.endWatches('cut')
    await world.clock.advance(2_000)
  }
  t.equal(lists(world).length, 2)
})

const EXPIRED: [string, Trouble][] = [
  ['answered with 410', { watch: failing(() => answer(410)) }],
  ['ended by an event with 410', { watch: sending(() => errorEvent(410)) }],
  ['answered with 504', { watch: failing(() => answer(504)) }],
  ['refused with 403', { watch: failing(() => answer(403)) }],
  ['answered with what is no event', { watch: failing(invalid) }]
]
for (const [title, trouble] of EXPIRED) {
  void t.test(`after a watch that is ${title} the collection is listed again, at least as new as known`, async (t) => {
    const world = await start(t, trouble)
    delete world.trouble.watch
    world.put('b', 'first')
    await world.clock.advance(800)
    t.ok(world.isRight())
    t.strictSame(lists(world)[1], { fieldSelector: 'metadata.name=a', resourceVersion: '101', resourceVersionMatch: 'NotOlderThan' })
  })
}

for (const status of [410, 504]) {
  void t.test(`after a list that is answered with ${status} it is read from etcd, once`, async (t) => {
    const world = await start(t, { list: throwing(() => answer(status)) })
    delete world.trouble.list
    await world.clock.advance(800)
    t.strictSame(lists(world)[1], { fieldSelector: 'metadata.name=a' })
    t.ok(world.isRight())
    world.trouble.watch = failing(() => answer(410))
    await world.clock.advance(2_000)
    world.endWatches('cleanly')
    await world.clock.advance(0)
    delete world.trouble.watch
    await world.clock.advance(4_000)
    t.match(lists(world)[2], { resourceVersionMatch: 'NotOlderThan' })
  })
}

for (const status of [401, 403, 429, 500, 503]) {
  void t.test(`after a list that is answered with ${status} nothing is read from etcd`, async (t) => {
    const world = await start(t, { list: throwing(() => answer(status)) })
    delete world.trouble.list
    await world.clock.advance(800)
    t.equal(lists(world)[1]?.['resourceVersion'], '0')
    t.ok(world.isRight())
  })
}

void t.test('an event whose handler throws is not lost, and its content is in no error', async (t) => {
  const world = await start(t)
  world.trouble.handler = ({ text }) => { throw new TypeError(`can not handle ${text}`) }
  world.put('b', 'test-password-1')
  await world.clock.advance(0)
  t.match(world.failures.map(({ reason, message }) => ({ reason, message })), [{ reason: 'HandlerFailed', message: /TypeError/ }])
  t.notMatch(world.failures[0]?.message, /test-password-1/)
  delete world.trouble.handler
  await world.clock.advance(800)
  t.ok(world.isRight())
})

void t.test('a list whose handler throws is no list', async (t) => {
  const world = await start(t, { handler: () => { throw new Error('no') } })
  t.equal(world.reflector.hasSynced(), false)
  t.equal(watches(world).length, 0)
  delete world.trouble.handler
  await world.clock.advance(800)
  t.equal(world.reflector.hasSynced(), true)
  t.ok(world.isRight())
})

void t.test('Retry-After is waited for', async (t) => {
  const world = await start(t, { list: throwing(() => answer(429, { retryAfterMs: 20_000 })) })
  delete world.trouble.list
  await world.clock.advance(19_999)
  t.equal(world.asked.length, 1)
  await world.clock.advance(1)
  t.ok(world.isRight())
})

const TROUBLES: [string, Trouble][] = [
  ['lists can not be reached', { list: throwing(unreachable) }],
  ['lists get 401', { list: throwing(() => answer(401)) }],
  ['lists get 403', { list: throwing(() => answer(403)) }],
  ['lists get 404', { list: throwing(() => answer(404)) }],
  ['lists get 410', { list: throwing(() => answer(410)) }],
  ['lists get 429, with a second to wait', { list: throwing(() => answer(429, { retryAfterMs: 1_000 })) }],
  ['lists get 500', { list: throwing(() => answer(500)) }],
  ['lists get 504', { list: throwing(() => answer(504)) }],
  ['lists are none', { list: () => ({}) }],
  ['lists have no version', { list: () => ({ metadata: { resourceVersion: '' }, items: [] }) }],
  ['no list can be handled', { handler: () => { throw new Error('no') } }],
  ['watches can not be reached', { watch: failing(unreachable) }],
  ['watches get 401', { watch: failing(() => answer(401)) }],
  ['watches get 403', { watch: failing(() => answer(403)) }],
  ['watches get 410', { watch: failing(() => answer(410)) }],
  ['watches get 429, without a time to wait', { watch: failing(() => answer(429)) }],
  ['watches get 429, with no time to wait', { watch: failing(() => answer(429, { retryAfterMs: 0 })) }],
  ['watches get 500', { watch: failing(() => answer(500)) }],
  ['watches get 504', { watch: failing(() => answer(504)) }],
  ['watches end at once', { watch: async function * ({ onOpen }) { onOpen?.() } }],
  ['watches end after an event', { watch: sending(() => ({ type: 'BOOKMARK', object: { metadata: { name: '', uid: '', resourceVersion: '101' }, text: '' } })) }],
  ['watches end with an event of 410', { watch: sending(() => errorEvent(410)) }],
  ['watches end with an event of 500', { watch: sending(() => errorEvent(500)) }],
  ['watches send what is no event', { watch: failing(invalid) }],
  ['watches send objects without metadata', { watch: sending(() => ({ type: 'ADDED', object: {} as Note })) }]
]
for (const [title, trouble] of TROUBLES) {
  void t.test(`${title}: no storm, no despair, and all is right soon after it ends`, async (t) => {
    const world = await start(t, { ...trouble })
    await world.clock.advance(MINUTE_MS)
    t.ok(world.asked.length <= 14, `${world.asked.length} requests in the first minute`)
    t.ok(world.failures.length >= 6, `${world.failures.length} attempts in the first minute`)
    const before = world.asked.length
    await world.clock.advance(10 * MINUTE_MS)
    t.ok(world.asked.length - before <= 42, `${world.asked.length - before} requests in ten minutes`)
    for (const kind of ['list', 'watch', 'handler'] as const) delete world.trouble[kind]
    world.put('a', 'second')
    world.remove('b')
    await world.clock.advance(30_000)
    t.ok(world.isRight())
    t.equal(world.reflector.isFresh(), true)
  })
}

void t.test('watches that end after a second or more are no failure, and no storm', async (t) => {
  const world = await start(t)
  for (let count = 0; count < 40; count++) {
    await world.clock.advance(1_500)
    world.endWatches('cleanly')
    await world.clock.advance(0)
  }
  t.strictSame(world.failures, [])
  t.ok(world.asked.length <= 42, `${world.asked.length} requests in a minute`)
})

void t.test('a view whose watch ended stays fresh for the grace, however long ago its last event was', async (t) => {
  const world = await start(t)
  await world.clock.advance(100_000)
  world.trouble.watch = failing(unreachable)
  world.endWatches('cut')
  await world.clock.advance(14_999)
  t.equal(world.reflector.isFresh(), true)
  await world.clock.advance(1)
  t.equal(world.reflector.isFresh(), false)
  t.equal(world.reflector.ageMs(), 115_000)
})

void t.test('close ends a watch', async (t) => {
  const world = await start(t)
  await within('the end', world.reflector.close())
  world.put('a', 'second')
  await world.clock.advance(20 * MINUTE_MS)
  t.strictSame([...world.view], [['a', 'first']])
  t.equal(world.asked.length, 2)
  t.equal(world.clock.countWaiting(), 0)
  t.strictSame(world.failures, [])
})

void t.test('close ends a wait', async (t) => {
  const world = await start(t, { list: throwing(unreachable) })
  await within('the end', world.reflector.close())
  await world.clock.advance(20 * MINUTE_MS)
  t.equal(world.asked.length, 1)
  t.equal(world.clock.countWaiting(), 0)
})
