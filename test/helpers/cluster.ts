import { on } from 'node:events'
import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Agent } from 'node:https'
import { basename, dirname } from 'node:path'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { KubernetesListObject, KubernetesObject } from '@kubernetes/client-node'
import type { Cluster, ClusterOptions } from '../../src/sandbox/cluster.ts'
import { openCluster, requestCluster } from '../../src/sandbox/cluster-request.ts'
import type { ClusterAnswer, ClusterRequest } from '../../src/sandbox/cluster-request.ts'
import { startControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'

export type ClusterKind = 'in-memory' | 'control-plane'

/**
 * Which clusters the suite runs against: the in-memory one always, a real control plane when KUBEBUILDER_ASSETS is set.
 * It counts as set also when it is empty or wrong: then the start fails, so that nothing is skipped in silence.
 */
export function listClusterKinds (): ClusterKind[] {
  return process.env['KUBEBUILDER_ASSETS'] === undefined ? ['in-memory'] : ['in-memory', 'control-plane']
}

interface Teardown {
  teardown: (close: () => Promise<void>) => unknown
}

/** Starts a cluster that ends with the test. */
export async function startCluster (t: Teardown, kind: ClusterKind, options: ClusterOptions = {}): Promise<Cluster> {
  const cluster = kind === 'in-memory' ? await startInMemory(options) : await startReal(options)
  t.teardown(cluster.close)
  return cluster
}

async function startInMemory (options: ClusterOptions): Promise<Cluster> {
  // Only when it is wanted: the real control plane's tests need none of it.
  const { startInMemoryCluster } = await import('../../src/sandbox/api/in-memory-cluster.ts')
  return startInMemoryCluster(options)
}

async function startReal (options: ClusterOptions): Promise<Cluster> {
  const binaries = process.env['KUBEBUILDER_ASSETS'] ?? ''
  const cluster = await startControlPlane({ ...options, binaries })
  if (cluster.hasControllerManager) return cluster
  await cluster.close()
  throw new Error(`no kube-controller-manager in "${binaries}" (KUBEBUILDER_ASSETS): the cluster suite needs one`)
}

/** What a watch sends, one a line (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes). */
export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  object: T
}

export type PatchKind = 'json' | 'merge' | 'strategic-merge' | 'apply'

const PATCH_TYPES: Record<PatchKind, string> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  'strategic-merge': 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml'
}

/** Speaks to a cluster's API as its administrator, by path, over connections that stay open. */
export interface ClusterClient {
  get: <T = KubernetesObject>(path: string, signal?: AbortSignal) => Promise<ClusterAnswer<T>>
  list: <T extends KubernetesObject = KubernetesObject>(path: string, signal?: AbortSignal) => Promise<ClusterAnswer<KubernetesListObject<T>>>
  create: <T = KubernetesObject>(path: string, body: unknown) => Promise<ClusterAnswer<T>>
  put: <T = KubernetesObject>(path: string, body: unknown) => Promise<ClusterAnswer<T>>
  patch: <T = KubernetesObject>(path: string, kind: PatchKind, body: unknown) => Promise<ClusterAnswer<T>>
  delete: <T = KubernetesObject>(path: string, body?: unknown) => Promise<ClusterAnswer<T>>
  /** The events of a collection, until the server ends the watch. */
  watch: <T extends KubernetesObject>(path: string, resourceVersion: string, signal: AbortSignal) => AsyncGenerator<WatchEvent<T>>
  /** Ends idle connections. */
  close: () => void
}

/** Makes a client; idle connections do not keep the test alive. */
export function createClient (cluster: Cluster): ClusterClient {
  const agent = new Agent({ keepAlive: true, ca: cluster.caCertificate })
  const send = async <T>(request: ClusterRequest): Promise<ClusterAnswer<T>> => requestCluster<T>(cluster, { agent, ...request })
  const read = async <T>(path: string, signal?: AbortSignal): Promise<ClusterAnswer<T>> =>
    send<T>({ method: 'GET', path, ...(signal === undefined ? {} : { signal }) })
  return {
    get: read,
    list: read,
    create: async (path, body) => send({ method: 'POST', path, body }),
    put: async (path, body) => send({ method: 'PUT', path, body }),
    patch: async (path, kind, body) => send({ method: 'PATCH', path, body, contentType: PATCH_TYPES[kind] }),
    delete: async (path, body) => send({ method: 'DELETE', path, body }),
    watch: (path, resourceVersion, signal) => watchCluster(cluster, { method: 'GET', path: addWatchQuery(path, resourceVersion), agent, signal }),
    close: () => { agent.destroy() }
  }
}

function addWatchQuery (path: string, resourceVersion: string): string {
  const url = new URL(path, 'https://cluster.invalid')
  url.searchParams.set('watch', 'true')
  url.searchParams.set('resourceVersion', resourceVersion)
  return `${url.pathname}${url.search}`
}

