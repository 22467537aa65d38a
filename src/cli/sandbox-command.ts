import { styleText } from 'node:util'
import { Command, Option } from 'commander'
import type { DecisionRecord } from '../core/decision-record.ts'
import type { Cluster } from '../sandbox/cluster.ts'
import type { Sandbox } from '../sandbox/sandbox.ts'

interface SandboxCommandOptions {
  config?: string
  filename?: string[]
  once: boolean
  controlPlane?: string | true
  logLevel: string
}

const CLOSE_MS = 10_000

/** `pullkeeper sandbox`: see it happen, on a Kubernetes API in memory or on a real control plane. */
export function createSandboxCommand (): Command {
  return new Command('sandbox')
    .summary('see it happen: a Kubernetes API, the webhook, the sync worker, and Pods that nobody edited')
    .description('Starts a Kubernetes API on 127.0.0.1 (in memory, or a real etcd and kube-apiserver), registers the real webhook with it,\n' +
      'runs the real sync worker, applies workloads and shows which pull secrets their Pods got, and why, and the Secrets beside them.\n' +
      'Stays until Ctrl-C, so that you can try kubectl. Registries are never asked: credentials count as not tried.')
    .option('--config <file>', 'your own configuration; it is followed while you edit it (default: an example)')
    .option('-f, --filename <files...>', 'your own manifests (default: a handful of examples); - reads standard input')
    .option('--once', 'exit after the tables: 0, or 1 when anything failed', false)
    .option('--control-plane [directory]', 'run a real control plane from a folder with etcd and kube-apiserver (default folder: KUBEBUILDER_ASSETS)')
    .addOption(new Option('--log-level <level>', 'log of the webhook and the worker on standard error').choices(['error', 'warn', 'info']).default('error'))
    .action(runSandbox)
}

async function runSandbox (options: SandboxCommandOptions): Promise<void> {
  const [{ default: closeWithGrace }, { startSandbox }, { createProcessLog }] = await Promise.all([
    import('close-with-grace'), import('../sandbox/sandbox.ts'), import('../observability/process-log.ts')
  ])
  let isFollowing = false
  const abort = new AbortController()
  const starting = startSandbox({
    startCluster: await chooseCluster(options.controlPlane),
    log: createProcessLog(options.logLevel),
    ...(options.config !== undefined && { configFile: options.config }),
    ...(options.filename !== undefined && { manifestFiles: options.filename }),
    onRecord: (line) => { if (isFollowing) console.log(formatRecord(JSON.parse(line) as DecisionRecord)) },
    signal: abort.signal
  })
  const graceful = closeWithGrace({ delay: CLOSE_MS, logger: false }, async () => {
    abort.abort()
    await starting.then(async ({ close }) => close(), () => undefined)
  })
  const sandbox = await starting.catch((error: unknown) => {
    graceful.uninstall()
    throw error
  })
  const isRight = await showSandbox(sandbox).catch((error: unknown) => {
    // Ctrl-C took it away meanwhile.
    if (abort.signal.aborted) return false
    throw error
  })
  if (options.once) {
    graceful.uninstall()
    await sandbox.close()
    process.exitCode = isRight ? 0 : 1
    return
  }
  if (abort.signal.aborted) return
  console.log(formatGuide(sandbox))
  isFollowing = true
}

/** Prints the tables and the demonstration; returns whether nothing failed. */
async function showSandbox (sandbox: Sandbox): Promise<boolean> {
  console.log(await sandbox.describePods())
  for (const { object, message } of sandbox.refused) console.error(`${styleText('red', 'refused:')} ${object}: ${message}`)
  const { status, failures } = await sandbox.waitForCopies()
  const table = await sandbox.describeSecrets(status)
  if (table !== '') console.log(`\n${table}`)
  for (const failure of failures) console.error(`${styleText('red', 'failed:')} ${failure}`)
  if (failures.length > 0) return false
  return await showDemonstration(sandbox) && sandbox.refused.length === 0
}

async function showDemonstration ({ demonstrate }: Sandbox): Promise<boolean> {
  if (demonstrate === undefined) return true
  let isRight = true
  console.log(`\n${styleText('bold', 'What the sync worker does when the cluster changes')}`)
  for await (const { change, outcome } of demonstrate()) {
    isRight &&= outcome !== undefined
    console.log(`  ${change}: ${outcome === undefined ? styleText('red', 'nothing followed') : styleText('green', outcome)}`)
  }
  return isRight
}

async function chooseCluster (controlPlane: string | true | undefined): Promise<(signal?: AbortSignal) => Promise<Cluster>> {
  if (controlPlane === undefined) {
    const { startInMemoryCluster } = await import('../sandbox/api/in-memory-cluster.ts')
    return async () => startInMemoryCluster()
  }
  const { startControlPlane } = await import('../sandbox/control-plane/control-plane.ts')
  const binaries = controlPlane === true ? process.env.KUBEBUILDER_ASSETS : controlPlane
  if (binaries === undefined) throw new Error('--control-plane needs a folder with etcd and kube-apiserver, or KUBEBUILDER_ASSETS that names one')
  return async (signal) => startControlPlane({ binaries, ...(signal !== undefined && { signal }) })
}

function formatGuide ({ kubeconfigFile, configFile, decisionLogFile, webhook, workerMetricsUrl, demonstrate }: Sandbox): string {
  const rotation = demonstrate === undefined ? 'NAMESPACE NAME' : 'pullkeeper-system acr-token'
  return `
${styleText('bold', 'Try it')}, in another terminal:
  export KUBECONFIG=${kubeconfigFile}
  kubectl run hello --image=myregistry.azurecr.io/hello:1
  kubectl get pod hello -o jsonpath='{.spec.imagePullSecrets}'
  kubectl create namespace team-a
  kubectl get secrets -A -l app.kubernetes.io/managed-by=pullkeeper
  kubectl patch secret -n ${rotation} -p '{"stringData":{"password":"test-password-2"}}'
  npx pullkeeper status --config ${configFile}

Rules:      edit ${configFile}; a good change is in force at once, for the webhook and the worker
Decisions:  ${decisionLogFile}
Metrics:    ${webhook.metricsUrl}/metrics (webhook), ${workerMetricsUrl}/metrics (sync worker)
Your own:   npx pullkeeper sandbox --config FILE -f PODS.yaml

Ctrl-C ends it. Decisions from now on:`
}

function formatRecord ({ time = '', outcome, reason, namespace, pod = '', injected, rules }: DecisionRecord): string {
  const colour = outcome === 'injected' ? 'green' : outcome === 'denied' || outcome === 'error' ? 'red' : 'dim'
  const names = injected.length > 0 ? `  ${injected.join(', ')}` : ''
  const because = rules.length > 0 ? `rules ${rules.join(', ')}` : reason
  return `${time.slice(11, 19)}  ${styleText(colour, outcome.padEnd(9))}  ${namespace}/${pod}${names}  (${because})`
}
