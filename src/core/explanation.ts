import { decideAdmission, skip, type Decision } from './admission-decision.ts'
import { createDecisionRecord, type DecisionRecord } from './decision-record.ts'
import { formatSelector, matchesLabels, type LabelSelector } from './label-selector.ts'
import { INJECT_KEY, isMirrorPod, isOptedOut, listPodImages, listPullSecrets } from './pod.ts'
import { judgeImage, parsePodImage, type CompiledRule, type ParsedPodImage, type Policy, type PolicyEntry } from './policy.ts'
import { asObject, asString, type UnknownObject } from './unknown.ts'
import type { Manifests, Workload } from './workloads.ts'

/** Why one rule does or does not apply to one image. */
export interface RuleVerdict {
  rule: string
  verdict: 'applies' | 'conditional' | 'does-not-apply'
  /** One clause for people, such as `"*.azurecr.io" matches`. */
  because: string
  /** The pattern that decided, where one did. */
  pattern?: string
  /** What a rule that applies injects. */
  pullSecrets: string[]
}

/** An image and the verdict of every rule of the configuration, in its order. */
export interface ExplainedImage extends ParsedPodImage {
  verdicts: RuleVerdict[]
}

/** What would happen to one Pod on its way through the API server, and why. */
export interface Explanation {
  workload: Workload
  namespace: string
  images: ExplainedImage[]
  /** Pull secrets that the Pod has without us: its author's or its ServiceAccount's. */
  present: string[]
  injected: string[]
  /** Why no rule was asked, or why the Pod is refused. */
  notes: string[]
  /** One for each entry that would be called, as the webhook writes it, less what only a call has. */
  records: DecisionRecord[]
}

/** What is explained, and what is known of the namespaces. */
export interface ExplainOptions {
  policy: Policy
  manifests: Manifests
  /** For manifests that name no namespace. */
  defaultNamespace: string
  /** Labels of namespaces that are not among the manifests; absent = unknown. */
  namespaceLabels?: Record<string, string>
}

/** Explains every Pod of a set of manifests, in their order. */
export function explainManifests (options: ExplainOptions): Explanation[] {
  return options.manifests.workloads.map((workload) => explainWorkload(options, workload))
}

function explainWorkload (options: ExplainOptions, workload: Workload): Explanation {
  const namespace = workload.namespace === '' ? options.defaultNamespace : workload.namespace
  const labels = findNamespaceLabels(options, namespace)
  const pod = withServiceAccountSecrets(options.manifests, workload.pod, namespace)
  const { policy } = options
  const images = listPodImages(pod).map(parsePodImage).map((image) => {
    return { ...image, verdicts: listVerdicts(policy, image, namespace, labels) }
  })
  const decisions = labels?.[INJECT_KEY] === 'false' ? [] : callEntries(policy, pod, namespace, labels)
  return {
    workload,
    namespace,
    images,
    present: listPullSecrets(pod) ?? [],
    injected: decisions.flatMap(({ decision }) => decision.injected),
    notes: listNotes(pod, labels, decisions.map(({ decision }) => decision)),
    records: decisions.map(({ entry, decision }) => {
      return createDecisionRecord(decision, { entry: entry.name, namespace, operation: 'CREATE', object: pod, config: policy.configHash })
    })
  }
}

/** Calls the entries as the API server does: one after another, each seeing what those before it added. */
function callEntries (policy: Policy, pod: UnknownObject, namespace: string, labels: Record<string, string> | undefined) {
  const decisions: { entry: PolicyEntry, decision: Decision }[] = []
  let current = pod
  for (const entry of policy.entries.values()) {
    if (entry.selector !== undefined && labels !== undefined && !matchesLabels(entry.selector, labels)) continue
    const isUnknown = entry.selector !== undefined && labels === undefined
    const decision = isUnknown ? skip('namespace-labels-unknown') : decideAdmission(policy, entry.path, { isPodCreation: true, namespace, object: current })
    decisions.push({ entry, decision })
    current = appendSecrets(current, decision.injected)
  }
  return decisions
}

function listVerdicts (policy: Policy, image: ParsedPodImage, namespace: string, labels: Record<string, string> | undefined): RuleVerdict[] {
  const compiled = [...policy.entries.values()].flatMap((entry) => entry.rules)
  const order = policy.config.rules.map(({ name }) => name)
  compiled.sort((a, b) => order.indexOf(a.rule.name) - order.indexOf(b.rule.name))
  return compiled.map((rule) => judgeRule(rule, image, namespace, labels))
}