async function * watchCluster<T> (cluster: Cluster, request: ClusterRequest): AsyncGenerator<WatchEvent<T>> {
  const response = await openCluster(cluster, request)
  try {
    if (response.statusCode !== 200) throw new Error(`watch ${request.path}: ${response.statusCode} ${await text(response)}`)
    for await (const line of readLines(response)) yield JSON.parse(line) as WatchEvent<T>
  } finally {
    response.destroy()
  }
}

/** As node:readline, which would not say that the stream failed. */
async function * readLines (stream: Readable): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    yield * lines
  }
}

/** How long to wait; generous, since only a failing test waits that long. */
export interface WaitOptions {
  deadlineMs?: number
}

const DEADLINE_MS = 30_000

/**
 * Waits until the objects of a collection are as wanted, by list and watch, and returns them.
 * For one object name it by `?fieldSelector=metadata.name=NAME`.
 * @throws Error with what was there last when the deadline passes
 */
export async function waitFor<T extends KubernetesObject> (client: ClusterClient, path: string, predicate: (objects: T[]) => boolean, { deadlineMs = DEADLINE_MS }: WaitOptions = {}): Promise<T[]> {
  const deadline = AbortSignal.timeout(deadlineMs)
  let seen: T[] = []
  try {
    for await (const objects of followCollection<T>(client, path, deadline)) {
      seen = objects
      if (predicate(objects)) return objects
    }
  } catch (error) {
    if (!deadline.aborted) throw error
  }
  throw new Error(`${path} was not as wanted within ${deadlineMs} ms; there was: ${JSON.stringify(seen)}`)
}

/** Yields all objects of the collection at first and after each change; lists again when a watch ends. */
async function * followCollection<T extends KubernetesObject> (client: ClusterClient, path: string, signal: AbortSignal): AsyncGenerator<T[]> {
  for (;;) {
    const { status, body } = await client.list<T>(path, signal)
    if (status !== 200) throw new Error(`list ${path}: ${status} ${JSON.stringify(body)}`)
    const objects = new Map(body.items.map((object) => [nameOf(object), object]))
    yield [...objects.values()]
    for await (const { type, object } of client.watch<T>(path, body.metadata?.resourceVersion ?? '', signal)) {
      if (type === 'ERROR') break
      if (type === 'BOOKMARK') continue
      if (type === 'DELETED') objects.delete(nameOf(object))
      else objects.set(nameOf(object), object)
      yield [...objects.values()]
    }
  }
}

function nameOf ({ metadata }: KubernetesObject): string {
  return `${metadata?.namespace ?? ''}/${metadata?.name ?? ''}`
}

/** What tests read of an event in the API server's audit log (https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/). */
export interface AuditEvent {
  auditID: string
  level: string
  stage: string
  verb: string
  requestURI: string
  user: { username: string }
  objectRef?: { resource?: string, subresource?: string, namespace?: string, name?: string }
  responseStatus?: { code?: number, message?: string, reason?: string }
  requestObject?: KubernetesObject
  responseObject?: KubernetesObject
  annotations?: Record<string, string>
}

/** Reads an audit log, one event a line; a line that is still being written is left out, a missing file has none. */
export async function readAuditEvents (file: string): Promise<AuditEvent[]> {
  return parseLines(await readWholeLines(file))
}

/**
 * Waits until the audit log holds what is wanted and returns all its events.
 * The API server writes an event after it has answered, so that reading at once may come too early.
 */
export async function waitForAuditEvents (file: string, predicate: (events: AuditEvent[]) => boolean, options: WaitOptions = {}): Promise<AuditEvent[]> {
  return parseLines(await waitForLines(file, (lines) => predicate(parseLines(lines)), options))
}

function parseLines (lines: string[]): AuditEvent[] {
  return lines.map((line) => JSON.parse(line) as AuditEvent)
}

/**
 * Waits until a file that grows by whole lines, such as a log, holds what is wanted and returns its lines.
 * @throws Error with the lines when the deadline passes
 */
export async function waitForLines (file: string, predicate: (lines: string[]) => boolean, { deadlineMs = DEADLINE_MS }: WaitOptions = {}): Promise<string[]> {
  const watcher = watch(dirname(file))
  const deadline = AbortSignal.timeout(deadlineMs)
  const changes = on(watcher, 'change', { signal: deadline })
  try {
    for (let lines = await readWholeLines(file); ; lines = await readWholeLines(file)) {
      if (predicate(lines)) return lines
      await nextChange(changes, basename(file))
    }
  } catch (error) {
    if (!deadline.aborted) throw error
    throw new Error(`${file} was not as wanted within ${deadlineMs} ms; it held:\n${(await readWholeLines(file)).join('\n')}`)
  } finally {
    watcher.close()
  }
}

/** A line that is still being written is left out, a missing file has none. */
async function readWholeLines (file: string): Promise<string[]> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  return content.slice(0, content.lastIndexOf('\n') + 1).split('\n').filter((line) => line !== '')
}

async function nextChange (changes: AsyncIterator<unknown[]>, name: string): Promise<void> {
  for (;;) {
    const { value } = await changes.next() as { value: [string, string | null] }
    if (value[1] === name) return
  }
}
