import t from 'tap'
import { compileNamespaceMatcher, isReservedNamespace, type NamespaceVerdict } from '../../src/core/namespaces.ts'

const OWN = 'pullkeeper-system'

const cases: [string, { include: string[], exclude?: string[] }, string, NamespaceVerdict][] = [
  ['a star includes every namespace', { include: ['*'] }, 'team-a', 'included'],
  ['a glob covers the whole name', { include: ['team'] }, 'team-a', 'not-included'],
  ['one of several globs is enough', { include: ['team-*', 'shared'] }, 'shared', 'included'],
  ['a question mark stands for one character', { include: ['team-?'] }, 'team-ab', 'not-included'],
  ['exclude wins over include', { include: ['*'], exclude: ['team-*'] }, 'team-a', 'excluded'],
  ['exclude wins over a literal include', { include: ['team-a'], exclude: ['team-a'] }, 'team-a', 'excluded'],
  ['a namespace that neither names is not included', { include: ['team-*'], exclude: ['other'] }, 'default', 'not-included'],
  ['kube-system is reserved', { include: ['*'] }, 'kube-system', 'reserved'],
  ['kube-public is reserved', { include: ['*'] }, 'kube-public', 'reserved'],
  ['kube-node-lease is reserved', { include: ['*'] }, 'kube-node-lease', 'reserved'],
  ['the namespace of pullkeeper is reserved', { include: ['*'] }, OWN, 'reserved'],
  ['a glob that means a reserved namespace does not open it', { include: ['kube-*'] }, 'kube-system', 'reserved'],
  ['the literal name opens a reserved namespace', { include: ['kube-system'] }, 'kube-system', 'included'],
  ['the literal name opens the namespace of pullkeeper', { include: ['team-*', OWN] }, OWN, 'included'],
  ['the literal name opens that one only', { include: ['kube-system', '*'] }, 'kube-public', 'reserved'],
  ['exclude wins in an opened namespace, too', { include: ['kube-system'], exclude: ['kube-*'] }, 'kube-system', 'excluded'],
  ['another namespace of that prefix is not reserved', { include: ['*'] }, 'kube-flannel', 'included'],
  ['an empty name is matched as text', { include: ['*'] }, '', 'included']
]

for (const [name, { include, exclude = [] }, namespace, expected] of cases) {
  t.test(name, async (t) => {
    t.equal(compileNamespaceMatcher({ include, exclude }, OWN).judge(namespace), expected)
  })
}

t.test('where pullkeeper runs elsewhere, its usual namespace is an ordinary one', async (t) => {
  t.ok(isReservedNamespace('platform', 'platform'))
  t.notOk(isReservedNamespace(OWN, 'platform'))
  t.equal(compileNamespaceMatcher({ include: ['*'], exclude: [] }, 'platform').judge(OWN), 'included')
})

t.test('the selector is not judged by the name', async (t) => {
  const matcher = compileNamespaceMatcher({ include: ['*'], exclude: [], selector: { matchLabels: { team: 'a' } } }, OWN)
  t.equal(matcher.judge('team-b'), 'included')
})
