import type { AgentOptions, RequestOptions } from 'node:https'
import type { Cluster, DispatcherOptions, KubeConfig } from '@kubernetes/client-node'
import { Agent, Pool, ProxyAgent, Socks5ProxyAgent, type Dispatcher } from 'undici'
import { POOL_OPTIONS, TCP_KEEP_ALIVE } from './connection-pool.ts'
import { readKubeconfig } from './kubeconfig-file.ts'

/** Headers that say who we are. */
export type Credential = Readonly<Record<string, string>>

/** Where the API server is, who we are to it, and how it is reached. */
export interface ClusterAccess {
  /** Such as `https://10.0.0.1`. */
  origin: string
  /** What stands before every path; empty as a rule. */
  pathPrefix: string
  /** Makes a pool of keep-alive connections to the API server; null = as many as are needed at once. */
  createDispatcher: (maxConnections: number | null) => Dispatcher
  /** The credential, from memory for a while. */
  authorize: () => Promise<Credential>
  /** Reads the credential anew at the next call, unless that was done since: this one was refused. */
  forgetCredential: (refused: Credential) => void
}

/** Where to look for the API server. */
export interface ClusterAccessOptions {
  /** Absent = what kubectl would use: `KUBECONFIG`, then `~/.kube/config`. */
  kubeconfigFile?: string
}

/** A credential is asked for at most this often; the official client reads a token file once a minute. */
const CREDENTIAL_LIFE_MS = 10_000

/** What a kubeconfig's context says; the name of the context is kept, so that a later `kubectl config use-context` changes nothing. */
interface Context {
  config: KubeConfig
  name: string
  cluster: Cluster
}

/**
 * Reads a kubeconfig by the rules of the official client
 * (https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/). Rejects when there is nothing usable.
 */
export async function openClusterAccess ({ kubeconfigFile }: ClusterAccessOptions, monotonicMs: () => number): Promise<ClusterAccess> {
  const { config: firstConfig, name, cluster } = openContext(kubeconfigFile)
  const { origin, pathname, protocol } = parseServer(cluster)
  const tls = await readTlsOptions(firstConfig)
  let config: KubeConfig | undefined = firstConfig
  let reading: Promise<Credential> | undefined
  let known: { credential: Credential, readAtMs: number } | undefined

  async function authorize (): Promise<Credential> {
    // As kubectl: over plain HTTP nothing secret is sent.
    if (protocol === 'http:') return {}
    if (known !== undefined && monotonicMs() - known.readAtMs <= CREDENTIAL_LIFE_MS) return known.credential
    reading ??= read().finally(() => { reading = undefined })
    return reading
  }

  async function read (): Promise<Credential> {
    config ??= openContext(kubeconfigFile, name).config
    const credential = await readHeaders(config)
    known = { credential, readAtMs: monotonicMs() }
    return credential
  }

  return {
    origin,
    pathPrefix: pathname.replace(/\/$/, ''),
    createDispatcher: (maxConnections) => createDispatcher(firstConfig.createDispatcherOptions(cluster, tls), maxConnections),
    authorize,
    forgetCredential (refused) {
      if (known?.credential !== refused) return
      known = undefined
      config = undefined
    }
  }
}

function openContext (file: string | undefined, contextName?: string): Context {
  const config = readKubeconfig(file)
  if (contextName !== undefined) config.setCurrentContext(contextName)
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new Error(`${file ?? 'the kubeconfig'} names no current context with a cluster; choose one with: kubectl config use-context NAME`)
  return { config, name: config.getCurrentContext(), cluster }
}

function parseServer ({ name, server }: Cluster): URL {
  const url = URL.parse(server)
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new Error(`the server of the kubeconfig's cluster ${name} is no URL that begins with https://`)
}

/** The library has no pool: it makes the options, and the pool is made here. */
function createDispatcher (options: DispatcherOptions, maxConnections: number | null): Dispatcher {
  const pool = { ...POOL_OPTIONS, connections: maxConnections }
  switch (options.type) {
    case 'proxy': return new ProxyAgent({ uri: options.uri, requestTls: { ...options.requestTls as object, ...TCP_KEEP_ALIVE }, clientFactory: createProxyPool, ...pool })
    case 'socks': return new Socks5ProxyAgent(options.uri, { requestTls: options.requestTls as object, ...pool })
    case 'agent': return new Agent({ connect: { ...options.connect as object, ...TCP_KEEP_ALIVE }, ...pool })
    case 'none': return new Agent({ connect: TCP_KEEP_ALIVE, ...pool })
  }
}

/** A proxy that does not answer a CONNECT would keep a connection for undici's 300 s, and all that wait for it. */
function createProxyPool (origin: URL, options: object): Pool {
  return new Pool(origin, { ...options, headersTimeout: POOL_OPTIONS.connectTimeout })
}

async function readTlsOptions (config: KubeConfig): Promise<AgentOptions> {
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = await readOptions(config)
  return { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }
}

async function readHeaders (config: KubeConfig): Promise<Credential> {
  const { auth, headers } = await readOptions(config)
  const basic = typeof auth === 'string' ? { Authorization: `Basic ${Buffer.from(auth).toString('base64')}` } : {}
  const all = { ...basic, ...headers as Record<string, string> }
  // A token file ends with a newline as a rule, which no header may.
  return Object.fromEntries(Object.entries(all).map(([name, value]) => [name, value.trim()]))
}

async function readOptions (config: KubeConfig): Promise<RequestOptions> {
  const options: RequestOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
    return options
  } catch (error) {
    // A file that is missing has a code; what a credential plugin says may hold the credential.
    if ((error as NodeJS.ErrnoException).code !== undefined) throw error
    const { name, exec } = config.getCurrentUser() as { name: string, exec?: { command?: string } }
    throw new Error(`no credential for the kubeconfig's user ${name}: ${exec?.command ?? 'what it names'} failed; run kubectl to see why`)
  }
}
