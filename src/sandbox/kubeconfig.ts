import { rm, writeFile } from 'node:fs/promises'
import { stringify } from 'yaml'
import type { Credentials } from './cluster-request.ts'

/**
 * Writes a kubeconfig by which kubectl reaches the cluster as its administrator.
 * `name` names its cluster, user and context. The file holds a token: only its owner may read it (mode 0600).
 * Format: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/
 */
export async function writeKubeconfig (file: string, cluster: Credentials, { name }: { name: string }): Promise<void> {
  // A file that is there would keep its mode.
  await rm(file, { force: true })
  await writeFile(file, formatKubeconfig(cluster, name), { mode: 0o600, flag: 'wx' })
}

function formatKubeconfig (cluster: Credentials, name: string): string {
  const caData = Buffer.from(cluster.caCertificate).toString('base64')
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server: cluster.url, 'certificate-authority-data': caData } }],
    users: [{ name, user: { token: cluster.token } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name
  }, { lineWidth: 0 })
}
