import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http'
import { type Agent, request as sendRequest } from 'node:https'
import type { ProxiedRequest } from './fault.ts'

/** Where requests go. */
export interface Upstream {
  url: URL
  /** Keeps connections open and trusts the API's CA. */
  agent: Agent
}

/** A request and its answer on their way through the proxy, until the answer is sent or the connection gone. */
export interface ProxiedExchange {
  readonly request: ProxiedRequest
  readonly authorization: string | undefined
  /** Sends the request on and streams the answer back, or cuts the connection where the answer would begin. */
  forward: (upstream: Upstream, answer: 'pass' | 'cut') => void
  /** Answers without asking the API. */
  reply: (status: number, headers: Record<string, string>, body: string) => void
  /** From now on nothing is sent to the client, and what comes for it is dropped. */
  stall: () => void
  /** Ends the answer as a server that has no more to say. */
  end: () => void
  /** Cuts the client's connection, unless it was answered completely. */
  cut: () => void
}

/**
 * Of one connection only, not of the message (RFC 9110, 7.6.1); `Expect` was answered already. `Transfer-Encoding` stays, since
 * Node encodes by it.
 */
const CONNECTION_HEADERS = new Set(['connection', 'keep-alive', 'proxy-connection', 'te', 'upgrade', 'expect', 'host'])

/**
 * Makes an exchange of a request that has just come. When its client leaves, the request to the API ends, too; when the API's
 * connection fails, so does the client's, as it would without a proxy between them.
 */
export function createExchange (incoming: IncomingMessage, response: ServerResponse, atMs: number): ProxiedExchange {
  const request = describeRequest(incoming, atMs)
  let isStalled = false
  let outgoing: ClientRequest | undefined
  let answer: IncomingMessage | undefined

  response.once('close', () => outgoing?.destroy())
  // A client that leaves in the middle of its body; the response closes with it.
  incoming.on('error', () => {})
  response.on('error', () => {})

  /** Nothing of the API's answer may reach the client any more. */
  const isOver = (): boolean => isStalled || response.writableEnded || response.destroyed

  function cut (): void {
    // Who has the whole answer may use the connection for something else already.
    if (!response.writableEnded) incoming.socket.destroy()
  }

  function fail (): void {
    if (!isStalled) cut()
  }

  function cutAnswer (received: IncomingMessage): void {
    received.on('error', fail).resume()
    fail()
  }

  function pass (received: IncomingMessage): void {
    answer = received
    answer.on('error', fail)
    if (isOver()) {
      answer.resume()
      return
    }
    request.status = answer.statusCode ?? 0
    response.writeHead(request.status, answer.statusMessage, withoutConnectionHeaders(answer.rawHeaders))
    // A watch is open before its first event.
    if (request.isWatch) response.flushHeaders()
    answer.pipe(response)
  }

  return {
    request,
    authorization: incoming.headers.authorization,
    forward ({ url, agent }, then) {
      if (isOver()) return
      outgoing = sendRequest({
        host: url.hostname,
        port: url.port,
        agent,
        method: request.method,
        path: incoming.url,
        headers: ['host', url.host, ...withoutConnectionHeaders(incoming.rawHeaders)]
      })
      outgoing.on('error', fail)
      outgoing.once('response', then === 'pass' ? pass : cutAnswer)
      incoming.pipe(outgoing)
    },
    reply (status, headers, body) {
      if (isOver()) return
      request.status = status
      incoming.resume()
      response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-cache, private', ...headers }).end(body)
    },
    stall () {
      isStalled = true
      answer?.unpipe(response).resume()
      // Read on, to see the client leave.
      if (outgoing === undefined) incoming.resume()
    },
    end () {
      request.status ??= 200
      answer?.unpipe(response)
      response.end()
    },
    cut
  }
}

function describeRequest ({ method = '', url = '/' }: IncomingMessage, atMs: number): ProxiedRequest {
  const mark = url.indexOf('?')
  const path = mark < 0 ? url : url.slice(0, mark)
  const query = mark < 0 ? '' : url.slice(mark + 1)
  const watch = new URLSearchParams(query).get('watch')
  return { method, path, query, isWatch: watch === 'true' || watch === '1', atMs }
}

function withoutConnectionHeaders (rawHeaders: string[]): string[] {
  const headers: string[] = []
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const [name = '', value = ''] = rawHeaders.slice(index, index + 2)
    if (!CONNECTION_HEADERS.has(name.toLowerCase())) headers.push(name, value)
  }
  return headers
}
