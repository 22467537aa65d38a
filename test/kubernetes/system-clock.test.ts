import t from 'tap'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import { eventually } from '../helpers/eventually.ts'

const DAY_MS = 24 * 60 * 60 * 1000

void t.test('a callback comes after its delay, unless it is called off', async (t) => {
  const called: string[] = []
  const startedAtMs = systemClock.monotonicMs()
  const callOff = systemClock.schedule(() => { called.push('called off') }, 10)
  systemClock.schedule(() => { called.push('kept') }, 20)
  callOff()
  await eventually('the callback', () => called.length > 0)
  t.strictSame(called, ['kept'])
  t.ok(systemClock.monotonicMs() - startedAtMs >= 19)
})

for (const delayMs of [30 * DAY_MS, 365 * DAY_MS, Infinity]) {
  void t.test(`a delay of ${delayMs} ms, longer than a timer of Node holds, does not end at once`, async (t) => {
    const called: string[] = []
    const callOff = systemClock.schedule(() => { called.push('long') }, delayMs)
    systemClock.schedule(() => { called.push('short') }, 20)
    await eventually('the short delay', () => called.length > 0)
    t.strictSame(called, ['short'])
    callOff()
  })
}
