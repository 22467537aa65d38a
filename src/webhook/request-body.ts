import type { IncomingMessage } from 'node:http'

/** The body is larger than the limit; the code is fastify's own for this. */
export class BodyTooLargeError extends Error {
  override name = 'BodyTooLargeError'
  readonly code = 'FST_ERR_CTP_BODY_TOO_LARGE'
}

/**
 * Reads a request's body of at most `limitBytes` into one buffer. It does what fastify's `parseAs: 'buffer'` does with
 * less for each chunk, and a review is mostly one chunk. What comes after the limit is thrown away unread.
 */
export function readBody (payload: IncomingMessage, limitBytes: number, done: (error: Error | null, body?: Buffer) => void): void {
  if (Number(payload.headers['content-length']) > limitBytes) return done(new BodyTooLargeError(`the body is larger than ${limitBytes} bytes`))
  const chunks: Buffer[] = []
  let length = 0
  let isDone = false

  function finish (error: Error | null): void {
    if (isDone) return
    isDone = true
    done(error, error === null ? joinChunks(chunks) : undefined)
  }

  payload.on('data', (chunk: Buffer) => {
    length += chunk.length
    if (length <= limitBytes) chunks.push(chunk)
    else finish(new BodyTooLargeError(`the body is larger than ${limitBytes} bytes`))
  })
  payload.on('end', () => { finish(null) })
  payload.on('error', finish)
}

function joinChunks (chunks: Buffer[]): Buffer {
  const [only] = chunks
  return chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks)
}
