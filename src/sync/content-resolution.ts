import { readFile } from 'node:fs/promises'
import { SourceError, type CredentialSource } from '../core/credential-source.ts'
import { parseDockerConfig, type DockerConfigEntry } from '../core/docker-config-decoding.ts'
import { convertDockercfg, formatDockerConfig, type RegistryLogin } from '../core/docker-config.ts'
import { formatObjectKey } from '../core/kube-object.ts'
import { DOCKER_CONFIG_KEY } from '../core/managed-secret.ts'
import type { CopySource, Credential, PullSecret, RegistryCredential, SecretReference } from '../core/pull-secret-config.ts'
import type { VerificationRequest } from '../registries/registry-verification.ts'
import type { VerificationResult } from '../registries/verification-result.ts'
import type { SourceReader } from './source-reader.ts'

/** What the registries said of a pull secret's credentials: the worst of all; `off` when none was to be tried. */
export type Verified = 'accepted' | 'unknown' | 'off'

/** What a pull secret's sources give now. */
export interface ContentResolution {
  /** The `.dockerconfigjson`, base64; absent when there is nothing good, not even of old. */
  data?: string
  verified?: Verified
  expiresAtMs?: number
  /** What keeps a part of it old, or missing. */
  problems: SourceError[]
}

/** What was published last. */
export interface LastGood {
  /** base64 */
  data: string
  verified?: string | undefined
}

/** What a resolution needs from outside. */
export interface ContentResolver {
  sources: SourceReader
  createSource: (credential: Credential) => CredentialSource
  verify: (request: VerificationRequest) => Promise<VerificationResult>
}

/** The legacy type `kubernetes.io/dockercfg` has this key. */
const DOCKERCFG_KEY = '.dockercfg'
/** What trying again will not change. */
const LASTING = ['glob', 'not-https', 'invalid-server', 'anonymous', 'no-challenge']

/** Resolves a pull secret from its sources; whatever fails keeps what was good before, for its own registry only. */
export async function resolveContent (resolver: ContentResolver, { copyFrom, registries }: PullSecret, lastGood: LastGood | undefined): Promise<ContentResolution> {
  if (copyFrom !== undefined) return resolveCopy(resolver.sources, copyFrom, lastGood)
  const known = lastGood === undefined ? [] : readEntries(lastGood.data)
  const parts = await Promise.all((registries ?? []).map(async (registry) => resolveRegistry(resolver, registry, known, lastGood?.verified)))
  return joinParts(parts, lastGood)
}

function resolveCopy (sources: SourceReader, copyFrom: CopySource, lastGood: LastGood | undefined): ContentResolution {
  try {
    const { secret, file = '' } = copyFrom
    return { data: secret === undefined ? checkContent(sources.readFile(file), file) : readCopySecret(sources, secret), problems: [] }
  } catch (error) {
    return { ...(lastGood !== undefined && { data: lastGood.data }), problems: [toSourceError(error)] }
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
  login?: RegistryLogin
  verified?: Verified
  expiresAtMs?: number
  problem?: SourceError
}

async function resolveRegistry (resolver: ContentResolver, registry: RegistryCredential, known: DockerConfigEntry[], verifiedBefore: string | undefined): Promise<RegistryPart> {
  const old = findLogin(known, registry.servers)
  try {
    const { username, password, expiresAtMs } = await resolver.createSource(registry.credential).resolve()
    const login = { servers: registry.servers, username, password }
    const isKnown = old?.username === username && old.password === password
    formatDockerConfig([login])
    const expiry = expiresAtMs === undefined ? {} : { expiresAtMs }
    if (!registry.verify) return { login, verified: 'off', ...expiry }
    if (isKnown && verifiedBefore === 'accepted') return { login, verified: 'accepted', ...expiry }
    const result = await verifyLogin(resolver, registry, login)
    if (result.verdict === 'rejected') return { ...(isKnown ? { login, verified: 'unknown' } : old !== undefined && { login: old }), problem: describeRejection(result, registry) }
    const isLasting = result.verdict === 'accepted' || LASTING.includes(result.reason)
    return { login, verified: result.verdict, ...expiry, ...(!isLasting && { problem: describeUnknown(result, registry) }) }
  } catch (error) {
    return { ...(old !== undefined && { login: old }), problem: toSourceError(error) }
  }
}

/** The worst that any of its servers says. */
async function verifyLogin (resolver: ContentResolver, { caFile, allowedRealms }: RegistryCredential, { servers, username, password }: RegistryLogin): Promise<VerificationResult> {
  const caCertificates = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
  const results = await Promise.all(servers.map(async (server) => resolver.verify({
    server, username, password, ...(allowedRealms !== undefined && { allowedRealms }), ...(caCertificates !== undefined && { caCertificates })
  })))
  const [worst] = ['rejected', 'unknown', 'accepted'].flatMap((verdict) => results.filter((result) => result.verdict === verdict))
  if (worst === undefined) throw new SourceError('SourceMalformed', 'a credential has no server')
  return worst
}

function joinParts (parts: RegistryPart[], lastGood: LastGood | undefined): ContentResolution {
  const problems = parts.flatMap(({ problem }) => problem ?? [])
  const logins = parts.flatMap(({ login }) => login ?? [])
  if (logins.length === 0) return { ...(lastGood !== undefined && { data: lastGood.data }), problems }
  const expiries = parts.flatMap(({ expiresAtMs }) => expiresAtMs ?? [])
  const verdicts = parts.flatMap(({ verified }) => verified ?? [])
  const verified = (['unknown', 'accepted', 'off'] as const).find((verdict) => verdicts.includes(verdict))
  return {
    data: Buffer.from(formatDockerConfig(logins)).toString('base64'),
    ...(verified !== undefined && { verified }),
    ...(expiries.length > 0 && { expiresAtMs: Math.min(...expiries) }),
    problems
  }
}

function readEntries (data: string): DockerConfigEntry[] {
  const parsed = parseDockerConfig(Buffer.from(data, 'base64'))
  return 'error' in parsed ? [] : parsed.entries
}

/** The credential that all of these servers had. */
function findLogin (known: DockerConfigEntry[], servers: string[]): RegistryLogin | undefined {
  const entries = servers.map((server) => known.find((entry) => entry.server === server))
  const [first] = entries
  if (first === undefined || entries.some((entry) => entry?.username !== first.username || entry.password !== first.password)) return undefined
  return { servers, username: first.username, password: first.password }
}

function describeRejection ({ message }: VerificationResult, registry: RegistryCredential): SourceError {
  return new SourceError('CredentialRejected', `${registry.servers.join(', ')}: ${message}; the copies keep what was good before`, findSourceSecret(registry))
}

function describeUnknown ({ message }: VerificationResult, registry: RegistryCredential): SourceError {
  return new SourceError('CredentialUnverified', `${registry.servers.join(', ')}: the credential is published without having been tried: ${message}`, findSourceSecret(registry))
}

function findSourceSecret ({ credential: { basic } }: RegistryCredential): SecretReference | undefined {
  const secret = basic?.passwordFrom.secret ?? basic?.usernameFrom?.secret
  return secret === undefined ? undefined : { namespace: secret.namespace, name: secret.name }
}

/** An error of another kind is described by its code: its text may hold what was read. */
function toSourceError (error: unknown): SourceError {
  if (error instanceof SourceError) return error
  const { code, path, message } = error as NodeJS.ErrnoException
  return new SourceError('SourceMalformed', path === undefined || code === undefined ? message : `${path} can not be read (${code})`)
}
