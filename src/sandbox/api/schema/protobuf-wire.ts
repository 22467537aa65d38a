/** One field of a protobuf message as it stands on the wire. */
export interface WireField {
  number: number
  value: bigint | Buffer
}

/**
 * Splits a protobuf message into its fields; throws RangeError when it is broken.
 * https://protobuf.dev/programming-guides/encoding/
 */
export function readFields (message: Buffer): WireField[] {
  const fields: WireField[] = []
  let offset = 0
  while (offset < message.length) {
    const tag = readVarint(message, offset)
    const number = Number(tag.value >> 3n)
    const { value, end } = readValue(message, tag.end, Number(tag.value & 7n))
    if (number === 0) throw new RangeError('a protobuf field has the number 0')
    fields.push({ number, value })
    offset = end
  }
  return fields
}

function readValue (message: Buffer, offset: number, wireType: number): { value: bigint | Buffer, end: number } {
  switch (wireType) {
    case 0: return readVarint(message, offset)
    case 1: return slice(message, offset, 8)
    case 2: {
      const { value, end } = readVarint(message, offset)
      return slice(message, end, Number(value))
    }
    case 5: return slice(message, offset, 4)
    default: throw new RangeError(`unknown protobuf wire type ${wireType}`)
  }
}

function slice (message: Buffer, offset: number, length: number): { value: Buffer, end: number } {
  const end = offset + length
  if (end > message.length) throw new RangeError('a protobuf message is cut short')
  return { value: message.subarray(offset, end), end }
}

function readVarint (message: Buffer, offset: number): { value: bigint, end: number } {
  let value = 0n
  for (let index = 0; index < 10; index += 1) {
    const byte = message[offset + index]
    if (byte === undefined) throw new RangeError('a protobuf message is cut short')
    value |= BigInt(byte & 0x7f) << BigInt(7 * index)
    if (byte < 0x80) return { value, end: offset + index + 1 }
  }
  throw new RangeError('a protobuf number is too long')
}
