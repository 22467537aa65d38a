import type { LabelSelector } from './label-selector.ts'

/**
 * The configuration of all pullkeeper processes, validated and with every default filled in
 * (`apiVersion: pullkeeper.dev/v1alpha1`, `kind: PullSecretConfig`). It holds no secret value.
 */
export interface PullSecretConfig {
  pullSecrets: PullSecret[]
  /** Names whose copies are to be removed. */
  retired: string[]
  rules: Rule[]
  /** What becomes of a Pod with an image that no rule matches. */
  unmatched: 'allow' | 'warn' | 'deny'
  webhook: WebhookSettings
  sync: SyncSettings
}

/** A rule of the webhook; all rules that match apply. */
export interface Rule {
  /** Unique DNS label. */
  name: string
  /** Patterns with the kubelet's semantics; empty if `always`. */
  matchImages: string[]
  /** Patterns that win over `matchImages`. */
  excludeImages: string[]
  /** Applies whatever the images are. */
  always: boolean
  namespaces: NamespaceFilter
  /** Names to inject; empty documents images that the nodes may pull by themselves. */
  pullSecrets: string[]
}

/** Namespaces that a rule is for: `include`, `exclude` (globs over the whole name; exclude wins) and `selector` must all hold. */
export interface NamespaceFilter {
  include: string[]
  exclude: string[]
  selector?: LabelSelector
}

/** The section `webhook` of the configuration. */
export interface WebhookSettings {
  /** What an internal error does to the Pod. */
  onError: 'allow' | 'deny'
  /** Whether injected Pods carry the annotation `pullkeeper.dev/injected`. */
  annotate: boolean
  failurePolicy: 'Ignore' | 'Fail'
  timeoutSeconds: number
  manageRegistration: boolean
}

/** The section `sync` of the configuration. */
export interface SyncSettings {
  /** How long an unwanted copy stays, in milliseconds. */
  pruneAfterMs: number
  recover: 'off' | 'report' | 'evict'
}

/** A Secret that the sync worker keeps present: exactly one of `registries` and `copyFrom`. */
export interface PullSecret {
  name: string
  registries?: RegistryCredential[]
  copyFrom?: CopySource
  onConflict: 'skip' | 'adopt' | 'overwrite'
  onExpired: 'keep' | 'withdraw'
  serviceAccounts: string[]
}

/** One credential and the `auths` keys that it stands under. */
export interface RegistryCredential {
  servers: string[]
  credential: Credential
  verify: boolean
  caFile?: string
  allowedRealms?: string[]
}

/** Where a credential comes from: exactly one key. */
export interface Credential {
  basic?: BasicCredential
  azure?: { identity: 'workloadIdentity' | 'managedIdentity' | 'clientSecret' | 'clientCertificate' }
}

/** A user name and a password; exactly one of `username` and `usernameFrom`. */
export interface BasicCredential {
  username?: string
  usernameFrom?: ValueSource
  passwordFrom: ValueSource
}

/** A value in a key of a Secret, or in a mounted file. */
export interface ValueSource {
  secret?: SecretReference & { key: string }
  file?: string
}

/** A dockerconfigjson to copy. */
export interface CopySource {
  secret?: SecretReference
  file?: string
}

/** A Secret by namespace and name. */
export interface SecretReference {
  namespace: string
  name: string
}
