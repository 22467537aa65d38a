import { parseDockerConfig } from '../core/docker-config-decoding.ts'
import { formatDockerConfig, type RegistryLogin } from '../core/docker-config.ts'

/** What was published last. */
export interface LastGood {
  /** base64 */
  data: string
  verified?: string | undefined
  /** RFC 3339 */
  expiresAt?: string | undefined
  /** The entries that registries accepted, as `listEntries` writes them; absent after a restart, when `verified` speaks for all. */
  accepted?: ReadonlySet<string> | undefined
  /** How often each login, as `listEntries` writes it, was tried in vain. */
  trials?: Map<string, number>
}

/** The logins that were published last. */
export interface KnownLogins {
  /** What these servers had, one login for each that had any. */
  find: (servers: string[]) => RegistryLogin[]
  /** Whether the registries accepted it, for every of its servers. */
  isAccepted: (login: RegistryLogin) => boolean
  /** Notes that a login was tried in vain, and says how often that was. */
  countTrial: (login: RegistryLogin) => number
}

/** Reads what was published last; entries that no registry could accept, such as a copied Secret may hold, are left out. */
export function readKnownLogins (lastGood: LastGood | undefined): KnownLogins {
  const logins = lastGood === undefined ? [] : readLogins(lastGood.data)
  const accepted = lastGood?.accepted ?? new Set(lastGood?.verified === 'accepted' ? logins.flatMap(listEntries) : [])
  const trials = lastGood?.trials ?? new Map<string, number>()
  return {
    find: (servers) => logins.filter((login) => login.servers.every((server) => servers.includes(server))),
    isAccepted: (login) => listEntries(login).every((entry) => accepted.has(entry)),
    countTrial (login) {
      const key = listEntries(login).join()
      const count = (trials.get(key) ?? 0) + 1
      trials.set(key, count)
      return count
    }
  }
}

/**
 * A login as one text for each of its servers, to compare by.
 * @throws Error, without any of the values, for what `formatDockerConfig` refuses
 */
export function listEntries ({ servers, ...credential }: RegistryLogin): string[] {
  return servers.map((server) => formatDockerConfig([{ servers: [server], ...credential }]))
}

function readLogins (data: string): RegistryLogin[] {
  const parsed = parseDockerConfig(Buffer.from(data, 'base64'))
  const entries = 'error' in parsed ? [] : parsed.entries
  return entries.map(({ server, ...credential }) => ({ servers: [server], ...credential })).filter(isWritable)
}

function isWritable (login: RegistryLogin): boolean {
  try {
    return formatDockerConfig([login]) !== ''
  } catch {
    return false
  }
}
