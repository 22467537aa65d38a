import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import { formatDockerConfig } from '../../src/core/docker-config.ts'
import { createManagedSecret, hashContent } from '../../src/core/managed-secret.ts'
import { createWorkerManifests } from '../../src/core/worker-rbac.ts'
import { parseConfig } from '../../src/config/parse-config.ts'
import { startControlPlane } from '../../src/sandbox/control-plane/control-plane.ts'
import { startFaultProxy } from '../../src/sandbox/fault-proxy.ts'
import type { Cluster } from '../../src/sandbox/cluster.ts'
import { WRITE_CONCURRENCY } from '../../src/sync/sync-queues.ts'
import { COMPILED_MAIN } from './build.ts'
import type { BenchContext } from './context.ts'
import { SYNC_NODE_FLAGS } from './node-flags.ts'
import { readCpuMs, readRssMib } from './process-stats.ts'
import { runProgram } from './run-program.ts'
import { startServer, type ServerProcess } from './server-process.ts'
import { prepareSyncCluster, type ObservedEvent, type Observer, type SyncCluster } from './sync-cluster.ts'
import { formatSyncReport, type SyncFigures } from './sync-report.ts'

const NAMESPACES = 1000
const BROKEN = 100
const NEW_NAMESPACES = 200
const UNRELATED = 5000
const UNRELATED_BYTES = 10_000
const IDLE_MS = 60_000
const SETTLE_MS = 2000
const FLOOR = fileURLToPath(new URL('sync-floor.ts', import.meta.url))
const NAME = 'acr-pull'
const OWN = 'pullkeeper-system'
const SERVER = 'registry.example.com'

const CONFIG = `apiVersion: pullkeeper.dev/v1alpha1
kind: PullSecretConfig
pullSecrets:
  - name: ${NAME}
    registries:
      - servers: [${SERVER}]
        credential: { basic: { username: puller, passwordFrom: { secret: { namespace: ${OWN}, name: source, key: password } } } }
        verify: false
rules:
  - { name: all, matchImages: [${SERVER}], namespaces: { include: ["team-*"] }, pullSecrets: [${NAME}] }
`

/** What all parts of the benchmark share. */
interface Setting {
  context: BenchContext
  cluster: Cluster
  namespaces: SyncCluster
  observer: Observer
  configFile: string
  /** Of the worker's ServiceAccount, with the rights that are generated for it. */
  token: string
}

/** Fills, rotates, breaks and watches 1,000 namespaces on a real control plane, beside bare loops that do the same writes. */
export async function benchSync (context: BenchContext): Promise<void> {
  const { print, options: { rounds } } = context
  const binaries = process.env['KUBEBUILDER_ASSETS']
  if (binaries === undefined) return print('skipped: KUBEBUILDER_ASSETS, the folder with etcd and kube-apiserver, is not set')
  const cluster = await startControlPlane({ binaries })
  context.onClose(cluster.close)
  print(`kube-apiserver ${cluster.version}; ${NAMESPACES} namespaces, ${WRITE_CONCURRENCY} writes in flight, ${rounds} rounds; the worker runs under the generated RBAC; nothing pinned`)
  const setting = await prepare(context, cluster)
  const figures: SyncFigures = { post: [], apply: [], fill: [], rotation: [], deletedBack: [], editedBack: [], newNamespace: [], memoryMib: {}, fillCpuMs: [] }
  for (let round = 0; round <= rounds; round++) await measureRound(setting, round === 0 ? undefined : figures)
  await measureLife(setting, figures)
  for (const line of formatSyncReport(figures)) print(line)
  setting.observer.close()
  await cluster.close()
}

async function prepare (context: BenchContext, cluster: Cluster): Promise<Setting> {
  const namespaces = await prepareSyncCluster(context, cluster, NAMESPACES)
  const configFile = join(context.directory, 'sync-config.yaml')
  await writeFile(configFile, CONFIG)
  const { config } = parseConfig(CONFIG, configFile)
  if (config === undefined) throw new Error('the configuration of the benchmark is wrong')
  await namespaces.request('POST', `/api/v1/namespaces/${OWN}/secrets`, createSource('test-password-0'))
  for (const manifest of createWorkerManifests(config, { ownNamespace: OWN, namespaced: false })) await create(namespaces, manifest)
  const { body } = await namespaces.request<{ status: { token: string } }>('POST', `/api/v1/namespaces/${OWN}/serviceaccounts/pullkeeper-sync/token`, { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { expirationSeconds: 7200 } })
  return { context, cluster, namespaces, observer: await namespaces.observe(NAME), configFile, token: body.status.token }
}

