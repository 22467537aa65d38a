import t, { type Test } from 'tap'
import type { KubeObject } from '../../src/core/kube-object.ts'
import type { KubeClient, WatchRequest } from '../../src/kubernetes/kube-client.ts'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import type { WatchEvent } from '../../src/kubernetes/watch-events.ts'
import { createWatchedCollections, type WatchedCollections } from '../../src/sync/watched-collections.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'

/** Longer than any pause between two attempts. */
const MAX_PAUSE_MS = 31_000

interface Setup {
  clock: FakeClock
  collections: WatchedCollections
  /** What was told, in order. */
  told: string[]
  /** The API server answers everything with this status from now on, and ends all watches. */
  answer: (status: 200 | 403 | 500) => Promise<void>
}

const createError = (status: number): KubeError => new KubeError({ status, reason: `HTTP${status}`, message: 'no' })

/** A view of two collections, of which `a` alone is in trouble, and `b` is listed a moment later. */
const start = (t: Test): Setup => {
  const clock = createFakeClock()
  const told: string[] = []
  const open = new Set<() => void>()
  let status = 200

  const check = (path: string): void => { if (path === '/a' && status !== 200) throw createError(status) }

  async function * follow ({ path, signal, onOpen }: WatchRequest): AsyncGenerator<WatchEvent<never>> {
    check(path)
    onOpen?.()
    await new Promise<void>((resolve) => {
      open.add(resolve)
      signal.addEventListener('abort', () => { resolve() })
    })
    if (!signal.aborted) throw createError(path === '/a' ? status : 0)
  }

  const client: KubeClient = {
    async request <T> ({ path }: { path: string }): Promise<T> {
      check(path)
      if (path === '/b') await new Promise<void>((resolve) => { clock.schedule(resolve, 1) })
      return { metadata: { resourceVersion: '1' }, items: [] } as T
    },
    watch: follow,
    close: async () => {}
  }
  const collections = createWatchedCollections({ client, clock, random: () => 0 }, {
    onReady: (view) => { told.push(`ready ${view}`) },
    onForbidden: (view) => { told.push(`forbidden ${view}`) },
    onFailure: () => {}
  })
  t.teardown(async () => collections.keepOnly(new Set()))
  const handler = { replace: () => {}, upsert: () => {}, remove: () => {} }
  collections.open<KubeObject>('both', [{ path: '/a', handler }, { path: '/b', handler }])
  return {
    clock,
    collections,
    told,
    async answer (next) {
      status = next
      for (const end of open) end()
      open.clear()
      await clock.advance(MAX_PAUSE_MS)
    }
  }
}

t.test('a view is told once all of its collections are listed', async (t) => {
  const { clock, collections, told } = start(t)
  await clock.advance(0)
  t.strictSame(told, [])
  t.notOk(collections.isReady('both'))
  await clock.advance(1)
  t.strictSame(told, ['ready both'])
  t.match(collections.states(), [{ view: 'both', isReady: true, isFresh: true, isForbidden: false }])
})

t.test('a view that was refused is not ready before it is listed again, whatever fails in between', async (t) => {
  const { clock, collections, told, answer } = start(t)
  await clock.advance(1)
  await answer(403)
  t.strictSame(told.splice(0), ['ready both', 'forbidden both'])
  t.notOk(collections.isReady('both'))
  await answer(500)
  t.notOk(collections.isReady('both'), 'another failure says nothing of rights')
  t.ok(collections.isForbidden('both'))
  t.strictSame(told, [])
  await answer(200)
  t.strictSame(told, ['ready both'], 'and then it is told again')
  t.ok(collections.isReady('both'))
  t.notOk(collections.isForbidden('both'))
})

t.test('a refusal is told once while it lasts, and the next one again', async (t) => {
  const { clock, told, answer } = start(t)
  await clock.advance(1)
  told.length = 0
  await answer(403)
  await answer(500)
  await answer(403)
  await clock.advance(10 * MAX_PAUSE_MS)
  t.strictSame(told.splice(0), ['forbidden both'])
  await answer(200)
  await answer(403)
  t.strictSame(told, ['ready both', 'forbidden both'])
})

t.test('a failure that is no refusal leaves a view ready, and its end is not told', async (t) => {
  const { clock, collections, told, answer } = start(t)
  await clock.advance(1)
  told.length = 0
  await answer(500)
  t.ok(collections.isReady('both'))
  t.notOk(collections.isFresh('both'), 'though it is not fresh')
  await answer(200)
  t.ok(collections.isFresh('both'))
  t.strictSame(told, [])
})
