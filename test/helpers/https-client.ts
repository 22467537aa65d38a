import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { AgentOptions } from 'node:https'
import { text } from 'node:stream/consumers'

export interface HttpsAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
  /** Whether it came over a connection that had carried a request before. */
  isReused: boolean
}

export interface HttpsQuestion {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: string | Buffer
}

/** A request whose body is sent in part. */
export interface OpenRequest {
  /** Sends the rest and waits for the answer. */
  finish: () => Promise<HttpsAnswer>
  /** Cuts the connection. */
  cut: () => void
}

/** A client that keeps its connections, as the API server does. */
export interface HttpsClient {
  send: (question: HttpsQuestion) => Promise<HttpsAnswer>
  /** Posts JSON. */
  post: (path: string, body: unknown) => Promise<HttpsAnswer>
  /** Sends the headers and the first half of a JSON body. */
  open: (path: string, body: unknown) => Promise<OpenRequest>
  close: () => void
}

const JSON_HEADERS = { 'content-type': 'application/json' }

/** Makes a client of the server at `url`. Without `maxSockets` each request at the same time has a connection of its own. */
export function createHttpsClient (url: string, options: AgentOptions): HttpsClient {
  const agent = new Agent({ keepAlive: true, ...options })

  async function send ({ method = 'POST', path = '/mutate', headers = {}, body }: HttpsQuestion): Promise<HttpsAnswer> {
    const outgoing = request(new URL(path, url), { agent, method, headers })
    const answered = waitForAnswer(outgoing)
    outgoing.end(body)
    return readAnswer(await answered, outgoing.reusedSocket)
  }

  async function open (path: string, body: unknown): Promise<OpenRequest> {
    const bytes = Buffer.from(JSON.stringify(body))
    const half = bytes.length >> 1
    const outgoing = request(new URL(path, url), { agent, method: 'POST', headers: { ...JSON_HEADERS, 'content-length': bytes.length } })
    const answered = waitForAnswer(outgoing)
    answered.catch(() => {})
    await new Promise<void>((resolve, reject) => {
      outgoing.once('error', reject)
      outgoing.write(bytes.subarray(0, half), () => { resolve() })
    })
    return {
      async finish () {
        outgoing.end(bytes.subarray(half))
        return readAnswer(await answered, outgoing.reusedSocket)
      },
      cut: () => { outgoing.destroy() }
    }
  }

  return {
    send,
    open,
    post: async (path, body) => send({ path, headers: JSON_HEADERS, body: JSON.stringify(body) }),
    close: () => { agent.destroy() }
  }
}

/** The listener for errors stays: a server that refuses a body closes the connection while we still send. */
async function waitForAnswer (outgoing: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => { outgoing.once('response', resolve).on('error', reject) })
}

async function readAnswer (incoming: IncomingMessage, isReused: boolean): Promise<HttpsAnswer> {
  return { status: incoming.statusCode ?? 0, headers: incoming.headers, body: await text(incoming), isReused }
}
