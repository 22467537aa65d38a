import { STATUS_CODES } from 'node:http'
import { createServer, type Server as HttpsServer } from 'node:https'
import type { Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify'
import type { KeyPair } from '../tls/certificates.ts'
import type { AnswerAdmission } from './admission.ts'
import { addAdmissionRoutes } from './admission-routes.ts'
import { HTTP_PROBLEMS, toHttpProblem, type HttpProblem } from './http-errors.ts'

/** What the server presents, demands and reports. */
export interface AdmissionServerOptions {
  keyPair: KeyPair
  /** PEM of the CA that must have signed the client's certificate; absent = any client may call. */
  clientCa?: string
  answer: AnswerAdmission
  /** Milliseconds of a clock that never jumps. */
  monotonicMs: () => number
  onRequest: () => void
  onResponse: () => void
  onRejected: (statusCode: number) => void
}

/** The HTTPS server of the webhook. */
export interface AdmissionServer {
  app: FastifyInstance
  /** Swaps the serving certificate; open connections go on with the old one. */
  setKeyPair: (keyPair: KeyPair) => void
  /** From now on every answer asks its client to connect anew, elsewhere. */
  startDraining: () => void
  /** Takes no new connection, answers what is in flight, and closes the rest. */
  close: () => Promise<void>
}

/** What controller-runtime accepts: above the 3 MiB of an object in etcd, twice, and the review's own fields. */
const BODY_LIMIT_BYTES = 7 * 1024 * 1024

/** Above the 90 s after which Go's client closes an idle connection, so that it never meets one that we closed. */
const KEEP_ALIVE_TIMEOUT_MS = 95_000
const REQUEST_TIMEOUT_MS = 30_000

/** Longer than any request line that Node accepts, so that an unknown key of any length is answered as an unknown entry. */
const MAX_KEY_LENGTH = 16_384

/** How long nothing may be in flight before connections that never carried a request are cut: Node does not call them idle. */
const QUIET_MS = 500
const SWEEP_MS = 50

/**
 * Builds the server without listening. HTTP/1.1 only: over HTTP/2 the API server sends everything through one
 * connection, so that one replica gets all the load (kubernetes/kubernetes#80313).
 */
export function createAdmissionServer (options: AdmissionServerOptions): AdmissionServer {
  let isDraining = false
  let inFlight = 0
  let server: HttpsServer | undefined
  const send = (reply: FastifyReply, json: string): void => {
    if (isDraining) void reply.header('connection', 'close')
    void reply.type('application/json').send(json)
  }
  const reject = (reply: FastifyReply, { statusCode, code, message }: HttpProblem): void => {
    options.onRejected(statusCode)
    if (statusCode === HTTP_PROBLEMS.bodyTooLarge.statusCode) void reply.header('connection', 'close') // the rest is not read
    send(reply.code(statusCode), formatProblem({ code, message }))
  }
  const app = fastify({
    logger: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_KEY_LENGTH },
    frameworkErrors (error, _request, reply) { reject(reply, toHttpProblem(error)) },
    clientErrorHandler (error, socket) { refuseBrokenRequest(error, socket, options.onRejected) },
    serverFactory (handler) {
      server = createServer({
        ...createSecureContextOptions(options.keyPair, options.clientCa),
        requestCert: options.clientCa !== undefined,
        rejectUnauthorized: options.clientCa !== undefined,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS
      }, (request, response) => {
        inFlight++
        options.onRequest()
        response.once('close', () => {
          inFlight--
          options.onResponse()
        })
        handler(request, response)
      })
      return server
    }
  })
  addAdmissionRoutes(app, { ...options, send, reject, bodyLimitBytes: BODY_LIMIT_BYTES })

  async function close (): Promise<void> {
    const closed = app.close()
    let quietMs = 0
    const sweep = setInterval(() => {
      quietMs = inFlight === 0 ? quietMs + SWEEP_MS : 0
      if (quietMs < QUIET_MS) server?.closeIdleConnections()
      else server?.closeAllConnections()
    }, SWEEP_MS)
    await closed
    clearInterval(sweep)
  }

  return {
    app,
    setKeyPair: (keyPair) => server?.setSecureContext(createSecureContextOptions(keyPair, options.clientCa)),
    startDraining: () => { isDraining = true },
    close
  }
}

/** Answers what is no HTTP, on the bare socket: there is no request to reply to. */
function refuseBrokenRequest (error: Error & { code?: string }, socket: Socket, onRejected: (statusCode: number) => void): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const { statusCode, code, message } = toHttpProblem(error)
  onRejected(statusCode)
  const body = formatProblem({ code, message })
  if (socket.writable) {
    socket.write(`HTTP/1.1 ${statusCode} ${STATUS_CODES[statusCode]}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
  }
  socket.destroySoon()
}

function formatProblem (error: Pick<HttpProblem, 'code' | 'message'>): string {
  return JSON.stringify({ error })
}

function createSecureContextOptions ({ certificate, privateKey }: KeyPair, clientCa: string | undefined): SecureContextOptions {
  return { cert: certificate, key: privateKey, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) }
}
