import { styleText } from 'node:util'
import { formatObjectKey } from '../core/kube-object.ts'
import { listPullSecrets } from '../core/pod.ts'
import { alignColumns } from '../core/text-table.ts'
import { asArray, asObject, asString, type UnknownObject } from '../core/unknown.ts'
import type { SyncStatus } from '../sync/status/sync-status.ts'
import { requestCluster, type Credentials } from './cluster-request.ts'
import { listPods } from './pod-table.ts'

const HEADER = ['POD', 'PULL SECRET', 'THE SECRET IN ITS NAMESPACE']

/** A table of the Pods' pull secrets, beside the Secrets of these names in the Pods' namespaces; empty if no Pod has any. */
export async function describeSecrets (cluster: Credentials, status: SyncStatus): Promise<string> {
  const [pods, secrets] = await Promise.all([listPods(cluster), listSecretKeys(cluster)])
  const rows = pods.flatMap((pod) => formatPod(pod, secrets, status))
  if (rows.length === 0) return ''
  const [header = '', ...lines] = alignColumns([HEADER, ...rows])
  return [styleText('bold', header), ...lines.map((line, index) => colour(line, rows[index]?.at(-1) ?? ''))].join('\n')
}

async function listSecretKeys (cluster: Credentials): Promise<Set<string>> {
  const { body } = await requestCluster<UnknownObject>(cluster, { method: 'GET', path: '/api/v1/secrets' })
  return new Set(asArray(body.items).map((item) => formatObjectKey(readKey(asObject(item) ?? {}))))
}

function formatPod (pod: UnknownObject, secrets: Set<string>, status: SyncStatus): string[][] {
  const { namespace, name } = readKey(pod)
  return (listPullSecrets(pod) ?? []).map((secret, index) => [
    index === 0 ? `${namespace}/${name}` : '',
    secret,
    describeSecret(namespace, secret, secrets.has(`${namespace}/${secret}`), status)
  ])
}

function describeSecret (namespace: string, name: string, exists: boolean, { pullSecrets }: SyncStatus): string {
  const kept = pullSecrets.find((pullSecret) => pullSecret.name === name)
  if (kept === undefined) return `${exists ? 'present' : 'absent'}: not in pullSecrets, so somebody else keeps it`
  const finding = kept.notRight.find((found) => found.namespace === namespace)
  if (finding !== undefined) return `${finding.state}: ${finding.reason ?? ''}`
  return exists ? `present: ${kept.source}` : 'absent: no rule wants it here'
}

function colour (line: string, cell: string): string {
  if (cell === '' || cell.includes('somebody else')) return line
  return line.slice(0, -cell.length) + styleText(cell.startsWith('present') ? 'green' : 'yellow', cell)
}

function readKey (object: UnknownObject): { namespace: string, name: string } {
  const metadata = asObject(object.metadata)
  return { namespace: asString(metadata?.namespace) ?? '', name: asString(metadata?.name) ?? '' }
}
