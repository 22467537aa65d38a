import type { FastifyInstance, FastifyReply } from 'fastify'
import { parseAdmissionReview } from '../core/admission-review.ts'
import { DEFAULT_ENTRY_PATH } from '../core/webhook-entries.ts'
import type { AnswerAdmission } from './admission.ts'
import { describeInvalidReview, HTTP_PROBLEMS, toHttpProblem, type HttpProblem } from './http-errors.ts'
import { readBody } from './request-body.ts'
import { createBatch } from './review-batch.ts'

/** What the routes need of the server around them. */
export interface AdmissionRoutesOptions {
  answer: AnswerAdmission
  /** Milliseconds of a clock that never jumps. */
  monotonicMs: () => number
  bodyLimitBytes: number
  send: (reply: FastifyReply, json: string) => void
  reject: (reply: FastifyReply, problem: HttpProblem) => void
}

/** Bodies that are parsed together: some 150 ordinary reviews, or a single large one. */
const MAX_BATCH_BYTES = 1024 * 1024

/** A request without a body and content type reaches its route with none. */
type Body = Buffer | undefined
const NOTHING = Buffer.alloc(0)

/** A call that waits for its answer. */
interface PendingCall {
  path: string
  body: Buffer
  reply: FastifyReply
  startedMs: number
}

/** Adds `/mutate` and `/mutate/<key>`, and an answer for everything else. Each turn's reviews are answered stage by stage. */
export function addAdmissionRoutes (app: FastifyInstance, options: AdmissionRoutesOptions): void {
  const { answer, monotonicMs, send, reject } = options
  const answerAll = (calls: PendingCall[]): void => {
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
  }
  const addToBatch = createBatch({ handle: answerAll, weigh: ({ body }: PendingCall) => body.length, maxWeight: MAX_BATCH_BYTES })
  app.post<{ Body: Body }>(DEFAULT_ENTRY_PATH, ({ body = NOTHING }, reply) => {
    addToBatch({ path: DEFAULT_ENTRY_PATH, body, reply, startedMs: monotonicMs() })
  })
  app.post<{ Body: Body, Params: { key: string } }>(`${DEFAULT_ENTRY_PATH}/:key`, ({ body = NOTHING, params: { key } }, reply) => {
    addToBatch({ path: `${DEFAULT_ENTRY_PATH}/${key}`, body, reply, startedMs: monotonicMs() })
  })
  addBodyParser(app, options.bodyLimitBytes)
  app.setNotFoundHandler((_request, reply) => { reject(reply, HTTP_PROBLEMS.notFound) })
  app.setErrorHandler((error: Error & { code?: string }, _request, reply) => { reject(reply, toHttpProblem(error)) })
}

/** JSON is parsed later and by hand: fastify's parser refuses keys such as `__proto__`, which a volume attribute may carry. */
function addBodyParser (app: FastifyInstance, bodyLimitBytes: number): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', (request, _payload, done) => { readBody(request.raw, bodyLimitBytes, done) })
}

type ReviewOrProblem = { problem: HttpProblem } | Extract<ReturnType<typeof parseAdmissionReview>, { request: unknown }>

function readReview (body: Buffer): ReviewOrProblem {
  if (body.length === 0) return { problem: HTTP_PROBLEMS.emptyBody }
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
