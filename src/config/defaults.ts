import { isEmptySelector } from '../core/label-selector.ts'
import type { NamespaceFilter, PullSecret, PullSecretConfig, Rule } from '../core/pull-secret-config.ts'
import type { ConfigDocument } from './schema.ts'

type RuleDocument = ConfigDocument['rules'][number]
type PullSecretDocument = NonNullable<ConfigDocument['pullSecrets']>[number]

const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const DEFAULT_PRUNE_AFTER = '10m'

/** Fills in every default of the configuration reference. */
export function applyDefaults (document: ConfigDocument): PullSecretConfig {
  return {
    pullSecrets: (document.pullSecrets ?? []).map(completePullSecret),
    retired: document.retired ?? [],
    rules: document.rules.map(completeRule),
    unmatched: document.unmatched ?? 'allow',
    webhook: { onError: 'allow', annotate: true, failurePolicy: 'Ignore', timeoutSeconds: 3, manageRegistration: true, ...document.webhook },
    sync: {
      pruneAfterMs: parseDurationMs(document.sync?.pruneAfter ?? DEFAULT_PRUNE_AFTER),
      recover: document.sync?.recover ?? 'off'
    }
  }
}

/** Milliseconds of a duration that the schema has let through, such as `90s`, `10m` or `1h`. */
export function parseDurationMs (duration: string): number {
  const [, count, unit] = /^([0-9]+)(ms|s|m|h|d)$/.exec(duration) ?? []
  return Number(count) * UNITS_MS[unit as keyof typeof UNITS_MS]
}

function completeRule (rule: RuleDocument): Rule {
  return {
    name: rule.name,
    matchImages: rule.matchImages ?? [],
    excludeImages: rule.excludeImages ?? [],
    always: rule.always ?? false,
    namespaces: completeNamespaces(rule.namespaces ?? {}),
    pullSecrets: rule.pullSecrets
  }
}

function completeNamespaces ({ include, exclude, selector }: NonNullable<RuleDocument['namespaces']>): NamespaceFilter {
  const given = selector as NamespaceFilter['selector']
  return { include: include ?? ['*'], exclude: exclude ?? [], ...(given !== undefined && !isEmptySelector(given) && { selector: given }) }
}

function completePullSecret (pullSecret: PullSecretDocument): PullSecret {
  const { registries, ...rest } = pullSecret
  return {
    onConflict: 'skip',
    onExpired: 'keep',
    serviceAccounts: [],
    ...rest,
    ...(registries !== undefined && { registries: registries.map((registry) => ({ verify: true, ...registry })) })
  }
}
