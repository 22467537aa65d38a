import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import type { Test } from 'tap'
import { stringify } from 'yaml'
import { createTestAuthority, type TestAuthority } from '../helpers/test-authority.ts'

/** What came to a double of the API server. */
export interface Received {
  method: string
  url: string
  headers: IncomingMessage['headers']
  body: string
  /** The common name of the client's certificate. */
  client: string | undefined
  /** The server name that the client named (SNI). */
  servername: string | false | null
}

/** A server in the API server's place. */
export interface ApiDouble {
  port: number
  url: string
  authority: TestAuthority
  received: Received[]
  /** How many connections were made. */
  countConnections: () => number
  /** Answers a request; 200 with `{}` when it does nothing. */
  respond: (request: Received, response: ServerResponse) => void
}

const authority = await createTestAuthority()

/** Starts a double that ends with the test; it asks clients for a certificate and takes those that have none. */
export async function startApiDouble (t: Test, { names, isPlain = false }: { names?: string[], isPlain?: boolean } = {}): Promise<ApiDouble> {
  const pair = await authority.issueServer(names === undefined ? {} : { names })
  const receive = (incoming: IncomingMessage, response: ServerResponse): void => { void take(incoming, response) }
  const server = isPlain
    ? createServer(receive)
    : createTlsServer({ key: pair.privateKey, cert: pair.certificate, ca: authority.certificate, requestCert: true, rejectUnauthorized: false }, receive)
  const received: Received[] = []
  let connections = 0

  async function take (incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(incoming)
    const socket = incoming.socket as TLSSocket
    const request = {
      method: incoming.method ?? '',
      url: incoming.url ?? '',
      headers: incoming.headers,
      body,
      client: isPlain ? undefined : String((socket.getPeerCertificate().subject as { CN?: string } | undefined)?.CN ?? '') || undefined,
      servername: socket.servername ?? null
    }
    received.push(request)
    double.respond(request, response)
  }

  const port = await listen(t, server)
  server.on(isPlain ? 'connection' : 'secureConnection', () => { connections++ })
  const double: ApiDouble = {
    port,
    url: `${isPlain ? 'http' : 'https'}://127.0.0.1:${port}`,
    authority,
    received,
    countConnections: () => connections,
    respond: (_request, response) => { answerJson(response, 200, {}) }
  }
  return double
}

/** Answers as the API server does. */
export function answerJson (response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

/** A way to a port that takes connections at once and carries nothing until it is opened. */
export interface Gate {
  port: number
  countWaiting: () => number
  open: () => void
}

/** Starts a gate, shut, that ends with the test. */
export async function startGate (t: Test, port: number): Promise<Gate> {
  const waiting = new Set<Socket>()
  let isOpen = false
  const pass = (socket: Socket): void => {
    const onward = connect(port, '127.0.0.1')
    onward.on('error', () => { socket.destroy() }).once('close', () => { socket.destroy() })
    socket.once('close', () => { onward.destroy() })
    socket.pipe(onward).pipe(socket)
  }
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    if (isOpen) {
      pass(socket)
      return
    }
    waiting.add(socket)
  })
  return {
    port: await listen(t, server),
    countWaiting: () => waiting.size,
    open () {
      isOpen = true
      for (const socket of waiting) pass(socket)
      waiting.clear()
    }
  }
}

/** Starts an HTTP proxy that knows CONNECT only; returns its port and where it was sent to. */
export async function startConnectProxy (t: Test): Promise<{ port: number, targets: { target: string, authorization: string | undefined }[] }> {
  const targets: { target: string, authorization: string | undefined }[] = []
  const server = createServer((_request, response) => { response.writeHead(405).end() })
  server.on('connect', ({ url = '', headers }: IncomingMessage, socket: Socket) => {
    targets.push({ target: url, authorization: headers['proxy-authorization'] })
    const onward = connect(Number(url.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
      socket.pipe(onward).pipe(socket)
    })
    onward.on('error', () => { socket.destroy() }).once('close', () => { socket.destroy() })
    socket.on('error', () => {}).once('close', () => { onward.destroy() })
  })
  return { port: await listen(t, server), targets }
}

async function listen (t: Test, server: Server): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => { sockets.delete(socket) })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(async () => {
    const closed = once(server, 'close')
    server.close()
    for (const socket of sockets) socket.destroy()
    await closed
  })
  return (server.address() as AddressInfo).port
}

/** What a kubeconfig of one context says of its cluster and its user. */
export interface KubeconfigContent {
  cluster: object
  user?: object
}

/** The text of a kubeconfig of one context. */
export function formatKubeconfig ({ cluster, user = {} }: KubeconfigContent, name = 'test'): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name
  })
}

/** Makes a folder with a kubeconfig and what it names; returns the kubeconfig's path. */
export function writeKubeconfigFolder (t: Test, content: KubeconfigContent, files: Record<string, string> = {}): string {
  return join(t.testdir({ config: formatKubeconfig(content), ...files }), 'config')
}

/** The double's CA as a kubeconfig holds it. */
export function formatCaData ({ authority }: ApiDouble): string {
  return Buffer.from(authority.certificate).toString('base64')
}
