import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { requestCluster, type Credentials } from '../../src/sandbox/cluster-request.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { createClient, listClusterKinds, startCluster, type ClusterClient } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import { runKubectl } from '../helpers/kubectl.ts'
import { runCli } from '../helpers/run-cli.ts'
import { createObject, makeDirectory } from './test-cluster.ts'
import {
  apply, askStatus, byName, checkRows, copyRows, CREATED, createEvent, createSecret, eventRows, forbid, FORBIDDEN,
  leaseRows, namespacePath, OK, otherKindRows, otherSecretRows, patchedEvent, post, read, remove, secretsPath,
  serviceAccountRows, sourceRows, TOKEN_REQUEST
} from './worker-requests.ts'

/** What the sync worker may do, and that it may do nothing else: only a real API server authorizes. */

const TEST_TIMEOUT_MS = 110_000
const MANAGED = ['acr-pull', 'icr-pull', 'old-pull']

/** A right as SelfSubjectRulesReview tells it. */
interface ResourceRule {
  verbs: string[]
  apiGroups: string[]
  resources: string[]
  resourceNames?: string[]
}

const formatConfig = (ownNamespace: string, serviceAccounts: string): string => `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
pullSecrets:
  - name: acr-pull
    serviceAccounts: ${serviceAccounts}
    registries:
      - servers: [registry.example.com]
        credential:
          basic: { username: puller, passwordFrom: { secret: { namespace: ${ownNamespace}, name: registry-example, key: password } } }
  - name: icr-pull
    copyFrom: { secret: { namespace: vault, name: all-icr-io } }
retired: [old-pull]
rules:
  - name: example
    matchImages: [registry.example.com]
    namespaces: { include: [team-a] }
    pullSecrets: [acr-pull, icr-pull]
`

const COPY_RULE: ResourceRule = { verbs: ['get', 'list', 'watch', 'create', 'patch', 'delete'], apiGroups: [''], resources: ['secrets'], resourceNames: MANAGED }
const NAMESPACE_RULE: ResourceRule = { verbs: ['list', 'watch'], apiGroups: [''], resources: ['namespaces'] }
const EVENT_RULE: ResourceRule = { verbs: ['create', 'patch'], apiGroups: [''], resources: ['events'] }
const ACCOUNT_RULE: ResourceRule = { verbs: ['list', 'watch', 'patch'], apiGroups: [''], resources: ['serviceaccounts'] }
const LEASE_RULE: ResourceRule = { verbs: ['get', 'create', 'update', 'patch'], apiGroups: ['coordination.k8s.io'], resources: ['leases'], resourceNames: ['pullkeeper-sync'] }
const sourceRule = (name: string): ResourceRule => ({ verbs: ['get', 'list', 'watch'], apiGroups: [''], resources: ['secrets'], resourceNames: [name] })

