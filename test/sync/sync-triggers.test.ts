import t from 'tap'
import type { ServiceAccount } from '../../src/core/kube-object.ts'
import type { PullSecretConfig } from '../../src/core/pull-secret-config.ts'
import { formatCopiesView, formatSourceView, NAMESPACES_VIEW, SERVICE_ACCOUNTS_VIEW, type ClusterView } from '../../src/sync/cluster-view.ts'
import { createSyncTriggers, type SyncTriggers } from '../../src/sync/sync-triggers.ts'
import { createCopy } from '../helpers/copies.ts'
import { createConfig, createPullSecret, OWN_NAMESPACE } from '../helpers/policies.ts'
import { createRegistry } from './content-world.ts'
import { createCopyWorld, type CopyWorld } from './copy-world.ts'

const SOURCE = { namespace: 'platform', name: 'a' }
const minted = createPullSecret({ name: 'minted', registries: [createRegistry('a')] })
const copied = createPullSecret({ name: 'copied', copyFrom: { file: '/etc/config.json' } })

const config = createConfig([
  { name: 'one', pullSecrets: ['minted'], namespaces: { include: ['team-*'] } },
  { name: 'two', pullSecrets: ['copied'], namespaces: { include: ['team-a'] } }
], { pullSecrets: [minted, copied], retired: ['old'] })

interface Setup {
  world: CopyWorld
  triggers: SyncTriggers
  held: Set<string>
  judged: Set<string>
  /** The keys that were enqueued since the last question, sorted. */
  take: () => string[]
}

const start = (parts: PullSecretConfig = config): Setup => {
  const world = createCopyWorld(parts)
  const keys = new Set<string>()
  const held = new Set<string>()
  const judged = new Set<string>()
  const account: ServiceAccount = { metadata: { name: 'default', namespace: 'team-a', uid: 'u', resourceVersion: '1' } }
  const view: Pick<ClusterView, 'namespaces' | 'copies' | 'serviceAccounts'> = { ...world.view, serviceAccounts: () => [account].values() }
  const triggers = createSyncTriggers({
    plan: world.plan,
    view: () => view as ClusterView,
    isHeld: (name) => held.has(name),
    isJudged: (namespace, name) => judged.has(`${namespace}/${name}`),
    add: (queue, key) => { keys.add(`${queue} ${key}`) }
  })
  world.addNamespaces('team-a', 'team-b', 'other')
  const take = (): string[] => {
    const taken = [...keys].sort()
    keys.clear()
    return taken
  }
  return { world, triggers, held, judged, take }
}

t.test('a namespace asks for what it wants, for what it has, and for its ServiceAccounts', async (t) => {
  const { world, triggers, take, judged } = start()
  world.cache('old').upsert(createCopy('team-a', '1', { name: 'old' }))
  const known = world.view.namespaces.get('team-a')
  if (known !== undefined) triggers.onNamespace('team-a', known)
  t.strictSame(take(), ['copy team-a/copied', 'copy team-a/minted', 'copy team-a/old', 'serviceAccount team-a/default'])
  const other = world.view.namespaces.get('other')
  if (other !== undefined) triggers.onNamespace('other', other)
  t.strictSame(take(), [])
  judged.add('other/minted')
  if (other !== undefined) triggers.onNamespace('other', other)
  t.strictSame(take(), ['copy other/minted'], 'what was judged before is judged once more')
})

t.test('a copy that changes is looked at', async (t) => {
  const { triggers, take } = start()
  triggers.onCopy('minted', 'team-a')
  t.strictSame(take(), ['copy team-a/minted'])
})

t.test('the canonical copy frees all that wait for its annotation', async (t) => {
  const { triggers, take, held, world } = start()
  world.cache('minted').upsert(createCopy('other', '1', { name: 'minted' }))
  triggers.onCopy('minted', OWN_NAMESPACE)
  t.strictSame(take(), [`copy ${OWN_NAMESPACE}/minted`])
  held.add('minted')
  triggers.onCopy('minted', OWN_NAMESPACE)
  t.strictSame(take(), ['copy other/minted', `copy ${OWN_NAMESPACE}/minted`, 'copy team-a/minted', 'copy team-b/minted'])
})

t.test('each copy of a retired name that goes may free the canonical one', async (t) => {
  const { triggers, take } = start()
  triggers.onCopy('old', 'team-a')
  t.strictSame(take(), [`copy ${OWN_NAMESPACE}/old`, 'copy team-a/old'])
})

t.test('a source is resolved for the pull secrets that are made from it', async (t) => {
  const { triggers, take } = start()
  triggers.onSource(SOURCE)
  t.strictSame(take(), ['content minted'])
  triggers.onSource({ namespace: 'default', name: 'copied' })
  t.strictSame(take(), ['copy default/copied'], 'and what stands under a managed name is looked at')
  triggers.onFile('/etc/config.json')
  t.strictSame(take(), ['content copied'])
  triggers.onFile('/etc/other')
  t.strictSame(take(), [])
})

t.test('a view that is ready asks for all that waited for it', async (t) => {
  const { triggers, take } = start()
  triggers.onView(formatCopiesView('copied'))
  t.strictSame(take(), ['content copied', `copy ${OWN_NAMESPACE}/copied`, 'copy team-a/copied'])
  triggers.onView(formatCopiesView('old'))
  t.strictSame(take(), [`copy ${OWN_NAMESPACE}/old`], 'a retired name has no content')
  triggers.onView(formatSourceView(SOURCE))
  t.strictSame(take(), ['content minted'])
  triggers.onView(SERVICE_ACCOUNTS_VIEW)
  t.strictSame(take(), ['serviceAccount team-a/default'])
  triggers.onView(NAMESPACES_VIEW)
  const all = take()
  triggers.enqueueEverything()
  t.strictSame(take(), all)
  t.ok(all.includes('copy team-b/minted') && all.includes('content minted') && all.includes('serviceAccount team-a/default'))
})

t.test('of all copies of a pull secret, the canonical one comes first', async (t) => {
  const { world } = start()
  const order: string[] = []
  createSyncTriggers({ plan: world.plan, view: () => world.view as ClusterView, isHeld: () => false, add: (_queue, key) => { order.push(key) } }).enqueueCopies('minted')
  t.equal(order[0], `${OWN_NAMESPACE}/minted`)
})
