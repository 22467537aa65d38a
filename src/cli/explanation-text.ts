import { styleText } from 'node:util'
import type { ExplainedImage, Explanation, RuleVerdict } from '../core/explanation.ts'

const MARKS = { applies: styleText('green', '+'), conditional: styleText('yellow', '?'), 'does-not-apply': styleText('dim', '-') } as const

/** An explanation as text: the Pod, each image with every rule's verdict, and the pull secrets that the Pod ends with. */
export function formatExplanation ({ workload, namespace, images, notes, present, injected }: Explanation): string {
  const name = workload.name === '' ? '(no name)' : workload.name
  return [
    styleText('bold', `${workload.kind} ${namespace}/${name}`),
    ...images.flatMap(formatImage),
    ...(images.length === 0 ? ['  no image'] : []),
    ...notes.map((note) => `  ${styleText('yellow', 'note:')} ${note}`),
    `  pull secrets: ${formatSecrets(present, injected, listConditional(images, [...present, ...injected]))}`
  ].join('\n')
}

function formatImage ({ field, container, image, error, verdicts }: ExplainedImage): string[] {
  const holder = { containers: 'container', initContainers: 'init container', ephemeralContainers: 'ephemeral container', volumes: 'image volume' }[field]
  const width = Math.max(...verdicts.map(({ rule }) => rule.length), 0)
  return [
    `  ${holder} ${container}: ${styleText('cyan', image)}${error === undefined ? '' : styleText('yellow', ` (${error})`)}`,
    ...verdicts.map((verdict) => `    ${MARKS[verdict.verdict]} ${verdict.rule.padEnd(width)}  ${formatVerdict(verdict)}`)
  ]
}

function formatVerdict ({ verdict, because, pullSecrets }: RuleVerdict): string {
  if (verdict === 'does-not-apply') return styleText('dim', because)
  return `${because} -> ${pullSecrets.length === 0 ? 'no pull secret needed' : pullSecrets.join(', ')}`
}

function formatSecrets (present: string[], injected: string[], conditional: string[]): string {
  const secrets = [
    ...present.map((name) => `${name} (present)`),
    ...injected.map((name) => styleText('green', `${name} (injected)`)),
    ...conditional.map((name) => styleText('yellow', `${name} (if the namespace matches)`))
  ]
  return secrets.length === 0 ? 'none' : secrets.join(', ')
}

function listConditional (images: ExplainedImage[], certain: string[]): string[] {
  const verdicts = images.flatMap((image) => image.verdicts).filter(({ verdict }) => verdict === 'conditional')
  return [...new Set(verdicts.flatMap(({ pullSecrets }) => pullSecrets))].filter((name) => !certain.includes(name))
}
