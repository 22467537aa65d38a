import { readFile } from 'node:fs/promises'
import { SourceError, type CredentialSource } from '../core/credential-source.ts'
import { parseDockerConfig } from '../core/docker-config-decoding.ts'
import { convertDockercfg, formatDockerConfig, type RegistryLogin } from '../core/docker-config.ts'
import { formatObjectKey } from '../core/kube-object.ts'
import { DOCKER_CONFIG_KEY } from '../core/managed-secret.ts'
import type { CopySource, Credential, PullSecret, RegistryCredential, SecretReference } from '../core/pull-secret-config.ts'
import type { VerificationRequest } from '../registries/registry-verification.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import { listEntries, readKnownLogins, type KnownLogins, type LastGood } from './known-logins.ts'
import type { SourceReader } from './source-reader.ts'

/** What the registries said of a pull secret's credentials: the worst of all; `off` when one of them was not to be tried. */
export type Verified = 'accepted' | 'unknown' | 'off'

/** What a pull secret's sources give now. */
export interface ContentResolution {
  /** The `.dockerconfigjson`, base64; absent when there is nothing good, not even of old. */
  data?: string
  verified?: Verified
  expiresAtMs?: number
  /** The entries that registries accepted, as `listEntries` writes them; holds credentials. */
  accepted?: ReadonlySet<string>
  /** What keeps a part of it old, or missing. */
  problems: SourceError[]
}

/** What a resolution needs from outside. */
export interface ContentResolver {
  sources: SourceReader
  createSource: (credential: Credential) => CredentialSource
  verify: (request: VerificationRequest) => Promise<VerificationResult>
}

/** The legacy type `kubernetes.io/dockercfg` has this key. */
const DOCKERCFG_KEY = '.dockercfg'
/** About seven minutes, by the times of the content controller. */
const MAX_HELD_TRIALS = 3
/** What trying again will not change. */
const LASTING = ['glob', 'not-https', 'invalid-server', 'anonymous', 'no-challenge']

/** Resolves a pull secret from its sources; whatever fails keeps what was good before, for its own registry only. */
export async function resolveContent (resolver: ContentResolver, { copyFrom, registries = [] }: PullSecret, lastGood: LastGood | undefined): Promise<ContentResolution> {
  if (copyFrom !== undefined) return resolveCopy(resolver.sources, copyFrom, lastGood)
  const known = readKnownLogins(lastGood)
  const parts = await Promise.all(registries.map(async (registry) => resolveRegistry(resolver, registry, known)))
  return joinParts(parts, lastGood)
}

function resolveCopy (sources: SourceReader, copyFrom: CopySource, lastGood: LastGood | undefined): ContentResolution {
  try {
    const { secret, file = '' } = copyFrom
    return { data: secret === undefined ? checkContent(sources.readFile(file), file) : readCopySecret(sources, secret), problems: [] }
  } catch (error) {
    return { ...(lastGood !== undefined && { data: lastGood.data }), problems: [toSourceError(error, 'the source')] }
  }
}

function readCopySecret (sources: SourceReader, source: SecretReference): string {
  const { data = {} } = sources.readSecret(source)
  const place = `Secret ${formatObjectKey(source)}`
  const content = data[DOCKER_CONFIG_KEY]
  const legacy = data[DOCKERCFG_KEY]
  if (content !== undefined) return checkContent(Buffer.from(content, 'base64'), place, source)
  if (legacy === undefined) throw new SourceError('SourceMalformed', `${place} has neither the key ${DOCKER_CONFIG_KEY} nor ${DOCKERCFG_KEY}; it is no pull secret`, source)
  const converted = convertDockercfg(Buffer.from(legacy, 'base64'))
  if ('error' in converted) throw new SourceError('SourceMalformed', `${place}: ${converted.error}`, source)
  return checkContent(Buffer.from(converted.dockerConfig), place, source)
}

/** What the kubelet could not read would break every pull of a Pod that lists the Secret. */
function checkContent (content: Buffer, place: string, source?: SecretReference): string {
  const parsed = parseDockerConfig(content)
  if ('error' in parsed) throw new SourceError('SourceMalformed', `${place} is no dockerconfigjson that the kubelet can read: ${parsed.error}`, source)
  if (!parsed.hasCredentials) throw new SourceError('SourceMalformed', `${place} holds no user name with a password (the kubelet ignores credHelpers, credsStore and identitytoken)`, source)
  return content.toString('base64')
}

interface RegistryPart {
  logins: RegistryLogin[]
  verified: Verified
  expiresAtMs?: number
  problem?: SourceError
  /** What was good before stands for what is not now. */
  isKept?: boolean
}

async function resolveRegistry (resolver: ContentResolver, registry: RegistryCredential, known: KnownLogins): Promise<RegistryPart> {
  try {
    const { username, password, expiresAtMs } = await resolver.createSource(registry.credential).resolve()
    const login = checkLogin({ servers: registry.servers, username, password }, registry)
    const fresh = { logins: [login], ...(expiresAtMs !== undefined && { expiresAtMs }) }
    if (!registry.verify) return { ...fresh, verified: 'off' }
    if (known.isAccepted(login)) return { ...fresh, verified: 'accepted' }
    const { verdict, problem } = await tryLogin(resolver, registry, login)
    if (problem !== undefined && verdict === 'unknown' && isHeldBack(registry, login, known)) return { ...keepLogins(registry, known), problem: describeHeldBack(problem, registry) }
    return { ...(verdict === 'rejected' ? keepLogins(registry, known) : { ...fresh, verified: verdict }), ...(problem !== undefined && { problem }) }
  } catch (error) {
    return { ...keepLogins(registry, known), problem: toSourceError(error, registry.servers.join(', ')) }
  }
}