/** All rights in a namespace but those of everybody who is logged in: to ask for one's own. */
async function listRules (worker: Credentials, namespace: string): Promise<ResourceRule[]> {
  const { body } = await requestCluster<{ status: { resourceRules: ResourceRule[] } }>(worker, post('/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { spec: { namespace } }))
  const everybodys = ['authentication.k8s.io', 'authorization.k8s.io']
  return body.status.resourceRules.filter(({ apiGroups }) => !apiGroups.every((group) => everybodys.includes(group)))
}

/** The API server learns of new roles a moment after they are stored. */
async function waitForRules (worker: Credentials, namespace: string, expected: ResourceRule[]): Promise<void> {
  let last: ResourceRule[] = []
  const sort = (rules: ResourceRule[]): string => JSON.stringify(rules.map(({ verbs, apiGroups, resources, resourceNames }) => JSON.stringify([apiGroups, resources, resourceNames, verbs])).toSorted())
  await eventually(`the rights in ${namespace} are exactly those expected`, async () => {
    last = await listRules(worker, namespace)
    return sort(last) === sort(expected)
  }).catch((error: Error) => { throw new Error(`${error.message}: ${JSON.stringify(last)}`) })
}

/** Applies what `pullkeeper manifests` prints, as people do it. */
async function applyRights (t: Test, kubeconfig: string, config: string, ...args: string[]): Promise<void> {
  const printed = await runCli(['manifests', '--config', '-', '--only', 'rbac', ...args], { stdin: config })
  t.match(printed, { exitCode: 0, stderr: '' })
  t.match(await runKubectl(kubeconfig, ['apply', '-f', '-'], { input: printed.stdout }), { exitCode: 0, stderr: '' })
}

async function loginAsWorker (cluster: Cluster, namespace: string): Promise<Credentials> {
  const path = `${namespacePath(namespace)}/serviceaccounts/pullkeeper-sync/token`
  const { body } = await requestCluster<{ status: { token: string } }>(cluster, post(path, TOKEN_REQUEST))
  return { url: cluster.url, caCertificate: cluster.caCertificate, token: body.status.token }
}

/** Namespaces with a Secret that is nobody's business, and the sources. */
async function prepareNamespaces (client: ClusterClient): Promise<void> {
  const sources: Record<string, string[]> = { 'pullkeeper-system': ['registry-example'], 'pullkeeper-two': ['registry-example'], vault: ['all-icr-io'], 'team-a': [], 'team-b': [] }
  for (const [name, secrets] of Object.entries(sources)) {
    await createObject(client, '/api/v1/namespaces', { metadata: { name } })
    for (const secret of [...secrets, 'other']) await createObject(client, secretsPath(name), createSecret(secret))
    await eventually(`a ServiceAccount in ${name}`, async () => (await client.get(`${namespacePath(name)}/serviceaccounts/default`)).status === OK)
  }
}

const skip = listClusterKinds().includes('control-plane') ? {} : { skip: 'KUBEBUILDER_ASSETS is not set: only a real API server authorizes' }

t.setTimeout(TEST_TIMEOUT_MS)
t.test('the worker\'s rights on a real control plane', { timeout: TEST_TIMEOUT_MS, ...skip }, async (t) => {
  const cluster = await startCluster(t, 'control-plane')
  const client = createClient(cluster)
  t.teardown(client.close)
  const kubeconfig = join(await makeDirectory(t), 'kubeconfig')
  await writeKubeconfig(kubeconfig, cluster, { name: 'test' })
  await prepareNamespaces(client)

  await t.test('with a ClusterRole', async (t) => {
    const own = 'pullkeeper-system'
    await applyRights(t, kubeconfig, formatConfig(own, '[]'))
    const worker = await loginAsWorker(cluster, own)
    const everywhere = [COPY_RULE, NAMESPACE_RULE, EVENT_RULE]
    await waitForRules(worker, 'team-b', everywhere)
    await waitForRules(worker, 'kube-system', everywhere)
    await waitForRules(worker, 'vault', [...everywhere, sourceRule('all-icr-io')])
    await waitForRules(worker, own, [...everywhere, LEASE_RULE, sourceRule('registry-example')])

    await t.test('copies of managed and retired names come and go in any namespace', async (t) => {
      for (const name of MANAGED) await checkRows(t, worker, [...copyRows('team-a', name), ...copyRows(own, name), ...copyRows('default', name)])
      for (const name of MANAGED) {
        await checkRows(t, worker, [
          [`${name}: list in all namespaces`, read(byName(secretsPath(), name)), OK],
          [`${name}: list from the watch cache`, read(`${byName(secretsPath(), name)}&resourceVersion=0`), OK],
          [`${name}: watch in all namespaces`, read(`${byName(secretsPath(), name)}&watch=true&allowWatchBookmarks=true&timeoutSeconds=1`), OK]
        ])
      }
    })

    await t.test('sources are read, by name and in their namespaces', async (t) => {
      await checkRows(t, worker, [...sourceRows(own, 'registry-example'), ...sourceRows('vault', 'all-icr-io')])
    })

    await t.test('Namespaces are listed and watched, Events written, the Lease held', async (t) => {
      await checkRows(t, worker, [
        ['Namespaces: list', read('/api/v1/namespaces'), OK],
        ['Namespaces: watch', read('/api/v1/namespaces?watch=true&timeoutSeconds=1'), OK],
        ...eventRows('team-a'), ...eventRows('vault'), ...leaseRows(own)
      ])
    })

    await t.test('any other Secret is out of reach', async (t) => {
      for (const namespace of [own, 'vault', 'team-b', 'kube-system']) await checkRows(t, worker, otherSecretRows(namespace))
      await checkRows(t, worker, forbid([
        ['list in all namespaces', read(secretsPath())],
        ['list by another name in all namespaces', read(byName(secretsPath(), 'other'))],
        ['list by no name in all namespaces', read(`${secretsPath()}?fieldSelector=metadata.name!=acr-pull`)],
        ['list by type in all namespaces', read(`${secretsPath()}?fieldSelector=type=kubernetes.io/dockerconfigjson`)],
        ['watch in all namespaces', read(`${secretsPath()}?watch=true&timeoutSeconds=1`)]
      ]))
      t.equal(await askStatus(worker, apply(`${secretsPath('team-b')}/acr-pull`, createSecret('other'))), 400, 'the name in the path is the one that counts')
    })

    await t.test('so is everything else', async (t) => {
      await checkRows(t, worker, [...otherKindRows(own), ...serviceAccountRows(FORBIDDEN, '/api/v1/serviceaccounts')])
    })

    await t.test('what remains: a managed name can carry a Secret by which a token is minted', async (t) => {
      const path = `${secretsPath('kube-system')}/acr-pull`
      const secret = {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'acr-pull', annotations: { 'kubernetes.io/service-account.name': 'namespace-controller' } },
        type: 'kubernetes.io/service-account-token'
      }
      t.equal(await askStatus(worker, read(secretsPath())), FORBIDDEN, 'the worker reads no other Secret')
      t.equal(await askStatus(worker, apply(path, secret)), CREATED)
      const minted = await eventually('a token in the Secret', async () => {
        const { body } = await requestCluster<{ data?: { token?: string } }>(worker, read(path))
        return body.data?.token
      })
      const thief = { ...worker, token: Buffer.from(minted, 'base64').toString() }
      t.equal(await askStatus(thief, read(secretsPath())), OK, 'the minted token reads them all')
      t.equal(await askStatus(worker, remove(path)), OK)
    })

    await t.test('with serviceAccounts in the configuration, these are patched', async (t) => {
      await applyRights(t, kubeconfig, formatConfig(own, '[default]'))
      await waitForRules(worker, 'team-a', [...everywhere, ACCOUNT_RULE])
      await checkRows(t, worker, [...serviceAccountRows(OK, '/api/v1/serviceaccounts'), ...otherKindRows(own)])
    })
  })

  await t.test('with Roles in single namespaces', async (t) => {
    const own = 'pullkeeper-two'
    await applyRights(t, kubeconfig, formatConfig(own, '[]'), '--namespace', own, '--namespaced')
    const worker = await loginAsWorker(cluster, own)
    await waitForRules(worker, 'team-a', [COPY_RULE, EVENT_RULE])
    await waitForRules(worker, 'vault', [EVENT_RULE, sourceRule('all-icr-io')])
    await waitForRules(worker, own, [COPY_RULE, EVENT_RULE, LEASE_RULE, sourceRule('registry-example')])
    for (const namespace of ['team-b', 'kube-system', 'pullkeeper-system']) await waitForRules(worker, namespace, [])

    await t.test('copies come and go in the namespaces of the rules and in the own one', async (t) => {
      for (const name of MANAGED) await checkRows(t, worker, [...copyRows('team-a', name), ...copyRows(own, name)])
      await checkRows(t, worker, [...sourceRows(own, 'registry-example'), ...sourceRows('vault', 'all-icr-io'), ...leaseRows(own)])
      await checkRows(t, worker, [...eventRows(own), patchedEvent('team-a'), patchedEvent('vault')])
    })

    await t.test('nowhere else, and nothing else', async (t) => {
      for (const namespace of [own, 'vault', 'team-a']) await checkRows(t, worker, otherSecretRows(namespace))
      for (const namespace of ['team-b', 'vault', 'kube-system', 'pullkeeper-system']) {
        await checkRows(t, worker, copyRows(namespace, 'acr-pull').map(([name, request]) => [name, request, FORBIDDEN]))
      }
      await checkRows(t, worker, forbid([
        ['list by a managed name in all namespaces', read(byName(secretsPath(), 'acr-pull'))],
        ['watch by a managed name in all namespaces', read(`${byName(secretsPath(), 'acr-pull')}&watch=true&timeoutSeconds=1`)],
        ['Namespaces: list', read('/api/v1/namespaces')],
        ['Namespaces: watch', read('/api/v1/namespaces?watch=true&timeoutSeconds=1')],
        ['an Event elsewhere', post(`${namespacePath('team-b')}/events`, createEvent('team-b'))]
      ]))
      await checkRows(t, worker, [...otherKindRows(own), ...serviceAccountRows(FORBIDDEN, `${namespacePath('team-a')}/serviceaccounts`)])
    })

    await t.test('with serviceAccounts in the configuration, those of these namespaces are patched', async (t) => {
      await applyRights(t, kubeconfig, formatConfig(own, '["*"]'), '--namespace', own, '--namespaced')
      await waitForRules(worker, 'team-a', [COPY_RULE, EVENT_RULE, ACCOUNT_RULE])
      await checkRows(t, worker, serviceAccountRows(OK, `${namespacePath('team-a')}/serviceaccounts`))
      await checkRows(t, worker, forbid([['all ServiceAccounts: list', read('/api/v1/serviceaccounts')], ['those of the own namespace: list', read(`${namespacePath(own)}/serviceaccounts`)]]))
    })
  })
})
