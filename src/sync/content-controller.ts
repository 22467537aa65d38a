import type { SourceError } from '../core/credential-source.ts'
import {
  DOCKER_CONFIG_KEY, DOCKER_CONFIG_TYPE, EXPIRES_AT_ANNOTATION, hashContent, MANAGED_BY, MANAGED_BY_LABEL, SOURCE_ANNOTATION,
  VERIFIED_ANNOTATION, type PullSecretContent
} from '../core/managed-secret.ts'
import { parseDockerConfig } from '../core/docker-config-decoding.ts'
import type { Secret } from '../core/kube-object.ts'
import { describeSource } from '../core/pull-secret-source.ts'
import type { PullSecret } from '../core/pull-secret-config.ts'
import { resolveContent, type ContentResolution, type ContentResolver } from './content-resolution.ts'

/** The content of one pull secret, and what is wrong with its sources. */
export interface ContentState {
  /** What every copy is to hold; absent while nothing good is known. */
  content?: PullSecretContent
  problems: SourceError[]
}

/** What a content controller needs. */
export interface ContentControllerOptions extends ContentResolver {
  pullSecret: (name: string) => PullSecret | undefined
  /** The canonical copy: what was good before this process began. */
  canonical: (name: string) => Secret | undefined
  /** Told when a pull secret has another content, or has its first state. */
  onContent: (name: string, state: ContentState) => void
  /** Told of each resolution. */
  onResolved: (name: string, state: ContentState) => void
}

/** Keeps the content of each pull secret. */
export interface ContentController {
  /** Undefined until a pull secret was resolved once, successfully or not. */
  state: (name: string) => ContentState | undefined
  /** Resolves a pull secret anew; returns the milliseconds after which to try again, if it failed in a way that may pass. */
  resolve: (name: string) => Promise<number | undefined>
  forget: (name: string) => void
}

/** A refused or untried credential is tried again after a minute, then ever more seldom: registries lock accounts. */
const MIN_RETRY_MS = 60_000
const MAX_RETRY_MS = 3_600_000

/** Makes a controller that knows no content yet. */
export function createContentController (options: ContentControllerOptions): ContentController {
  const states = new Map<string, ContentState>()
  const accepted = new Map<string, ReadonlySet<string> | undefined>()
  const attempts = new Map<string, number>()
  const trials = new Map<string, Map<string, number>>()

  async function resolve (name: string): Promise<number | undefined> {
    const pullSecret = options.pullSecret(name)
    if (pullSecret === undefined) return undefined
    const before = states.get(name)
    const lastGood = before?.content ?? readCanonical(options.canonical(name))
    const resolution = await resolveContent(options, pullSecret, lastGood === undefined ? undefined : { ...lastGood, accepted: accepted.get(name), trials: trialsOf(name) })
    // Another configuration came into force meanwhile, which has this resolved anew or not at all.
    if (options.pullSecret(name) !== pullSecret) return undefined
    const state = conclude(pullSecret, resolution, lastGood)
    states.set(name, state)
    accepted.set(name, resolution.accepted)
    options.onResolved(name, state)
    if (before === undefined || !isEqual(before.content, state.content)) options.onContent(name, state)
    return scheduleRetry(name, state)
  }

  function trialsOf (name: string): Map<string, number> {
    const known = trials.get(name) ?? new Map<string, number>()
    trials.set(name, known)
    return known
  }

  function scheduleRetry (name: string, { problems }: ContentState): number | undefined {
    const isPassing = problems.some(({ reason }) => reason === 'CredentialRejected' || reason === 'CredentialUnverified')
    const attempt = isPassing ? (attempts.get(name) ?? 0) + 1 : 0
    attempts.set(name, attempt)
    return isPassing ? Math.min(MIN_RETRY_MS * 2 ** (attempt - 1), MAX_RETRY_MS) : undefined
  }

  return {
    state: (name) => states.get(name),
    resolve,
    forget (name) {
      states.delete(name)
      accepted.delete(name)
      attempts.delete(name)
      trials.delete(name)
    }
  }
}

function conclude (pullSecret: PullSecret, { data, verified, expiresAtMs, problems }: ContentResolution, lastGood: PullSecretContent | undefined): ContentState {
  if (data === undefined) return { problems }
  const kept = data === lastGood?.data ? lastGood : undefined
  const expiresAt = expiresAtMs === undefined ? kept?.expiresAt : new Date(expiresAtMs).toISOString()
  const verdict = verified ?? kept?.verified
  return {
    content: {
      data,
      hash: hashContent(data),
      source: describeSource(pullSecret),
      ...(expiresAt !== undefined && { expiresAt }),
      ...(verdict !== undefined && { verified: verdict })
    },
    problems
  }
}

/** A new leader trusts the canonical copy alone, and only if the kubelet could read it. */
function readCanonical (secret: Secret | undefined): PullSecretContent | undefined {
  const data = secret?.data?.[DOCKER_CONFIG_KEY]
  const { annotations = {}, labels = {} } = secret?.metadata ?? {}
  if (data === undefined || secret?.type !== DOCKER_CONFIG_TYPE || labels[MANAGED_BY_LABEL] !== MANAGED_BY) return undefined
  const parsed = parseDockerConfig(Buffer.from(data, 'base64'))
  if ('error' in parsed || !parsed.hasCredentials) return undefined
  const expiresAt = annotations[EXPIRES_AT_ANNOTATION]
  const verified = annotations[VERIFIED_ANNOTATION]
  return {
    data,
    hash: hashContent(data),
    source: annotations[SOURCE_ANNOTATION] ?? '',
    ...(expiresAt !== undefined && { expiresAt }),
    ...(verified !== undefined && { verified })
  }
}

function isEqual (a: PullSecretContent | undefined, b: PullSecretContent | undefined): boolean {
  return a?.hash === b?.hash && a?.source === b?.source && a?.expiresAt === b?.expiresAt && a?.verified === b?.verified
}
