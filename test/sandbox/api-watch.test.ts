import { createInterface } from 'node:readline'
import t from 'tap'
import { startInMemoryCluster } from '../../src/sandbox/api/in-memory-cluster.ts'
import { createObjectStore } from '../../src/sandbox/api/objects/object-store.ts'
import { CONFIG_MAPS } from '../../src/sandbox/api/objects/resource-table.ts'
import { startWatch } from '../../src/sandbox/api/http/watch-stream.ts'
import { openCluster } from '../../src/sandbox/cluster-request.ts'
import { createClient, listClusterKinds, startCluster, type WatchEvent } from '../helpers/cluster.ts'

const SECRETS = '/api/v1/namespaces/default/secrets'

interface Watched {
  metadata: { name?: string, resourceVersion: string, annotations?: Record<string, string> }
  columnDefinitions?: unknown[] | null
  rows?: { cells: unknown[] }[]
  code?: number
  reason?: string
}

for (const kind of listClusterKinds()) {
  void t.test(kind, async (t) => {
    const cluster = await startCluster(t, kind)
    const client = createClient(cluster)
    t.teardown(() => client.close())

    await t.test('a watch with a selector sees objects come and go as they begin and cease to match', async (t) => {
      const { body } = await client.list(SECRETS)
      const end = new AbortController()
      const seen: string[] = []
      await client.create(SECRETS, { metadata: { name: 'other', labels: { tier: 'back' } } })
      await client.create(SECRETS, { metadata: { name: 'watched' } })
      await client.patch(`${SECRETS}/watched`, 'merge', { metadata: { labels: { tier: 'front' } } })
      await client.patch(`${SECRETS}/watched`, 'merge', { stringData: { a: 'b' } })
      await client.patch(`${SECRETS}/watched`, 'merge', { metadata: { labels: { tier: null } } })
      await client.patch(`${SECRETS}/watched`, 'merge', { metadata: { labels: { tier: 'front' } } })
      await client.delete(`${SECRETS}/watched`)
      const versions: number[] = []
      for await (const { type, object } of client.watch(`${SECRETS}?labelSelector=${encodeURIComponent('tier in (front, middle)')}`, body.metadata?.resourceVersion ?? '', end.signal)) {
        seen.push(`${type} ${object.metadata?.name ?? ''} ${object.metadata?.labels?.['tier'] ?? '-'}`)
        versions.push(Number(object.metadata?.resourceVersion))
        if (seen.length === 5) break
      }
      t.strictSame(seen, ['ADDED watched front', 'MODIFIED watched front', 'DELETED watched front', 'ADDED watched front', 'DELETED watched front'])
      t.strictSame(versions, [...versions].sort((a, b) => a - b))
    })

    await t.test('a watch without resourceVersion begins with what is there', async (t) => {
      const events = await collect(cluster, `${SECRETS}?watch=1&timeoutSeconds=1&fieldSelector=metadata.name%3Dother`)
      t.match(events, [{ type: 'ADDED', object: { metadata: { name: 'other' } } }])
    })

    await t.test('a watch of tables has its columns once', async (t) => {
      const { body } = await client.list(SECRETS)
      await client.create(SECRETS, { metadata: { name: 'row' } })
      await client.delete(`${SECRETS}/row`)
      const events = await collect(cluster, `${SECRETS}?watch=1&timeoutSeconds=1&resourceVersion=${body.metadata?.resourceVersion ?? ''}`, 'application/json;as=Table;v=v1;g=meta.k8s.io')
      t.match(events, [{ type: 'ADDED', object: { rows: [{ cells: ['row', 'Opaque'] }] } }, { type: 'DELETED', object: { columnDefinitions: null } }])
      t.ok(events[0]?.object.columnDefinitions?.length)
    })
  })
}

void t.test('in memory: bookmarks, the end of the initial events, and versions of the future', async (t) => {
  const cluster = await startInMemoryCluster()
  t.teardown(cluster.close)
  const client = createClient(cluster)
  t.teardown(() => client.close())
  const { body } = await client.list(SECRETS)

  const events = await collect(cluster, '/api/v1/namespaces?watch=1&timeoutSeconds=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan')
  t.strictSame(events.map(({ type }) => type), ['ADDED', 'ADDED', 'ADDED', 'ADDED', 'BOOKMARK', 'BOOKMARK'])
  t.match(events[4], { object: { metadata: { annotations: { 'k8s.io/initial-events-end': 'true' }, resourceVersion: body.metadata?.resourceVersion } } })

  t.match(await client.list(`${SECRETS}?resourceVersion=99999999`), { status: 504, body: { reason: 'Timeout' } })
})

void t.test('in memory: a version that is no longer remembered is answered with one 410 event', async (t) => {
  const store = createObjectStore({ historySize: 2 })
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) store.put(CONFIG_MAPS, { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, namespace: 'default' } })
  const watchFrom = (version: number): { lines: string[], isEnded: boolean } => {
    const watched: { lines: string[], isEnded: boolean } = { lines: [], isEnded: false }
    const context = { store, now: () => new Date(), form: 'Object', write: (line: string) => { watched.lines.push(line) }, end: () => { watched.isEnded = true } } as const
    startWatch(context, { resource: CONFIG_MAPS, namespace: 'default', name: '' }, new URLSearchParams({ resourceVersion: String(version) })).stop()
    return watched
  }
  const { lines, isEnded } = watchFrom(1)
  t.ok(isEnded)
  t.match(lines.map((line) => JSON.parse(line) as unknown), [{ type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired' } }])
  t.equal(watchFrom(store.oldestVersion()).lines.length, store.currentVersion() - store.oldestVersion())
})

void t.test('in memory: a list in pages', async (t) => {
  const cluster = await startInMemoryCluster()
  t.teardown(cluster.close)
  const client = createClient(cluster)
  t.teardown(() => client.close())
  const first = await client.list('/api/v1/namespaces?limit=3')
  t.match(first.body.metadata, { remainingItemCount: 1 })
  const rest = await client.list(`/api/v1/namespaces?limit=3&continue=${(first.body.metadata as { continue?: string }).continue ?? ''}`)
  t.strictSame([...first.body.items, ...rest.body.items].map(({ metadata }) => metadata?.name), ['default', 'kube-node-lease', 'kube-public', 'kube-system'])
})

/** All events until the server ends the watch. */
async function collect (cluster: Parameters<typeof openCluster>[0], path: string, accept = 'application/json'): Promise<WatchEvent<Watched>[]> {
  const response = await openCluster(cluster, { method: 'GET', path, accept })
  const events: WatchEvent<Watched>[] = []
  for await (const line of createInterface({ input: response })) events.push(JSON.parse(line) as WatchEvent<Watched>)
  return events
}
