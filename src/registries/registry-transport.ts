import { createSecureContext, getCACertificates } from 'node:tls'
import { EnvHttpProxyAgent, request } from 'undici'
import { asString } from '../core/unknown.ts'

/** The variables of a process that say which proxy leads out, and for which hosts it is not used. */
export type ProxyEnvironment = Record<string, string | undefined>

/** What every conversation with a registry has in common. */
export interface RegistryTransportOptions {
  /** `HTTPS_PROXY` and `NO_PROXY` count, or else the same in lower case. */
  environment: ProxyEnvironment
  /** How long each call may take, from the connection to the last byte of the body. */
  timeoutMs?: number
}

/** Opens conversations with registries and their token servers. */
export interface RegistryTransport {
  /** `caCertificates` (PEM) are trusted beside those that Node trusts, NODE_EXTRA_CA_CERTS among them. */
  open: (caCertificates?: string) => RegistryConnection
}

/** One conversation: its connections are kept until it is closed. */
export interface RegistryConnection {
  /**
   * Asks for `url`, which must be https. Redirects are answers, never followed. A call that takes too long ends the
   * whole conversation.
   * @throws RegistryUnreachable when there is no whole answer in time
   */
  get: (url: URL, authorization?: string) => Promise<RegistryAnswer>
  close: () => Promise<void>
}

/** A registry's answer, whatever its status. */
export interface RegistryAnswer {
  status: number
  headers: Record<string, string | string[] | undefined>
  /** At most 1 MiB; it may hold a token. */
  body: string
}

/** Why there was no answer. */
export type UnreachableReason = 'timeout' | 'tls' | 'proxy' | 'oversized' | 'unreachable'

/** No whole answer came; the message holds nothing that was sent or received. */
export class RegistryUnreachable extends Error {
  readonly reason: UnreachableReason
  /** Node's or undici's code, such as `ECONNREFUSED`. */
  readonly code: string

  constructor (reason: UnreachableReason, code: string) {
    super(`${reason} (${code})`)
    this.reason = reason
    this.code = code
  }
}

const TIMEOUT_MS = 10_000
const MAX_BODY_BYTES = 1024 * 1024
const TLS_CODE = /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|CRL_|EPROTO$|SELF_SIGNED|DEPTH_ZERO|UNABLE_TO_|INVALID_CA|INVALID_PURPOSE|HOSTNAME_MISMATCH)/

/**
 * Makes the transport for registries: a deadline on every call, no redirects, bounded bodies, https only.
 * @throws Error if HTTPS_PROXY is no URL; it does not quote it, since a proxy's address may hold a password
 */
export function createRegistryTransport ({ environment, timeoutMs = TIMEOUT_MS }: RegistryTransportOptions): RegistryTransport {
  const proxy = readProxy(environment)
  return {
    open (caCertificates) {
      const dispatcher = createDispatcher(proxy, timeoutMs, caCertificates)
      return {
        get: async (url, authorization) => send(dispatcher, url, authorization, timeoutMs),
        close: async () => dispatcher.destroy()
      }
    }
  }
}

interface Proxy {
  httpsProxy: string
  noProxy: string
}

/** As Go reads them: an empty variable is none, and a proxy without a scheme speaks http. */
function readProxy (environment: ProxyEnvironment): Proxy {
  const read = (name: string): string => environment[name] || environment[name.toLowerCase()] || ''
  const address = read('HTTPS_PROXY')
  const httpsProxy = address === '' || address.includes('://') ? address : `http://${address}`
  if (httpsProxy !== '' && !isProxyAddress(httpsProxy)) throw new Error('HTTPS_PROXY is not the URL of a proxy')
  return { httpsProxy, noProxy: read('NO_PROXY') }
}

function isProxyAddress (text: string): boolean {
  try {
    const { protocol, username, password } = new URL(text)
    decodeURIComponent(username + password)
    return /^(https?|socks5?):$/.test(protocol)
  } catch {
    return false
  }
}

/** Empty texts keep undici from reading the environment by itself. */
function createDispatcher (proxy: Proxy, timeoutMs: number, caCertificates: string | undefined): EnvHttpProxyAgent {
  const trust = caCertificates === undefined ? {} : { secureContext: createSecureContext({ ca: [...getCACertificates(), caCertificates] }) }
  return new EnvHttpProxyAgent({
    ...proxy,
    httpProxy: '',
    allowH2: false,
    connections: 1,
    maxResponseSize: MAX_BODY_BYTES,
    connect: { ...trust, timeout: timeoutMs },
    requestTls: { ...trust, timeout: timeoutMs }
  })
}

/** Undici's own signal does not end a call that waits for its connection or for the proxy's tunnel; this does. */
async function send (dispatcher: EnvHttpProxyAgent, url: URL, authorization: string | undefined, timeoutMs: number): Promise<RegistryAnswer> {
  if (url.protocol !== 'https:') throw new Error('a registry is only asked over https')
  const headers = { 'user-agent': 'pullkeeper', accept: 'application/json', ...(authorization !== undefined && { authorization }) }
  const deadline = new AbortController()
  const timer = setTimeout(() => { deadline.abort() }, timeoutMs)
  deadline.signal.onabort = () => { void dispatcher.destroy() }
  try {
    const answer = await request(url, { dispatcher, headers })
    return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() }
  } catch (error) {
    throw deadline.signal.aborted ? new RegistryUnreachable('timeout', 'DEADLINE') : toUnreachable(error)
  } finally {
    clearTimeout(timer)
  }
}

function toUnreachable (error: unknown): RegistryUnreachable {
  const { name, message } = error as Error
  const code = asString((error as { code?: unknown }).code) ?? name
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return new RegistryUnreachable('timeout', code)
  if (TLS_CODE.test(code)) return new RegistryUnreachable('tls', code)
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE') return new RegistryUnreachable('oversized', code)
  if (/^Proxy /.test(message) || code.startsWith('UND_ERR_PRX')) return new RegistryUnreachable('proxy', code)
  return new RegistryUnreachable('unreachable', code)
}
