import { Command } from 'commander'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import type { KubeClient } from '../kubernetes/kube-client.ts'
import type { SyncPlan } from '../sync/sync-plan.ts'
import { createOutputOption, printJson, type OutputFormat } from './output.ts'

interface StatusCommandOptions {
  config?: string
  kubeconfig?: string
  namespace: string
  output: OutputFormat
}

const CONFIG_MAP = 'pullkeeper'
const CONFIG_KEY = 'config.yaml'
const MAX_CONNECTIONS = 4

/** `pullkeeper status`: how the copies stand in every namespace, and what a person has to do. */
export function createStatusCommand (): Command {
  return new Command('status')
    .summary('show how the pull secrets stand in the cluster, and what is not right')
    .description('Reads the cluster as you (it writes nothing, and needs no worker) and judges every copy as the worker does: where it is\n' +
      'wanted, present, stale or conflicting, what is wrong with the sources, and what waits for a person.\n' +
      'Exits 0 when all is right, 1 when something is not.')
    .option('--config <file>', `configuration file; - reads standard input (default: key ${CONFIG_KEY} of ConfigMap ${CONFIG_MAP} in pullkeeper's own namespace)`)
    .option('--kubeconfig <file>', 'kubeconfig (default: KUBECONFIG, ~/.kube/config, or in a Pod its ServiceAccount)')
    .option('-n, --namespace <namespace>', 'pullkeeper\'s own namespace', process.env.POD_NAMESPACE ?? DEFAULT_OWN_NAMESPACE)
    .addOption(createOutputOption())
    .addHelpText('after', '\nExamples:\n  pullkeeper status\n  pullkeeper status --config config.yaml -o json')
    .action(runStatus)
}

async function runStatus (options: StatusCommandOptions): Promise<void> {
  const [{ openAccess }, { createKubeClient }, { hasStatus }, { systemClock }, { readClusterSnapshot }, { createSyncStatus }, { formatStatus }] = await Promise.all([
    import('./sync-connection.ts'), import('../kubernetes/kube-client.ts'), import('../kubernetes/kube-error.ts'), import('../kubernetes/system-clock.ts'),
    import('../sync/status/cluster-snapshot.ts'), import('../sync/status/sync-status.ts'), import('./status-text.ts')
  ])
  const access = await openAccess(options)
  const client = createKubeClient(access, systemClock, { maxConnections: MAX_CONNECTIONS })
  try {
    const plan = await loadPlan(client, options)
    const snapshot = await readClusterSnapshot(client, systemClock, plan)
    const nowMs = systemClock.nowMs()
    const status = createSyncStatus(plan, snapshot, nowMs)
    if (options.output === 'json') printJson(status)
    else console.log(formatStatus(status, { nowMs, rightsCommand: formatRightsCommand(options) }))
    process.exitCode = status.isRight ? 0 : 1
  } catch (error) {
    throw hasStatus(error, 0) ? new Error(`${error.message} (${access.origin}); check --kubeconfig`) : error
  } finally {
    await client.close()
  }
}

async function loadPlan (client: KubeClient, options: StatusCommandOptions): Promise<SyncPlan> {
  const [{ parseConfig, formatProblem }, { compileSyncPlan }] = await Promise.all([import('../config/parse-config.ts'), import('../sync/sync-plan.ts')])
  const { name, content } = options.config === undefined ? await readConfigMap(client, options) : await readConfigFile(options.config)
  const { config, hash, problems } = parseConfig(content, name)
  if (config === undefined) throw new Error(`the configuration can not be used\n${problems.map((problem) => formatProblem(name, problem)).join('\n')}`)
  return compileSyncPlan(config, { configHash: hash, ownNamespace: options.namespace })
}

async function readConfigFile (file: string): Promise<{ name: string, content: Buffer }> {
  const { nameInput, readInput } = await import('../config/input-file.ts')
  return { name: nameInput(file), content: await readInput(file) }
}

async function readConfigMap (client: KubeClient, { namespace }: StatusCommandOptions): Promise<{ name: string, content: string }> {
  const { hasStatus } = await import('../kubernetes/kube-error.ts')
  const name = `ConfigMap ${namespace}/${CONFIG_MAP}`
  const advice = 'name the configuration by --config FILE, or pullkeeper\'s own namespace by -n NAMESPACE'
  try {
    const { data } = await client.request<{ data?: Record<string, string> }>({ method: 'GET', path: `/api/v1/namespaces/${namespace}/configmaps/${CONFIG_MAP}` })
    const content = data?.[CONFIG_KEY]
    if (content === undefined) throw new Error(`${name} has no key ${CONFIG_KEY}; ${advice}`)
    return { name, content }
  } catch (error) {
    if (hasStatus(error, 404)) throw new Error(`there is no ${name}; ${advice}`)
    if (hasStatus(error, 403)) throw new Error(`you may not read ${name}; ${advice}`)
    throw error
  }
}

/** The command that gives the worker the rights of the configuration that was read. */
function formatRightsCommand ({ config, namespace }: StatusCommandOptions): string {
  const own = namespace === DEFAULT_OWN_NAMESPACE ? '' : ` -n ${namespace}`
  const manifests = (file: string): string => `pullkeeper manifests --config ${file} --only rbac${own} | kubectl apply -f -`
  if (config !== undefined && config !== '-') return manifests(config)
  return `kubectl get configmap -n ${namespace} ${CONFIG_MAP} -o jsonpath='{.data.${CONFIG_KEY.replace('.', '\\.')}}' | ${manifests('-')}`
}
