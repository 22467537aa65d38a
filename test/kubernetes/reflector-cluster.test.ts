import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createKubeClient } from '../../src/kubernetes/kube-client.ts'
import type { KubeError } from '../../src/kubernetes/kube-error.ts'
import { type Reflector, type ReflectorIntervals, startReflector } from '../../src/kubernetes/reflector.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { type FaultProxy, startFaultProxy } from '../../src/sandbox/fault-proxy.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import type { Secret } from '../../src/core/kube-object.ts'
import { type ClusterClient, createClient, listClusterKinds, startCluster } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'

const PATH = '/api/v1/namespaces/default/secrets'
const QUICK: Partial<ReflectorIntervals> = { minBackoffMs: 20, maxBackoffMs: 200, graceMs: 100 }

interface Following {
  reflector: Reflector
  view: Map<string, string>
  failures: KubeError[]
}

const toBase64 = (text: string): string => Buffer.from(text).toString('base64')

/** Follows the Secret of one name, as the worker does. */
async function follow (t: Test, proxy: FaultProxy, name: string, intervals: Partial<ReflectorIntervals> = {}): Promise<Following> {
  const kubeconfigFile = join(t.testdir(), 'kubeconfig')
  await writeKubeconfig(kubeconfigFile, proxy, { name: 'test' })
  const client = createKubeClient(await openClusterAccess({ kubeconfigFile }, systemClock.monotonicMs), systemClock, { maxConnections: 2 })
  const view = new Map<string, string>()
  const failures: KubeError[] = []
  const note = ({ metadata, data }: Secret): void => { view.set(metadata.name, data?.['note'] ?? '') }
  const reflector = startReflector<Secret>({
    client,
    clock: systemClock,
    random: Math.random,
    path: '/api/v1/secrets',
    query: { fieldSelector: `metadata.name=${name}` },
    handler: {
      replace (secrets) {
        view.clear()
        secrets.forEach(note)
      },
      upsert: note,
      remove: ({ metadata }) => { view.delete(metadata.name) }
    },
    onFailure: (error) => { failures.push(error) },
    intervals: { ...QUICK, ...intervals }
  })
  t.teardown(async () => {
    await reflector.close()
    await client.close()
  })
  await eventually('a running watch', () => isWatching(proxy))
  return { reflector, view, failures }
}

const isWatching = (proxy: FaultProxy): boolean => proxy.requests().some(({ isWatch, status }) => isWatch && status === 200)

async function write (api: ClusterClient, name: string, text: string): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' }, data: { note: toBase64(text) } }
  const { status } = await api.patch(`${PATH}/${name}?fieldManager=test&force=true`, 'apply', body)
  if (status >= 300) throw new Error(`apply: ${status}`)
}

for (const kind of listClusterKinds()) {
  void t.test(`${kind}: a reflector`, async (t) => {
    const cluster: Cluster = await startCluster(t, kind)
    const api = createClient(cluster)
    t.teardown(api.close)

    async function startProxy (t: Test): Promise<FaultProxy> {
      const proxy = await startFaultProxy(cluster)
      t.teardown(proxy.close)
      return proxy
    }

    await t.test('follows one name, and nothing else reaches it', async (t) => {
      const proxy = await startProxy(t)
      await write(api, 'plain', 'first')
      const { view, reflector, failures } = await follow(t, proxy, 'plain')
      await write(api, 'other', 'first')
      await write(api, 'plain', 'second')
      await eventually('the change', () => view.get('plain') === toBase64('second'))
      await api.delete(`${PATH}/plain`)
      await eventually('the deletion', () => view.size === 0)
      t.equal(reflector.isFresh(), true)
      t.strictSame(failures, [])
      t.equal(proxy.requests().length, 2)
    })

    for (const how of ['end', 'reset'] as const) {
      await t.test(`goes on without a list after its watch was cut (${how}), and misses nothing`, async (t) => {
        const proxy = await startProxy(t)
        await write(api, how, 'first')
        await write(api, `${how}-not`, 'first')
        const { view } = await follow(t, proxy, how)
        proxy.cutWatches(how)
        await write(api, how, 'second')
        await eventually('the change', () => view.get(how) === toBase64('second'))
        t.equal(proxy.requests().filter(({ isWatch }) => !isWatch).length, 1)
      })
    }

    await t.test('notices that its watch is stalled, says so, and goes on', async (t) => {
      const proxy = await startProxy(t)
      await write(api, 'stalled', 'first')
      const { view, reflector, failures } = await follow(t, proxy, 'stalled', { inactivityMs: 700 })
      const switchOff = proxy.inject({ kind: 'stall' })
      await write(api, 'stalled', 'second')
      await eventually('the truth', () => !reflector.isFresh())
      t.equal(view.get('stalled'), toBase64('first'))
      t.ok((reflector.ageMs() ?? 0) >= 700)
      // Not before it has noticed by itself: the end of the stall cuts the watch.
      await eventually('the notice', () => failures.some(({ reason }) => reason === 'SilentWatch'))
      switchOff()
      await eventually('the change', () => view.get('stalled') === toBase64('second') && reflector.isFresh())
    })

    await t.test('lists again when its version has expired', async (t) => {
      const proxy = await startProxy(t)
      await write(api, 'expired', 'first')
      const { view, failures } = await follow(t, proxy, 'expired')
      const switchOff = proxy.inject({ kind: 'expire-watch' })
      proxy.cutWatches('end')
      await write(api, 'expired', 'second')
      await eventually('the failure', () => failures.some(({ status }) => status === 410))
      switchOff()
      await eventually('the change', () => view.get('expired') === toBase64('second'))
      const relists = proxy.requests().filter(({ isWatch, query }) => !isWatch && query.includes('resourceVersionMatch=NotOlderThan'))
      t.ok(relists.length >= 1)
      t.notOk(relists.some(({ query }) => query.includes('resourceVersion=0&')))
    })

    for (const status of [403, 429, 500]) {
      await t.test(`asks a bounded number of times while it is answered with ${status}, and goes on afterwards`, async (t) => {
        const proxy = await startProxy(t)
        const name = `refused-${status}`
        await write(api, name, 'first')
        const { view, failures, reflector } = await follow(t, proxy, name)
        const switchOff = proxy.inject({ kind: 'answer', status })
        proxy.forgetRequests()
        const startedAtMs = performance.now()
        proxy.cutWatches('reset')
        await write(api, name, 'second')
        await eventually('the truth', () => !reflector.isFresh() && failures.length >= 6)
        // A wait is 20, 40, 80, 160 and then 200 ms or longer.
        const most = 6 + (performance.now() - startedAtMs) / 200
        t.ok(proxy.requests().length <= most, `${proxy.requests().length} requests, ${most} expected at most`)
        switchOff()
        await eventually('the change', () => view.get(name) === toBase64('second') && reflector.isFresh())
      })
    }
  })
}
