import { join } from 'node:path'
import type { V1Pod } from '@kubernetes/client-node'
import { stringify } from 'yaml'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { waitFor } from '../helpers/cluster.ts'
import { runKubectl, type ProgramResult } from '../helpers/kubectl.ts'
import { startRegisteredWebhook, type ConfigParts } from './registered-webhook.ts'
import { createNamespace, makeDirectory, testEachCluster } from './test-cluster.ts'

/** What people see who use kubectl. */

const rules: ConfigParts['rules'] = [
  { name: 'azure', matchImages: ['*.azurecr.io'], pullSecrets: ['acr-pull'] },
  { name: 'payments', matchImages: ['docker.io/payments/'], namespaces: { selector: { matchLabels: { team: 'payments' } } }, pullSecrets: ['payments-pull'] }
]
const SECRETS = '{.spec.imagePullSecrets}'

function formatDeployment (image: string): string {
  const labels = { app: 'web' }
  return stringify({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: { replicas: 1, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: 'web', image }] } } }
  })
}

testEachCluster(async (t, cluster) => {
  const kubeconfig = join(await makeDirectory(t), 'kubeconfig')
  await writeKubeconfig(kubeconfig, cluster.cluster, { name: 'test' })
  const kubectl = async (namespace: string, command: string, input = ''): Promise<ProgramResult> => runKubectl(kubeconfig, ['-n', namespace, ...command.split(' ')], { input })

  await t.test('unmatched: deny', async (t) => {
    await startRegisteredWebhook(t, cluster, { rules, unmatched: 'deny' })
    const namespace = await createNamespace(cluster)
    const payments = await createNamespace(cluster, 'team', { team: 'payments' })

    await t.test('a Deployment is applied, and applied again nothing changes', async (t) => {
      const manifest = formatDeployment('myregistry.azurecr.io/web:1')
      t.strictSame(await kubectl(namespace, 'apply -f -', manifest), { stdout: 'deployment.apps/web created\n', stderr: '', exitCode: 0 })
      await waitFor<V1Pod>(cluster.client, `/api/v1/namespaces/${namespace}/pods`, (pods) => pods.length === 1)
      t.strictSame(await kubectl(namespace, 'apply -f -', manifest), { stdout: 'deployment.apps/web unchanged\n', stderr: '', exitCode: 0 })
      const { stdout } = await kubectl(namespace, `get pods -l app=web -o jsonpath={.items[*]${SECRETS.slice(1)}`)
      t.equal(stdout, '[{"name":"acr-pull"}]')
    })

    await t.test('a Pod is applied, and applied again nothing changes: the list is not fought over', async (t) => {
      const manifest = stringify({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'applied' }, spec: { containers: [{ name: 'web', image: 'myregistry.azurecr.io/web:1' }] } })
      for (const expected of ['created', 'unchanged']) {
        t.strictSame(await kubectl(namespace, 'apply -f -', manifest), { stdout: `pod/applied ${expected}\n`, stderr: '', exitCode: 0 })
        t.equal((await kubectl(namespace, `get pod applied -o jsonpath=${SECRETS}`)).stdout, '[{"name":"acr-pull"}]')
      }
    })

    await t.test('a Pod is run, labelled, and shows its secrets', async (t) => {
      t.match(await kubectl(namespace, 'run hello --image=myregistry.azurecr.io/hello:1'), { stdout: 'pod/hello created\n', stderr: '', exitCode: 0 })
      t.match(await kubectl(namespace, 'label pod hello tier=gold'), { stdout: 'pod/hello labeled\n', exitCode: 0 })
      t.equal((await kubectl(namespace, `get pod hello -o jsonpath=${SECRETS}`)).stdout, '[{"name":"acr-pull"}]')
      t.equal((await kubectl(namespace, 'get pod hello -o jsonpath={.metadata.annotations.pullkeeper\\.dev/injected}')).stdout, 'acr-pull')
    })

    await t.test('a dry run on the server shows what would be injected', async (t) => {
      t.equal((await kubectl(payments, `run dry --image=payments/app --dry-run=server -o jsonpath=${SECRETS}`)).stdout, '[{"name":"payments-pull"}]')
      t.match(await kubectl(payments, 'get pod dry'), { stderr: 'Error from server (NotFound): pods "dry" not found\n', exitCode: 1 })
    })

    await t.test('whoever is denied is told why', async (t) => {
      t.strictSame(await kubectl(namespace, 'run hello --image=payments/app'), {
        stdout: '',
        stderr: 'Error from server (Forbidden): admission webhook "pods.pullkeeper.dev" denied the request: pullkeeper: no rule matches image "payments/app" of container "hello"; ' +
          'use a registry that the platform\'s rules know, or ask for a rule\n',
        exitCode: 1
      })
    })
  })

  await t.test('unmatched: warn: whoever is warned sees it, and the Pod is created', async (t) => {
    await startRegisteredWebhook(t, cluster, { rules, unmatched: 'warn' })
    const namespace = await createNamespace(cluster)
    t.strictSame(await kubectl(namespace, 'run hello --image=payments/app'), {
      stdout: 'pod/hello created\n',
      stderr: 'Warning: pullkeeper: image "payments/app" of container "hello" is matched by no rule, so no pull secret was added for it\n',
      exitCode: 0
    })
  })
})
