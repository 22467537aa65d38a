import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { type FaultProxy, startFaultProxy } from '../../src/sandbox/fault-proxy.ts'
import type { ClusterClient } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import { startSyncProcess } from '../helpers/sync-process.ts'
import { countRequests, createConfig, createSource, createTeams, listWrites, TEAMS, waitUntilRight } from './sync-faults-world.ts'
import { createObject, makeDirectory, testEachCluster } from './test-cluster.ts'

/** The token of a ServiceAccount is replaced in its file, as the kubelet does it, but late: the old one is refused already. */

const NAME = 'rotated-token-pull'

/** A ServiceAccount that may do everything; the worker's own rights are tested elsewhere. */
async function createAccount (client: ClusterClient): Promise<void> {
  const rbac = { group: 'rbac.authorization.k8s.io', path: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings' }
  await createObject(client, `/api/v1/namespaces/${NAME}/serviceaccounts`, { metadata: { name: 'worker' } })
  await createObject(client, rbac.path, {
    metadata: { name: NAME },
    roleRef: { apiGroup: rbac.group, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ kind: 'ServiceAccount', name: 'worker', namespace: NAME }]
  })
}

/** Two that are asked for in one second and for as long are the same. */
async function requestToken (client: ClusterClient, expirationSeconds: number): Promise<string> {
  const path = `/api/v1/namespaces/${NAME}/serviceaccounts/worker/token`
  const { status: { token } } = await createObject<{ status: { token: string } }>(client, path, { spec: { expirationSeconds } })
  return token
}

function formatKubeconfig ({ url, caCertificate }: FaultProxy, tokenFile: string): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'test', cluster: { server: url, 'certificate-authority-data': Buffer.from(caCertificate).toString('base64') } }],
    users: [{ name: 'test', user: { tokenFile } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
    'current-context': 'test'
  })
}

testEachCluster(async (t, { cluster, client }) => {
  // Only a real API server has tokens of ServiceAccounts.
  if (t.name !== 'control-plane') return
  await createTeams(client)
  await createObject(client, '/api/v1/namespaces', { metadata: { name: NAME } })
  await createObject(client, `/api/v1/namespaces/${NAME}/secrets`, createSource('test-password-1'))
  await createAccount(client)
  const [oldToken, newToken] = [await requestToken(client, 3_600), await requestToken(client, 7_200)]
  const proxy = await startFaultProxy(cluster)
  t.teardown(proxy.close)
  const directory = join(await makeDirectory(t), 'worker')
  await mkdir(directory)
  const [kubeconfigFile, tokenFile] = [join(directory, 'kubeconfig'), join(directory, 'token')]
  await writeFile(tokenFile, oldToken)
  await writeFile(kubeconfigFile, formatKubeconfig(proxy, tokenFile))
  const worker = await startSyncProcess(t, { directory, config: createConfig(NAME), ownNamespace: NAME, kubeconfigFile })
  const world = { client, name: NAME }
  await waitUntilRight(world, TEAMS, 'test-password-1')
  t.equal(await worker.readiness(), 200)

  proxy.forgetRequests()
  proxy.inject({ kind: 'reject-token', token: oldToken })
  await client.put(`/api/v1/namespaces/${NAME}/secrets/source`, createSource('test-password-2'))
  await eventually('writes and the Lease are refused', () => {
    const refused = proxy.requests().filter(({ status }) => status === 401)
    return refused.some(({ path }) => path.includes('/leases/')) && listWrites(refused).length >= 16
  })
  const during = countRequests(proxy.requests())
  t.ok(during.reads === 0 && during.writes <= 40, `no storm (${JSON.stringify(during)})`)

  await writeFile(`${tokenFile}.new`, newToken)
  await rename(`${tokenFile}.new`, tokenFile)
  const copies = await waitUntilRight(world, TEAMS, 'test-password-2')
  t.equal(listWrites(proxy.requests()).filter(({ status }) => status === 200).length, copies.length, 'one write for each copy')
  t.equal(await worker.readiness(), 200)
  t.notOk([oldToken, newToken, 'test-password'].some((secret) => worker.stderr().includes(secret)), 'no credential in the log')
})
