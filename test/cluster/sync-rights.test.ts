import type { V1ServiceAccount } from '@kubernetes/client-node'
import { join } from 'node:path'
import { writeFile } from 'node:fs/promises'
import t from 'tap'
import { parseConfig } from '../../src/config/parse-config.ts'
import { listLiteralNamespaces } from '../../src/core/literal-namespaces.ts'
import { createWorkerManifests, WORKER_NAME } from '../../src/core/worker-rbac.ts'
import { requestCluster, type Credentials } from '../../src/sandbox/cluster-request.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { createClient, listClusterKinds, startCluster, waitFor, type ClusterClient } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { runCli } from '../helpers/run-cli.ts'
import { formatConfig } from '../helpers/sync-worker.ts'
import { createRegistry, createRule, createWorld, passwordOf, secretPath, secretsOf, type SyncWorld } from './sync-world.ts'
import { makeDirectory } from './test-cluster.ts'

/** The worker under exactly the rights that are generated for its configuration: only a real API server authorizes. */

const TEST_TIMEOUT_MS = 110_000

interface Manifest {
  kind: string
  metadata: { name: string, namespace?: string }
}

const formatPath = ({ kind, metadata: { name, namespace } }: Manifest): string => {
  const api = kind === 'ServiceAccount' ? '/api/v1' : '/apis/rbac.authorization.k8s.io/v1'
  return `${api}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.toLowerCase()}s/${name}`
}

/** Applies what `pullkeeper manifests --only rbac` prints. */
const applyRights = async (client: ClusterClient, { own }: SyncWorld, config: object, { namespaced = false } = {}): Promise<void> => {
  const { config: parsed } = parseConfig(formatConfig(config), 'config.yaml')
  if (parsed === undefined) throw new Error('the configuration is wrong')
  for (const manifest of createWorkerManifests(parsed, { ownNamespace: own, namespaced }) as Manifest[]) {
    const { status, body } = await client.patch(`${formatPath(manifest)}?fieldManager=test&force=true`, 'apply', manifest)
    if (![200, 201].includes(status)) throw new Error(`${formatPath(manifest)}: ${status} ${JSON.stringify(body)}`)
  }
}

