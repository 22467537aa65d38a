import { parseImageReference, formatImageName, type ImageReference } from './image-reference.ts'
import { compileImagePattern, matchesImage, parseRegistryLocation, type ImagePattern, type RegistryLocation } from './match-images.ts'
import { compileNamespaceMatcher, type NamespaceMatcher } from './namespaces.ts'
import type { PodImage } from './pod.ts'
import type { PullSecretConfig, Rule } from './pull-secret-config.ts'
import { listWebhookEntries, type WebhookEntry } from './webhook-entries.ts'

/** A configuration made ready to decide: patterns compiled, rules sorted into the entries that evaluate them. */
export interface Policy {
  config: PullSecretConfig
  /** SHA-256 of the configuration file, lower-case hex. */
  configHash: string
  ownNamespace: string
  /** By request path, in the order in which the API server calls them. */
  entries: Map<string, PolicyEntry>
  /** Every name that the configuration may have added to a Pod. */
  pullSecretNames: Set<string>
}

/** A webhook entry with its rules compiled. */
export interface PolicyEntry extends Omit<WebhookEntry, 'rules'> {
  rules: CompiledRule[]
}

/** A rule with its patterns and namespaces ready to match. */
export interface CompiledRule {
  rule: Rule
  matchImages: ImagePattern[]
  excludeImages: ImagePattern[]
  namespaces: NamespaceMatcher
}

/** A Pod's image, parsed; `location` is what patterns are matched against. */
export interface ParsedPodImage extends PodImage {
  reference?: ImageReference | undefined
  location?: RegistryLocation | undefined
  /** Why the reference could not be parsed: the kubelet will say `InvalidImageName`. */
  error?: string | undefined
}

/** Why a rule does or does not match an image; `pattern` is the one that decided. */
export type ImageVerdict =
  | { matches: true, reason: 'pattern', pattern: string }
  | { matches: false, reason: 'excluded', pattern: string }
  | { matches: false, reason: 'no-pattern' | 'unparsable' }

/** Compiles a validated configuration. */
export function compilePolicy (config: PullSecretConfig, options: { configHash: string, ownNamespace: string }): Policy {
  const entries = listWebhookEntries(config.rules).map((entry): [string, PolicyEntry] => {
    return [entry.path, { ...entry, rules: entry.rules.map((rule) => compileRule(rule, options.ownNamespace)) }]
  })
  const names = [...config.pullSecrets.map(({ name }) => name), ...config.rules.flatMap((rule) => rule.pullSecrets)]
  return { config, ...options, entries: new Map(entries), pullSecretNames: new Set(names) }
}

/** Parses an image for matching; never throws. */
export function parsePodImage (image: PodImage): ParsedPodImage {
  const parsed = parseImageReference(image.image)
  const { container, field } = image
  if ('error' in parsed) return { container, field, image: image.image, error: parsed.error }
  const location = parseRegistryLocation(formatImageName(parsed.reference))
  return { container, field, image: image.image, reference: parsed.reference, location }
}

/** Judges one image by one rule's patterns: `excludeImages` wins, else the first of `matchImages` that matches. */
export function judgeImage (rule: CompiledRule, { location }: ParsedPodImage): ImageVerdict {
  if (location === undefined) return { matches: false, reason: 'unparsable' }
  const excluded = rule.excludeImages.find((pattern) => matchesImage(pattern, location))
  if (excluded !== undefined) return { matches: false, reason: 'excluded', pattern: excluded.pattern }
  const matched = rule.matchImages.find((pattern) => matchesImage(pattern, location))
  if (matched !== undefined) return { matches: true, reason: 'pattern', pattern: matched.pattern }
  return { matches: false, reason: 'no-pattern' }
}

function compileRule (rule: Rule, ownNamespace: string): CompiledRule {
  return {
    rule,
    matchImages: rule.matchImages.map(compileImagePattern),
    excludeImages: rule.excludeImages.map(compileImagePattern),
    namespaces: compileNamespaceMatcher(rule.namespaces, ownNamespace)
  }
}