async function create ({ request }: SyncCluster, manifest: object): Promise<void> {
  const { apiVersion, kind, metadata: { namespace } } = manifest as { apiVersion: string, kind: string, metadata: { namespace?: string } }
  const prefix = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`
  const { status, body } = await request('POST', `${prefix}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${kind.toLowerCase()}s`, manifest)
  if (status >= 300) throw new Error(`${kind}: ${status} ${JSON.stringify(body)}`)
}

function createSource (password: string): object {
  return { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'source', namespace: OWN }, stringData: { password } }
}

/** One pass of each variant: the same Secrets, by a bare loop of POSTs, by one of applies, and by the worker. */
async function measureRound (setting: Setting, figures: SyncFigures | undefined): Promise<void> {
  for (const mode of ['post', 'apply'] as const) {
    await runFloor(setting, mode)
    figures?.[mode].push(spanOf(await setting.observer.waitFor('ADDED', NAMESPACES)))
    await removeCopies(setting)
  }
  const worker = await startWorker(setting)
  const added = await setting.observer.waitFor('ADDED', NAMESPACES + 1)
  figures?.fill.push(spanOf(added))
  await delay(SETTLE_MS)
  figures?.fillCpuMs.push(await readCpuMs(worker.pid))
  figures?.rotation.push(await measureRotation(setting))
  await worker.stop()
  await removeCopies(setting)
}

async function runFloor ({ context, cluster, namespaces: { namespaces } }: Setting, mode: 'post' | 'apply'): Promise<void> {
  const data = Buffer.from(formatDockerConfig([{ servers: [SERVER], username: 'puller', password: 'test-password-0' }])).toString('base64')
  const body = createManagedSecret(NAME, '', { data, hash: hashContent(data), source: `basic from Secret ${OWN}/source` })
  const file = join(context.directory, 'floor.json')
  await writeFile(file, JSON.stringify({ url: cluster.url, caCertificate: cluster.caCertificate, token: cluster.token, namespaces, body }))
  await runProgram(process.execPath, [FLOOR, mode, file, NAME, String(WRITE_CONCURRENCY)], { signal: context.signal })
}

/** As in a Pod: by the files of its ServiceAccount. */
async function startWorker ({ context, cluster, configFile, token }: Setting, via: Cluster = cluster): Promise<ServerProcess> {
  const { hostname, port } = new URL(via.url)
  await writeFile(join(context.directory, 'token'), token)
  await writeFile(join(context.directory, 'ca.crt'), via.caCertificate)
  return startServer(context, {
    name: 'pullkeeper sync',
    command: [process.execPath, ...SYNC_NODE_FLAGS, COMPILED_MAIN, 'sync', '--config', configFile, '--service-account', context.directory, '--metrics-port', '0'],
    env: { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port }
  })
}

async function removeCopies ({ namespaces: { request, forEach, namespaces }, observer }: Setting): Promise<void> {
  await forEach([...namespaces, OWN], async (namespace) => request('DELETE', `/api/v1/namespaces/${namespace}/secrets/${NAME}`))
  await observer.waitFor('DELETED', NAMESPACES)
  observer.reset()
}

let passwords = 0

/** From the write of the source to the last copy. */
async function measureRotation ({ namespaces, observer }: Setting): Promise<number> {
  observer.reset()
  const startedMs = performance.now()
  await namespaces.request('PUT', `/api/v1/namespaces/${OWN}/secrets/source`, createSource(`test-password-${++passwords}`))
  const events = await observer.waitFor('MODIFIED', NAMESPACES + 1)
  return Math.max(...events.map(({ atMs }) => atMs)) - startedMs
}

/** What a worker meets in its life, once: broken copies, new namespaces, idle minutes, neighbours. */
async function measureLife (setting: Setting, figures: SyncFigures): Promise<void> {
  const { namespaces, observer, context, cluster } = setting
  let worker = await startWorker(setting)
  await observer.waitFor('ADDED', NAMESPACES + 1)
  await delay(SETTLE_MS)
  figures.memoryMib['after the fill'] = await readRssMib(worker.pid)
  const broken = namespaces.namespaces.slice(0, BROKEN)
  figures.deletedBack = await measureHealing(setting, broken, 'ADDED', async (path) => namespaces.request('DELETE', path))
  figures.editedBack = await measureHealing(setting, broken, 'MODIFIED', async (path) => {
    const { body } = await namespaces.request<{ data: Record<string, string> }>('GET', path)
    return namespaces.request('PUT', path, { ...body, data: { '.dockerconfigjson': Buffer.from('{"auths":{}}').toString('base64') } })
  })
  figures.newNamespace = await measureNewNamespaces(setting)
  figures.memoryMib['after 200 new namespaces'] = await readRssMib(worker.pid)
  await worker.stop()
  const proxy = await startFaultProxy(cluster)
  context.onClose(proxy.close)
  observer.reset()
  worker = await startWorker(setting, proxy)
  await delay(SETTLE_MS * 2)
  proxy.forgetRequests()
  context.print(`idle for ${IDLE_MS / 1000} s ...`)
  await delay(IDLE_MS, undefined, { signal: context.signal })
  figures.idleRequests = countRequests(proxy.requests())
  figures.restartWrites = observer.events().length
  figures.memoryMib['restarted and idle for a minute'] = await readRssMib(worker.pid)
  await worker.stop()
  await namespaces.forEach(Array.from({ length: UNRELATED }, (_, index) => index), async (index) => namespaces.request('POST', `/api/v1/namespaces/${namespaces.namespaces[index % NAMESPACES]}/secrets`, {
    metadata: { name: `unrelated-${index}` }, data: { content: Buffer.alloc(UNRELATED_BYTES, index % 251).toString('base64') }
  }))
  worker = await startWorker(setting)
  await delay(SETTLE_MS * 3)
  figures.memoryMib[`with ${UNRELATED} unrelated Secrets of 10 KB`] = await readRssMib(worker.pid)
  figures.rotationBesideUnrelated = await measureRotation(setting)
  await worker.stop()
}

/** Milliseconds from each break, as seen by a watcher, to the good copy. */
async function measureHealing ({ observer }: Setting, broken: string[], back: ObservedEvent['type'], breakCopy: (path: string) => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (const namespace of broken) {
    observer.reset()
    const startedMs = performance.now()
    await breakCopy(`/api/v1/namespaces/${namespace}/secrets/${NAME}`)
    // An edit is the first change, the repair the second.
    const events = await observer.waitFor(back, back === 'MODIFIED' ? 2 : 1)
    times.push((events.at(-1)?.atMs ?? NaN) - startedMs)
  }
  return times
}

async function measureNewNamespaces ({ namespaces, observer }: Setting): Promise<number[]> {
  const times: number[] = []
  for (let index = 0; index < NEW_NAMESPACES; index++) {
    observer.reset()
    await namespaces.request('POST', '/api/v1/namespaces', { metadata: { name: `team-new-${index}` } })
    const createdMs = performance.now()
    const [added] = await observer.waitFor('ADDED', 1)
    times.push(Math.max(0, (added?.atMs ?? NaN) - createdMs))
  }
  return times
}

function countRequests (requests: { method: string, path: string, isWatch: boolean }[]): Record<string, number> {
  const kinds = requests.map(({ method, path, isWatch }) => isWatch ? 'watch' : path.includes('/leases/') ? `${method} Lease` : `${method} ${path}`)
  return Object.fromEntries(Object.entries(Object.groupBy(kinds, (kind) => kind)).map(([kind, found = []]) => [kind, found.length]))
}

function spanOf (events: ObservedEvent[]): number {
  const times = events.map(({ atMs }) => atMs)
  return Math.max(...times) - Math.min(...times)
}
