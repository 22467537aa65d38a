import { compileGlob, matchesGlob, type Glob } from './glob.ts'

/** A `matchImages` pattern or an image name, split as the kubelet splits it. */
export interface RegistryLocation {
  /** The host's labels; in a pattern each may hold globs. */
  labels: string[]
  /** Compared as text: absent (`''`) is not 443. */
  port: string
  /** Empty, or from its first `/`: a plain prefix of the image's path. */
  path: string
}

/** A pattern ready to match; `location` is undefined where Go's `url.Parse` refuses it, which then matches nothing. */
export interface ImagePattern {
  pattern: string
  location: RegistryLocation | undefined
  globs: Glob[]
}

/**
 * Compiles a `matchImages` pattern with the kubelet's semantics (KEP-2133, CredentialProviderConfig): case-sensitive,
 * globs within one host label only, equal port, the pattern's path a raw string prefix of the image's path.
 */
export function compileImagePattern (pattern: string): ImagePattern {
  const location = parseRegistryLocation(pattern)
  return { pattern, location, globs: location?.labels.map(compileGlob) ?? [] }
}

/** Whether a pattern matches an image, given as the split name without tag and digest (`domain/path`). */
export function matchesImage (pattern: ImagePattern, image: RegistryLocation): boolean {
  const { location, globs } = pattern
  if (location === undefined || location.port !== image.port || globs.length !== image.labels.length) return false
  if (!image.path.startsWith(location.path)) return false
  return globs.every((glob, index) => matchesGlob(glob, image.labels[index] ?? ''))
}

/** What nearly every image and pattern looks like: nothing to refuse, drop or decode. */
const PLAIN = /^([A-Za-z0-9.*-]*)(?::([0-9]*))?(\/[A-Za-z0-9._/-]*)?$/

/**
 * Splits `host[:port][/path]` as Go's `url.Parse("https://" + text)` and the kubelet's `SplitURL` do: user information,
 * query and fragment vanish, percent escapes in the path are decoded. Undefined where Go reports an error. JavaScript's
 * `URL` is no substitute: it lower-cases and normalises.
 */
export function parseRegistryLocation (text: string): RegistryLocation | undefined {
  const plain = PLAIN.exec(text)
  if (plain !== null) return { labels: plain[1]?.split('.') ?? [], port: plain[2] ?? '', path: plain[3] ?? '' }
  if (hasControlCharacter(text)) return undefined
  const [beforeFragment, fragment] = cut(text, '#')
  const [beforeQuery] = cut(beforeFragment, '?')
  const slash = beforeQuery.indexOf('/')
  const authority = slash === -1 ? beforeQuery : beforeQuery.slice(0, slash)
  const path = decodePercent(slash === -1 ? '' : beforeQuery.slice(slash))
  const host = parseAuthority(authority)
  if (host === undefined || path === undefined || decodePercent(fragment) === undefined) return undefined
  return { ...splitHostPort(host), path }
}

function parseAuthority (authority: string): string | undefined {
  const at = authority.lastIndexOf('@')
  const userInfo = authority.slice(0, Math.max(at, 0))
  const host = authority.slice(at + 1)
  const isValid = USER_INFO.test(userInfo) && decodePercent(userInfo) !== undefined && HOST.test(host) && hasValidPort(host)
  return isValid ? decodePercent(host) : undefined
}

/** What Go's `validUserinfo` and host parser let through; `%` in a host only before an escaped non-ASCII byte or `%25`. */
const USER_INFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/
const HOST = /^(?:[A-Za-z0-9\-._~!$&'()*+,;=:[\]<>"\u0080-\uffff]|%(?:25|[89a-fA-F][0-9a-fA-F]))*$/

function hasValidPort (host: string): boolean {
  if (!host.startsWith('[')) return !host.includes(':') || /:[0-9]*$/.test(host)
  const end = host.lastIndexOf(']')
  return end !== -1 && /^(?::[0-9]*)?$/.test(host.slice(end + 1))
}

/** Go's `net.SplitHostPort`; where that reports an error the whole text is the host, brackets included. */
function splitHostPort (hostPort: string): { labels: string[], port: string } {
  const plain = /^([^:[\]]*):([^:[\]]*)$/.exec(hostPort)
  const bracketed = /^\[([^[\]]*)\]:([^:[\]]*)$/.exec(hostPort)
  const [, host = hostPort, port = ''] = plain ?? bracketed ?? []
  return { labels: host.split('.'), port }
}

function cut (text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

/** Undefined for a broken escape; bytes that are no UTF-8 become replacement characters, which no image holds. */
function decodePercent (text: string): string | undefined {
  if (!text.includes('%')) return text
  if (/%(?![0-9a-fA-F]{2})/.test(text)) return undefined
  return text.replace(/(?:%[0-9a-fA-F]{2})+/g, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
}

function hasControlCharacter (text: string): boolean {
  // eslint-disable-next-line no-control-regex
  return /[\u0000-\u001f\u007f]/.test(text)
}