const login = async (cluster: Credentials, namespace: string, name: string = WORKER_NAME): Promise<Credentials> => {
  const { status, body } = await requestCluster<{ status: { token: string } }>(cluster, {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/serviceaccounts/${name}/token`,
    body: { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} }
  })
  if (status !== 201) throw new Error(`no token: ${status} ${JSON.stringify(body)}`)
  return { url: cluster.url, caCertificate: cluster.caCertificate, token: body.status.token }
}

/** The API server learns of new roles a moment after they are stored. */
const waitForRights = async (worker: Credentials, path: string): Promise<void> => {
  await eventually(`the right to ${path}`, async () => (await requestCluster(worker, { method: 'GET', path })).status === 200)
}

const skip = listClusterKinds().includes('control-plane') ? {} : { skip: 'KUBEBUILDER_ASSETS is not set: only a real API server authorizes' }

t.setTimeout(TEST_TIMEOUT_MS)
t.test('the worker under its generated rights', { timeout: TEST_TIMEOUT_MS, ...skip }, async (t) => {
  const cluster = await startCluster(t, 'control-plane')
  const client = createClient(cluster)
  t.teardown(client.close)

  await t.test('copies come, are healed, rotated and removed, ServiceAccounts and Events are written', async (t) => {
    const world = await createWorld({ cluster, client })
    const { own, name, team } = world
    const config = world.config({ pullSecret: { serviceAccounts: ['default'] }, pruneAfter: '100ms' })
    await applyRights(client, world, config)
    const credentials = await login(cluster, own)
    await waitForRights(credentials, secretsOf(name))
    const log: string[] = []
    const worker = await world.start(t, { config, onLog: (line) => { log.push(line) } }, credentials)
    await world.waitForPassword('test-password-1', [team(0), team(1), team(2)])
    await client.delete(secretPath(team(0), name))
    await world.putSource('test-password-2')
    const added = await world.addNamespace('added')
    await world.waitForPassword('test-password-2', [team(0), team(1), team(2), added])
    await waitFor<V1ServiceAccount>(client, `/api/v1/namespaces/${added}/serviceaccounts?fieldSelector=metadata.name=default`, ([account]) => account?.imagePullSecrets?.[0]?.name === name)
    await worker.configure({ ...config, rules: [createRule(name, { include: [team(1)] })] })
    await world.waitForPassword('test-password-2', [team(1)])
    await client.delete(secretPath(own, 'source'))
    await world.waitForEvent(own, 'source', 'SourceMissing')
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/report']?.includes('SourceMissing') === true)
    await worker.configure({ pullSecrets: [], rules: [], retired: [name], sync: { pruneAfter: '100ms' } })
    await world.waitForCopies((copies) => copies.size === 0)
    t.notMatch(log.join('\n'), /403|"level":"error"/)
    t.equal((await worker.readiness()).status, 200)
  })

  await t.test('a name that is added before its rights makes that Secret alone stale, and heals when they come', async (t) => {
    const world = await createWorld({ cluster, client }, { teams: 2 })
    const { own, name, team } = world
    const early = `early-${world.prefix}`
    const both = {
      pullSecrets: [name, early].map((secret) => ({ name: secret, registries: [createRegistry(own)] })),
      rules: [name, early].map((secret) => createRule(secret, { include: [`${world.prefix}-*`] }))
    }
    await applyRights(client, world, world.config())
    const credentials = await login(cluster, own)
    await waitForRights(credentials, secretsOf(name))
    const worker = await world.start(t, { reflectorIntervals: { minBackoffMs: 100, maxBackoffMs: 500 } }, credentials)
    await world.waitForPassword('test-password-1', [team(0), team(1)])
    await worker.configure(both)
    const lease = await world.waitForLease((annotations) => annotations['pullkeeper.dev/report']?.includes('isForbidden') === true)
    t.match(JSON.parse(lease['pullkeeper.dev/report'] ?? '') as object, { secrets: { [early]: { isForbidden: true } } })
    t.equal((await fetchMetrics(worker.metricsUrl)).value('pullkeeper_sync_view_fresh', { view: `secrets ${early}` }), 0)
    t.equal((await worker.readiness()).status, 200)
    await world.putSource('test-password-2')
    await world.waitForPassword('test-password-2', [team(0), team(1)])

    await applyRights(client, world, both)
    await waitFor(client, secretsOf(early), (secrets) => secrets.length === 3 && secrets.every((secret) => passwordOf(secret) === 'test-password-2'))
    await world.waitForLease((annotations) => annotations['pullkeeper.dev/report']?.includes('isForbidden') === false)
  })

  await t.test('--namespaced works without a ClusterRole', async (t) => {
    const world = await createWorld({ cluster, client }, { teams: 2 })
    const { own, name, team } = world
    for (const kind of ['clusterrolebindings', 'clusterroles']) await client.delete(`/apis/rbac.authorization.k8s.io/v1/${kind}/${WORKER_NAME}`)
    const config = world.config({ namespaces: { include: [team(0)] }, pullSecret: { serviceAccounts: ['*'] } })
    await applyRights(client, world, config, { namespaced: true })
    const credentials = await login(cluster, own)
    await waitForRights(credentials, `/api/v1/namespaces/${team(0)}/secrets/?fieldSelector=metadata.name=${name}`)
    const log: string[] = []
    const worker = await world.start(t, {
      config,
      onLog: (line) => { log.push(line) },
      listNamespaces: ({ config, ownNamespace }) => [ownNamespace, ...listLiteralNamespaces(config, ownNamespace)]
    }, credentials)
    await world.waitForPassword('test-password-1', [team(0)])
    await client.delete(secretPath(team(0), name))
    await world.putSource('test-password-2')
    await world.waitForPassword('test-password-2', [team(0)])
    await waitFor<V1ServiceAccount>(client, `/api/v1/namespaces/${team(0)}/serviceaccounts?fieldSelector=metadata.name=default`, ([account]) => account?.imagePullSecrets?.[0]?.name === name)
    t.equal((await worker.readiness()).status, 200)
    t.notMatch(log.join('\n'), /403|"level":"error"/)
  })

  await t.test('a person without rights is told which command gives them', async (t) => {
    const world = await createWorld({ cluster, client }, { teams: 1 })
    const directory = await makeDirectory(t)
    await waitFor(client, `/api/v1/namespaces/${world.own}/serviceaccounts?fieldSelector=metadata.name=default`, ({ length }) => length === 1)
    await writeKubeconfig(join(directory, 'kubeconfig'), await login(cluster, world.own, 'default'), { name: 'nobody' })
    await writeFile(join(directory, 'config.yaml'), formatConfig(world.config()))
    const result = await runCli(['sync', '--config', 'config.yaml', '--kubeconfig', 'kubeconfig', '--once'], { cwd: directory })
    t.match(result, { exitCode: 1, stdout: /failed: namespaces: no right to watch it; apply the rights of this configuration: pullkeeper manifests --only rbac\n/ })
    t.equal((await world.copies()).size, 0)
  })
})
