import { constants, gunzipSync } from 'node:zlib'
import { readFields, type WireField } from './protobuf-wire.ts'

/** One field of a message type. */
export interface MessageField {
  name: string
  number: number
  /** The message type's full name; empty for plain values. */
  typeName: string
}

const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 0x08])

/**
 * Finds the message types of a Go program: the protobuf library keeps a gzipped FileDescriptorProto per package in the binary.
 * https://github.com/protocolbuffers/protobuf/blob/main/src/google/protobuf/descriptor.proto
 */
export function readDescriptors (program: Buffer): Map<string, MessageField[]> {
  const messages = new Map<string, MessageField[]>()
  for (let at = program.indexOf(GZIP_HEADER); at !== -1; at = program.indexOf(GZIP_HEADER, at + 1)) {
    const file = inflate(program.subarray(at, at + 400_000))
    if (file === undefined) continue
    const packageName = readText(file, 2)
    for (const message of listMessages(file, 4)) messages.set(`${packageName}.${readText(message, 1)}`, listMessages(message, 2).map(readField))
  }
  return messages
}

function inflate (bytes: Buffer): WireField[] | undefined {
  try {
    return readFields(gunzipSync(bytes, { finishFlush: constants.Z_SYNC_FLUSH }))
  } catch {
    return undefined
  }
}

function readField (field: WireField[]): MessageField {
  const number = Number(field.find((part) => part.number === 3)?.value ?? 0)
  return { name: readText(field, 1), number, typeName: readText(field, 6).replace(/^\./, '') }
}

function listMessages (fields: WireField[], number: number): WireField[][] {
  return fields.flatMap((field) => field.number === number && Buffer.isBuffer(field.value) ? [readFields(field.value)] : [])
}

function readText (fields: WireField[], number: number): string {
  const value = fields.find((field) => field.number === number)?.value
  return Buffer.isBuffer(value) ? value.toString() : ''
}
