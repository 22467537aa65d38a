import t from 'tap'
import type { Secret } from '../../src/core/kube-object.ts'
import type { ObservedCopy, PullSecretContent } from '../../src/core/managed-secret.ts'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { formatCopiesView, NAMESPACES_VIEW, type ClusterView } from '../../src/sync/cluster-view.ts'
import { createCopyController, type CopyController } from '../../src/sync/copy-controller.ts'
import { createCopyDemand } from '../../src/sync/copy-demand.ts'
import { createCopyStates, type CopyStates } from '../../src/sync/copy-states.ts'
import type { CopyWriter } from '../../src/sync/copy-writer.ts'
import { createContent, createCopy, createSecret, encodeDockerConfig } from '../helpers/copies.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'
import { createConfig, createPullSecret } from '../helpers/policies.ts'
import { createCopyWorld, type CopyWorld } from './copy-world.ts'

const NAME = 'example-pull'
const COPIES_VIEW = formatCopiesView(NAME)
const PRUNE_AFTER_MS = 600_000
const content = createContent()

interface Setup {
  world: CopyWorld
  clock: FakeClock
  states: CopyStates
  controller: CopyController
  /** Views that were not heard of lately. */
  stale: Set<string>
  /** The Secrets of the cluster, by namespace. */
  cluster: Map<string, Secret>
  /** What may happen; a test changes it. */
  may: { write: boolean, say: boolean }
  /** What an admission webhook makes of what is written. */
  mutate: (change: (content: PullSecretContent) => PullSecretContent) => void
  /** The next writes are refused so. */
  refuse: (error: KubeError) => void
}

const start = ({ isRemovingAll = false } = {}): Setup => {
  const world = createCopyWorld()
  world.addNamespaces('team-a', 'other')
  const clock = createFakeClock()
  const metrics = createSyncMetrics()
  const states = createCopyStates(metrics)
  const stale = new Set<string>()
  const cluster = new Map<string, Secret>()
  const may = { write: true, say: true }
  let change = (applied: PullSecretContent): PullSecretContent => applied
  let refusal: KubeError | undefined
  let version = 100

  const write = async (work: () => void): Promise<void> => {
    if (refusal !== undefined) throw refusal
    work()
  }
  const writer: CopyWriter = {
    async apply (namespace, name, applied) {
      const secret = createCopy(namespace, String(++version), { name, content: change(applied) })
      await write(() => { cluster.set(namespace, secret) })
      return secret
    },
    remove: async (namespace) => write(() => { cluster.delete(namespace) })
  }
  const view = {
    ...world.view, isReady: () => true, isForbidden: () => false, isFresh: (id: string) => !stale.has(id)
  } as unknown as ClusterView
  const controller = createCopyController({
    plan: world.plan,
    view,
    demand: createCopyDemand({ plan: world.plan, view, isRemovingAll }),
    contents: { state: () => ({ content, problems: [] }) },
    states,
    writer,
    events: { reportCopy: () => may.say, reportWriteFailure: () => {}, reportSource: () => {}, reportHeldRemoval: () => {} },
    metrics,
    clock,
    mayWrite: () => may.write,
    isRemovingAll
  })
  return {
    world,
    clock,
    states,
    controller,
    stale,
    cluster,
    may,
    mutate (changed) { change = changed },
    refuse (error) { refusal = error }
  }
}

/** Puts a Secret where it is, and where it is seen. */
const place = ({ cluster, world }: Setup, secret: Secret): ObservedCopy | undefined => {
  const { namespace = '' } = secret.metadata
  cluster.set(namespace, secret)
  world.cache().upsert(secret)
  return world.cache().get(namespace)
}

/** A copy that nobody wants, and for so long that it may go. */
const startUnwanted = async (options: { isRemovingAll?: boolean } = {}): Promise<Setup> => {
  const setup = start(options)
  place(setup, createCopy('other', '1'))
  if (options.isRemovingAll !== true) {
    await setup.controller.reconcile('other', NAME)
    await setup.clock.advance(PRUNE_AFTER_MS)
  }
  return setup
}

t.test('a missing copy is made, and what was answered is known at once', async (t) => {
  const { controller, cluster, states, world } = start()
  t.equal(await controller.reconcile('team-a', NAME), undefined)
  t.ok(cluster.has('team-a'))
  t.equal(world.cache().get('team-a')?.hash, content.hash)
  t.equal(states.get('team-a', NAME), 'present')
})