function judgeRule (compiled: CompiledRule, image: ParsedPodImage, namespace: string, labels: Record<string, string> | undefined): RuleVerdict {
  const { name, always, pullSecrets, namespaces: { selector } } = compiled.rule
  const verdict = (kind: RuleVerdict['verdict'], because: string, pattern?: string): RuleVerdict => {
    return { rule: name, verdict: kind, because, ...(pattern !== undefined && { pattern }), pullSecrets }
  }
  const elsewhere = describeNamespace(compiled, namespace) ?? describeSelector(selector, labels)
  if (elsewhere !== undefined) return verdict('does-not-apply', elsewhere)
  const judged = judgeImage(compiled, image)
  const pattern = 'pattern' in judged ? judged.pattern : undefined
  if (!always && !judged.matches) return verdict('does-not-apply', describeMismatch(judged, image), pattern)
  const because = always ? 'applies to every Pod (always)' : `"${pattern}" matches`
  if (selector === undefined || labels !== undefined) return verdict('applies', because, pattern)
  return verdict('conditional', `${because}, if the namespace has ${formatSelector(selector)}`, pattern)
}

function describeNamespace ({ namespaces }: CompiledRule, namespace: string): string | undefined {
  switch (namespaces.judge(namespace)) {
    case 'included': return undefined
    case 'not-included': return `namespace ${namespace} is not included`
    case 'excluded': return `namespace ${namespace} is excluded`
    case 'reserved': return `namespace ${namespace} is reserved: only a rule that includes it by name applies there`
  }
}

function describeSelector (selector: LabelSelector | undefined, labels: Record<string, string> | undefined): string | undefined {
  if (selector === undefined || labels === undefined || matchesLabels(selector, labels)) return undefined
  return `the namespace has not ${formatSelector(selector)}`
}

function describeMismatch (judged: ReturnType<typeof judgeImage>, image: ParsedPodImage): string {
  if (judged.reason === 'unparsable') return `the image can not be parsed: ${image.error ?? 'no registry host'}`
  return judged.reason === 'excluded' ? `"${judged.pattern}" excludes it` : 'no pattern matches'
}

function listNotes (pod: UnknownObject, labels: Record<string, string> | undefined, decisions: Decision[]): string[] {
  return [
    ...(labels?.[INJECT_KEY] === 'false' ? [`the namespace is opted out by its label ${INJECT_KEY}: "false"`] : []),
    ...(isOptedOut(pod) ? [`the Pod is opted out by ${INJECT_KEY}: "false"`] : []),
    ...(isMirrorPod(pod) ? ['a mirror Pod is never touched: the API server refuses it with any secret'] : []),
    ...decisions.flatMap(({ message, warnings }) => [...(message === undefined ? [] : [`denied: ${message}`]), ...warnings])
  ]
}

function findNamespaceLabels ({ manifests, namespaceLabels }: ExplainOptions, namespace: string): Record<string, string> | undefined {
  const labels = manifests.namespaceLabels.get(namespace) ?? namespaceLabels
  return labels && { 'kubernetes.io/metadata.name': namespace, ...labels }
}

/** What the ServiceAccount admission plugin does before any webhook: its secrets only where the Pod has none. */
function withServiceAccountSecrets (manifests: Manifests, pod: UnknownObject, namespace: string): UnknownObject {
  const spec = asObject(pod.spec) ?? {}
  const name = asString(spec.serviceAccountName) ?? asString(spec.serviceAccount) ?? 'default'
  const known = manifests.serviceAccountPullSecrets
  const secrets = known.get(`${namespace}/${name}`) ?? known.get(`/${name}`) ?? []
  return (listPullSecrets(pod) ?? []).length > 0 || pod.spec === undefined ? pod : appendSecrets(pod, secrets)
}

function appendSecrets (pod: UnknownObject, names: string[]): UnknownObject {
  if (names.length === 0) return pod
  const spec = asObject(pod.spec) ?? {}
  const list = Array.isArray(spec.imagePullSecrets) ? spec.imagePullSecrets : []
  return { ...pod, spec: { ...spec, imagePullSecrets: [...list, ...names.map((name) => ({ name }))] } }
}
