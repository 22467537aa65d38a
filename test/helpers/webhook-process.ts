import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Readable } from 'node:stream'
import type { Test } from 'tap'
import { eventually, within } from './eventually.ts'
import type { LogEntry } from './webhook-fixture.ts'
import type { WebhookFiles } from './webhook-files.ts'

/** `pullkeeper webhook` in a process of its own. */
export interface WebhookProcess {
  pid: number
  url: string
  metricsUrl: string
  /** What it has written to standard output and standard error so far. */
  stdout: () => string
  stderr: () => string
  log: () => LogEntry[]
  signal: (signal: NodeJS.Signals) => void
  /** Waits for its end: the exit code, or the signal's name. */
  waitForExit: () => Promise<number | NodeJS.Signals>
}

export interface WebhookProcessOptions {
  /** More options of the command. */
  args?: string[]
  /** Options of Node itself. */
  nodeArgs?: string[]
  env?: Record<string, string>
  /** Whether decision records go to the file of `files`, as they do by default. */
  logToFile?: boolean
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const START_MS = 20_000

/** The Node that runs the tests, the command line's entry, and an environment in which no test runner shows. */
export const NODE = process.execPath
export const MAIN = `${ROOT}src/cli/main.ts`
export const CLEAN_ENV: Record<string, string> = { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '' }

/** Starts `pullkeeper webhook` on free ports and waits until it is ready; it is killed with the test at the latest. */
export async function startWebhookProcess (t: Test, files: WebhookFiles, options: WebhookProcessOptions = {}): Promise<WebhookProcess> {
  const { args = [], nodeArgs = [], env = {}, logToFile = true } = options
  const child = spawn('env', [ // the test runner adds its own NODE_OPTIONS to every child
    '-u', 'NODE_OPTIONS', NODE, ...nodeArgs, MAIN, 'webhook', '--host', '127.0.0.1', '--port', '0', '--metrics-port', '0',
    '--config', files.configFile, '--tls-cert', files.certificateFile, '--tls-key', files.privateKeyFile,
    ...(logToFile ? ['--decision-log', files.decisionLogFile] : []), ...args
  ], { cwd: ROOT, env: { ...CLEAN_ENV, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
  const output = collectOutput(child)
  const exited = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const log = () => parseLog(output.stderr())
  let ending: number | NodeJS.Signals | undefined
  void exited.then((how) => { ending = how })
  const ready = await eventually('the webhook is ready', () => {
    if (ending !== undefined) throw new Error(`the webhook ended with ${ending}: ${output.stderr()}`)
    return log().find(({ msg }) => msg === 'webhook is ready')
  }, START_MS)
  return {
    pid: child.pid ?? 0,
    url: String(ready['url']),
    metricsUrl: String(ready['metricsUrl']),
    ...output,
    log,
    signal: (signal) => { child.kill(signal) },
    waitForExit: async () => within('the end of the webhook', exited)
  }
}

function collectOutput ({ stdout, stderr }: ChildProcessByStdio<null, Readable, Readable>): Pick<WebhookProcess, 'stdout' | 'stderr'> {
  const texts = { stdout: '', stderr: '' }
  stdout.setEncoding('utf8').on('data', (chunk: string) => { texts.stdout += chunk })
  stderr.setEncoding('utf8').on('data', (chunk: string) => { texts.stderr += chunk })
  return { stdout: () => texts.stdout, stderr: () => texts.stderr }
}

/** The whole lines that are JSON; Node's own warnings are none. */
function parseLog (stderr: string): LogEntry[] {
  return stderr.split('\n').slice(0, -1).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as LogEntry)
}
