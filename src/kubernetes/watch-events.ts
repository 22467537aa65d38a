import { asObject, type UnknownObject } from '../core/unknown.ts'
import { KubeError } from './kube-error.ts'

/** One line of a watch (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes). */
export interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  /** The object; of a BOOKMARK its resourceVersion only, of an ERROR a Status. */
  object: T
}

const NEWLINE = 0x0a

/** Reads a watch's lines as they come; an event may arrive in pieces, and several at once. A last line without its end was cut off and is dropped. */
export async function * readWatchEvents<T> (body: AsyncIterable<Buffer>): AsyncGenerator<WatchEvent<T>> {
  let pieces: Buffer[] = []
  for await (const chunk of body) {
    let from = 0
    for (let to = chunk.indexOf(NEWLINE); to !== -1; to = chunk.indexOf(NEWLINE, from)) {
      pieces.push(chunk.subarray(from, to))
      const line = Buffer.concat(pieces).toString()
      pieces = []
      from = to + 1
      if (line !== '') yield parseEvent<T>(line)
    }
    if (from < chunk.length) pieces.push(chunk.subarray(from))
  }
}

function parseEvent<T> (line: string): WatchEvent<T> {
  const event = parseObject(line)
  if (typeof event?.['type'] !== 'string' || asObject(event['object']) === undefined) {
    throw new KubeError({ status: 0, reason: 'InvalidAnswer', message: 'the API server sent a watch event that is none' })
  }
  return event as unknown as WatchEvent<T>
}

function parseObject (line: string): UnknownObject | undefined {
  try {
    return asObject(JSON.parse(line))
  } catch {
    return undefined
  }
}
