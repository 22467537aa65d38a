import { compileGlob } from './glob.ts'
import { isEmptySelector } from './label-selector.ts'
import { compileNamespaceMatcher } from './namespaces.ts'
import type { PullSecretConfig, Rule } from './pull-secret-config.ts'

const EXAMPLE = 'namespaces: { include: [NAME, ...] } with the whole name of each'

/**
 * The namespaces that the rules list by name, sorted: where a worker without a view of Namespaces keeps its Secrets.
 * Rules that name no Secret of `pullSecrets` give the worker nothing to do and are passed over.
 * @throws Error that names every rule whose namespaces only the Namespace objects could tell, and what to write instead
 */
export function listLiteralNamespaces ({ rules, pullSecrets }: Pick<PullSecretConfig, 'rules' | 'pullSecrets'>, ownNamespace: string): string[] {
  const managed = new Set(pullSecrets.map(({ name }) => name))
  const workerRules = rules.filter((rule) => rule.pullSecrets.some((name) => managed.has(name)))
  const problems = workerRules.flatMap(listProblems)
  if (problems.length > 0) throw new Error(`rights in single namespaces need rules that list their namespaces by name\n${problems.join('\n')}`)
  return [...new Set(workerRules.flatMap((rule) => listIncluded(rule, ownNamespace)))].toSorted()
}

function listProblems ({ name, namespaces: { include, selector } }: Rule): string[] {
  if (!isEmptySelector(selector)) return [`rule "${name}" selects namespaces by their labels; remove namespaces.selector and write ${EXAMPLE}`]
  const globs = include.filter((pattern) => typeof compileGlob(pattern) !== 'string')
  return globs.length === 0 ? [] : [`rule "${name}" is for ${describeGlobs(globs)}; write ${EXAMPLE}`]
}

function describeGlobs (globs: string[]): string {
  return globs.includes('*') ? 'every namespace' : `the namespaces ${globs.map((glob) => `"${glob}"`).join(', ')}`
}

function listIncluded ({ namespaces }: Rule, ownNamespace: string): string[] {
  const matcher = compileNamespaceMatcher(namespaces, ownNamespace)
  return namespaces.include.filter((namespace) => matcher.judge(namespace) === 'included')
}
