import t from 'tap'
import { createCopyCache, type CopyCache } from '../../src/sync/copy-cache.ts'
import { createContent, createCopy, encodeDockerConfig } from '../helpers/copies.ts'
import { OWN_NAMESPACE } from '../helpers/policies.ts'

const start = (): { cache: CopyCache, changed: string[] } => {
  const changed: string[] = []
  return { cache: createCopyCache(OWN_NAMESPACE, (namespace) => { changed.push(namespace) }), changed }
}

const versions = ({ entries }: CopyCache): Record<string, string> => Object.fromEntries([...entries()].map(([namespace, { resourceVersion }]) => [namespace, resourceVersion]))

t.test('a list shows what is there and takes away what is not', async (t) => {
  const { cache, changed } = start()
  cache.replace([createCopy('a', '1'), createCopy('b', '2')], '5')
  t.strictSame(versions(cache), { a: '1', b: '2' })
  cache.replace([createCopy('b', '2'), createCopy('c', '6')], '7')
  t.strictSame(versions(cache), { b: '2', c: '6' })
  t.strictSame(changed, ['a', 'b', 'a', 'c'], 'what did not change is not told')
})

t.test('a list of one namespace says nothing about the others', async (t) => {
  const { cache } = start()
  cache.replace([createCopy('a', '1')], '5', 'a')
  cache.replace([createCopy('b', '2')], '5', 'b')
  cache.replace([], '6', 'a')
  t.strictSame(versions(cache), { b: '2' })
})

t.test('a list that is older than an answer to a write changes nothing of it', async (t) => {
  const { cache } = start()
  cache.upsert(createCopy('a', '9'))
  cache.upsert(createCopy('b', '10'))
  cache.replace([createCopy('b', '3')], '8')
  t.strictSame(versions(cache), { a: '9', b: '10' })
})

t.test('the event of a write that was seen already is not told again, and an older one is not taken', async (t) => {
  const { cache, changed } = start()
  cache.upsert(createCopy('a', '9'))
  cache.upsert(createCopy('a', '9'))
  cache.upsert(createCopy('a', '8'))
  cache.upsert(createCopy('a', '10'))
  t.strictSame(versions(cache), { a: '10' })
  t.strictSame(changed, ['a', 'a'])
})

t.test('a late event of a removal does not take away what was made anew', async (t) => {
  const { cache } = start()
  cache.upsert(createCopy('a', '9', { uid: 'new' }))
  cache.remove(createCopy('a', '8', { uid: 'old' }))
  t.strictSame(versions(cache), { a: '9' })
  cache.remove(createCopy('a', '10', { uid: 'new' }))
  t.strictSame(versions(cache), {})
})

t.test('the removal of a later one, of which nothing was heard, counts', async (t) => {
  const { cache } = start()
  cache.upsert(createCopy('a', '8', { uid: 'old' }))
  cache.remove(createCopy('a', '10', { uid: 'new' }))
  t.strictSame(versions(cache), {})
})

t.test('the removal of what is not there is not told', async (t) => {
  const { cache, changed } = start()
  cache.remove(createCopy('a', '8'))
  t.strictSame(changed, [])
})

t.test('the canonical copy is kept whole, and of all others nothing of their data', async (t) => {
  const { cache } = start()
  const content = createContent({ data: encodeDockerConfig('test-password-7') })
  cache.replace([createCopy('a', '1', { content }), createCopy(OWN_NAMESPACE, '2', { content })], '2')
  t.equal(cache.canonical()?.data?.['.dockerconfigjson'], content.data)
  t.notMatch(JSON.stringify([...cache.entries()]), content.data)
  cache.upsert(createCopy(OWN_NAMESPACE, '1'))
  t.equal(cache.canonical()?.metadata.resourceVersion, '2', 'an older one does not replace it')
  cache.remove(createCopy('a', '3'))
  t.ok(cache.canonical())
  cache.remove(createCopy(OWN_NAMESPACE, '4'))
  t.equal(cache.canonical(), undefined)
})

t.test('an answer that is older than what the watch told since does not bring back what was removed', async (t) => {
  const { cache, changed } = start()
  cache.upsert(createCopy('a', '9'))
  cache.remove(createCopy('a', '11'))
  cache.keepAnswer(createCopy('a', '10'))
  t.strictSame(versions(cache), {})
  t.strictSame(changed, ['a', 'a'])
  cache.keepAnswer(createCopy('a', '12'))
  t.strictSame(versions(cache), { a: '12' }, 'a newer one is taken')
})

t.test('nor does one that is older than a list, or than a removal of which nothing else was known', async (t) => {
  const { cache } = start()
  cache.replace([], '11')
  cache.keepAnswer(createCopy('a', '10'))
  t.strictSame(versions(cache), {})
  cache.remove(createCopy('b', '14'))
  cache.keepAnswer(createCopy('b', '13'))
  t.strictSame(versions(cache), {})
})

t.test('answers that overtake one another are all taken', async (t) => {
  const { cache } = start()
  cache.replace([], '10')
  cache.keepAnswer(createCopy('a', '12'))
  cache.keepAnswer(createCopy('b', '11'))
  t.strictSame(versions(cache), { a: '12', b: '11' })
})
