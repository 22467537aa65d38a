import { rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createKubeClient, type KubeClient } from '../../src/kubernetes/kube-client.ts'
import type { KubeError } from '../../src/kubernetes/kube-error.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import { createFakeClock } from '../helpers/fake-clock.ts'
import { answerJson, type ApiDouble, formatCaData, formatKubeconfig, startApiDouble, startConnectProxy, writeKubeconfigFolder } from './api-double.ts'

async function openClient (t: Test, kubeconfigFile?: string, clock = systemClock): Promise<KubeClient> {
  const access = await openClusterAccess(kubeconfigFile === undefined ? {} : { kubeconfigFile }, clock.monotonicMs)
  const client = createKubeClient(access, clock, { maxConnections: 1 })
  t.teardown(async () => client.close())
  return client
}

const call = async (client: KubeClient): Promise<unknown> => client.request({ method: 'GET', path: '/api' })

async function catchError<T extends Error> (promise: Promise<unknown>): Promise<T> {
  return promise.then(() => { throw new Error('did not fail') }, (error: T) => error)
}

const clusterOf = (api: ApiDouble): object => ({ server: api.url, 'certificate-authority-data': formatCaData(api) })
const toBase64 = (text: string): string => Buffer.from(text).toString('base64')

/** The API server takes one token only. */
function requireToken (api: ApiDouble, token: () => string): void {
  api.respond = ({ headers }, response) => {
    if (headers.authorization === `Bearer ${token()}`) answerJson(response, 200, {})
    else answerJson(response, 401, { kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized' })
  }
}

const HEADERS: { title: string, user: object, files?: Record<string, string>, expected: object }[] = [
  { title: 'a token', user: { token: 'test-token-1' }, expected: { authorization: 'Bearer test-token-1' } },
  { title: 'a token file beside the kubeconfig', user: { tokenFile: 'token' }, files: { token: 'test-token-2\n' }, expected: { authorization: 'Bearer test-token-2' } },
  { title: 'a token file, which wins over a token', user: { tokenFile: 'token', token: 'test-token-1' }, files: { token: 'test-token-2' }, expected: { authorization: 'Bearer test-token-2' } },
  { title: 'a name and a password', user: { username: 'puller', password: 'test-password-1' }, expected: { authorization: `Basic ${toBase64('puller:test-password-1')}` } },
  { title: 'another user', user: { token: 'test-token-1', as: 'somebody' }, expected: { authorization: 'Bearer test-token-1', 'impersonate-user': 'somebody' } },
  { title: 'nobody', user: {}, expected: { authorization: undefined } }
]
for (const { title, user, files, expected } of HEADERS) {
  void t.test(`a kubeconfig with ${title}`, async (t) => {
    const api = await startApiDouble(t)
    await call(await openClient(t, writeKubeconfigFolder(t, { cluster: clusterOf(api), user }, files)))
    t.match(api.received[0]?.headers, expected)
    t.equal(api.received[0]?.client, undefined)
  })
}

for (const form of ['data', 'files'] as const) {
  void t.test(`a kubeconfig with a client certificate, as ${form}`, async (t) => {
    const api = await startApiDouble(t)
    const { certificate, privateKey } = await api.authority.issueClient('platform-engineer')
    const [cluster, user] = form === 'data'
      ? [clusterOf(api), { 'client-certificate-data': toBase64(certificate), 'client-key-data': toBase64(privateKey) }]
      : [{ server: api.url, 'certificate-authority': 'ca.crt' }, { 'client-certificate': 'client.crt', 'client-key': './client.key' }]
    const files = { 'ca.crt': api.authority.certificate, 'client.crt': certificate, 'client.key': privateKey }
    await call(await openClient(t, writeKubeconfigFolder(t, { cluster, user }, files)))
    t.equal(api.received[0]?.client, 'platform-engineer')
  })
}

const PLUGIN = `#!${process.execPath}
import { appendFileSync, readFileSync } from 'node:fs'
const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO)
appendFileSync(process.argv[2], 'x')
const token = process.env.TOKEN_PREFIX + readFileSync(process.argv[2], 'utf8').length
console.log(JSON.stringify({ ...info, status: { token } }))
`

const pluginUser = (t: Test): object => ({
  exec: { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: [join(t.testdirName, 'plugin.mjs'), join(t.testdirName, 'calls')], env: [{ name: 'TOKEN_PREFIX', value: 'test-token-' }] }
})

void t.test('a credential plugin is asked once for many calls, and again when its token is refused', async (t) => {
  const api = await startApiDouble(t)
  let accepted = 'test-token-1'
  requireToken(api, () => accepted)
  const client = await openClient(t, writeKubeconfigFolder(t, { cluster: clusterOf(api), user: pluginUser(t) }, { 'plugin.mjs': PLUGIN }))
  await Promise.all([call(client), call(client), call(client)])
  accepted = 'test-token-2'
  t.match(await catchError<KubeError>(call(client)), { status: 401 })
  await Promise.all([call(client), call(client)])
})

void t.test('a credential plugin beside the kubeconfig is found', async (t) => {
  const api = await startApiDouble(t)
  requireToken(api, () => 'test-token-1')
  const script = '#!/bin/sh\necho \'{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"test-token-1"}}\'\n'
  const kubeconfig = writeKubeconfigFolder(t, { cluster: clusterOf(api), user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: './plugin' } } })
  await writeFile(join(dirname(kubeconfig), 'plugin'), script, { mode: 0o700 })
  await call(await openClient(t, kubeconfig))
})

