import { randomBytes } from 'node:crypto'
import { styleText } from 'node:util'
import { loadConfig } from '../config/live-config.ts'
import type { KubeClient } from '../kubernetes/kube-client.ts'
import { hasStatus } from '../kubernetes/kube-error.ts'
import { createProcessLog } from '../observability/process-log.ts'
import { converge, type ConvergenceProgress, type ConvergenceResult, type ConvergenceWrite } from '../sync/convergence.ts'
import { compileSyncPlan } from '../sync/sync-plan.ts'
import { pluralize, printJson, type OutputFormat } from './output.ts'
import { connectSync } from './sync-connection.ts'

/** What `sync --once` is asked for. */
export interface OnceOptions {
  config: string
  kubeconfig?: string
  serviceAccount?: string
  namespace: string
  namespaced: boolean
  dryRun: boolean
  removeAll: boolean
  output: OutputFormat
  logLevel?: string
}

const MS_PER_SECOND = 1000
const CLEAR_LINE = '\r\u001b[K'

/** Converges once, with progress on a terminal, and prints what came of it. */
export async function runOnce (options: OnceOptions): Promise<void> {
  const { config, hash, warnings } = await loadConfig(options.config)
  const plan = compileSyncPlan(config, { configHash: hash, ownNamespace: options.namespace })
  const connection = await connectSync(options)
  connection.listNamespaces?.(plan)
  await checkConnection(connection.client)
  for (const warning of warnings) console.error(warning)
  const result = await stayAlive(converge({
    ...connection,
    plan,
    identity: `once-${randomBytes(4).toString('hex')}`,
    log: createProcessLog(options.logLevel ?? 'error'),
    isRemovingAll: options.removeAll,
    isDryRun: options.dryRun,
    ...(process.stderr.isTTY && { onProgress: showProgress })
  }))
  await connection.client.close()
  if (process.stderr.isTTY) process.stderr.write(CLEAR_LINE)
  if (options.output === 'json') printJson(result)
  else printResult(result, options)
  if (result.failed.length > 0) process.exitCode = 1
}

/** Where nothing may be watched no connection is open, and the clock's timers alone keep no process alive. */
async function stayAlive<T> (work: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, MS_PER_SECOND)
  try {
    return await work
  } finally {
    clearInterval(timer)
  }
}

/** A worker waits for an API server that can not be reached; a person is told at once. */
async function checkConnection (client: KubeClient): Promise<void> {
  try {
    await client.request({ method: 'GET', path: '/version' })
  } catch (error) {
    if (!hasStatus(error, 0, 401)) return
    await client.close()
    if (error.status === 401) throw new Error('the API server does not accept the credential (HTTP 401); log in anew, or choose another context', { cause: error })
    throw error
  }
}

function showProgress ({ done, total, writes, failures, remainingMs }: ConvergenceProgress): void {
  const left = remainingMs === undefined ? '' : `, ${Math.ceil(remainingMs / MS_PER_SECOND)} s left`
  process.stderr.write(`${CLEAR_LINE}${done} of ${total} copies right, ${pluralize(writes, 'write')}, ${pluralize(failures, 'failure')}${left}`)
}

function printResult ({ written, failed, done, total, waiting, elapsedMs }: ConvergenceResult, { dryRun }: OnceOptions): void {
  if (dryRun) for (const write of written) console.log(describeWrite(write))
  for (const { object, message } of failed) console.log(`${styleText('red', 'failed:')} ${object}: ${message}`)
  if (waiting > 0) console.log(`${pluralize(waiting, 'unwanted copy', 'unwanted copies')} stay until sync.pruneAfter has passed; a running worker removes them`)
  const did = `${pluralize(written.length, 'write')}${dryRun ? ' would be made' : ''}, ${pluralize(failed.length, 'failure')}`
  console.log(`${dryRun ? '' : `${done} of ${pluralize(total, 'copy', 'copies')} right; `}${did}, ${(elapsedMs / MS_PER_SECOND).toFixed(1)} s`)
}

function describeWrite ({ operation, kind, namespace, name, reason }: ConvergenceWrite): string {
  return `would ${operation} ${kind} ${namespace}/${name}${reason === undefined ? '' : ` (${reason})`}`
}
