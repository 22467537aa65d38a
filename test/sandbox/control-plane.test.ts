import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { V1Pod } from '@kubernetes/client-node'
import t from 'tap'
import type { Test } from 'tap'
import { startControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'
import type { ControlPlane, ControlPlaneOptions } from '../../src/sandbox/control-plane/control-plane.ts'
import { createClient, waitFor, waitForAuditEvents } from '../helpers/cluster.ts'
import type { ClusterClient } from '../helpers/cluster.ts'

const assets = process.env['KUBEBUILDER_ASSETS']
const real = assets === undefined ? { skip: 'KUBEBUILDER_ASSETS is not set' } : {}
const HELP = /, see https:\/\/book\.kubebuilder\.io\/reference\/envtest/

// What a start leaves behind would show here.
const temporary = await mkdtemp(join(tmpdir(), 'pullkeeper-test-'))
process.env['TMPDIR'] = temporary
t.teardown(async () => { await rm(temporary, { recursive: true }) })

const versionOnly = '#!/bin/sh\n[ "$1" = --version ] && echo Kubernetes v1.99.0 && exit 0\n'

/** Makes a folder with programs that are shell scripts. */
async function makeFolder (t: Test, scripts: Record<string, string>, mode = 0o755): Promise<string> {
  const folder = t.testdir()
  for (const [name, script] of Object.entries(scripts)) await writeFile(join(folder, name), script, { mode })
  return folder
}

async function startFrom (t: Test, options: ControlPlaneOptions): Promise<{ plane: ControlPlane, client: ClusterClient }> {
  const plane = await startControlPlane(options)
  t.teardown(plane.close)
  const client = createClient(plane)
  t.teardown(client.close)
  return { plane, client }
}

/** The command lines of running processes that name `text`, where the system tells them. */
async function listCommandLines (text: string): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(text))
}

async function checkNothingIsLeft (t: Test): Promise<void> {
  t.strictSame(await readdir(temporary), [], 'the temporary directory is empty again')
  t.strictSame(await listCommandLines(temporary), [], 'no program is left')
}

async function refusesToStart (t: Test, options: ControlPlaneOptions, message: string | RegExp): Promise<void> {
  await t.rejects(startControlPlane(options), { message })
  await checkNothingIsLeft(t)
}

t.test('a folder that is not there is named, and where to get one', async (t) => {
  const folder = join(t.testdir(), 'nowhere')
  await refusesToStart(t, { binaries: folder }, `no control plane in "${folder}": there is no such folder`)
  await refusesToStart(t, { binaries: folder }, HELP)
})

t.test('an empty name of the folder is an error, not the current one', async (t) => {
  await refusesToStart(t, { binaries: '' }, 'no control plane in ""')
})

t.test('a program that is missing is named, and where to get it', async (t) => {
  const withoutEtcd = await makeFolder(t, { 'kube-apiserver': versionOnly })
  await refusesToStart(t, { binaries: withoutEtcd }, `no etcd in ${withoutEtcd}: there is no such file`)
  await refusesToStart(t, { binaries: withoutEtcd }, HELP)
})

t.test('a missing API server is named', async (t) => {
  const folder = await makeFolder(t, { etcd: versionOnly })
  await refusesToStart(t, { binaries: folder }, `no kube-apiserver in ${folder}: there is no such file`)
})

t.test('a program that may not be executed is named', async (t) => {
  const folder = await makeFolder(t, { etcd: versionOnly, 'kube-apiserver': versionOnly }, 0o644)
  await refusesToStart(t, { binaries: folder }, `no usable etcd in ${folder}: the file is not executable`)
})

