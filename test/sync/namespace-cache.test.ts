import t from 'tap'
import type { Namespace } from '../../src/core/kube-object.ts'
import { createNamespaceCache, type KnownNamespace, type NamespaceCache } from '../../src/sync/namespace-cache.ts'

const createNamespace = (name: string, labels: Record<string, string> = {}, parts: { phase?: string, deletionTimestamp?: string } = {}): Namespace => {
  const { phase = 'Active', deletionTimestamp } = parts
  return { metadata: { name, uid: `uid-of-${name}`, resourceVersion: '1', labels, ...(deletionTimestamp !== undefined && { deletionTimestamp }) }, status: { phase } }
}

/** A cache in which a namespace wants what its label `wants` says. */
const start = (): { cache: NamespaceCache, told: [string, KnownNamespace][], wait: (byMs: number) => void } => {
  const told: [string, KnownNamespace][] = []
  let nowMs = 1000
  const cache = createNamespaceCache(() => nowMs, (name, known) => { told.push([name, known]) })
  cache.setDemand(({ labels }) => new Set(labels['wants']?.split('-')))
  return { cache, told, wait (byMs) { nowMs += byMs } }
}

t.test('namespaces that are there at the start are told, without a time', async (t) => {
  const { cache, told } = start()
  cache.replace([createNamespace('a', { wants: 'x-y' }), createNamespace('b')])
  t.strictSame(told, [
    ['a', { labels: { wants: 'x-y' }, isTerminating: false, wanted: new Set(['x', 'y']) }],
    ['b', { labels: {}, isTerminating: false, wanted: new Set() }]
  ])
  t.equal(cache.size(), 2)
})

t.test('a new namespace has the time at which it came, also when a list shows it', async (t) => {
  const { cache, wait } = start()
  cache.replace([])
  wait(5)
  cache.upsert(createNamespace('a'))
  wait(5)
  cache.replace([createNamespace('a'), createNamespace('b')])
  t.equal(cache.get('a')?.seenAtMs, 1005)
  t.equal(cache.get('b')?.seenAtMs, 1010)
})

t.test('what changes nothing about the demand is not told', async (t) => {
  const { cache, told } = start()
  cache.replace([createNamespace('a', { wants: 'x' })])
  cache.upsert(createNamespace('a', { wants: 'x', other: '1' }))
  cache.replace([createNamespace('a', { wants: 'x', other: '2' })])
  t.equal(told.length, 1)
  t.strictSame(cache.get('a')?.labels, { wants: 'x', other: '2' })
})

t.test('a namespace that wants something else is told, and is no longer new', async (t) => {
  const { cache, told } = start()
  cache.replace([])
  cache.upsert(createNamespace('a'))
  cache.upsert(createNamespace('a', { wants: 'x' }))
  t.strictSame(told.at(-1), ['a', { labels: { wants: 'x' }, isTerminating: false, wanted: new Set(['x']) }])
})

for (const [name, parts] of [['by its time of deletion', { deletionTimestamp: '2026-01-31T12:00:00Z' }], ['by its phase', { phase: 'Terminating' }]] as const) {
  t.test(`that a namespace ends is seen ${name}, and told once`, async (t) => {
    const { cache, told } = start()
    cache.replace([createNamespace('a')])
    cache.upsert(createNamespace('a', {}, parts))
    cache.upsert(createNamespace('a', {}, { deletionTimestamp: '2026-01-31T12:00:00Z', phase: 'Terminating' }))
    cache.remove(createNamespace('a'))
    t.strictSame(told.map(([name, { isTerminating }]) => [name, isTerminating]), [['a', false], ['a', true]])
    t.equal(cache.get('a'), undefined)
  })
}

t.test('a namespace whose end nobody saw is told as ending when it has gone', async (t) => {
  const { cache, told } = start()
  cache.replace([createNamespace('a', { wants: 'x' }), createNamespace('b')])
  cache.replace([createNamespace('b')])
  t.match(told.at(-1), ['a', { isTerminating: true, wanted: new Set(['x']) }])
  t.equal(cache.get('a'), undefined)
  cache.remove(createNamespace('b'))
  t.match(told.at(-1), ['b', { isTerminating: true }])
  cache.remove(createNamespace('b'))
  t.equal(told.length, 4)
})

t.test('another demand judges all anew, tells nothing, and makes nothing new', async (t) => {
  const { cache, told } = start()
  cache.replace([])
  cache.upsert(createNamespace('a', { wants: 'x' }))
  cache.setDemand(({ name }) => new Set([name]))
  t.strictSame(cache.get('a'), { labels: { wants: 'x' }, isTerminating: false, wanted: new Set(['a']) })
  t.equal(told.length, 1)
})
