import { createHash } from 'node:crypto'
import { MAX_DOCKER_CONFIG_BYTES, parseDockercfg, parseDockerConfig, type DockerConfigEntry } from './docker-config-decoding.ts'
import { normalizeRegistryKey } from './registry-key.ts'

/** One credential and the keys of `auths` that it stands under. */
export interface RegistryLogin {
  servers: string[]
  username: string
  password: string
}

/**
 * Writes a `.dockerconfigjson`: the same credentials give the same bytes, in whatever order they come. Each entry has
 * `username` and `password`, and `auth`, without which other clients do not see it.
 * @throws Error, without any of the values, for a credential that no registry could accept: no user name or password,
 * a colon in the user name (RFC 7617), one server twice, a server that the kubelet ignores, or more than 1 MiB
 */
export function formatDockerConfig (logins: RegistryLogin[]): string {
  for (const login of logins) checkLogin(login)
  const entries = logins.flatMap(({ servers, username, password }) => servers.map((server) => ({ server, username, password })))
  const keys = entries.map(({ server }) => normalizeRegistryKey(server))
  if (keys.includes(undefined)) throw new Error('a server is no registry that the kubelet can read (host[:port][/path])')
  if (new Set(keys).size < keys.length) throw new Error('one server stands twice, and one entry can hold one credential only')
  const content = formatEntries(entries)
  if (Buffer.byteLength(content) > MAX_DOCKER_CONFIG_BYTES) throw new Error('the credentials do not fit into a Secret (1 MiB)')
  return content
}

/**
 * Turns the content of a legacy `kubernetes.io/dockercfg` Secret into a `.dockerconfigjson` with the same meaning to
 * the kubelet.
 */
export function convertDockercfg (content: Buffer): { dockerConfig: string, hasCredentials: boolean } | { error: string } {
  const parsed = parseDockercfg(content)
  if ('error' in parsed) return parsed
  const dockerConfig = formatEntries(parsed.entries)
  if (Buffer.byteLength(dockerConfig) > MAX_DOCKER_CONFIG_BYTES) return { error: 'it does not fit into a Secret as a dockerconfigjson (1 MiB)' }
  return { dockerConfig, hasCredentials: parsed.hasCredentials }
}

/** SHA-256, lower-case hex, of what a `.dockerconfigjson` means to the kubelet; undefined if it can't be read. */
export function digestAuths (content: Buffer): string | undefined {
  const parsed = parseDockerConfig(content)
  return 'error' in parsed ? undefined : createHash('sha256').update(formatAuths(parsed.entries)).digest('hex')
}

function formatAuths (entries: DockerConfigEntry[]): string {
  const auths = entries.flatMap(({ server, username, password }) => {
    const key = normalizeRegistryKey(server)
    return key === undefined ? [] : [JSON.stringify([key, username, password])]
  })
  return auths.sort().join('\n')
}

function checkLogin ({ username, password }: RegistryLogin): void {
  if (username === '') throw new Error('the user name is empty')
  if (username.includes(':')) throw new Error('the user name holds a colon, which parts it from the password; no registry can accept it')
  if (password === '') throw new Error('the password is empty')
}

function formatEntries (entries: DockerConfigEntry[]): string {
  const auths = entries.map(({ server, ...credential }) => [server, formatEntry(credential)] as const)
  return JSON.stringify({ auths: Object.fromEntries(auths.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) })
}

/** `auth` wins where it stands, and it can not hold a user name with a colon, which only an entry of others can have. */
function formatEntry ({ username, password }: Omit<DockerConfigEntry, 'server'>): Record<string, string> {
  const auth = Buffer.from(`${username}:${password}`).toString('base64')
  return { username, password, ...(!username.includes(':') && { auth }) }
}
