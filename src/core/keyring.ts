import { compileImagePattern, matchesImage, parseRegistryLocation, type RegistryLocation } from './match-images.ts'
import { normalizeRegistryKey } from './registry-key.ts'

const DOCKER_HUB_KEY = 'index.docker.io'
const DOCKER_HUB_HOSTS = ['docker.io', DOCKER_HUB_KEY]

/**
 * The entries whose credentials the kubelet tries for an image, in its order (pkg/credentialprovider/keyring.go):
 * keys that match, in reverse order of their bytes; if there is none, that of Docker Hub for an image of Docker Hub.
 * `imageName` has neither tag nor digest. Entries with the same key keep their order; in one Secret the kubelet's
 * own order of those is left to chance.
 */
export function findCredentials<Entry extends { server: string }> (entries: readonly Entry[], imageName: string): Entry[] {
  const keyed = entries.flatMap((entry) => {
    const key = normalizeRegistryKey(entry.server)
    return key === undefined ? [] : [{ key, entry }]
  })
  const image = parseRegistryLocation(imageName)
  const matching = keyed.filter(({ key }) => image !== undefined && matchesKey(key, image))
  const found = matching.length === 0 && isDockerHubImage(imageName) ? keyed.filter(({ key }) => key === DOCKER_HUB_KEY) : matching
  return found.sort((a, b) => Buffer.compare(Buffer.from(b.key), Buffer.from(a.key))).map(({ entry }) => entry)
}

/** The normalised key is parsed once more, as the kubelet does, with the meaning of a `matchImages` pattern. */
function matchesKey (key: string, image: RegistryLocation): boolean {
  return matchesImage(compileImagePattern(key), image)
}

/** The kubelet's `isDefaultRegistryMatch`, which takes `localhost/app` for an image of Docker Hub, too. */
function isDockerHubImage (imageName: string): boolean {
  const [host = '', path] = imageName.split('/', 2)
  if (host === '' || path === undefined) return host !== ''
  return DOCKER_HUB_HOSTS.includes(host) || !/[.:]/.test(host)
}
