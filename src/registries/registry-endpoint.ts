import { parseRegistryKey } from '../core/registry-key.ts'

/** Where the API of a registry is, and which servers may see its credentials besides. */
export interface RegistryEndpoint {
  /** Of `/v2/`, the API's root (OCI distribution specification, end-1). */
  url: URL
  /** Hosts of its token server that need no configuration. */
  realms: string[]
}

/** Why a server can't be asked. */
export type UnreachableServer = 'glob' | 'not-https' | 'invalid-server'

const DOCKER_HUB: RegistryEndpoint = { url: new URL('https://registry-1.docker.io/v2/'), realms: ['auth.docker.io'] }
const DOCKER_HUB_HOSTS = ['docker.io', 'index.docker.io', DOCKER_HUB.url.host]

/**
 * Finds the API of the registry that a key of `auths` is for; the key's path plays no part. Docker Hub's API and token
 * server have names of their own. A key with a glob stands for many registries, and one with `http://` for one that
 * must not be sent a credential.
 */
export function locateRegistry (server: string): RegistryEndpoint | UnreachableServer {
  if (server.startsWith('http://')) return 'not-https'
  const host = parseRegistryKey(server)?.host
  if (host === undefined || host === '') return 'invalid-server'
  if (DOCKER_HUB_HOSTS.includes(host)) return DOCKER_HUB
  const address = `https://${host}/v2/`
  const isGlob = host.includes('*') || (host.includes('[') && !URL.canParse(address))
  if (isGlob) return 'glob'
  return URL.canParse(address) ? { url: new URL(address), realms: [] } : 'invalid-server'
}

/**
 * The URL of a token server, if a credential may be sent there: over https, to the registry's own host on any port (it
 * is the registry, proven by its certificate, that names it), or to a host, or host and port, that `allowed` lists.
 */
export function approveRealm (realm: string, endpoint: RegistryEndpoint, allowed: string[]): URL | undefined {
  if (!URL.canParse(realm)) return undefined
  const url = new URL(realm)
  if (url.protocol !== 'https:' || url.username !== '' || url.password !== '') return undefined
  const isOwn = url.hostname === endpoint.url.hostname
  return isOwn || [...endpoint.realms, ...allowed].some((host) => namesHost(host, url)) ? url : undefined
}

function namesHost (text: string, url: URL): boolean {
  const address = text.includes('://') ? text : `https://${text}`
  if (!URL.canParse(address)) return false
  const { hostname, port, protocol } = new URL(address)
  const hasPort = /:\d+\/?$/.test(text)
  return protocol === 'https:' && hostname === url.hostname && (!hasPort || port === url.port)
}
