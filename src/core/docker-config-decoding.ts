import { normalizeRegistryKey } from './registry-key.ts'
import { asObject, type UnknownObject } from './unknown.ts'

/** What the kubelet knows of one key of `auths`; both texts are empty for an entry that means an anonymous pull. */
export interface DockerConfigEntry {
  /** The key as it is written. */
  server: string
  username: string
  password: string
}

/** A content that the kubelet can read, or why it can not; the error never holds any of the content. */
export type ParsedDockerConfig = {
  entries: DockerConfigEntry[]
  /** Whether an entry has both a user name and a password under a key that the kubelet accepts. */
  hasCredentials: boolean
} | { error: string }

/** What the API server lets a Secret hold (MaxSecretSize), in bytes. */
export const MAX_DOCKER_CONFIG_BYTES = 1024 * 1024

/** The kubelet reads JSON with Go's encoding/json: names match under Unicode's simple case folding. */
const AUTHS = /^auths$/iu
const HTTP_HEADERS = /^HttpHeaders$/iu
const ENTRY_FIELDS = { username: /^username$/iu, password: /^password$/iu, email: /^email$/iu, auth: /^auth$/iu }

/**
 * Reads a `.dockerconfigjson` as the kubelet does (pkg/credentialprovider/config.go): one entry that it can't read
 * makes it give up every image pull of a Pod that lists the Secret. Stricter than the kubelet in two points, which no
 * tool writes: a name that stands twice in one object, and an `auth` that is no UTF-8.
 */
export function parseDockerConfig (content: Buffer): ParsedDockerConfig {
  return readDocument(content, (document) => {
    const headers = Object.values(readObject(readField(document, HTTP_HEADERS, 'it'), 'HttpHeaders'))
    if (!headers.every(isTextOrNull)) throw new Unreadable('HttpHeaders holds something else than texts')
    return readObject(readField(document, AUTHS, 'it'), 'auths')
  })
}

/** Reads the content of a legacy `kubernetes.io/dockercfg` Secret as the kubelet does: entries without `auths` around them. */
export function parseDockercfg (content: Buffer): ParsedDockerConfig {
  return readDocument(content, (document) => document)
}

/** Why the kubelet can not read a content; the message is safe to show. */
class Unreadable extends Error {}

function readDocument (content: Buffer, readAuths: (document: UnknownObject) => UnknownObject): ParsedDockerConfig {
  try {
    const entries = Object.entries(readAuths(readJson(content))).map(([server, entry], index) => ({ server, ...readEntry(entry, `entry ${index + 1}`) }))
    return { entries, hasCredentials: entries.some(isUsable) }
  } catch (error) {
    if (error instanceof Unreadable) return { error: error.message }
    throw error
  }
}

function isUsable ({ server, username, password }: DockerConfigEntry): boolean {
  return username !== '' && password !== '' && normalizeRegistryKey(server) !== undefined
}

function readJson (content: Buffer): UnknownObject {
  if (content.length === 0) throw new Unreadable('it is empty')
  if (content.length > MAX_DOCKER_CONFIG_BYTES) throw new Unreadable('it is larger than a Secret can be (1 MiB)')
  const text = content.toString()
  const document = readObject(parseJson(text), 'it')
  if (countKeys(document) < countWrittenKeys(text)) throw new Unreadable('it holds a name twice in one object')
  return document
}

/** JavaScript's error quotes the text. */
function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Unreadable('it is not JSON')
  }
}

function countKeys (document: unknown): number {
  let count = 0
  const waiting = [document]
  while (waiting.length > 0) {
    const value = waiting.pop()
    if (typeof value !== 'object' || value === null) continue
    if (!Array.isArray(value)) count += Object.keys(value).length
    for (const child of Object.values(value)) waiting.push(child)
  }
  return count
}

/** Every text of the JSON that a colon follows. */
function countWrittenKeys (json: string): number {
  return [...json.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"\s*(:?)/g)].filter(([, colon]) => colon === ':').length
}

function readEntry (value: unknown, what: string): { username: string, password: string } {
  const entry = readObject(value, what)
  const { username, password, auth } = readFields(entry, what)
  return auth === '' ? { username, password } : decodeAuth(auth, what)
}

function readFields (entry: UnknownObject, what: string): Record<keyof typeof ENTRY_FIELDS, string> {
  const fields = Object.entries(ENTRY_FIELDS).map(([name, pattern]) => {
    const value = readField(entry, pattern, what) ?? ''
    if (typeof value !== 'string') throw new Unreadable(`${name} of ${what} is not a text`)
    return [name, value]
  })
  return Object.fromEntries(fields) as Record<keyof typeof ENTRY_FIELDS, string>
}

function decodeAuth (auth: string, what: string): { username: string, password: string } {
  const decoded = decodeBase64(auth)
  if (decoded === undefined) throw new Unreadable(`auth of ${what} is not base64 (the standard alphabet, not that for URLs)`)
  const text = decoded.toString()
  if (!Buffer.from(text).equals(decoded)) throw new Unreadable(`auth of ${what} is not UTF-8`)
  const colon = text.indexOf(':')
  if (colon === -1) throw new Unreadable(`auth of ${what} has no colon between user name and password`)
  return { username: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** Go's `StdEncoding` where there is padding, `RawStdEncoding` where there is none; both skip line breaks. */
function decodeBase64 (text: string): Buffer | undefined {
  const joined = text.replace(/[\r\n]/g, '')
  const padding = /={0,2}$/.exec(joined)?.[0].length ?? 0
  const digits = joined.slice(0, joined.length - padding)
  const isComplete = padding === 0 ? digits.length % 4 !== 1 : joined.length % 4 === 0
  return isComplete && /^[A-Za-z0-9+/]*$/.test(digits) ? Buffer.from(joined, 'base64') : undefined
}

function readObject (value: unknown, what: string): UnknownObject {
  const object = asObject(value ?? {})
  if (object === undefined) throw new Unreadable(`${what} is not an object`)
  return object
}

/** A name that stands twice in different case is refused: what Go makes of it depends on the order. */
function readField (object: UnknownObject, pattern: RegExp, what: string): unknown {
  const names = Object.keys(object).filter((name) => pattern.test(name))
  if (names.length > 1) throw new Unreadable(`${what} holds a name twice, in different case`)
  return names[0] === undefined ? undefined : object[names[0]]
}

function isTextOrNull (value: unknown): boolean {
  return value === null || typeof value === 'string'
}
