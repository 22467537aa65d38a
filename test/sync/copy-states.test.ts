import t from 'tap'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { createCopyStates } from '../../src/sync/copy-states.ts'

const start = () => {
  const metrics = createSyncMetrics()
  const shown = async (): Promise<Record<string, number>> => {
    const { values } = await metrics.copies.get()
    return Object.fromEntries(values.filter(({ value }) => value > 0).map(({ labels, value }) => [`${labels.secret} ${labels.state}`, value]))
  }
  return { metrics, shown, states: createCopyStates(metrics) }
}

t.test('each copy counts in the state in which it was last seen', async (t) => {
  const { states, shown } = start()
  states.set('team-a', 'x', 'missing')
  states.set('team-b', 'x', 'missing')
  states.set('team-a', 'y', 'conflicting')
  states.set('team-a', 'x', 'present')
  states.set('team-a', 'x', 'present')
  t.strictSame(await shown(), { 'x missing': 1, 'x present': 1, 'y conflicting': 1 })
  t.equal(states.get('team-a', 'x'), 'present')
  t.equal(states.count('x', 'missing'), 1)
  states.set('team-b', 'x', 'none')
  t.strictSame(await shown(), { 'x present': 1, 'y conflicting': 1 })
  t.equal(states.get('team-b', 'x'), 'none')
})

t.test('states without a copy are shown as zero', async (t) => {
  const { states, metrics } = start()
  states.set('team-a', 'x', 'present')
  const { values } = await metrics.copies.get()
  t.strictSame(values.map(({ labels }) => labels.state).sort(), ['conflicting', 'held', 'missing', 'present', 'stale', 'unwanted'])
})

t.test('what is forgotten is shown no more, not even by asking for it', async (t) => {
  const { states, metrics } = start()
  states.set('team-a', 'x', 'present')
  states.forget('x')
  t.equal(states.count('x', 'present'), 0)
  t.equal(states.get('team-a', 'x'), 'none')
  t.strictSame((await metrics.copies.get()).values, [])
})
