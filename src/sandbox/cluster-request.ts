import { request as sendRequest } from 'node:https'
import type { Agent } from 'node:https'
import type { IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Cluster } from './cluster.ts'

/** One request to a cluster's API. */
export interface ClusterRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Path and query, such as `/api/v1/namespaces/default/pods?dryRun=All`. */
  path: string
  /** Sent as JSON. */
  body?: unknown
  /** Content type of the body; a PATCH says by it which kind of patch it is. Default: `application/json`. */
  contentType?: string
  /** Content type of the answer. Default: `application/json`. */
  accept?: string
  /** Keeps connections open between requests; it must trust the cluster's CA. Default: a connection per request. */
  agent?: Agent
  /** Ends the request, also while its answer is read. */
  signal?: AbortSignal
}

/** What the API answered. */
export interface ClusterAnswer<T> {
  status: number
  /** The parsed JSON, or the text where the answer is no JSON (`/readyz`). */
  body: T
  /** Texts of the `Warning` headers, those of admission webhooks among them (RFC 7234, 5.5; Kubernetes KEP-1693). */
  warnings: string[]
}

/** What a request to a cluster needs to know of it. */
export type Credentials = Pick<Cluster, 'url' | 'caCertificate' | 'token'>

/** Sends a request as the cluster's administrator and reads the whole answer; an error status is an answer, too. */
export async function requestCluster<T> (cluster: Credentials, request: ClusterRequest): Promise<ClusterAnswer<T>> {
  const response = await openCluster(cluster, request)
  const content = await text(response)
  const isJson = response.headers['content-type']?.startsWith('application/json') === true
  const body = (isJson ? JSON.parse(content) : content) as T
  return { status: response.statusCode ?? 0, body, warnings: parseWarnings(response.headersDistinct['warning']) }
}

/** Sends a request and returns the answer as it begins: what a watch needs. */
export async function openCluster (cluster: Credentials, request: ClusterRequest): Promise<IncomingMessage> {
  const { method, path, contentType = 'application/json', accept = 'application/json', agent, signal } = request
  const body = request.body === undefined ? undefined : JSON.stringify(request.body)
  return new Promise((resolve, reject) => {
    const outgoing = sendRequest(new URL(path, cluster.url), {
      method,
      ...(agent === undefined ? { agent: false, ca: cluster.caCertificate } : { agent }),
      ...(signal === undefined ? {} : { signal }),
      headers: {
        authorization: `Bearer ${cluster.token}`,
        accept,
        ...(body === undefined ? {} : { 'content-type': contentType, 'content-length': Buffer.byteLength(body) })
      }
    })
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.end(body)
  })
}

const WARNING = /\d{3} \S+ "((?:[^"\\]|\\.)*)"/g

function parseWarnings (headers: string[] = []): string[] {
  return headers.flatMap((header) => [...header.matchAll(WARNING)].map(([, quoted = '']) => unquote(quoted)))
}

/** Kubernetes writes UTF-8 there, and Node reads every header as Latin-1. */
function unquote (quoted: string): string {
  return Buffer.from(quoted.replace(/\\(.)/g, '$1'), 'latin1').toString('utf8')
}
