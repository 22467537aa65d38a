import { setImmediate as settle } from 'node:timers/promises'
import type { Test } from 'tap'
import { formatObjectKey, type KubeObject, type Secret } from '../../src/core/kube-object.ts'
import type { PullSecretConfig } from '../../src/core/pull-secret-config.ts'
import type { RemovalCounts } from '../../src/core/removal-guard.ts'
import type { KubeClient, KubeRequest, WatchRequest } from '../../src/kubernetes/kube-client.ts'
import type { WatchEvent } from '../../src/kubernetes/watch-events.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { createCopyWriter } from '../../src/sync/copy-writer.ts'
import { startSyncEngine, type SyncEngine } from '../../src/sync/sync-engine.ts'
import { compileSyncPlan } from '../../src/sync/sync-plan.ts'
import { createSecret } from '../helpers/copies.ts'
import { createFakeClock, type FakeClock } from '../helpers/fake-clock.ts'
import { CONFIG_HASH, createPullSecret, OWN_NAMESPACE } from '../helpers/policies.ts'
import { createNamespace } from './copy-world.ts'

/** An engine at a cluster of Namespaces and Secrets, by a clock that stands still. */
export interface EngineWorld {
  engine: SyncEngine
  clock: FakeClock
  /** The namespaces that hold a Secret of the name, sorted. */
  copies: (name?: string) => string[]
  putNamespace: (name: string, labels?: Record<string, string>) => Promise<void>
  removeSecret: (namespace: string, name: string) => Promise<void>
  follow: (config: PullSecretConfig, configHash: string) => Promise<void>
  /** The configurations for which people were told that a removal waits. */
  held: { configHash: string, counts: RemovalCounts }[]
}

interface OpenWatch {
  request: WatchRequest
  queue: WatchEvent<KubeObject>[]
  wake: () => void
}

/** The source of `PULL_SECRET`. */
export const SOURCE = { namespace: 'platform', name: 'registry' }
/** A pull secret that is copied from `SOURCE`. */
export const PULL_SECRET = createPullSecret({ copyFrom: { secret: SOURCE } })

/** Starts an engine that is not in a term, where these namespaces exist, the source, and nothing else. */
export async function startEngineWorld (t: Test, config: PullSecretConfig, namespaces: string[]): Promise<EngineWorld> {
  const clock = createFakeClock()
  const metrics = createSyncMetrics()
  const objects = new Map<string, KubeObject>()
  const watches = new Set<OpenWatch>()
  const held: EngineWorld['held'] = []
  let version = 100

  const isAsked = ({ path, query }: Pick<KubeRequest, 'path' | 'query'>, { metadata: { namespace, name } }: KubeObject): boolean => {
    if (namespace === undefined) return path === '/api/v1/namespaces'
    return ['/api/v1/secrets', `/api/v1/namespaces/${namespace}/secrets`].includes(path) && query?.['fieldSelector'] === `metadata.name=${name}`
  }

  function publish<T extends KubeObject> (type: WatchEvent<T>['type'], object: T): T {
    const published = { ...object, metadata: { ...object.metadata, resourceVersion: String(++version) } }
    const key = formatObjectKey(published.metadata)
    if (type === 'DELETED') objects.delete(key)
    else objects.set(key, published)
    for (const { request, queue, wake } of watches) {
      if (isAsked(request, published)) queue.push({ type, object: published })
      wake()
    }
    return published
  }

  function answer (request: KubeRequest): unknown {
    const { method, path, body } = request
    if (method === 'GET') return { metadata: { resourceVersion: String(version) }, items: [...objects.values()].filter((object) => isAsked(request, object)) }
    const [, , , , namespace = '', , name = ''] = path.split('/')
    const known = objects.get(formatObjectKey({ namespace, name }))
    if (method === 'DELETE') return known && publish('DELETED', known)
    const { metadata, ...rest } = body as Secret
    return publish('MODIFIED', { ...rest, metadata: { ...metadata, uid: known?.metadata.uid ?? `uid-${version}` } })
  }

  async function * follow (request: WatchRequest): AsyncGenerator<WatchEvent<KubeObject>> {
    const { signal, onOpen } = request
    const watch: OpenWatch = { request, queue: [], wake: () => {} }
    watches.add(watch)
    signal.addEventListener('abort', () => { watch.wake() })
    onOpen?.()
    for (;;) {
      yield * watch.queue.splice(0)
      if (signal.aborted) break
      await new Promise<void>((resolve) => { watch.wake = resolve })
    }
    watches.delete(watch)
  }

  const client: KubeClient = {
    request: async <T>(request: KubeRequest) => answer(request) as T,
    watch: <T>(request: WatchRequest) => follow(request) as AsyncGenerator<WatchEvent<T>>,
    close: async () => {}
  }
  const compile = (changed: PullSecretConfig, configHash: string) => compileSyncPlan(changed, { configHash, ownNamespace: OWN_NAMESPACE })
  const silent = (): void => {}

  for (const name of [OWN_NAMESPACE, SOURCE.namespace, ...namespaces]) publish('ADDED', createNamespace(name))
  publish('ADDED', createSecret({ metadata: SOURCE }))
  const engine = await startSyncEngine({
    client,
    clock,
    random: () => 0,
    plan: compile(config, CONFIG_HASH),
    writer: createCopyWriter({ client, metrics }),
    events: { reportCopy: () => true, reportWriteFailure: silent, reportSource: silent, reportHeldRemoval: (_name, counts, configHash) => { held.push({ configHash, counts }) } },
    metrics,
    log: { info: silent, warn: silent, error: silent },
    verify: async () => { throw new Error('a copied Secret is not tried') },
    // This API sends no bookmarks.
    intervals: { inactivityMs: 3_600_000 },
    mayWrite: () => true
  })
  t.teardown(engine.close)
  await settle()
  return {
    engine,
    clock,
    held,
    copies: (name = PULL_SECRET.name) => [...objects.values()].flatMap(({ metadata }) => metadata.name === name ? metadata.namespace ?? [] : []).sort(),
    async putNamespace (name, labels = {}) {
      const namespace = createNamespace(name)
      publish('MODIFIED', { ...namespace, metadata: { ...namespace.metadata, labels } })
      await clock.advance(0)
    },
    async removeSecret (namespace, name) {
      const known = objects.get(formatObjectKey({ namespace, name }))
      if (known !== undefined) publish('DELETED', known)
      await clock.advance(0)
    },
    async follow (changed, configHash) {
      await engine.follow(compile(changed, configHash))
      await clock.advance(0)
    }
  }
}
