const CONTROL_CHARACTERS = /\p{Cc}/u
const MAX_TOTAL = 4096
const MAX_EACH_WHEN_LONG = 256

/**
 * Formats warnings as the values of `Warning` headers (RFC 7234, code 299). As in the API server, a text with control characters is
 * dropped, and when all together are long, each is cut.
 */
export function formatWarnings (warnings: Iterable<string>): string[] {
  const texts = [...warnings].filter((text) => !CONTROL_CHARACTERS.test(text))
  const total = texts.reduce((sum, text) => sum + text.length, 0)
  const cut = total > MAX_TOTAL ? texts.map((text) => text.slice(0, MAX_EACH_WHEN_LONG)) : texts
  return cut.map((text) => `299 - "${encodeHeader(text.replaceAll(/["\\]/g, '\\$&'))}"`)
}

/** Node writes header values as Latin-1: UTF-8 goes through when each byte is one character. */
function encodeHeader (text: string): string {
  return Buffer.from(text).toString('latin1')
}
