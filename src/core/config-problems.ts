import { isEmptySelector } from './label-selector.ts'
import { listPatternWarnings } from './pattern-warnings.ts'
import type { PullSecret, PullSecretConfig, Rule } from './pull-secret-config.ts'
import { normalizeRegistryKey } from './registry-key.ts'
import { listWebhookEntries } from './webhook-entries.ts'

/** Something in a configuration that its author should know; an error keeps it from being used. */
export interface ConfigProblem {
  severity: 'error' | 'warning'
  /** Keys and indexes from the top of the document to the value. */
  path: (string | number)[]
  /** What is wrong and what to write instead. */
  message: string
}

type Problems = Generator<ConfigProblem, void, undefined>

/** Above this many entries the API server's calls, one after another, are felt in each Pod creation. */
const MAX_ENTRIES = 4

/** Finds what a schema can not express: references, duplicates, patterns that can not match, costly registrations. */
export function listConfigProblems (config: PullSecretConfig): ConfigProblem[] {
  return [...checkPullSecrets(config), ...checkRetired(config), ...checkRules(config), ...checkEntries(config)]
}

function * checkPullSecrets ({ pullSecrets }: PullSecretConfig): Problems {
  yield * findDuplicates(pullSecrets.map(({ name }) => name), (index) => ['pullSecrets', index, 'name'])
  for (const [index, pullSecret] of pullSecrets.entries()) {
    yield * checkSource(pullSecret, index)
    yield * checkServers(pullSecret, index)
  }
}

function * checkSource ({ registries, copyFrom }: PullSecret, index: number): Problems {
  const path = ['pullSecrets', index]
  if (registries === undefined && copyFrom === undefined) yield error(path, 'has no source; write registries (credentials) or copyFrom (an existing Secret or file)')
  if (registries !== undefined && copyFrom !== undefined) yield error([...path, 'copyFrom'], 'stands beside registries; keep exactly one of the two')
  for (const [at, { credential }] of (registries ?? []).entries()) {
    const { basic } = credential
    if (basic !== undefined && (basic.username === undefined) === (basic.usernameFrom === undefined)) {
      yield error([...path, 'registries', at, 'credential', 'basic'], 'needs exactly one of username and usernameFrom')
    }
  }
}

function * checkServers ({ registries = [] }: PullSecret, index: number): Problems {
  const seen = new Map<string, string>()
  for (const [at, { servers }] of registries.entries()) {
    for (const [position, server] of servers.entries()) {
      const path = ['pullSecrets', index, 'registries', at, 'servers', position]
      const key = normalizeRegistryKey(server)
      const earlier = seen.get(key ?? '')
      if (key === undefined) yield error(path, `"${server}" is no registry that the kubelet can read, so it would ignore the entry; write host[:port][/path]`)
      else if (earlier === undefined) seen.set(key, server)
      else yield error(path, `${describeTwice(server, earlier)}, and one entry can hold one credential only; remove one, or name a path below the host`)
    }
  }
}

function describeTwice (server: string, earlier: string): string {
  return server === earlier ? `"${server}" stands twice in this Secret` : `"${server}" is to the kubelet the same as "${earlier}" in this Secret`
}

function * checkRetired ({ retired, pullSecrets }: PullSecretConfig): Problems {
  yield * findDuplicates(retired, (index) => ['retired', index])
  for (const [index, name] of retired.entries()) {
    if (pullSecrets.some((pullSecret) => pullSecret.name === name)) {
      yield error(['retired', index], `"${name}" is kept by pullSecrets and can not be retired at the same time; remove one of the two`)
    }
  }
}

function * checkRules (config: PullSecretConfig): Problems {
  yield * findDuplicates(config.rules.map(({ name }) => name), (index) => ['rules', index, 'name'])
  for (const [index, rule] of config.rules.entries()) {
    yield * checkImages(rule, index)
    yield * checkSelector(rule, index)
    yield * checkPullSecretNames(config, rule, index)
    yield * checkUnmatched(config, rule, index)
  }
}

function * checkImages (rule: Rule, index: number): Problems {
  const path = ['rules', index]
  if (!rule.always && rule.matchImages.length === 0) yield error(path, 'matches no image; write matchImages, or always: true')
  if (rule.always && rule.matchImages.length > 0) yield error([...path, 'always'], 'stands beside matchImages; keep exactly one of the two')
  if (rule.always && rule.excludeImages.length > 0) yield error([...path, 'excludeImages'], 'means nothing beside always: true, which applies whatever the images are; remove it')
  yield * checkPatterns(rule, index)
}

function * checkSelector ({ namespaces }: Rule, index: number): Problems {
  for (const [at, { operator, values = [] }] of (namespaces.selector?.matchExpressions ?? []).entries()) {
    const path = ['rules', index, 'namespaces', 'selector', 'matchExpressions', at]
    const needsValues = operator === 'In' || operator === 'NotIn'
    if (needsValues && values.length === 0) yield error(path, `operator ${operator} needs values`)
    if (!needsValues && values.length > 0) yield error([...path, 'values'], `operator ${operator} takes no values; remove them`)
  }
}

function * checkPatterns (rule: Rule, index: number): Problems {
  for (const key of ['matchImages', 'excludeImages'] as const) {
    for (const [position, pattern] of rule[key].entries()) {
      for (const message of listPatternWarnings(pattern)) yield warning(['rules', index, key, position], `"${pattern}" ${message}`)
    }
  }
}

function * checkPullSecretNames (config: PullSecretConfig, rule: Rule, index: number): Problems {
  yield * findDuplicates(rule.pullSecrets, (position) => ['rules', index, 'pullSecrets', position])
  for (const [position, name] of rule.pullSecrets.entries()) {
    const path = ['rules', index, 'pullSecrets', position]
    if (config.retired.includes(name)) yield error(path, `"${name}" is retired, so its copies are being removed; take it out of this rule or out of retired`)
    else if (!config.pullSecrets.some((pullSecret) => pullSecret.name === name)) {
      yield warning(path, `no entry of pullSecrets keeps "${name}": somebody else must put this Secret into each namespace`)
    }
  }
}

function * checkUnmatched ({ unmatched }: PullSecretConfig, rule: Rule, index: number): Problems {
  const hasSelector = !isEmptySelector(rule.namespaces.selector)
  if (unmatched === 'allow' || !hasSelector || rule.pullSecrets.length > 0) return
  yield error(
    ['rules', index, 'pullSecrets'],
    `with unmatched: ${unmatched}, a rule with a namespace selector must name a pull secret: by it the default entry tells that the rule applied; name one, or use include instead of selector`
  )
}

function * checkEntries ({ rules }: PullSecretConfig): Problems {
  const entries = listWebhookEntries(rules).length
  if (entries > MAX_ENTRIES) {
    yield warning(['rules'], `the different namespace selectors make ${entries} webhook entries, which the API server calls one after another for each Pod; use at most ${MAX_ENTRIES - 1} different selectors`)
  }
}

function * findDuplicates (names: string[], pathOf: (index: number) => (string | number)[]): Problems {
  for (const [index, name] of names.entries()) {
    if (name !== '' && names.indexOf(name) < index) yield error(pathOf(index), `"${name}" stands here twice; names must be unique`)
  }
}

function error (path: (string | number)[], message: string): ConfigProblem {
  return { severity: 'error', path, message }
}

function warning (path: (string | number)[], message: string): ConfigProblem {
  return { severity: 'warning', path, message }
}
