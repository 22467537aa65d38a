import type { AgentOptions, RequestOptions } from 'node:https'
import { KubeConfig, type DispatcherOptions } from '@kubernetes/client-node'
import { Agent, ProxyAgent, Socks5ProxyAgent, type Dispatcher } from 'undici'

/** Where the API server is, who we are to it, and how it is reached. */
export interface ClusterAccess {
  /** Such as `https://10.0.0.1`. */
  origin: string
  /** What stands before every path; empty as a rule. */
  pathPrefix: string
  /** Makes a pool of keep-alive connections to the API server; null = as many as are needed at once. */
  createDispatcher: (maxConnections: number | null) => Dispatcher
  /** Headers that say who we are. */
  authorize: () => Promise<Record<string, string>>
  /** Reads the credential anew at the next call: this one was refused. */
  forgetCredential: () => void
}

/** Where to look for the API server. */
export interface ClusterAccessOptions {
  /** Absent = what kubectl would use (`KUBECONFIG`, `~/.kube/config`), and in a Pod without those its ServiceAccount. */
  kubeconfigFile?: string
}

/** A token file is read at most this often. */
const CREDENTIAL_LIFE_MS = 10_000

/**
 * Reads a kubeconfig, or the files of the Pod's ServiceAccount, by the rules of the official client
 * (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/). Rejects when there is nothing usable.
 */
export async function openClusterAccess (options: ClusterAccessOptions, monotonicMs: () => number): Promise<ClusterAccess> {
  let config = loadConfig(options)
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new Error(`${options.kubeconfigFile ?? 'the kubeconfig'} names no current context with a cluster; choose one with: kubectl config use-context NAME`)
  const { origin, pathname } = new URL(cluster.server)
  const tls = await readTlsOptions(config)
  let known: { headers: Promise<Record<string, string>>, readAtMs: number } | undefined

  async function authorize (): Promise<Record<string, string>> {
    if (known === undefined || monotonicMs() - known.readAtMs > CREDENTIAL_LIFE_MS) {
      known = { headers: readHeaders(config), readAtMs: monotonicMs() }
    }
    return known.headers
  }

  function forgetCredential (): void {
    known = undefined
    config = loadConfig(options)
  }

  return {
    origin,
    pathPrefix: pathname.replace(/\/$/, ''),
    createDispatcher: (maxConnections) => createDispatcher(config.createDispatcherOptions(cluster, tls), maxConnections),
    authorize,
    forgetCredential
  }
}

function loadConfig ({ kubeconfigFile }: ClusterAccessOptions): KubeConfig {
  const config = new KubeConfig()
  if (kubeconfigFile === undefined) config.loadFromDefault()
  else config.loadFromFile(kubeconfigFile)
  return config
}

/**
 * The library has no pool: it makes the options, and the pool is made here. HTTP/1.1 only: over HTTP/2 all calls and
 * watches would share one connection, and its loss would be the loss of all.
 */
function createDispatcher (options: DispatcherOptions, maxConnections: number | null): Dispatcher {
  const limit = { connections: maxConnections, allowH2: false }
  switch (options.type) {
    case 'proxy': return new ProxyAgent({ uri: options.uri, requestTls: options.requestTls as object, ...limit })
    case 'socks': return new Socks5ProxyAgent(options.uri, { requestTls: options.requestTls as object, ...limit })
    case 'agent': return new Agent({ connect: options.connect as object, ...limit })
    case 'none': return new Agent(limit)
  }
}

async function readTlsOptions (config: KubeConfig): Promise<AgentOptions> {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options
  return { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }
}

async function readHeaders (config: KubeConfig): Promise<Record<string, string>> {
  const options: RequestOptions = {}
  await config.applyToHTTPSOptions(options)
  const basic = typeof options.auth === 'string' ? { Authorization: `Basic ${Buffer.from(options.auth).toString('base64')}` } : {}
  return { ...basic, ...options.headers as Record<string, string> }
}
