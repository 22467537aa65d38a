import { chmod, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { runKubectl } from '../helpers/kubectl.ts'

const cluster = { url: 'https://127.0.0.1:6443', caCertificate: 'test-certificate\n', token: 'test-token-1' }

t.test('names cluster, user and context and makes the context the current one', async (t) => {
  const file = join(t.testdir(), 'kubeconfig')
  await writeKubeconfig(file, cluster, { name: 'sandbox' })
  t.strictSame(parse(await readFile(file, 'utf8')), {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'sandbox', cluster: { server: cluster.url, 'certificate-authority-data': Buffer.from(cluster.caCertificate).toString('base64') } }],
    users: [{ name: 'sandbox', user: { token: cluster.token } }],
    contexts: [{ name: 'sandbox', context: { cluster: 'sandbox', user: 'sandbox' } }],
    'current-context': 'sandbox'
  })
})

t.test('lets nobody but the owner read it, also when it replaces a file that others may read', async (t) => {
  const file = join(t.testdir(), 'kubeconfig')
  await writeFile(file, '')
  await chmod(file, 0o644)
  await writeKubeconfig(file, cluster, { name: 'sandbox' })
  t.equal((await stat(file)).mode & 0o777, 0o600)
})

t.test('is what kubectl reads', async (t) => {
  const file = join(t.testdir(), 'kubeconfig')
  await writeKubeconfig(file, cluster, { name: 'sandbox' })
  const result = await runKubectl(file, ['config', 'view', '--minify', '-o', 'jsonpath={.clusters[0].cluster.server}'])
  t.same(result, { stdout: cluster.url, stderr: '', exitCode: 0 })
})

t.test('a kubectl command that fails is a result, too', async (t) => {
  const file = join(t.testdir(), 'kubeconfig')
  await writeKubeconfig(file, cluster, { name: 'sandbox' })
  const result = await runKubectl(file, ['no-such-command'])
  t.equal(result.exitCode, 1)
  t.match(result.stderr, 'unknown command')
})
