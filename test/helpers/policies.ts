import type { LabelSelector } from '../../src/core/label-selector.ts'
import { compilePolicy, type Policy } from '../../src/core/policy.ts'
import type { PullSecret, PullSecretConfig, Rule, WebhookSettings } from '../../src/core/pull-secret-config.ts'

/** What a test says of a rule; the rest is as the configuration's defaults have it. */
export interface RuleParts extends Partial<Omit<Rule, 'namespaces'>> {
  namespaces?: { include?: string[], exclude?: string[], selector?: LabelSelector }
}

/** What a test says of a configuration besides its rules. */
export interface ConfigParts extends Partial<Omit<PullSecretConfig, 'rules' | 'webhook'>> {
  webhook?: Partial<WebhookSettings>
}

/** Stands for the SHA-256 of a configuration file. */
export const CONFIG_HASH = 'ab'.repeat(32)

export const OWN_NAMESPACE = 'pullkeeper-system'

/** A rule for every image of `registry.example.com`, as far as the parts say nothing else. */
export function createRule (parts: RuleParts = {}): Rule {
  const always = parts.always ?? false
  return {
    name: 'example',
    matchImages: always ? [] : ['registry.example.com'],
    excludeImages: [],
    always,
    pullSecrets: ['example-pull'],
    ...parts,
    namespaces: { include: ['*'], exclude: [], ...parts.namespaces }
  }
}

/** A pull secret that is copied from a file: the least that the configuration accepts. */
export function createPullSecret (parts: Partial<PullSecret> = {}): PullSecret {
  const source = parts.registries === undefined && { copyFrom: { file: '/etc/pullkeeper/config.json' } }
  return { name: 'example-pull', onConflict: 'skip', onExpired: 'keep', serviceAccounts: [], ...source, ...parts }
}

/** A configuration without problems: every Secret that a rule names is kept by an entry of `pullSecrets`. */
export function createConfig (rules: RuleParts[] = [{}], overrides: ConfigParts = {}): PullSecretConfig {
  const completeRules = rules.map(createRule)
  const names = new Set(completeRules.flatMap((rule) => rule.pullSecrets))
  return {
    pullSecrets: [...names].map((name) => createPullSecret({ name })),
    retired: [],
    unmatched: 'allow',
    sync: { pruneAfterMs: 600_000, recover: 'off' },
    ...overrides,
    rules: completeRules,
    webhook: { onError: 'allow', annotate: true, failurePolicy: 'Ignore', timeoutSeconds: 3, manageRegistration: true, ...overrides.webhook }
  }
}

/** A policy ready to decide. */
export function createPolicy (rules: RuleParts[] = [{}], overrides: ConfigParts = {}): Policy {
  return compilePolicy(createConfig(rules, overrides), { configHash: CONFIG_HASH, ownNamespace: OWN_NAMESPACE })
}

/** The path of the entry that evaluates a rule. */
export function findEntryPath (policy: Policy, ruleName: string): string {
  for (const [path, { rules }] of policy.entries) {
    if (rules.some(({ rule }) => rule.name === ruleName)) return path
  }
  throw new Error(`no rule "${ruleName}" in this policy`)
}
