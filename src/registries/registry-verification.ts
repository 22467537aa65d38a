import { asObject, asString } from '../core/unknown.ts'
import { parseAuthenticationChallenges, type AuthenticationChallenge } from './authentication-challenge.ts'
import { approveRealm, locateRegistry, type RegistryEndpoint } from './registry-endpoint.ts'
import { RegistryUnreachable, type RegistryAnswer, type RegistryConnection, type RegistryTransport } from './registry-transport.ts'
import { concludeFromFailure, concludeFromStatus, concludeVerification, type VerificationResult } from './verification-result.ts'

/** A credential to try, and where. */
export interface VerificationRequest {
  /** A key of `auths`. */
  server: string
  username: string
  password: string
  /** Token servers (host, or host and port) elsewhere than at the registry that may be sent the credential. */
  allowedRealms?: string[]
  /** PEM; trusted besides those of the system. */
  caCertificates?: string
}

/** Of the text that is shown: a DNS name has at most 253 characters. */
const MAX_REALM_LENGTH = 280

/**
 * Tries a credential against a registry's `/v2/` (OCI distribution specification; distribution's token authentication):
 * as Basic, or at the token server that the registry names. Only 400 (IBM Cloud), 401 and 403 to a request that
 * carried the credential mean that it is bad; whatever else goes wrong says nothing about it. What it proves is that
 * the credential is known, not that every image may be pulled.
 */
export async function verifyCredential (request: VerificationRequest, transport: RegistryTransport): Promise<VerificationResult> {
  const endpoint = locateRegistry(request.server)
  if (typeof endpoint === 'string') return concludeVerification(endpoint)
  const connection = transport.open(request.caCertificates)
  try {
    return await greetRegistry(connection, endpoint, request)
  } catch (error) {
    if (error instanceof RegistryUnreachable) return concludeFromFailure(error)
    throw error
  } finally {
    await connection.close()
  }
}

async function greetRegistry (connection: RegistryConnection, endpoint: RegistryEndpoint, request: VerificationRequest): Promise<VerificationResult> {
  const greeting = await connection.get(endpoint.url)
  if (greeting.status === 200) return concludeVerification('anonymous')
  if (greeting.status !== 401) return concludeFromStatus(greeting.status)
  const challenges = parseAuthenticationChallenges(greeting.headers['www-authenticate'])
  const bearer = challenges.find(({ scheme }) => scheme === 'bearer')
  if (bearer !== undefined) return tryBearer(connection, endpoint, request, bearer)
  if (challenges.some(({ scheme }) => scheme === 'basic')) return tryBasic(connection, endpoint, request)
  return concludeVerification('no-challenge')
}

async function tryBasic (connection: RegistryConnection, endpoint: RegistryEndpoint, request: VerificationRequest): Promise<VerificationResult> {
  const { status } = await connection.get(endpoint.url, formatBasic(request))
  if (status === 200) return concludeVerification('accepted')
  return isRefusal(status) ? concludeVerification('rejected', `HTTP ${status}`) : concludeFromStatus(status)
}

async function tryBearer (connection: RegistryConnection, endpoint: RegistryEndpoint, request: VerificationRequest, { parameters }: AuthenticationChallenge): Promise<VerificationResult> {
  const { realm = '', service, scope } = parameters
  const url = approveRealm(realm, endpoint, request.allowedRealms ?? [])
  if (url === undefined) return concludeVerification('foreign-realm', describeRealm(realm))
  if (service !== undefined) url.searchParams.set('service', service)
  if (scope !== undefined) url.searchParams.set('scope', scope)
  const answer = await connection.get(url, formatBasic(request))
  if (isRefusal(answer.status)) return concludeVerification('rejected', `HTTP ${answer.status} from its token server`)
  if (answer.status !== 200) return concludeFromStatus(answer.status)
  const token = readToken(answer)
  return token === undefined ? concludeVerification('malformed-token') : tryToken(connection, endpoint, token)
}

async function tryToken (connection: RegistryConnection, endpoint: RegistryEndpoint, token: string): Promise<VerificationResult> {
  const { status } = await connection.get(endpoint.url, `Bearer ${token}`)
  if (status === 200) return concludeVerification('accepted')
  return isRefusal(status) ? concludeVerification('token-rejected', `HTTP ${status}`) : concludeFromStatus(status)
}

function isRefusal (status: number): boolean {
  return status === 400 || status === 401 || status === 403
}

/** RFC 7617, in UTF-8. */
function formatBasic ({ username, password }: VerificationRequest): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** Docker's servers write `token`, OAuth 2.0 writes `access_token`; characters that no header may hold make it none. */
function readToken ({ body }: RegistryAnswer): string | undefined {
  const answer = parseJson(body)
  const token = asString(answer?.['token']) || asString(answer?.['access_token'])
  return token !== undefined && /^[\x21-\x7e]+$/.test(token) ? token : undefined
}

function parseJson (text: string): ReturnType<typeof asObject> {
  try {
    return asObject(JSON.parse(text))
  } catch {
    return undefined
  }
}

/** Without path and query, and not at whatever length a server likes. */
function describeRealm (realm: string): string {
  return URL.canParse(realm) ? `${new URL(realm).protocol}//${new URL(realm).host}`.slice(0, MAX_REALM_LENGTH) : 'no URL'
}
