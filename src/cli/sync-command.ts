import { randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { Command, Option } from 'commander'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import { parsePort } from './options.ts'
import { createOutputOption, type OutputFormat } from './output.ts'

interface SyncCommandOptions {
  config: string
  kubeconfig?: string
  serviceAccount?: string
  namespace: string
  namespaced: boolean
  metricsPort: number
  once: boolean
  dryRun: boolean
  removeAll: boolean
  output: OutputFormat
  logLevel?: string
}

const CLOSE_MS = 10_000

/** `pullkeeper sync`: the worker that keeps the pull secrets present in every namespace that wants them. */
export function createSyncCommand (): Command {
  return new Command('sync')
    .summary('run the sync worker: the right pull secret in every namespace')
    .description('Keeps the configured pull secrets present, correct and fresh in every namespace that wants them.\n' +
      'Of several workers the one that holds the Lease writes. In a Pod it is its ServiceAccount, elsewhere whom kubectl is;\n' +
      'pullkeeper manifests --only rbac prints the rights that it needs. The configuration is followed when its file changes.')
    .requiredOption('--config <file>', 'configuration file')
    .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, ~/.kube/config, or in a Pod its ServiceAccount)')
    .option('--service-account <directory>', 'in a Pod: folder with its token and ca.crt (default: where the kubelet mounts it)')
    .option('-n, --namespace <namespace>', 'pullkeeper\'s own namespace: Lease and canonical copies', process.env.POD_NAMESPACE ?? DEFAULT_OWN_NAMESPACE)
    .option('--namespaced', 'look only at the namespaces that the rules list by name, for rights without a ClusterRole', false)
    .option('--metrics-port <port>', 'HTTP port for /livez, /readyz and /metrics', parsePort, 9091)
    .option('--once', 'do what is to be done, print a summary and exit: 0, or 1 when anything failed. Takes no Lease', false)
    .addOption(new Option('--dry-run', 'say what --once would write, and write nothing').default(false).implies({ once: true }))
    .option('--remove-all', 'with --once: take every copy away', false)
    .addOption(createOutputOption())
    .addOption(new Option('--log-level <level>', 'process log on standard error (default: info, with --once error)').choices(['error', 'warn', 'info']))
    .addHelpText('after', '\nExamples:\n  pullkeeper sync --config config.yaml --once --dry-run\n  pullkeeper sync --config config.yaml --once --remove-all')
    .action(runSync)
}

async function runSync (options: SyncCommandOptions, command: Command): Promise<void> {
  if (options.removeAll && !options.once) command.error('error: --remove-all works with --once only, so that nothing puts the copies back')
  if (options.once) await (await import('./sync-once.ts')).runOnce(options)
  else await runWorker(options)
}

async function runWorker (options: SyncCommandOptions): Promise<void> {
  const [{ default: closeWithGrace }, { createProcessLog }, { startSyncWorker }, { connectSync }] = await Promise.all([
    import('close-with-grace'), import('../observability/process-log.ts'), import('../sync/sync-worker.ts'), import('./sync-connection.ts')
  ])
  const log: ProcessLog = createProcessLog(options.logLevel ?? 'info')
  const connection = await connectSync(options)
  const worker = await startSyncWorker({
    ...connection,
    configFile: options.config,
    ownNamespace: options.namespace,
    identity: createIdentity(),
    host: '0.0.0.0',
    metricsPort: options.metricsPort,
    log
  })
  closeWithGrace({ delay: CLOSE_MS }, async ({ err }) => {
    if (err !== undefined) log.error({ err }, 'an unexpected error ends the process')
    await worker.close()
    await connection.client.close()
  })
}

/** Unique to this process start: host name (in a cluster the Pod's) and random bits. */
function createIdentity (): string {
  return `${hostname()}-${randomBytes(4).toString('hex')}`
}
