import { createServer, type Server as HttpsServer } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import { fastify, type FastifyInstance, type FastifyReply } from 'fastify'
import { parseAdmissionReview } from '../core/admission-review.ts'
import { DEFAULT_ENTRY_PATH } from '../core/webhook-entries.ts'
import type { KeyPair } from '../tls/certificates.ts'
import type { AnswerAdmission } from './admission.ts'
import { describeInvalidReview, HTTP_PROBLEMS, toHttpProblem, type HttpProblem } from './http-errors.ts'
import { createBatch } from './review-batch.ts'

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
  const reject: Reject = (reply, { statusCode, code, message }) => {
    options.onRejected(statusCode)
    send(reply.code(statusCode), JSON.stringify({ error: { code, message } }))
  }
  const app = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: MAX_KEY_LENGTH },
    frameworkErrors (error, _request, reply) { reject(reply, toHttpProblem(error)) },
    serverFactory (handler) {
      server = createServer({
        ...createSecureContextOptions(options.keyPair, options.clientCa),
        requestCert: options.clientCa !== undefined,
        rejectUnauthorized: options.clientCa !== undefined,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS
      }, handler)
      return server
    }
  })
  app.addHook('onRequest', (_request, _reply, done) => {
    inFlight++
    options.onRequest()
    done()
  })
  app.addHook('onResponse', (_request, _reply, done) => {
    inFlight--
    options.onResponse()
    done()
  })
  addJsonParser(app)
  addRoutes(app, options, { send, reject })

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

/** A call that waits for its answer. */
interface PendingCall {
  path: string
  body: unknown
  reply: FastifyReply
  startedMs: number
}

interface Senders {
  send: (reply: FastifyReply, json: string) => void
  reject: Reject
}

type Reject = (reply: FastifyReply, problem: HttpProblem) => void

function addRoutes (app: FastifyInstance, { answer, monotonicMs }: AdmissionServerOptions, { send, reject }: Senders): void {
  const addToBatch = createBatch<PendingCall>((calls) => {
    const read = calls.map((call) => ({ call, result: readReview(call.body) }))
    const answered = read.map(({ call, result }) => {
      return { call, result: 'problem' in result ? result : { review: answer(call.path, result.request, call.startedMs) } }
    })
    const written = answered.map(({ call, result }) => {
      return { call, result: 'problem' in result ? result : { text: JSON.stringify(result.review) } }
    })
    for (const { call: { reply }, result } of written) {
      if ('problem' in result) reject(reply, result.problem)
      else send(reply, result.text)
    }
  })
  app.post(DEFAULT_ENTRY_PATH, ({ body }, reply) => {
    addToBatch({ path: DEFAULT_ENTRY_PATH, body, reply, startedMs: monotonicMs() })
  })
  app.post<{ Params: { key: string } }>(`${DEFAULT_ENTRY_PATH}/:key`, ({ body, params: { key } }, reply) => {
    addToBatch({ path: `${DEFAULT_ENTRY_PATH}/${key}`, body, reply, startedMs: monotonicMs() })
  })
  app.setNotFoundHandler((_request, reply) => { reject(reply, HTTP_PROBLEMS.notFound) })
  app.setErrorHandler((error: Error & { code?: string }, _request, reply) => { reject(reply, toHttpProblem(error)) })
}

/** JSON is parsed by hand: fastify's parser refuses keys such as `__proto__`, which a volume attribute may carry. */
function addJsonParser (app: FastifyInstance): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => { done(null, body) })
}

type ReviewOrProblem = { problem: HttpProblem } | Extract<ReturnType<typeof parseAdmissionReview>, { request: unknown }>

function readReview (body: unknown): ReviewOrProblem {
  if (!Buffer.isBuffer(body) || body.length === 0) return { problem: HTTP_PROBLEMS.emptyBody }
  const json = parseJson(body)
  if (json === undefined) return { problem: HTTP_PROBLEMS.invalidJson }
  const parsed = parseAdmissionReview(json)
  return 'error' in parsed ? { problem: describeInvalidReview(parsed.error) } : parsed
}

function parseJson (body: Buffer): unknown {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

function createSecureContextOptions ({ certificate, privateKey }: KeyPair, clientCa: string | undefined): SecureContextOptions {
  return { cert: certificate, key: privateKey, minVersion: 'TLSv1.2', ...(clientCa !== undefined && { ca: clientCa }) }
}