t.test('a program of that name that is something else is refused', async (t) => {
  const folder = await makeFolder(t, { etcd: versionOnly, 'kube-apiserver': '#!/bin/sh\necho something else\n' })
  await refusesToStart(t, { binaries: folder }, /is no kube-apiserver: --version printed "something else/)
})

t.test('a program that this machine can not run is refused', async (t) => {
  const folder = await makeFolder(t, { etcd: versionOnly, 'kube-apiserver': '#!/bin/sh\necho no such instruction >&2\nexit 126\n' })
  await refusesToStart(t, { binaries: folder }, /kube-apiserver does not run here.*no such instruction/s)
})

t.test('a program that ends early is reported with its last lines', async (t) => {
  const etcd = '#!/bin/sh\nseq 100\necho the disk is full >&2\nexit 3\n'
  const folder = await makeFolder(t, { etcd, 'kube-apiserver': versionOnly })
  await refusesToStart(t, { binaries: folder }, /^etcd ended \(exit code 3\); its last lines:\n90\n[\d\n]*100\nthe disk is full$/)
})

t.test('a program that is no program is reported', async (t) => {
  const folder = await makeFolder(t, { etcd: '#!/no/such/interpreter\n', 'kube-apiserver': versionOnly })
  await refusesToStart(t, { binaries: folder }, /^etcd ended \(spawn .* ENOENT\)/)
})

t.test('a program that never gets ready is ended when the time is up', async (t) => {
  const folder = await makeFolder(t, { etcd: '#!/bin/sh\necho waiting\nexec sleep 1000\n', 'kube-apiserver': versionOnly })
  await refusesToStart(t, { binaries: folder, timeoutMs: 300 }, /^etcd was not ready in time \(.*\); its last lines:\n/)
})

t.test('it tries other ports, three times in all, when someone took the port meanwhile', async (t) => {
  const folder = await makeFolder(t, {
    etcd: '#!/bin/sh\necho "$*" >> "$(dirname "$0")/starts"\necho "listen tcp: bind: address already in use" >&2\nexit 1\n',
    'kube-apiserver': versionOnly
  })
  await refusesToStart(t, { binaries: folder }, 'address already in use')
  const starts = (await readFile(join(folder, 'starts'), 'utf8')).trim().split('\n')
  t.equal(starts.length, 3)
})

t.test('a real control plane', { ...real, timeout: 120_000 }, async (t) => {
  const auditLog = join(t.testdir(), 'audit.log')
  const { plane, client } = await startFrom(t, { binaries: assets ?? '', auditLog })

  await t.test('says which Kubernetes it is', async (t) => {
    const { body } = await client.get<{ gitVersion: string }>('/version')
    t.equal(`v${plane.version}`, body.gitVersion)
    t.ok(plane.hasControllerManager)
  })

  await t.test('is ready for a Pod at once, and refuses who has no token', async (t) => {
    const { status } = await client.create('/api/v1/namespaces/default/pods', makePod('bare'))
    t.equal(status, 201)
    const stranger = createClient({ ...plane, token: 'test-token-1' })
    t.teardown(stranger.close)
    t.equal((await stranger.get('/api/v1/pods')).status, 401)
  })

  await t.test('makes Pods of a Deployment', async (t) => {
    const { status } = await client.create('/apis/apps/v1/namespaces/default/deployments', makeDeployment('web', 2))
    t.equal(status, 201)
    const pods = await waitFor<V1Pod>(client, '/api/v1/namespaces/default/pods?labelSelector=app%3Dweb', (pods) => pods.length === 2)
    t.equal(pods[0]?.spec?.serviceAccountName, 'default')
  })

  await t.test('writes its audit log: who made which Pod, and nothing of its own start', async (t) => {
    const events = await waitForAuditEvents(auditLog, (events) => events.length >= 3)
    t.strictSame(events.map(({ verb, stage, level, objectRef }) => ({ verb, stage, level, resource: objectRef?.resource })),
      Array.from({ length: 3 }, () => ({ verb: 'create', stage: 'ResponseComplete', level: 'Metadata', resource: 'pods' })))
    t.strictSame(events.map(({ user }) => user.username), [
      'admin',
      'system:serviceaccount:kube-system:replicaset-controller',
      'system:serviceaccount:kube-system:replicaset-controller'
    ])
  })

  await t.test('keeps what it knows over a crash of the API server', async (t) => {
    await plane.killApiServer()
    await t.rejects(client.get('/readyz'))
    await plane.startApiServer()
    const { status } = await client.get('/api/v1/namespaces/default/pods/bare')
    t.equal(status, 200)
    await client.patch('/apis/apps/v1/namespaces/default/deployments/web', 'merge', { spec: { replicas: 3 } })
    await waitFor<V1Pod>(client, '/api/v1/namespaces/default/pods?labelSelector=app%3Dweb', (pods) => pods.length === 3)
  })

  await t.test('ends all that it started, and its data', async (t) => {
    const running = await listCommandLines(temporary)
    for (const program of ['etcd', 'kube-apiserver', 'kube-controller-manager']) {
      t.ok(running.some((line) => line.startsWith(resolve(assets ?? '', program))), `${program} runs`)
    }
    await plane.close()
    await checkNothingIsLeft(t)
    await plane.close()
  })
})

t.test('a folder without controller manager, as setup-envtest makes it, can still create Pods in the namespace default', { ...real, timeout: 120_000 }, async (t) => {
  const folder = t.testdir()
  for (const program of ['etcd', 'kube-apiserver']) await symlink(resolve(assets ?? '', program), join(folder, program))
  const auditLog = join(folder, 'audit.log')
  const { plane, client } = await startFrom(t, { binaries: folder, auditLog, auditLevel: 'RequestResponse' })
  t.notOk(plane.hasControllerManager)
  t.equal((await client.create('/api/v1/namespaces/default/pods', makePod('bare'))).status, 201)
  const events = await waitForAuditEvents(auditLog, ({ length }) => length > 0)
  t.match(events, [{ level: 'RequestResponse', requestObject: { kind: 'Pod' }, responseObject: { kind: 'Pod', metadata: { name: 'bare' } } }])
  await plane.close()
})

t.test('an API server that ends early is reported with its last lines, and etcd ends with it', real, async (t) => {
  const folder = await makeFolder(t, { 'kube-apiserver': `${versionOnly}echo unknown flag >&2\nexit 1\n` })
  await symlink(resolve(assets ?? '', 'etcd'), join(folder, 'etcd'))
  await refusesToStart(t, { binaries: folder }, /^kube-apiserver ended \(exit code 1\); its last lines:\nunknown flag$/)
})

function makePod (name: string): unknown {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [{ name: 'main', image: 'registry.example.com/app' }] } }
}

function makeDeployment (name: string, replicas: number): unknown {
  const labels = { app: name }
  const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image: 'registry.example.com/app' }] } }
  return { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name }, spec: { replicas, selector: { matchLabels: labels }, template } }
}
