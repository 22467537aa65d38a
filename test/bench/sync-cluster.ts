import { Agent } from 'node:https'
import type { Readable } from 'node:stream'
import { openCluster, requestCluster, type ClusterAnswer, type Credentials } from '../../src/sandbox/cluster-request.ts'
import type { BenchContext } from './context.ts'

/** A cluster with many namespaces, and what it can be asked to do. */
export interface SyncCluster {
  namespaces: string[]
  request: <T = unknown>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) => Promise<ClusterAnswer<T>>
  /** Does something for each item, several at once. */
  forEach: <T>(items: T[], work: (item: T) => Promise<unknown>) => Promise<void>
  /** Follows the Secrets of one name; returns when the watch is open. */
  observe: (name: string) => Promise<Observer>
}

/** When which Secret changed, as a watcher of the API sees it. */
export interface Observer {
  /** Events since the last `reset`, with the time on the clock of `performance.now()`. */
  events: () => ObservedEvent[]
  reset: () => void
  /** Waits until a number of events of a type were seen; throws when nothing comes for a while. */
  waitFor: (type: ObservedEvent['type'], count: number) => Promise<ObservedEvent[]>
  close: () => void
}

export interface ObservedEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  namespace: string
  atMs: number
}

const IN_FLIGHT = 16
const QUIET_MS = 30_000
const LOOK_MS = 5

/** Speaks to a cluster as its administrator and makes namespaces in it. */
export async function prepareSyncCluster (context: BenchContext, cluster: Credentials, count: number): Promise<SyncCluster> {
  const agent = new Agent({ keepAlive: true, ca: cluster.caCertificate, maxSockets: IN_FLIGHT })
  context.onClose(async () => { agent.destroy() })
  const request = async <T>(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown): Promise<ClusterAnswer<T>> => {
    return requestCluster<T>(cluster, { method, path, body, agent, signal: context.signal })
  }
  const forEach = async <T>(items: T[], work: (item: T) => Promise<unknown>): Promise<void> => {
    const waiting = items.values()
    await Promise.all(Array.from({ length: IN_FLIGHT }, async () => { for (const item of waiting) await work(item) }))
  }
  const namespaces = Array.from({ length: count }, (_, index) => `team-${String(index).padStart(4, '0')}`)
  await forEach([...namespaces, 'pullkeeper-system'], async (name) => request('POST', '/api/v1/namespaces', { metadata: { name } }))
  return { namespaces, request, forEach, observe: async (name) => observe(context, cluster, name) }
}

async function observe ({ signal }: BenchContext, cluster: Credentials, name: string): Promise<Observer> {
  const ending = new AbortController()
  const query = `watch=true&fieldSelector=metadata.name%3D${name}&timeoutSeconds=3600`
  const response = await openCluster(cluster, { method: 'GET', path: `/api/v1/secrets?${query}`, signal: AbortSignal.any([signal, ending.signal]) })
  let events: ObservedEvent[] = []
  void readEvents(response, (event) => { events.push(event) }).catch(() => {})
  return {
    events: () => events,
    reset () { events = [] },
    async waitFor (type, count) {
      for (let seen = 0, sinceMs = performance.now(); ;) {
        const found = events.filter((event) => event.type === type)
        if (found.length >= count) return found
        if (found.length > seen) [seen, sinceMs] = [found.length, performance.now()]
        if (performance.now() - sinceMs > QUIET_MS) throw new Error(`${name}: ${found.length} of ${count} ${type} events came, and no more`)
        await new Promise((resolve) => { setTimeout(resolve, LOOK_MS) })
      }
    },
    close () { ending.abort() }
  }
}

async function readEvents (stream: Readable, onEvent: (event: ObservedEvent) => void): Promise<void> {
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    const atMs = performance.now()
    for (const line of lines) {
      const { type, object } = JSON.parse(line) as { type: ObservedEvent['type'], object: { metadata: { namespace: string } } }
      onEvent({ type, namespace: object.metadata.namespace, atMs })
    }
  }
}
