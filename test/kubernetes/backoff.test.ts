import t from 'tap'
import { createBackoff } from '../../src/kubernetes/backoff.ts'
import { createFakeClock } from '../helpers/fake-clock.ts'

const PERIODS = { minMs: 800, maxMs: 30_000 }

void t.test('a wait doubles with each failure, up to the longest', async (t) => {
  const backoff = createBackoff({ clock: createFakeClock(), random: () => 0, ...PERIODS })
  const waits = Array.from({ length: 8 }, () => backoff.nextMs())
  t.strictSame(waits, [800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000])
})

void t.test('a wait stays the longest after thousands of failures', async (t) => {
  const backoff = createBackoff({ clock: createFakeClock(), random: () => 0, ...PERIODS })
  for (let failures = 0; failures < 5_000; failures++) backoff.nextMs()
  t.equal(backoff.nextMs(), 30_000)
})

void t.test('jitter at most doubles a wait', async (t) => {
  const backoff = createBackoff({ clock: createFakeClock(), random: () => 0.999, ...PERIODS })
  const waitMs = backoff.nextMs()
  t.ok(waitMs > 1_500 && waitMs < 1_600, String(waitMs))
})

void t.test('a wait is never shorter than what the server asks for', async (t) => {
  const backoff = createBackoff({ clock: createFakeClock(), random: () => 0, ...PERIODS })
  t.equal(backoff.nextMs(5_000), 5_000)
  t.equal(backoff.nextMs(5), 1_600)
})

void t.test('a success begins anew', async (t) => {
  const backoff = createBackoff({ clock: createFakeClock(), random: () => 0, ...PERIODS })
  backoff.nextMs()
  backoff.nextMs()
  backoff.reset()
  t.equal(backoff.nextMs(), 800)
})

void t.test('a long time without a failure begins anew, a short one does not', async (t) => {
  const clock = createFakeClock()
  const backoff = createBackoff({ clock, random: () => 0, ...PERIODS })
  backoff.nextMs()
  await clock.advance(40_000)
  t.equal(backoff.nextMs(), 1_600)
  await clock.advance(40_001)
  t.equal(backoff.nextMs(), 800)
})

void t.test('a wait ends in time', async (t) => {
  const clock = createFakeClock()
  const backoff = createBackoff({ clock, random: () => 0, ...PERIODS })
  let isOver = false
  void backoff.wait(1_000, new AbortController().signal).then(() => { isOver = true })
  await clock.advance(999)
  t.equal(isOver, false)
  await clock.advance(1)
  await clock.advance(0)
  t.equal(isOver, true)
})

void t.test('a wait ends with its signal and leaves no timer', async (t) => {
  const clock = createFakeClock()
  const backoff = createBackoff({ clock, random: () => 0, ...PERIODS })
  const ending = new AbortController()
  const waiting = backoff.wait(1_000, ending.signal)
  ending.abort()
  await waiting
  await backoff.wait(1_000, ending.signal)
  t.equal(clock.countWaiting(), 0)
})
