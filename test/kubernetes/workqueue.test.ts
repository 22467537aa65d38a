import fc from 'fast-check'
import t from 'tap'
import { createWorkqueue, type Workqueue, type WorkqueueOptions } from '../../src/kubernetes/workqueue.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'

interface Work {
  key: string
  atMs: number
  end: () => void
  fail: (error?: Error) => void
}

interface World {
  queue: Workqueue
  clock: FakeClock
  /** What is being worked on. */
  running: Work[]
  /** What was begun, oldest first. */
  begun: string[]
  failures: { key: string, failures: number }[]
}

function startWorld (options: Partial<WorkqueueOptions> = {}): World {
  const clock = createFakeClock()
  const running: Work[] = []
  const begun: string[] = []
  const failures: World['failures'] = []
  const queue = createWorkqueue({
    clock,
    random: () => 0,
    concurrency: 2,
    baseDelayMs: 100,
    maxDelayMs: 1_000,
    async process (key) {
      begun.push(key)
      const work = { key, atMs: clock.monotonicMs() }
      await new Promise<void>((resolve, reject) => {
        running.push({ ...work, end: resolve, fail: (error = new Error('failed')) => { reject(error) } })
      }).finally(() => { running.splice(running.findIndex((one) => one.key === key), 1) })
    },
    onFailure (key, _error, count) {
      failures.push({ key, failures: count })
      return undefined
    },
    ...options
  })
  return { queue, clock, running, begun, failures }
}

const find = ({ running }: World, key: string): Work => {
  const work = running.find((one) => one.key === key)
  if (work === undefined) throw new Error(`${key} is not being worked on`)
  return work
}

void t.test('a key that is added many times at once is handled once', async (t) => {
  const world = startWorld()
  for (let count = 0; count < 5; count++) world.queue.add('a')
  await world.clock.advance(0)
  find(world, 'a').end()
  await world.clock.advance(60_000)
  t.strictSame(world.begun, ['a'])
  t.equal(world.queue.length(), 0)
})

void t.test('no work begins while those who add are still at it', async (t) => {
  const world = startWorld()
  world.queue.add('a')
  t.strictSame(world.begun, [])
  await world.clock.advance(0)
  t.strictSame(world.begun, ['a'])
})

void t.test('a key that is added while it is being handled is handled once more, afterwards', async (t) => {
  const world = startWorld()
  world.queue.add('a')
  await world.clock.advance(0)
  world.queue.add('a')
  world.queue.add('a')
  await world.clock.advance(0)
  t.equal(world.running.length, 1)
  find(world, 'a').end()
  await world.clock.advance(0)
  t.strictSame(world.begun, ['a', 'a'])
  find(world, 'a').end()
  await world.clock.advance(60_000)
  t.strictSame(world.begun, ['a', 'a'])
})

void t.test('no more keys are handled at once than the concurrency allows, in the order in which they came', async (t) => {
  const world = startWorld()
  for (const key of ['a', 'b', 'c', 'd']) world.queue.add(key)
  await world.clock.advance(0)
  t.strictSame(world.begun, ['a', 'b'])
  t.equal(world.queue.length(), 4)
  find(world, 'b').end()
  await world.clock.advance(0)
  t.strictSame(world.running.map(({ key }) => key), ['a', 'c'])
  find(world, 'a').fail()
  await world.clock.advance(0)
  t.strictSame(world.running.map(({ key }) => key), ['c', 'd'])
})

const DELAYS: { title: string, delaysMs: number[], dueMs: number }[] = [
  { title: 'one delay holds', delaysMs: [300], dueMs: 300 },
  { title: 'the shorter delay holds when it comes later', delaysMs: [300, 200], dueMs: 200 },
  { title: 'the shorter delay holds when it comes first', delaysMs: [200, 300], dueMs: 200 }
]
for (const { title, delaysMs, dueMs } of DELAYS) {
  void t.test(`addAfter: ${title}, and the key is handled once`, async (t) => {
    const world = startWorld()
    for (const delayMs of delaysMs) world.queue.addAfter('a', delayMs)
    t.equal(world.queue.delayed(), 1)
    await world.clock.advance(dueMs - 1)
    t.strictSame(world.begun, [])
    await world.clock.advance(1)
    t.strictSame(world.begun, ['a'])
    find(world, 'a').end()
    await world.clock.advance(60_000)
    t.strictSame(world.begun, ['a'])
    t.equal(world.queue.delayed(), 0)
  })
}

for (const delayMs of [0, -5]) {
  void t.test(`addAfter: a delay of ${delayMs} ms is none`, async (t) => {
    const world = startWorld()
    world.queue.addAfter('a', delayMs)
    t.equal(world.queue.delayed(), 0)
    await world.clock.advance(0)
    t.strictSame(world.begun, ['a'])
  })
}

void t.test('a key that fails is handled again, each time twice as late, up to a bound', async (t) => {
  const world = startWorld()
  world.queue.add('a')
  await world.clock.advance(0)
  for (const [index, delayMs] of [100, 200, 400, 800, 1_000, 1_000].entries()) {
    find(world, 'a').fail()
    await world.clock.advance(delayMs - 1)
    t.equal(world.running.length, 0, `not before ${delayMs} ms`)
    await world.clock.advance(1)
    t.equal(world.running.length, 1, `after ${delayMs} ms`)
    t.strictSame(world.failures.at(-1), { key: 'a', failures: index + 1 })
  }
})

