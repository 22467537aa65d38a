import { createHash } from 'node:crypto'
import { digestAuths } from './docker-config.ts'
import type { Secret } from './kube-object.ts'

/** The Secret type that the kubelet reads pull secrets from (https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets). */
export const DOCKER_CONFIG_TYPE = 'kubernetes.io/dockerconfigjson'
/** Its key. */
export const DOCKER_CONFIG_KEY = '.dockerconfigjson'

/** The recommended label that says who manages an object; with a managed or retired name it makes a Secret ours. */
export const MANAGED_BY_LABEL = 'app.kubernetes.io/managed-by'
/** Its value. */
export const MANAGED_BY = 'pullkeeper'

/** SHA-256 of what the worker wrote; informs people, since the worker always computes it from the object itself. */
export const CONTENT_HASH_ANNOTATION = 'pullkeeper.dev/content-hash'
/** Where the content comes from, such as `copy of secret default/all-icr-io`. */
export const SOURCE_ANNOTATION = 'pullkeeper.dev/source'
/** When the first of the credentials expires, RFC 3339. */
export const EXPIRES_AT_ANNOTATION = 'pullkeeper.dev/expires-at'
/** On the canonical copy: what the registries said of the credentials, such as `accepted`. */
export const VERIFIED_ANNOTATION = 'pullkeeper.dev/verified'
/** On the canonical copy: the SHA-256 of the configuration that may remove copies in bulk. */
export const ALLOW_REMOVAL_ANNOTATION = 'pullkeeper.dev/allow-removal'

/** What every copy of a pull secret holds. */
export interface PullSecretContent {
  /** A `.dockerconfigjson`, base64. */
  data: string
  /** SHA-256 as `hashContent` makes it. */
  hash: string
  /** For people; holds no secret. */
  source: string
  expiresAt?: string
  /** What the registries said, for the canonical copy. */
  verified?: string
}

/** What stays in memory of a Secret that was seen; never its data. */
export interface ObservedCopy {
  uid: string
  resourceVersion: string
  /** SHA-256 of the type, `.dockerconfigjson` and our label. */
  hash: string
  isOwned: boolean
  /** Its type is another one, which can not be changed. */
  hasWrongType: boolean
  isImmutable: boolean
  isBeingDeleted: boolean
  /** Keys of `data` that are not ours: left alone, and reported. */
  foreignKeys: string[]
  /** Of a Secret that is not ours: what its credentials mean to the kubelet, as `digestAuths` makes it. */
  authsDigest?: string | undefined
}

/** SHA-256, lower-case hex, over what a copy of ours consists of: type, content (base64) and label. */
export function hashContent (data: string, type: string = DOCKER_CONFIG_TYPE, managedBy: string = MANAGED_BY): string {
  return createHash('sha256').update(JSON.stringify([type, data, managedBy])).digest('hex')
}

/** Takes from a Secret what the worker needs to know of it. */
export function observeSecret ({ metadata, type = '', data = {}, immutable = false }: Secret): ObservedCopy {
  const managedBy = metadata.labels?.[MANAGED_BY_LABEL] ?? ''
  const content = data[DOCKER_CONFIG_KEY] ?? ''
  return {
    uid: metadata.uid,
    resourceVersion: metadata.resourceVersion,
    hash: hashContent(content, type, managedBy),
    isOwned: managedBy === MANAGED_BY,
    hasWrongType: type !== DOCKER_CONFIG_TYPE,
    isImmutable: immutable,
    isBeingDeleted: metadata.deletionTimestamp !== undefined,
    foreignKeys: Object.keys(data).filter((key) => key !== DOCKER_CONFIG_KEY),
    ...(managedBy !== MANAGED_BY && { authsDigest: digestAuths(Buffer.from(content, 'base64')) })
  }
}

/** Whether a Secret that is not ours offers the kubelet the same credentials as a `.dockerconfigjson` (base64) of ours. */
export function hasEqualAuths ({ authsDigest }: Pick<ObservedCopy, 'authsDigest'>, data: string): boolean {
  return authsDigest !== undefined && authsDigest === digestAuths(Buffer.from(data, 'base64'))
}

/** The manifest that is applied: exactly the fields that are ours, so that foreign ones stay with their owners. */
export function createManagedSecret (name: string, namespace: string, content: PullSecretContent): object {
  const { data, hash, source, expiresAt, verified } = content
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: { [MANAGED_BY_LABEL]: MANAGED_BY },
      annotations: {
        [CONTENT_HASH_ANNOTATION]: hash,
        [SOURCE_ANNOTATION]: source,
        ...(expiresAt !== undefined && { [EXPIRES_AT_ANNOTATION]: expiresAt }),
        ...(verified !== undefined && { [VERIFIED_ANNOTATION]: verified })
      }
    },
    type: DOCKER_CONFIG_TYPE,
    data: { [DOCKER_CONFIG_KEY]: data }
  }
}
