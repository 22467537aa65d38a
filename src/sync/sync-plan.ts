import type { PullSecret, PullSecretConfig, SecretReference } from '../core/pull-secret-config.ts'
import { compileDemand, type PullSecretDemand } from '../core/pull-secret-demand.ts'
import { listSourceSecrets } from '../core/source-secrets.ts'
import { formatObjectKey } from '../core/kube-object.ts'

/** A configuration made ready for the worker. */
export interface SyncPlan {
  config: PullSecretConfig
  /** SHA-256 of the configuration file, lower-case hex. */
  configHash: string
  ownNamespace: string
  demand: PullSecretDemand
  /** The pull secrets to keep, by name. */
  pullSecrets: ReadonlyMap<string, PullSecret>
  /** Names whose copies are to go. */
  retired: ReadonlySet<string>
  /** Every Secret that content is taken from. */
  sources: readonly SecretReference[]
  /** Their keys, `namespace/name`. */
  sourceKeys: ReadonlySet<string>
}

/** Compiles a validated configuration. */
export function compileSyncPlan (config: PullSecretConfig, { configHash, ownNamespace }: { configHash: string, ownNamespace: string }): SyncPlan {
  const sources = listSourceSecrets(config)
  return {
    config,
    configHash,
    ownNamespace,
    demand: compileDemand(config, ownNamespace),
    pullSecrets: new Map(config.pullSecrets.map((pullSecret) => [pullSecret.name, pullSecret])),
    retired: new Set(config.retired),
    sources,
    sourceKeys: new Set(sources.map(formatObjectKey))
  }
}

/** The names whose Secrets the worker watches: managed and retired ones. */
export function listWatchedNames ({ pullSecrets, retired }: Pick<SyncPlan, 'pullSecrets' | 'retired'>): string[] {
  return [...pullSecrets.keys(), ...retired]
}

/** The keys, `namespace/name`, of the Secrets that one pull secret takes content from. */
export function listSourceKeys (pullSecret: PullSecret): string[] {
  return listSourceSecrets({ pullSecrets: [pullSecret] }).map(formatObjectKey)
}
