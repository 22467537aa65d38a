import type { AuditedRequest, AuditLog, AuditTrail } from './audit-log.ts'
import { badRequest, StatusError } from '../status-error.ts'

/** The answer to a request: an object or a Status. */
export interface Reply {
  code: number
  body: object
  warnings: Set<string>
}

/** The refusal as an answer; an error that is no refusal becomes 500, and its text is shown since this is a tool to try things with. */
export function replyToError (error: unknown, warnings = new Set<string>()): Reply {
  const { status } = toStatusError(error)
  return { code: status.code, body: status, warnings }
}

function toStatusError (error: unknown): StatusError {
  if (error instanceof StatusError) return error
  // The only recursion over what a client sent is that over its nesting.
  if (error instanceof RangeError) return badRequest('the object is nested too deeply: exceeded max depth')
  return new StatusError(500, 'InternalError', `Internal error occurred: ${String(error)}`)
}

/** Runs a write and writes its audit event, whatever comes out; never rejects. */
export async function runAudited (audit: AuditLog, request: AuditedRequest, run: (trail: AuditTrail, warnings: Set<string>) => Promise<Omit<Reply, 'warnings'>>): Promise<Reply> {
  const trail = audit.start(request)
  const warnings = new Set<string>()
  const reply = await run(trail, warnings).then((result) => ({ ...result, warnings }), (error: unknown) => replyToError(error, warnings))
  trail.finish(reply.code, reply.body)
  return reply
}
