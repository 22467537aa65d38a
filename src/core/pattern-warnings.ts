import { compileGlob } from './glob.ts'
import { parseRegistryLocation } from './match-images.ts'

/** A pattern as its author wrote it, cut where Go's `url.Parse` cuts it. */
interface WrittenPattern {
  host: string
  /** Absent without a colon, empty with nothing behind it. */
  port: string | undefined
  path: string
  /** `host[:port]` as written, without user information. */
  authority: string
  /** Whether user information, a query or a fragment was cut off. */
  isCut: boolean
}

/**
 * Says of a `matchImages` pattern what its author may not expect: that it can never match, or matches more or less than
 * it seems to. The pattern stays accepted, since the kubelet accepts it too. Each text ends with what to write instead.
 */
export function listPatternWarnings (pattern: string): string[] {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(pattern)?.[0]
  if (scheme !== undefined) return [`never matches: an image has no scheme; write ${quote(pattern.slice(scheme.length))}`]
  const written = splitPattern(pattern)
  if (written.port !== undefined && !/^[0-9]*$/.test(written.port)) return [describePort(written)]
  const location = parseRegistryLocation(pattern)
  if (location === undefined) return ['never matches: it is no host[:port][/path]; write for example "registry.example.com/team/"']
  if (written.isCut) return [`a user name, query or fragment is ignored; write ${quote(written.authority + written.path)}`]
  if (location.path !== written.path) return [`escapes in the path are decoded; write ${quote(written.authority + location.path)}`]
  const hostWarning = describeHost(written)
  return hostWarning === undefined ? listPathWarnings(written) : [hostWarning]
}

function describeHost ({ host, port, path }: WrittenPattern): string | undefined {
  const suffix = (port === undefined ? '' : `:${port}`) + path
  if (port === '') return `the empty port is ignored; write ${quote(host + path)}`
  if (host.startsWith('[') && host.includes(':')) {
    return port === undefined ? 'never matches: an IPv6 address needs its port; write "[ADDRESS]:PORT"' : undefined
  }
  const labels = host.split('.')
  if (labels.some((label) => compileGlob(label) === undefined)) return 'never matches: "[" opens a class of characters that is not closed; write for example "registry[1-3].example.com"'
  if (labels.includes('')) return `never matches: the host has a dot with nothing before or behind it; write ${quote(fillLabels(host) + suffix)}`
  if (host === 'index.docker.io' && port === undefined) return `never matches: images of Docker Hub are matched as docker.io; write ${quote(`docker.io${path}`)}`
  if (isNoRegistryHost(host, port)) return describeBareName(host, path)
  if (/[A-Z]/.test(host)) return `hosts are compared case-sensitively and images are mostly written in lower case; write ${quote(host.toLowerCase() + suffix)}`
  return undefined
}

function listPathWarnings ({ authority, host, path }: WrittenPattern): string[] {
  if (path === '' || path === '/') return []
  if (/[*[]/.test(path)) return [`never matches: globs work in the host only; write the path as a plain prefix, ${quote(authority + cutAt(path, /[*[]/))}`]
  if (/[:@]/.test(path)) return [`never matches: images are matched without tag and digest; write ${quote(authority + cutAt(path, /[:@]/))}`]
  if (/[A-Z]/.test(path)) return [`never matches: an image's path is lower case; write ${quote(authority + path.toLowerCase())}`]
  if (/[^a-z0-9._/-]/.test(path) || path.includes('//')) return ['never matches: an image\'s path has only lower-case letters, digits, ".", "_", "-" and single "/"']
  return path.endsWith('/') ? [] : [describeOpenPrefix(authority + path, host, path)]
}

function describePort ({ host, port = '', path }: WrittenPattern): string {
  const advice = /[*?[]/.test(port) ? 'globs do not work in the port; write one pattern for each port' : 'the port must be a number'
  return `never matches: ${advice}; write for example ${quote(`${host}:5000${path}`)}`
}

/** In a reference the first component is a host only with a dot, a port, an upper-case letter, or as `localhost`. */
function isNoRegistryHost (host: string, port: string | undefined): boolean {
  return port === undefined && !/[.A-Z]/.test(host) && host !== 'localhost'
}

function describeBareName (host: string, path: string): string {
  if (/[*[]/.test(host)) return `matches only hosts of one label, such as "localhost": a glob stays within one label; write ${quote(`${host}.*${path}`)} for two labels, or name the registry`
  const repository = path === '' ? `library/${host}` : host + path
  return `never matches: "${host}" is no registry host (no ".", no port), so the image is on Docker Hub; write ${quote(`docker.io/${repository}`)}`
}

function describeOpenPrefix (pattern: string, host: string, path: string): string {
  const isOrganisation = host === 'docker.io' && !path.slice(1).includes('/') && !'/library'.startsWith(path)
  if (isOrganisation) return `matches every organisation whose name begins with "${path.slice(1)}", and no official image; write ${quote(`${pattern}/`)} or ${quote(`docker.io/library${path}`)}`
  return `the path is a plain prefix, so ${quote(`${pattern}2`)} is matched too; write ${quote(`${pattern}/`)} for what is below it`
}

/** `.azurecr.io` wants every host below; an empty label elsewhere is a slip. */
function fillLabels (host: string): string {
  const slipless = host.replace(/\.+$/, '').replace(/(?<!^)\.{2,}/g, '.')
  return slipless.startsWith('.') ? `*${slipless.replace(/^\.+/, '.')}` : slipless
}

function splitPattern (pattern: string): WrittenPattern {
  const text = cutAt(pattern, /[?#]/)
  const slash = text.indexOf('/')
  const written = slash === -1 ? text : text.slice(0, slash)
  const authority = written.slice(written.lastIndexOf('@') + 1)
  const [, host = authority, port] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(authority) ?? []
  return { host, port, path: slash === -1 ? '' : text.slice(slash), authority, isCut: text !== pattern || authority !== written }
}

function cutAt (text: string, end: RegExp): string {
  const at = text.search(end)
  return at === -1 ? text : text.slice(0, at)
}

function quote (text: string): string {
  return `"${text}"`
}
