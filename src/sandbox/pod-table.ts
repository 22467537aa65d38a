import { styleText } from 'node:util'
import { explainManifests, type ExplainedImage, type Explanation } from '../core/explanation.ts'
import { INJECTED_ANNOTATION, listPullSecrets, readAnnotation } from '../core/pod.ts'
import type { Policy } from '../core/policy.ts'
import { alignColumns } from '../core/text-table.ts'
import { asArray, asObject, type UnknownObject } from '../core/unknown.ts'
import { readManifests } from '../core/workloads.ts'
import { requestCluster, type Credentials } from './cluster-request.ts'

type Row = [pod: string, image: string, rules: string, secret: string]

const HEADER: Row = ['POD', 'IMAGE', 'RULES', 'PULL SECRETS (+ injected)']
const DIGEST_LENGTH = 12

/** Every Pod of a cluster as it stands, outside the namespaces of Kubernetes. */
export async function listPods (cluster: Credentials): Promise<UnknownObject[]> {
  const { body } = await requestCluster<UnknownObject>(cluster, { method: 'GET', path: '/api/v1/pods' })
  return asArray(body.items).map((item) => asObject(item) ?? {})
}

/** A table of Pods: their images with the rules that match and why, beside the pull secrets that the Pod has now. */
export async function describePods (cluster: Credentials, policy: Policy): Promise<string> {
  const [pods, namespaces] = await Promise.all([listPods(cluster), requestCluster<UnknownObject>(cluster, { method: 'GET', path: '/api/v1/namespaces' })])
  const documents = [...pods.map((pod) => ({ ...pod, kind: 'Pod' })), ...asArray(namespaces.body.items).map((item) => ({ ...asObject(item), kind: 'Namespace' }))]
  const explanations = explainManifests({ policy, manifests: readManifests(documents), defaultNamespace: 'default' })
  return formatTable([HEADER, ...explanations.flatMap(formatPod)])
}

function formatPod ({ workload, namespace, images, notes }: Explanation): Row[] {
  const injected = (readAnnotation(workload.pod, INJECTED_ANNOTATION) ?? '').split(',')
  const secrets = (listPullSecrets(workload.pod) ?? []).map((name) => injected.includes(name) ? `+ ${name}` : `  ${name}`)
  const lines = Array.from({ length: Math.max(images.length, secrets.length, 1) })
  return lines.map((_line, index): Row => {
    const image = images[index]
    const rules = image === undefined ? '' : notes.join('; ') || formatRules(image)
    return [index === 0 ? `${namespace}/${workload.name}` : '', shortenDigest(image?.image ?? ''), rules, secrets[index] ?? (index === 0 ? '  -' : '')]
  })
}

function formatRules ({ verdicts }: ExplainedImage): string {
  const applied = verdicts.filter(({ verdict }) => verdict === 'applies')
  return applied.map(({ rule, pattern }) => `${rule} (${pattern === undefined ? 'always' : `"${pattern}"`})`).join(', ') || 'no rule matches'
}

function shortenDigest (image: string): string {
  return image.replace(/(@sha\d+:[0-9a-f]+)$/, (digest) => `${digest.slice(0, '@sha256:'.length + DIGEST_LENGTH)}...`)
}

function formatTable (rows: Row[]): string {
  return alignColumns(rows).map((line, index) => {
    if (index === 0) return styleText('bold', line)
    const secret = rows[index]?.[3] ?? ''
    return secret.startsWith('+') ? line.slice(0, -secret.length) + styleText('green', secret) : line
  }).join('\n')
}
