import { InvalidArgumentError } from 'commander'

/** Parses a TCP port; 0 asks for any free one. */
export function parsePort (text: string): number {
  const port = Number(text)
  if (!/^[0-9]+$/.test(text) || port > 65_535) throw new InvalidArgumentError('a port is a whole number from 0 to 65535')
  return port
}

/** Parses a number of seconds, fractions included. */
export function parseSeconds (text: string): number {
  if (!/^[0-9]+(\.[0-9]+)?$/.test(text)) throw new InvalidArgumentError('write a number of seconds, such as 10 or 0.5')
  return Number(text)
}

/** Parses a number of whole days, at least one. */
export function parseDays (text: string): number {
  if (!/^[1-9][0-9]{0,4}$/.test(text)) throw new InvalidArgumentError('write a whole number of days, such as 365')
  return Number(text)
}

/** Parses labels as kubectl writes them: `KEY=VALUE,...`. */
export function parseLabels (text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair !== '').map((pair) => /^([^=]+)=(.*)$/.exec(pair))
  if (pairs.some((pair) => pair === null)) throw new InvalidArgumentError('write KEY=VALUE,... such as team=payments,stage=prod')
  return Object.fromEntries(pairs.map((pair) => [pair?.[1] ?? '', pair?.[2] ?? '']))
}
