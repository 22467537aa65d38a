import type { CopySituation } from '../../src/core/copy-reconciliation.ts'
import type { Secret } from '../../src/core/kube-object.ts'
import { createManagedSecret, DOCKER_CONFIG_KEY, DOCKER_CONFIG_TYPE, hashContent, type ObservedCopy, type PullSecretContent } from '../../src/core/managed-secret.ts'

export const NOW_MS = Date.UTC(2026, 0, 31, 12)
export const PRUNE_AFTER_MS = 600_000

/** A copy that is ours and as it should be, but for the parts. */
export function createObserved (parts: Partial<ObservedCopy> = {}): ObservedCopy {
  return { uid: 'uid-1', resourceVersion: '1', hash: 'new', isOwned: true, hasWrongType: false, isImmutable: false, isBeingDeleted: false, foreignKeys: [], ...parts }
}

/** A copy that is wanted in an ordinary namespace, and whose content is known, but for the parts. */
export function createSituation (parts: Partial<CopySituation> = {}): CopySituation {
  return { contentHash: 'new', isWanted: true, isSource: false, isTerminating: false, onConflict: 'skip', pruneAfterMs: PRUNE_AFTER_MS, isRemovalHeld: false, ...parts }
}

/** A `.dockerconfigjson` in base64 with one login. */
export function encodeDockerConfig (password = 'test-password-1', server = 'registry.example.com'): string {
  const auth = Buffer.from(`puller:${password}`).toString('base64')
  return Buffer.from(JSON.stringify({ auths: { [server]: { username: 'puller', password, auth } } })).toString('base64')
}

/** What the worker would publish. */
export function createContent (parts: Partial<PullSecretContent> = {}): PullSecretContent {
  const data = parts.data ?? encodeDockerConfig()
  return { data, hash: hashContent(data), source: 'copy of Secret platform/registry', ...parts }
}

/** What a test says of a Secret. */
export interface SecretParts extends Partial<Omit<Secret, 'metadata'>> {
  metadata?: Partial<Secret['metadata']>
}

/** A Secret that somebody made, `team-a/example-pull`, but for the parts. */
export function createSecret ({ metadata, ...parts }: SecretParts = {}): Secret {
  return {
    type: DOCKER_CONFIG_TYPE,
    data: { [DOCKER_CONFIG_KEY]: encodeDockerConfig() },
    ...parts,
    metadata: { name: 'example-pull', namespace: 'team-a', uid: 'uid-1', resourceVersion: '1', ...metadata }
  }
}

/** A Secret as the API server returns what the worker applied. */
export function createCopy (namespace: string, resourceVersion: string, parts: { name?: string, uid?: string, content?: PullSecretContent } = {}): Secret {
  const { name = 'example-pull', uid = `uid-of-${namespace}`, content = createContent() } = parts
  const { metadata, ...rest } = createManagedSecret(name, namespace, content) as Secret
  return { ...rest, metadata: { ...metadata, uid, resourceVersion } }
}
