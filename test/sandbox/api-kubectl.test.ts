import { join } from 'node:path'
import t from 'tap'
import { startInMemoryCluster } from '../../src/sandbox/api/in-memory-cluster.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { createClient, waitFor } from '../helpers/cluster.ts'
import { runKubectl, type ProgramResult } from '../helpers/kubectl.ts'

const deployment = (image: string, pullSecret: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: { name: app, namespace: shop }
spec:
  replicas: 2
  selector: { matchLabels: { app: app } }
  template:
    metadata: { labels: { app: app } }
    spec:
      imagePullSecrets: [{ name: ${pullSecret} }]
      containers: [{ name: a, image: "${image}" }]
      volumes: [{ name: v, image: { reference: "${image}" } }]
`

void t.test('kubectl works as a user types it', async (t) => {
  const cluster = await startInMemoryCluster()
  t.teardown(cluster.close)
  const client = createClient(cluster)
  t.teardown(() => client.close())
  const kubeconfig = join(t.testdir(), 'kubeconfig')
  await writeKubeconfig(kubeconfig, cluster, { name: 'sandbox' })

  const kubectl = async (command: string, input = ''): Promise<ProgramResult> => runKubectl(kubeconfig, command.split(' '), { input })
  const says = async (command: string, expected: string | RegExp, input = ''): Promise<void> => {
    const { stdout, stderr, exitCode } = await kubectl(command, input)
    t.match({ stdout, stderr, exitCode }, { stdout: expected, stderr: '', exitCode: 0 }, `kubectl ${command}`)
  }
  const fails = async (command: string, expected: string | RegExp, input = ''): Promise<void> => {
    const { stderr, exitCode } = await kubectl(command, input)
    t.match({ stderr, exitCode }, { stderr: expected, exitCode: 1 }, `kubectl ${command}`)
  }

  await t.test('create', async () => {
    await says('create namespace shop', 'namespace/shop created')
    await fails('create namespace shop', 'Error from server (AlreadyExists): namespaces "shop" already exists')
    await says('create secret docker-registry reg --docker-server=r.example.com --docker-username=u --docker-password=test-password-1 -n shop', 'secret/reg created')
    await says('create deployment web --image=nginx --replicas=2 -n shop', 'deployment.apps/web created')
    await says('create serviceaccount builder -n shop', 'serviceaccount/builder created')
    await says('create job once --image=b -n shop', 'job.batch/once created')
    await says('run bare --image=b -n shop', 'pod/bare created')
    await says('run nothing --image=b -n shop --dry-run=server', 'pod/nothing created (server dry run)')
    await fails('run bare --image=b -n nope', 'Error from server (NotFound): namespaces "nope" not found')
    await waitFor(client, '/api/v1/namespaces/shop/pods', (pods) => pods.length === 4)
  })

  await t.test('get', async () => {
    await says('get ns', /^NAME +STATUS +AGE\ndefault +Active +\d+s\n/)
    await says('get pods bare -n shop -o wide', /^NAME +READY +STATUS +RESTARTS +AGE +IP +NODE +NOMINATED NODE +READINESS GATES\nbare +0\/1 +Pending +0 +\d+s +<none> +<none> +<none> +<none>\n$/)
    await says('get pods -A', /^NAMESPACE +NAME +READY[^]*\nshop +bare +0\/1/)
    await says('get deploy,rs,pods -n shop', /deployment\.apps\/web +0\/2 +2 +0 [^]*replicaset\.apps\/web-[a-z0-9]+ +2 +2 +0 [^]*pod\/web-/)
    await says('get secret reg -n shop -o yaml', /\ntype: kubernetes\.io\/dockerconfigjson\n/)
    await says('get deploy web -n shop -o jsonpath={.spec.selector.matchLabels.app}', /^web$/)
    await says('get pods -n shop -l app=web -o name', /^pod\/web-.*\npod\/web-.*\n$/)
    await says('get events -n shop', /SuccessfulCreate +replicaset\/web-/)
    await says('describe pod bare -n shop', /Service Account: +default\n[^]*Image: +b\n/)
    await says('describe deployment web -n shop', /ScalingReplicaSet/)
    await says('explain pod.spec.imagePullSecrets', /FIELD: imagePullSecrets <\[\]LocalObjectReference>/)
    await says('version', /Server Version: v1\./)
    await fails('get pod none -n shop', 'Error from server (NotFound): pods "none" not found')
  })

  await t.test('apply', async () => {
    await says('apply -f -', 'deployment.apps/app created', deployment('r.example.com/a:1', 'one'))
    await says('apply -f -', 'deployment.apps/app unchanged', deployment('r.example.com/a:1', 'one'))
    await says('apply -f -', 'deployment.apps/app configured', deployment('r.example.com/a:2', 'two'))
    await says('get deploy app -n shop -o jsonpath={.spec.template.spec.imagePullSecrets}{.spec.template.spec.containers[*].image}{.spec.template.spec.volumes[*].image.reference}', '[{"name":"two"}]r.example.com/a:2r.example.com/a:2')
    await fails('apply --server-side -f -', /^error: Apply failed with 2 conflicts: conflicts with "kubectl-client-side-apply" using apps\/v1:\n- \.spec\.template\.spec\.containers\[name="a"\]\.image\n/, deployment('r.example.com/a:3', 'two'))
    await says('apply --server-side --force-conflicts -f -', 'deployment.apps/app serverside-applied', deployment('r.example.com/a:3', 'two'))
  })

  await t.test('change', async () => {
    await says('scale deploy web --replicas=1 -n shop', 'deployment.apps/web scaled')
    await waitFor(client, '/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb', (pods) => pods.length === 1)
    await says('label pod bare a=b -n shop', 'pod/bare labeled')
    await says('annotate pod bare c=d -n shop', 'pod/bare annotated')
    await says('patch deploy web -n shop -p {"spec":{"template":{"spec":{"containers":[{"name":"nginx","env":[{"name":"A","value":"b"}]}]}}}}', 'deployment.apps/web patched')
    await says('patch deploy web -n shop --type=merge -p {"metadata":{"labels":{"q":"r"}}}', 'deployment.apps/web patched')
    await says('patch deploy web -n shop --type=json -p [{"op":"replace","path":"/spec/replicas","value":2}]', 'deployment.apps/web patched')
    await says('get deploy web -n shop -o jsonpath={.spec.replicas}{.metadata.labels.q}{.spec.template.spec.containers[0].image}{.spec.template.spec.containers[0].env[0].value}', /^2rnginxb$/)
    await says('set image deploy/web nginx=nginx:1 -n shop', 'deployment.apps/web image updated')
  })

  await t.test('watch', async (t) => {
    const watching = kubectl('get pods -n shop -w --request-timeout=3s')
    await says('run brief --image=b -n shop', 'pod/brief created')
    t.match((await watching).stdout, /^NAME +READY +STATUS +RESTARTS +AGE\n[^]*brief +0\/1 +Pending/)
  })

  await t.test('delete', async () => {
    await says('delete pod bare -n shop', 'pod "bare" deleted')
    await says('delete deploy web -n shop', 'deployment.apps "web" deleted')
    await waitFor(client, '/api/v1/namespaces/shop/pods?labelSelector=app%3Dweb', (pods) => pods.length === 0)
    await says('delete ns shop', 'namespace "shop" deleted')
    await fails('get ns shop', 'Error from server (NotFound): namespaces "shop" not found')
    await fails('delete ns default', 'this namespace may not be deleted')
  })
})