void t.test('the failures of a key are forgotten once it succeeds', async (t) => {
  const world = startWorld()
  world.queue.add('a')
  await world.clock.advance(0)
  find(world, 'a').fail()
  await world.clock.advance(100)
  find(world, 'a').fail()
  await world.clock.advance(200)
  find(world, 'a').end()
  world.queue.add('a')
  await world.clock.advance(0)
  find(world, 'a').fail()
  await world.clock.advance(100)
  t.strictSame(world.failures.map(({ failures }) => failures), [1, 2, 1])
  t.equal(world.running.length, 1)
})

void t.test('the failures of one key delay no other', async (t) => {
  const world = startWorld()
  world.queue.add('a')
  await world.clock.advance(0)
  find(world, 'a').fail()
  world.queue.add('b')
  await world.clock.advance(0)
  t.strictSame(world.running.map(({ key }) => key), ['b'])
})

void t.test('a key waits at least as long as its failure asks for, and jitter only adds to it', async (t) => {
  const world = startWorld({ onFailure: () => 5_000, random: () => 0.5 })
  world.queue.add('a')
  await world.clock.advance(0)
  find(world, 'a').fail()
  await world.clock.advance(6_249)
  t.equal(world.running.length, 0)
  await world.clock.advance(1)
  t.equal(world.running.length, 1)
})

void t.test('a process that throws at once is a failure like any other', async (t) => {
  const failed: string[] = []
  const world = startWorld({ process: () => { throw new Error('at once') }, onFailure: (key) => { failed.push(key); return undefined } })
  world.queue.add('a')
  await world.clock.advance(0)
  t.strictSame(failed, ['a'])
  t.equal(world.queue.delayed(), 1)
})

void t.test('nothing begins in a pause, and what came meanwhile begins after it', async (t) => {
  const world = startWorld()
  world.queue.pause(1_000)
  world.queue.add('a')
  await world.clock.advance(999)
  t.strictSame(world.begun, [])
  await world.clock.advance(1)
  t.strictSame(world.begun, ['a'])
})

for (const pausesMs of [[1_000, 3_000], [3_000, 1_000]]) {
  void t.test(`of pauses of ${pausesMs.join(' and ')} ms the longer holds`, async (t) => {
    const world = startWorld()
    for (const pauseMs of pausesMs) world.queue.pause(pauseMs)
    world.queue.add('a')
    await world.clock.advance(2_999)
    t.strictSame(world.begun, [])
    await world.clock.advance(1)
    t.strictSame(world.begun, ['a'])
  })
}

void t.test('close waits for what is being handled and drops the rest', async (t) => {
  const world = startWorld()
  for (const key of ['a', 'b', 'c']) world.queue.add(key)
  world.queue.addAfter('d', 100)
  await world.clock.advance(0)
  world.queue.add('a')
  world.queue.pause(500)
  let closings = 0
  const closing = [1, 2].map(async () => {
    await world.queue.close()
    closings++
  })
  await world.clock.advance(0)
  find(world, 'a').fail()
  await world.clock.advance(0)
  t.equal(closings, 0)
  find(world, 'b').end()
  await Promise.all(closing)
  world.queue.add('e')
  world.queue.addAfter('f', 10)
  await world.clock.advance(60_000)
  t.strictSame(world.begun, ['a', 'b'])
  t.equal(world.queue.length(), 0)
  t.equal(world.clock.countWaiting(), 0)
})

void t.test('close of an idle queue ends at once', async (t) => {
  const world = startWorld()
  await world.queue.close()
  t.equal(world.queue.length(), 0)
})

type Step =
  | { do: 'add' | 'addAfter', key: string, delayMs: number }
  | { do: 'end' | 'fail', index: number }
  | { do: 'pause' | 'advance', delayMs: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('add' as const, 'addAfter' as const), key: fc.constantFrom('a', 'b', 'c', 'd'), delayMs: fc.nat(2_000) }),
  fc.record({ do: fc.constantFrom('end' as const, 'end' as const, 'fail' as const), index: fc.nat(3) }),
  fc.record({ do: fc.constantFrom('pause' as const, 'advance' as const, 'advance' as const), delayMs: fc.nat(1_500) })
)

void t.test('whatever happens, no key is handled twice at once, no bound is broken, and none is lost', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 3 }), async (steps, concurrency) => {
    const world = startWorld({ concurrency })
    /** Keys that were asked for, or failed, and have not been begun since. */
    const owed = new Set<string>()
    let seen = 0
    const check = (): void => {
      const keys = world.running.map(({ key }) => key)
      if (new Set(keys).size !== keys.length) throw new Error(`handled twice at once: ${keys.join()}`)
      if (keys.length > concurrency) throw new Error(`${keys.length} at once`)
      for (const key of world.begun.slice(seen)) owed.delete(key)
      seen = world.begun.length
    }
    for (const one of steps) {
      switch (one.do) {
        case 'add': world.queue.add(one.key); owed.add(one.key); break
        case 'addAfter': world.queue.addAfter(one.key, one.delayMs); owed.add(one.key); break
        case 'end': world.running[one.index]?.end(); break
        case 'fail': {
          const work = world.running[one.index]
          if (work !== undefined) owed.add(work.key)
          work?.fail()
          break
        }
        case 'pause': world.queue.pause(one.delayMs); break
        case 'advance': await world.clock.advance(one.delayMs)
      }
      await world.clock.advance(0)
      check()
    }
    while (world.running.length > 0 || world.queue.length() > 0 || world.queue.delayed() > 0) {
      world.running[0]?.end()
      await world.clock.advance(world.running.length === 0 ? 500 : 0)
      check()
    }
    if (owed.size > 0) throw new Error(`never handled: ${[...owed].join()}`)
    await world.queue.close()
  }), { numRuns: 150 })
})
