import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { Agent, createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createCertificateAuthority, issueCertificate, type KeyPair } from '../tls/certificates.ts'
import type { Cluster } from './cluster.ts'
import type { Credentials } from './cluster-request.ts'
import type { Fault, ProxiedRequest, RequestFilter } from './faults/fault.ts'
import { createFaultSwitches, type FaultSwitches } from './faults/fault-switches.ts'
import { createExchange } from './faults/proxied-exchange.ts'
import { createRequestLog, type RequestLog } from './faults/request-log.ts'

/** A way to a Kubernetes API on which things go wrong on demand; to its clients it is the cluster. */
export interface FaultProxy extends Cluster {
  /**
   * Switches a fault on for the requests that match, all when no filter is given. The function that it returns switches it off;
   * calling that again does nothing.
   */
  inject: (fault: Fault, matches?: RequestFilter) => () => void
  /** Ends all watches that are open now: `end` as a server that closes cleanly, `reset` as a cut connection. */
  cutWatches: (how: 'end' | 'reset', matches?: RequestFilter) => void
  /** What was asked since the start or the last `forgetRequests`, oldest first: the last 100,000 requests. */
  requests: () => ProxiedRequest[]
  forgetRequests: () => void
}

/** The clock of the request log: milliseconds from any origin. */
export interface FaultProxyOptions {
  now?: () => number
}

const LOGGED_REQUESTS = 100_000
const CERTIFICATE_DAYS = 30
/** As Go's server in kube-apiserver (`IdleTimeout`). */
const CLIENT_IDLE_MS = 90_000
/** Shorter than an API server's, so that no request is sent over a connection that it just closes. */
const UPSTREAM_IDLE_MS = 30_000

/**
 * Starts a proxy before a cluster's API, on a free port of 127.0.0.1 and on loopback only, with a CA of its own. The bearer token
 * of each request is passed on; watches are streamed. It speaks HTTP/1.1 only, without connection upgrades.
 * The target may go away and come back: until then the clients' connections are cut. `close` leaves the target running.
 */
export async function startFaultProxy (target: Credentials, { now = () => performance.now() }: FaultProxyOptions = {}): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true, ca: target.caCertificate, timeout: UPSTREAM_IDLE_MS })
  const switches = createFaultSwitches({ url: new URL(target.url), agent })
  const log = createRequestLog(LOGGED_REQUESTS)
  const { authority, serving } = await issueServingCertificate(new Date())
  const server = createProxyServer(serving, switches, log, now)
  const closeServer = prepareClose(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    caCertificate: authority.certificate,
    token: target.token,
    inject: switches.inject,
    cutWatches (how, matches = () => true) {
      const watches = switches.listOpen().filter(({ request }) => request.isWatch && matches(request))
      for (const watch of watches) {
        if (how === 'end') watch.end()
        else watch.cut()
      }
    },
    requests: log.list,
    forgetRequests: log.clear,
    async close () {
      await closeServer()
      agent.destroy()
    }
  }
}

function createProxyServer ({ certificate, privateKey }: KeyPair, switches: FaultSwitches, log: RequestLog, now: () => number): Server {
  const options = { cert: certificate, key: privateKey, noDelay: true, keepAliveTimeout: CLIENT_IDLE_MS, requestTimeout: 0 }
  return createServer(options, (incoming, response) => {
    const exchange = createExchange(incoming, response, now())
    log.add(exchange.request)
    response.once('close', () => { switches.finish(exchange) })
    switches.start(exchange)
  })
}

/** Returns what ends all connections, also those that have not said anything yet. */
function prepareClose (server: Server): () => Promise<void> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => { sockets.delete(socket) })
  })
  return async () => new Promise((resolve) => {
    server.close(() => { resolve() })
    server.closeAllConnections()
    for (const socket of sockets) socket.destroy()
  })
}

async function issueServingCertificate (now: Date): Promise<{ authority: KeyPair, serving: KeyPair }> {
  // A minute of the past, for clients whose clock is behind.
  const validity = { notBefore: new Date(now.getTime() - 60_000), days: CERTIFICATE_DAYS }
  const authority = await createCertificateAuthority({ ...validity, commonName: `pullkeeper fault proxy ${randomUUID()}` })
  const names = ['127.0.0.1', 'localhost']
  return { authority, serving: await issueCertificate(authority, { ...validity, commonName: 'kube-apiserver', names, usage: 'serverAuth' }) }
}