void t.test('what a failing credential plugin says is in no error', async (t) => {
  const api = await startApiDouble(t)
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args: ['-e', 'console.error("test-password-1"); process.exit(1)'] }
  const error = await catchError(openClient(t, writeKubeconfigFolder(t, { cluster: clusterOf(api), user: { exec } })))
  t.match(error.message, /credential/)
  t.notMatch(`${error.stack} ${String(error.cause)}`, /test-password-1/)
})

void t.test('a credential plugin that is not there is named', async (t) => {
  const api = await startApiDouble(t)
  const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: 'no-such-plugin' }
  const error = await catchError(openClient(t, writeKubeconfigFolder(t, { cluster: clusterOf(api), user: { exec } })))
  t.match(error.message, /no-such-plugin/)
})

void t.test('a token that is refused is read anew from its file by the next call', async (t) => {
  const api = await startApiDouble(t)
  let accepted = 'test-token-1'
  requireToken(api, () => accepted)
  const kubeconfig = writeKubeconfigFolder(t, { cluster: clusterOf(api), user: { tokenFile: 'token' } }, { token: 'test-token-1' })
  const client = await openClient(t, kubeconfig, createFakeClock())
  await call(client)
  accepted = 'test-token-2'
  const token = join(dirname(kubeconfig), 'token')
  await writeFile(`${token}.new`, 'test-token-2')
  await rename(`${token}.new`, token)
  const error = await catchError<KubeError>(call(client))
  t.match(error, { status: 401, reason: 'Unauthorized' })
  await call(client)
  await call(client)
  t.equal(api.received.length, 4)
})

void t.test('a token that is refused is read anew from the kubeconfig, whose current context is none of ours meanwhile', async (t) => {
  const api = await startApiDouble(t)
  let accepted = 'test-token-1'
  requireToken(api, () => accepted)
  const user = { token: 'test-token-1' }
  const kubeconfig = writeKubeconfigFolder(t, { cluster: clusterOf(api), user })
  const client = await openClient(t, kubeconfig)
  await call(client)
  accepted = 'test-token-2'
  const text = formatKubeconfig({ cluster: clusterOf(api), user: { token: 'test-token-2' } })
  await writeFile(kubeconfig, text.replace('current-context: test', 'current-context: other'))
  t.match(await catchError(call(client)), { status: 401 })
  await call(client)
})

void t.test('a kubeconfig that is being rewritten fails the call, not what comes after', async (t) => {
  const api = await startApiDouble(t)
  let accepted = 'none'
  requireToken(api, () => accepted)
  const content = { cluster: clusterOf(api), user: { token: 'test-token-1' } }
  const kubeconfig = writeKubeconfigFolder(t, content)
  const client = await openClient(t, kubeconfig)
  t.match(await catchError(call(client)), { status: 401 })
  await writeFile(kubeconfig, 'users: [{ token: "test-token')
  const error = await catchError<KubeError>(call(client))
  t.match(error, { status: 0, reason: 'NoCredential' })
  t.notMatch(error.stack, /test-token/)
  accepted = 'test-token-1'
  await writeFile(kubeconfig, formatKubeconfig(content))
  await call(client)
})

for (const credentials of ['', 'puller:test-password-1@']) {
  void t.test(`a cluster behind a proxy${credentials === '' ? '' : ' that wants a password'} is reached through it, on connections that are kept`, async (t) => {
    const api = await startApiDouble(t)
    const proxy = await startConnectProxy(t)
    const cluster = { ...clusterOf(api), 'proxy-url': `http://${credentials}127.0.0.1:${proxy.port}` }
    const client = await openClient(t, writeKubeconfigFolder(t, { cluster, user: { token: 'test-token-1' } }))
    await call(client)
    await call(client)
    t.strictSame(proxy.targets, [{ target: `127.0.0.1:${api.port}`, authorization: credentials === '' ? undefined : `Basic ${toBase64('puller:test-password-1')}` }])
    t.equal(api.received.length, 2)
  })
}

void t.test('a server that no CA vouches for is refused, unless the kubeconfig says otherwise', async (t) => {
  const api = await startApiDouble(t)
  const wary = await openClient(t, writeKubeconfigFolder(t, { cluster: { server: api.url } }))
  t.match(await catchError(call(wary)), { reason: 'Unreachable', message: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED/ })
  t.equal(api.received.length, 0)
  const careless = await openClient(t, join(t.testdir({ config: formatKubeconfig({ cluster: { server: api.url, 'insecure-skip-tls-verify': true } }) }), 'config'))
  await call(careless)
  t.equal(api.received.length, 1)
})

