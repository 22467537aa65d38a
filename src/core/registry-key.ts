import { parseRegistryLocation } from './match-images.ts'

/** A key of `auths` in its parts, normalised as the kubelet does before it compares. */
export interface RegistryKey {
  /** With its port; the host's labels may hold globs. Case is kept, and so is an empty port. */
  host: string
  /** Empty, or a plain prefix of the images' paths, from its first `/`. */
  path: string
}

const SCHEME = /^https?:\/\//
const API_VERSION = /^\/v[12](?=\/)/

/**
 * Splits a key of `auths` as the kubelet's keyring does when it adds one (pkg/credentialprovider/keyring.go): one
 * `http://` or `https://` goes, then Go's `url.Parse` decides, then a leading `/v1/` or `/v2/` of the path goes, and a
 * path of `/` alone. Undefined where Go reports an error: the kubelet logs such a key and ignores it.
 */
export function parseRegistryKey (server: string): RegistryKey | undefined {
  const address = server.replace(SCHEME, '')
  const location = parseRegistryLocation(address)
  if (location === undefined) return undefined
  const path = location.path.replace(API_VERSION, '')
  return { host: formatHost(location.labels.join('.'), location.port, address), path: path === '/' ? '' : path }
}

/** The text under which the kubelet keeps a credential: keys of `auths` with the same text are the same registry to it. */
export function normalizeRegistryKey (server: string): string | undefined {
  const key = parseRegistryKey(server)
  return key && key.host + key.path
}

/** Puts back what splitting took: the brackets of an IPv6 address with a port, and the colon before an empty port. */
function formatHost (name: string, port: string, address: string): string {
  if (port !== '') return name.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
  const authority = address.split(/[/?#]/, 1)[0] ?? ''
  return authority.endsWith(':') && !name.endsWith(':') ? `${name}:` : name
}
