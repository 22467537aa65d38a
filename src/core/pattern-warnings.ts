import { parseRegistryLocation } from './match-images.ts'

/**
 * Says of a `matchImages` pattern what its author may not expect: that it can never match, or matches more or less than
 * it seems to. The pattern stays accepted, since the kubelet accepts it too. Each text ends with what to write instead.
 */
export function listPatternWarnings (pattern: string): string[] {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(pattern)?.[0]
  if (scheme !== undefined) return [`never matches: an image has no scheme; write ${quote(pattern.slice(scheme.length))}`]
  const { host, port, path } = splitPattern(pattern)
  if (port !== undefined && !/^[0-9]*$/.test(port)) return [neverMatchesPort(host, port, path)]
  if (parseRegistryLocation(pattern) === undefined) return ['never matches: it is no host[:port][/path]; write for example "registry.example.com/team/"']
  const hostWarnings = listHostWarnings(host, port, path)
  return hostWarnings.length > 0 ? hostWarnings : listPathWarnings(pattern.slice(0, pattern.length - path.length), host, path)
}

function listHostWarnings (host: string, port: string | undefined, path: string): string[] {
  const suffix = (port === undefined ? '' : `:${port}`) + path
  if (/[?#@]/.test(host + path)) return ['a user name, query or fragment is ignored; write only host[:port][/path]']
  if (port === '') return [`the empty port is ignored; write ${quote(host + path)}`]
  if (host === 'index.docker.io') return [`never matches: images of Docker Hub are matched as docker.io; write ${quote(`docker.io${path}`)}`]
  if (host.endsWith('.')) return [`never matches: the host ends with a dot; write ${quote(host.replace(/\.+$/, '') + suffix)}`]
  if (host.startsWith('[') && port === undefined) return ['never matches: an IPv6 address needs its port; write "[ADDRESS]:PORT"']
  if (isNoRegistryHost(host, port)) return [describeBareName(host, path)]
  if (/[A-Z]/.test(host)) return [`hosts are compared case-sensitively and images are mostly written in lower case; write ${quote(host.toLowerCase() + suffix)}`]
  return []
}

function listPathWarnings (authority: string, host: string, path: string): string[] {
  if (path === '' || path === '/') return []
  if (/[*[]/.test(path)) return [`never matches: globs work in the host only; write the path as a plain prefix, ${quote(authority + cutAt(path, /[*[]/))}`]
  if (/[:@]/.test(path)) return [`never matches: images are matched without tag and digest; write ${quote(authority + cutAt(path, /[:@]/))}`]
  if (/[A-Z]/.test(path)) return [`never matches: an image's path is lower case; write ${quote(authority + path.toLowerCase())}`]
  if (/[^a-z0-9._/-]/.test(path) || path.includes('//')) return ['never matches: an image\'s path has only lower-case letters, digits, ".", "_", "-" and single "/"']
  return path.endsWith('/') ? [] : [describeOpenPrefix(authority + path, host, path)]
}

function neverMatchesPort (host: string, port: string, path: string): string {
  const advice = /[*?[]/.test(port) ? 'globs do not work in the port; write one pattern for each port' : 'the port must be a number'
  return `never matches: ${advice}; write for example ${quote(`${host}:5000${path}`)}`
}

function describeBareName (host: string, path: string): string {
  if (host === '*') return 'matches only hosts of one label, such as "localhost": a glob stays within one label; write "*.*" for two labels, or name the registry'
  const repository = path === '' ? `library/${host}` : host + path
  return `never matches: "${host}" is no registry host (no ".", no port), so the image is on Docker Hub; write ${quote(`docker.io/${repository}`)}`
}

function describeOpenPrefix (pattern: string, host: string, path: string): string {
  if (host === 'docker.io' && !path.slice(1).includes('/')) {
    return `matches every organisation whose name begins with "${path.slice(1)}", and no official image; write ${quote(`${pattern}/`)} or ${quote(`docker.io/library${path}`)}`
  }
  return `the path is a plain prefix, so ${quote(`${pattern}2`)} is matched too; write ${quote(`${pattern}/`)} for what is below it`
}

/** In a reference the first component is a host only with a dot, a port, an upper-case letter, or as `localhost`. */
function isNoRegistryHost (host: string, port: string | undefined): boolean {
  return port === undefined && !/[.:A-Z[]/.test(host) && host !== 'localhost'
}

function splitPattern (pattern: string): { host: string, port: string | undefined, path: string } {
  const slash = pattern.indexOf('/')
  const authority = slash === -1 ? pattern : pattern.slice(0, slash)
  const [, host = authority, port] = /^(\[[^\]]*\]|[^:]*):([^:]*)$/.exec(authority) ?? []
  return { host, port, path: slash === -1 ? '' : pattern.slice(slash) }
}

function cutAt (text: string, end: RegExp): string {
  return text.slice(0, text.search(end))
}

function quote (text: string): string {
  return `"${text}"`
}
