import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Agent } from 'undici'
import type { ClusterAccess } from './cluster-access.ts'
import { POOL_OPTIONS, TCP_KEEP_ALIVE } from './connection-pool.ts'

/** Where a Pod finds its ServiceAccount and the API server. */
export interface ServiceAccountOptions {
  /** A folder with `token` and `ca.crt`. */
  directory: string
  /** `KUBERNETES_SERVICE_HOST`. */
  host: string
  /** `KUBERNETES_SERVICE_PORT`. */
  port: string
  monotonicMs: () => number
}

/** Where the kubelet mounts the token and the CA of a Pod's ServiceAccount. */
export const SERVICE_ACCOUNT_DIRECTORY = '/var/run/secrets/kubernetes.io/serviceaccount'

/** The kubelet renews the token long before it ends; client-go reads it once a minute. */
const TOKEN_LIFE_MS = 60_000

/**
 * Reaches the API server from a Pod as its ServiceAccount
 * (https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/). It does by hand what the official client does for a
 * kubeconfig, since that client's import costs 39 MiB and 0.3 s. Rejects when the files can not be read.
 */
export async function openServiceAccountAccess ({ directory, host, port, monotonicMs }: ServiceAccountOptions): Promise<ClusterAccess> {
  const ca = await readFile(join(directory, 'ca.crt'))
  const tokenFile = join(directory, 'token')
  let known: { token: string, readAtMs: number } | undefined

  async function readToken (): Promise<string> {
    if (known === undefined || monotonicMs() - known.readAtMs > TOKEN_LIFE_MS) {
      known = { token: (await readFile(tokenFile, 'utf8')).trim(), readAtMs: monotonicMs() }
    }
    return known.token
  }

  await readToken()
  return {
    origin: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    pathPrefix: '',
    createDispatcher: (maxConnections) => new Agent({ connect: { ca, ...TCP_KEEP_ALIVE }, ...POOL_OPTIONS, connections: maxConnections }),
    authorize: async () => ({ authorization: `Bearer ${await readToken()}` }),
    forgetCredential () { known = undefined }
  }
}