void t.test('a server is taken by the name that the kubeconfig gives it', async (t) => {
  const api = await startApiDouble(t, { names: ['kube.example.com'] })
  const wary = await openClient(t, writeKubeconfigFolder(t, { cluster: clusterOf(api) }))
  t.match(await catchError(call(wary)), { message: /ERR_TLS_CERT_ALTNAME_INVALID/ })
  const named = await openClient(t, join(t.testdir({ config: formatKubeconfig({ cluster: { ...clusterOf(api), 'tls-server-name': 'kube.example.com' } }) }), 'config'))
  await call(named)
  t.equal(api.received[0]?.servername, 'kube.example.com')
})

void t.test('a server with a path is asked below it', async (t) => {
  const api = await startApiDouble(t)
  await call(await openClient(t, writeKubeconfigFolder(t, { cluster: { ...clusterOf(api), server: `${api.url}/k8s/clusters/c-1/` } })))
  t.equal(api.received[0]?.url, '/k8s/clusters/c-1/api')
})

void t.test('over plain HTTP, such as that of kubectl proxy, no credential is sent', async (t) => {
  const api = await startApiDouble(t, { isPlain: true })
  await call(await openClient(t, writeKubeconfigFolder(t, { cluster: { server: api.url }, user: { token: 'test-token-1' } })))
  t.equal(api.received[0]?.headers.authorization, undefined)
})

const WRONG: { title: string, content: string, expected: RegExp }[] = [
  { title: 'is empty', content: '', expected: /config is no kubeconfig/ },
  { title: 'is a list', content: '- test-token-1', expected: /config is no kubeconfig/ },
  { title: 'is no YAML', content: 'users:\n- user: { token: "test-token-1"\n', expected: /config is not valid YAML: line \d+/ },
  { title: 'says nothing', content: '{}', expected: /config names no current context.*kubectl config use-context/ },
  { title: 'has a context whose cluster is absent', content: 'current-context: a\ncontexts: [{ name: a, context: { cluster: b, user: c } }]', expected: /names no current context/ },
  { title: 'has a server that is no URL', content: formatKubeconfig({ cluster: { server: 'nonsense' } }), expected: /server of the kubeconfig's cluster test is no URL/ },
  { title: 'has a server of another kind', content: formatKubeconfig({ cluster: { server: 'ftp://127.0.0.1' } }), expected: /begins with https/ },
  { title: 'has no server', content: formatKubeconfig({ cluster: {} }), expected: /cluster.*server/ }
]
for (const { title, content, expected } of WRONG) {
  void t.test(`a kubeconfig that ${title} is refused in words, and none of its own`, async (t) => {
    const error = await catchError(openClusterAccess({ kubeconfigFile: join(t.testdir({ config: content }), 'config') }, systemClock.monotonicMs))
    t.match(error.message, expected)
    t.notMatch(error.stack, /test-token-1/)
  })
}

for (const name of ['config', 'ca.crt', 'token']) {
  void t.test(`the file ${name} that is missing is named`, async (t) => {
    const content = { cluster: { server: 'https://127.0.0.1:1', 'certificate-authority': 'ca.crt' }, user: { tokenFile: 'token' } }
    const files = { config: formatKubeconfig(content), 'ca.crt': 'no certificate', token: 'test-token-1' }
    const directory = t.testdir(Object.fromEntries(Object.entries(files).filter(([file]) => file !== name)))
    t.match(await catchError(openClusterAccess({ kubeconfigFile: join(directory, 'config') }, systemClock.monotonicMs)), { code: 'ENOENT', path: join(directory, name) })
  })
}

void t.test('without a name the kubeconfig is what kubectl would use', async (t) => {
  const api = await startApiDouble(t)
  const [first, second] = [{ token: 'test-token-1' }, { token: 'test-token-2' }].map((user) => formatKubeconfig({ cluster: clusterOf(api), user }))
  const home = t.testdir({ '.kube': { config: first ?? '' }, second: second ?? '', contextless: 'clusters: []', empty: {} })
  const { HOME, KUBECONFIG } = process.env
  t.teardown(() => { Object.assign(process.env, { HOME, KUBECONFIG }); if (KUBECONFIG === undefined) delete process.env['KUBECONFIG'] })

  Object.assign(process.env, { HOME: home, KUBECONFIG: '' })
  await call(await openClient(t))
  process.env['KUBECONFIG'] = [join(home, 'missing'), join(home, 'contextless'), join(home, 'second'), join(home, '.kube', 'config')].join(':')
  await call(await openClient(t))
  t.strictSame(api.received.map(({ headers }) => headers.authorization), ['Bearer test-token-1', 'Bearer test-token-2'])

  Object.assign(process.env, { HOME: join(home, 'empty'), KUBECONFIG: '' })
  t.match((await catchError(openClient(t))).message, /there is no kubeconfig \(.*\.kube\/config\): name one with --kubeconfig or KUBECONFIG/)
})