/** What could not be tried waits a few times where a credential is in use that is known to be good. */
function isHeldBack ({ servers }: RegistryCredential, login: RegistryLogin, known: KnownLogins): boolean {
  const inUse = known.find(servers)
  return inUse.length > 0 && inUse.every(known.isAccepted) && known.countTrial(login) <= MAX_HELD_TRIALS
}

function keepLogins ({ servers, verify }: RegistryCredential, known: KnownLogins): RegistryPart {
  const logins = known.find(servers)
  return { logins, isKept: true, verified: !verify ? 'off' : logins.every(known.isAccepted) ? 'accepted' : 'unknown' }
}

/** What no registry could accept is never published. */
function checkLogin (login: RegistryLogin, registry: RegistryCredential): RegistryLogin {
  try {
    listEntries(login)
    return login
  } catch (error) {
    throw new SourceError('SourceMalformed', `${login.servers.join(', ')}: ${(error as Error).message}`, findSourceSecret(registry))
  }
}

/** What the registries say, and what people should know of it. */
interface Trial {
  verdict: VerificationResult['verdict']
  problem?: SourceError
}

/** The worst that any of its servers says; of two that say nothing, the one that may say something later. */
async function tryLogin (resolver: ContentResolver, registry: RegistryCredential, { servers, username, password }: RegistryLogin): Promise<Trial> {
  const { caFile, allowedRealms } = registry
  try {
    const caCertificates = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
    const results = await Promise.all(servers.map(async (server) => resolver.verify({
      server, username, password, ...(allowedRealms !== undefined && { allowedRealms }), ...(caCertificates !== undefined && { caCertificates })
    })))
    return concludeTrial(results, registry)
  } catch (error) {
    const what = caFile === undefined ? 'it can not be tried' : `it can not be tried with caFile ${caFile}`
    return { verdict: 'unknown', problem: describeUnknown(`${what} (${readCode(error)})`, registry) }
  }
}

function concludeTrial (results: VerificationResult[], registry: RegistryCredential): Trial {
  const isLasting = ({ verdict, reason }: VerificationResult): boolean => verdict === 'unknown' && LASTING.includes(reason)
  const rejected = results.find(({ verdict }) => verdict === 'rejected')
  if (rejected !== undefined) return { verdict: 'rejected', problem: describeRejection(rejected, registry) }
  const unknown = results.find((result) => result.verdict === 'unknown' && !isLasting(result))
  if (unknown !== undefined) return { verdict: 'unknown', problem: describeUnknown(unknown.message, registry) }
  return { verdict: results.some(isLasting) ? 'unknown' : 'accepted' }
}

function joinParts (parts: RegistryPart[], lastGood: LastGood | undefined): ContentResolution {
  const problems = parts.flatMap(({ problem }) => problem ?? [])
  const published = parts.filter(({ logins }) => logins.length > 0)
  if (published.length === 0) return { ...(lastGood !== undefined && { data: lastGood.data }), ...(lastGood?.accepted !== undefined && { accepted: lastGood.accepted }), problems }
  const expiries = published.flatMap(({ expiresAtMs, isKept = false }) => expiresAtMs ?? (isKept && lastGood?.expiresAt !== undefined ? Date.parse(lastGood.expiresAt) : []))
  const verdicts = published.map(({ verified }) => verified)
  return {
    data: Buffer.from(formatDockerConfig(published.flatMap(({ logins }) => logins))).toString('base64'),
    verified: (['unknown', 'off'] as const).find((verdict) => verdicts.includes(verdict)) ?? 'accepted',
    accepted: new Set(published.filter(({ verified }) => verified === 'accepted').flatMap(({ logins }) => logins.flatMap(listEntries))),
    ...(expiries.length > 0 && { expiresAtMs: Math.min(...expiries) }),
    problems
  }
}

function describeRejection ({ message }: VerificationResult, registry: RegistryCredential): SourceError {
  return new SourceError('CredentialRejected', `${registry.servers.join(', ')}: ${message}; the copies keep what was good before`, findSourceSecret(registry))
}

function describeUnknown (message: string, registry: RegistryCredential): SourceError {
  return new SourceError('CredentialUnverified', `${registry.servers.join(', ')}: the credential can not be tried: ${message}`, findSourceSecret(registry))
}

function describeHeldBack ({ message }: SourceError, registry: RegistryCredential): SourceError {
  return new SourceError('CredentialUnverified', `${message}; it is tried ${MAX_HELD_TRIALS} times before it replaces the one in use, which is known to be good`, findSourceSecret(registry))
}

function findSourceSecret ({ credential: { basic } }: RegistryCredential): SecretReference | undefined {
  const secret = basic?.passwordFrom.secret ?? basic?.usernameFrom?.secret
  return secret === undefined ? undefined : { namespace: secret.namespace, name: secret.name }
}

/** An error of another kind is named by its code alone: its text may hold what was read. */
function toSourceError (error: unknown, what: string): SourceError {
  return error instanceof SourceError ? error : new SourceError('SourceUnreadable', `${what}: an unexpected error (${readCode(error)})`)
}

function readCode (error: unknown): string {
  const { code, name } = error as NodeJS.ErrnoException
  return code ?? name
}
