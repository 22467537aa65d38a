import { createInterface } from 'node:readline'
import t from 'tap'
import type { KubernetesObject } from '@kubernetes/client-node'
import { startInMemoryCluster, type InMemoryCluster } from '../../src/sandbox/api/in-memory-cluster.ts'
import { createObjectStore } from '../../src/sandbox/api/objects/object-store.ts'
import { CONFIG_MAPS } from '../../src/sandbox/api/objects/resource-table.ts'
import { startWatch } from '../../src/sandbox/api/http/watch-stream.ts'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import type { ControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'
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

interface RefusedQuery {
  query: string
  status: number
  message: string | RegExp
}

const MATCH_FORBIDDEN = 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch'
const REFUSED_QUERIES: RefusedQuery[] = [
  { query: 'resourceVersionMatch=NotOlderThan', status: 422, message: `${MATCH_FORBIDDEN} is forbidden unless resourceVersion is provided` },
  { query: 'resourceVersion=0&resourceVersionMatch=Exact', status: 422, message: `${MATCH_FORBIDDEN} "exact" is forbidden for resourceVersion "0"` },
  { query: 'resourceVersion=0&resourceVersionMatch=NotOlderThan&continue=x', status: 422, message: `${MATCH_FORBIDDEN} is forbidden when continue is provided` },
  { query: 'resourceVersion=1&resourceVersionMatch=Any', status: 422, message: 'ListOptions.meta.k8s.io "" is invalid: resourceVersionMatch: Unsupported value: "Any": supported values: "Exact", "NotOlderThan", ""' },
  { query: 'watch=1&resourceVersion=0&resourceVersionMatch=NotOlderThan', status: 422, message: `${MATCH_FORBIDDEN} is forbidden for watch` },
  { query: 'resourceVersion=abc', status: 500, message: 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax' },
  { query: 'watch=1&resourceVersion=abc', status: 500, message: 'resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax' },
  { query: 'limit=abc', status: 400, message: 'strconv.ParseInt: parsing "abc": invalid syntax' },
  { query: 'watch=1&timeoutSeconds=abc', status: 400, message: 'strconv.ParseInt: parsing "abc": invalid syntax' },
  { query: 'continue=abc', status: 400, message: /^invalid continue token: continue key is not valid/ },
  { query: 'resourceVersion=99999999&resourceVersionMatch=NotOlderThan', status: 504, message: /^Timeout: Too large resource version: 99999999, current: \d+$/ },
  { query: 'resourceVersion=99999999&resourceVersionMatch=Exact', status: 500, message: 'etcdserver: mvcc: required revision is a future revision' }
]

/** Nothing of the past can be watched any more: etcd's compaction in memory, a start with an empty watch cache in the real one. */
async function forgetHistory (cluster: Cluster): Promise<void> {
  const { compact, killApiServer, startApiServer } = cluster as Partial<InMemoryCluster & ControlPlane>
  compact?.()
  await killApiServer?.()
  await startApiServer?.()
}

function readContinue (list: { metadata?: object }): string {
  return (list.metadata as { continue?: string } | undefined)?.continue ?? ''
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

    await t.test('a watch from "0" begins with what is there, and ends with its time', async (t) => {
      const path = '/api/v1/secrets?watch=1&timeoutSeconds=1&resourceVersion=0&fieldSelector=metadata.name%3Dother'
      t.match(await collect(cluster, path), [{ type: 'ADDED', object: { metadata: { name: 'other' } } }])
    })

    await t.test('a watch that asked for bookmarks has one before its end', async (t) => {
      const collected = collect(cluster, '/api/v1/secrets?watch=1&timeoutSeconds=4&allowWatchBookmarks=true&resourceVersion=0&fieldSelector=metadata.name%3Dother')
      // The API server makes no bookmark of a version that it has sent already.
      const { body } = await client.create<KubernetesObject>(SECRETS, { metadata: { name: 'later' } })
      const events = await collected
      const last = events.at(-1)
      t.match(events[0], { type: 'ADDED', object: { metadata: { name: 'other' } } })
      t.match(last, { type: 'BOOKMARK', object: { kind: 'Secret', apiVersion: 'v1', metadata: { resourceVersion: /^\d+$/ } } })
      t.ok(Number(last?.object.metadata.resourceVersion) >= Number(body.metadata?.resourceVersion))
    })

    await t.test('a list of one name over all namespaces, from wherever the version is', async (t) => {
      const { body } = await client.list('/api/v1/secrets?fieldSelector=metadata.name%3Dother')
      t.equal(body.items.length, 1)
      for (const version of ['resourceVersion=0', 'resourceVersion=0&resourceVersionMatch=NotOlderThan', `resourceVersion=${body.items[0]?.metadata?.resourceVersion ?? ''}&resourceVersionMatch=NotOlderThan`, 'resourceVersion=0&limit=500', `resourceVersion=${body.metadata?.resourceVersion ?? ''}&resourceVersionMatch=Exact`]) {
        const answer = await client.list(`/api/v1/secrets?fieldSelector=metadata.name%3Dother&${version}`)
        t.match(answer, { status: 200, body: { items: [{ metadata: { name: 'other' } }] } }, version)
      }
    })

    for (const { query, status, message } of REFUSED_QUERIES) {
      await t.test(`${query} is refused with ${status}`, async (t) => {
        t.match(await client.get(`/api/v1/secrets?${query}`), { status, body: { kind: 'Status', message } })
      })
    }

    await t.test('what is older than the history: 410 as an event of the watch, and as the answer to a list', async (t) => {
      const page = await client.list<KubernetesObject>('/api/v1/namespaces?limit=1')
      await client.create(SECRETS, { metadata: { name: 'newest' } })
      await forgetHistory(cluster)
      const [event, ...more] = await collect(cluster, `${SECRETS}?watch=1&timeoutSeconds=20&resourceVersion=1`)
      t.match(event, { type: 'ERROR', object: { kind: 'Status', code: 410, reason: 'Expired', message: /^too old resource version: 1 \(\d+\)$/ } })
      t.strictSame(more, [])
      // Only the in-memory API forgets what etcd still has.
      if (kind !== 'in-memory') return
      t.match(await client.get('/api/v1/secrets?resourceVersion=1&resourceVersionMatch=Exact'), { status: 410, body: { reason: 'Expired', message: 'The resourceVersion for the provided list is too old.' } })
      const { status, body } = await client.get<{ message: string, metadata: { continue: string } }>(`/api/v1/namespaces?limit=1&continue=${readContinue(page.body)}`)
      t.match({ status, body }, { status: 410, body: { reason: 'Expired', message: /^The provided continue parameter is too old to display a consistent list result\. / } })
      t.equal((await client.list(`/api/v1/namespaces?continue=${body.metadata.continue}`)).body.items.length, 3)
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

void t.test('in memory: bookmarks come as often as they are set to', async (t) => {
  const cluster = await startInMemoryCluster({ bookmarkIntervalMs: 20 })
  t.teardown(cluster.close)
  const events = await collect(cluster, '/api/v1/secrets?watch=1&timeoutSeconds=1&allowWatchBookmarks=1')
  t.ok(events.length > 2)
  t.ok(events.every(({ type }) => type === 'BOOKMARK'))
})

void t.test('in memory: a version that is no longer remembered is answered with one 410 event', async (t) => {
  const store = createObjectStore({ historySize: 2 })
  for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) store.put(CONFIG_MAPS, { kind: 'ConfigMap', apiVersion: 'v1', metadata: { name, namespace: 'default' } })
  const watchFrom = (version: number): { lines: string[], isEnded: boolean } => {
    const watched: { lines: string[], isEnded: boolean } = { lines: [], isEnded: false }
    const context = { store, now: () => new Date(), form: 'Object', bookmarkIntervalMs: 60_000, write: (line: string) => { watched.lines.push(line) }, end: () => { watched.isEnded = true } } as const
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
  t.equal(rest.body.metadata?.resourceVersion, first.body.metadata?.resourceVersion, 'all pages have the version of the first')
  t.strictSame([...first.body.items, ...rest.body.items].map(({ metadata }) => metadata?.name), ['default', 'kube-node-lease', 'kube-public', 'kube-system'])
})

/** All events until the server ends the watch. */
async function collect (cluster: Parameters<typeof openCluster>[0], path: string, accept = 'application/json'): Promise<WatchEvent<Watched>[]> {
  const response = await openCluster(cluster, { method: 'GET', path, accept })
  const events: WatchEvent<Watched>[] = []
  for await (const line of createInterface({ input: response })) events.push(JSON.parse(line) as WatchEvent<Watched>)
  return events
}
