import { matchesLabels } from './label-selector.ts'
import { compileNamespaceMatcher } from './namespaces.ts'
import { INJECT_KEY } from './pod.ts'
import type { PullSecretConfig, Rule } from './pull-secret-config.ts'

/** What decides whether a namespace wants a pull secret. */
export interface NamespaceFacts {
  name: string
  labels: Record<string, string>
}

/** The pull secrets that a namespace wants. */
export type PullSecretDemand = (namespace: NamespaceFacts) => ReadonlySet<string>

const NOTHING: ReadonlySet<string> = new Set()

/**
 * Compiles which of the configuration's pull secrets each namespace wants: those of the rules that are for it, as the webhook
 * judges by entry and name. An opted-out namespace wants none, since the API server does not call the webhook for its Pods.
 */
export function compileDemand ({ rules, pullSecrets }: Pick<PullSecretConfig, 'rules' | 'pullSecrets'>, ownNamespace: string): PullSecretDemand {
  const managed = new Set(pullSecrets.map(({ name }) => name))
  const judges = rules.map((rule) => compileRuleDemand(rule, managed, ownNamespace)).filter(({ names }) => names.length > 0)
  return (namespace) => {
    if (namespace.labels[INJECT_KEY] === 'false') return NOTHING
    return new Set(judges.filter(({ isFor }) => isFor(namespace)).flatMap(({ names }) => names))
  }
}

function compileRuleDemand (rule: Rule, managed: Set<string>, ownNamespace: string): { names: string[], isFor: (namespace: NamespaceFacts) => boolean } {
  const matcher = compileNamespaceMatcher(rule.namespaces, ownNamespace)
  const { selector } = rule.namespaces
  return {
    names: rule.pullSecrets.filter((name) => managed.has(name)),
    isFor: ({ name, labels }) => matcher.judge(name) === 'included' && (selector === undefined || matchesLabels(selector, labels))
  }
}
