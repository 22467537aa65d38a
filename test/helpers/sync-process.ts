import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import type { Credentials } from '../../src/sandbox/cluster-request.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { eventually, within } from './eventually.ts'
import { fetchMetrics, type MetricsPage } from './prometheus-text.ts'
import { formatConfig } from './sync-worker.ts'
import type { LogEntry } from './webhook-fixture.ts'
import { CLEAN_ENV, MAIN, NODE } from './webhook-process.ts'

/** What a worker process is started with. */
export interface SyncProcessOptions {
  /** For its files; it must be there, and be this worker's alone. */
  directory: string
  /** The configuration, without apiVersion and kind. */
  config: object
  /** The namespace of the Lease and of the canonical copies. */
  ownNamespace: string
  /** Where its API server is and who it is to it; or the file that says so. */
  cluster?: Credentials
  kubeconfigFile?: string
}

/** `pullkeeper sync` in a process of its own. */
export interface SyncProcess {
  pid: number
  /** Its holderIdentity in the Lease. */
  identity: string
  configFile: string
  /** The process log so far. */
  log: () => LogEntry[]
  stderr: () => string
  metrics: () => Promise<MetricsPage>
  /** The HTTP status of `/readyz`. */
  readiness: () => Promise<number>
  signal: (signal: NodeJS.Signals) => void
  /** Waits for its end: the exit code, or the signal's name. */
  waitForExit: () => Promise<number | NodeJS.Signals>
}

interface Test {
  teardown: (close: () => Promise<void>) => unknown
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const START_MS = 30_000
const EXIT_MS = 20_000

/** Starts `pullkeeper sync` with a free port for its metrics and waits until it runs; it is killed with the test at the latest. */
export async function startSyncProcess (t: Test, options: SyncProcessOptions): Promise<SyncProcess> {
  const { configFile, kubeconfigFile } = await writeFiles(options)
  const child = spawn('env', [ // the test runner adds its own NODE_OPTIONS to every child
    '-u', 'NODE_OPTIONS', NODE, MAIN, 'sync', '--config', configFile, '--kubeconfig', kubeconfigFile,
    '--namespace', options.ownNamespace, '--metrics-port', '0'
  ], { cwd: ROOT, env: CLEAN_ENV, stdio: ['ignore', 'ignore', 'pipe'] })
  const stderr = collectErrors(child)
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  t.teardown(async () => {
    // It ends a stopped process, too.
    child.kill('SIGKILL')
    await exited
  })
  const log = (): LogEntry[] => parseLog(stderr())
  const started = await eventually('the worker is started', () => {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the worker ended: ${stderr()}`)
    return log().find(({ msg }) => msg === 'sync worker is started')
  }, START_MS)
  const metricsUrl = String(started['metricsUrl']).replace('0.0.0.0', '127.0.0.1')
  return {
    pid: child.pid ?? 0,
    identity: String(started['identity']),
    configFile,
    log,
    stderr,
    metrics: async () => fetchMetrics(metricsUrl),
    readiness: async () => (await fetch(`${metricsUrl}/readyz`)).status,
    signal: (signal) => { child.kill(signal) },
    waitForExit: async () => within('the end of the worker', exited, EXIT_MS)
  }
}

async function writeFiles ({ directory, config, cluster, kubeconfigFile = join(directory, 'kubeconfig') }: SyncProcessOptions): Promise<{ configFile: string, kubeconfigFile: string }> {
  const configFile = join(directory, 'config.yaml')
  await writeFile(configFile, formatConfig(config))
  if (cluster !== undefined) await writeKubeconfig(kubeconfigFile, cluster, { name: 'test' })
  return { configFile, kubeconfigFile }
}

function collectErrors ({ stderr }: ChildProcessByStdio<null, null, Readable>): () => string {
  let text = ''
  stderr.setEncoding('utf8').on('data', (chunk: string) => { text += chunk })
  return () => text
}

/** The whole lines that are JSON; Node's own warnings are none. */
function parseLog (stderr: string): LogEntry[] {
  return stderr.split('\n').slice(0, -1).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogEntry)
}