t.test('a copy that an admission webhook changed on its way is stale, not present', async (t) => {
  const { controller, mutate, states } = start()
  mutate((applied) => ({ ...applied, data: encodeDockerConfig('test-password-9') }))
  await controller.reconcile('team-a', NAME)
  t.equal(states.get('team-a', NAME), 'stale')
  t.equal(states.count(NAME, 'present'), 0)
})

for (const view of [NAMESPACES_VIEW, COPIES_VIEW]) {
  t.test(`an unwanted copy is not removed while the view of ${view} is stale`, async (t) => {
    const { controller, cluster, stale, states } = await startUnwanted()
    stale.add(view)
    t.equal(await controller.reconcile('other', NAME), 15_000, 'it is looked at again')
    t.ok(cluster.has('other'))
    t.equal(states.get('other', NAME), 'unwanted')
    stale.clear()
    t.equal(await controller.reconcile('other', NAME), undefined)
    t.notOk(cluster.has('other'))
  })
}

t.test('a stale view delays neither what is missing nor what has to be made anew', async (t) => {
  const setup = start()
  setup.stale.add(NAMESPACES_VIEW).add(COPIES_VIEW)
  await setup.controller.reconcile('team-a', NAME)
  t.ok(setup.cluster.has('team-a'))
  place(setup, { ...createCopy('team-a', '200'), immutable: true })
  await setup.controller.reconcile('team-a', NAME)
  t.notOk(setup.cluster.has('team-a'))
})

t.test('who asks for the removal of everything waits for no view', async (t) => {
  const { controller, cluster, stale } = await startUnwanted({ isRemovingAll: true })
  stale.add(NAMESPACES_VIEW)
  await controller.reconcile('other', NAME)
  t.notOk(cluster.has('other'))
})

t.test('a copy that is wanted again in between is unwanted from the beginning', async (t) => {
  const { world, clock, controller, cluster } = await startUnwanted()
  world.configure(createConfig([{}]))
  await controller.reconcile('other', NAME)
  world.configure(createConfig([], { pullSecrets: [createPullSecret()] }))
  t.equal(await controller.reconcile('other', NAME), PRUNE_AFTER_MS)
  await clock.advance(PRUNE_AFTER_MS)
  await controller.reconcile('other', NAME)
  t.notOk(cluster.has('other'))
})

t.test('what could not be told has the copy looked at again', async (t) => {
  const setup = start()
  place(setup, createSecret())
  setup.may.say = false
  t.equal(await setup.controller.reconcile('team-a', NAME), 60_000)
  t.equal(setup.states.get('team-a', NAME), 'conflicting')
  setup.may.say = true
  t.equal(await setup.controller.reconcile('team-a', NAME), undefined)
})

t.test('what could not be told does not put off what comes sooner or is due', async (t) => {
  const setup = start()
  setup.may.say = false
  place(setup, createCopy('other', '1'))
  t.equal(await setup.controller.reconcile('other', NAME), PRUNE_AFTER_MS, 'the wait for the removal stays')
  place(setup, createCopy('team-a', '1', { content: createContent({ data: encodeDockerConfig('test-password-0') }) }))
  t.equal(await setup.controller.reconcile('team-a', NAME), 60_000)
  t.equal(setup.world.cache().get('team-a')?.hash, content.hash, 'the write is made')
})

t.test('nothing is written by who may not, and the state is told all the same', async (t) => {
  const setup = await startUnwanted()
  setup.may.write = false
  await setup.controller.reconcile('team-a', NAME)
  await setup.controller.reconcile('other', NAME)
  t.strictSame([...setup.cluster.keys()], ['other'])
  t.equal(setup.states.get('team-a', NAME), 'missing')
  t.equal(setup.states.get('other', NAME), 'unwanted')
})

t.test('a refused write is the queue\'s business, the end of its namespace is nobody\'s', async (t) => {
  const { controller, refuse, states } = start()
  refuse(new KubeError({ status: 403, reason: 'Forbidden', message: 'no' }))
  await t.rejects(controller.reconcile('team-a', NAME), { message: 'no' })
  t.equal(states.get('team-a', NAME), 'missing')
  refuse(new KubeError({ status: 403, reason: 'Forbidden', message: 'no', causes: ['NamespaceTerminating'] }))
  t.equal(await controller.reconcile('team-a', NAME), 30_000, 'which the view does not know yet')
  t.equal(states.get('team-a', NAME), 'none')
})
