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
    .summary('see it happen: a Kubernetes API, the webhook, and Pods that nobody edited')
    .description('Starts a Kubernetes API on 127.0.0.1 (in memory, or a real etcd and kube-apiserver), registers the real webhook with it,\n' +
      'applies workloads and shows which pull secrets their Pods got, and why. Stays until Ctrl-C, so that you can try kubectl.')
    .option('--config <file>', 'your own configuration; it is followed while you edit it (default: an example)')
    .option('-f, --filename <files...>', 'your own manifests (default: a handful of examples); - reads standard input')
    .option('--once', 'exit after the table', false)
    .option('--control-plane [directory]', 'run a real control plane from a folder with etcd and kube-apiserver (default folder: KUBEBUILDER_ASSETS)')
    .addOption(new Option('--log-level <level>', 'log of the webhook on standard error').choices(['error', 'warn', 'info']).default('error'))
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
  console.log(await sandbox.describePods())
  for (const { object, message } of sandbox.refused) console.error(`${styleText('red', 'refused:')} ${object}: ${message}`)
  if (options.once) {
    graceful.uninstall()
    await sandbox.close()
    process.exitCode = sandbox.refused.length > 0 ? 1 : 0
    return
  }
  console.log(formatGuide(sandbox))
  isFollowing = true
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

function formatGuide ({ kubeconfigFile, configFile, decisionLogFile, webhook }: Sandbox): string {
  return `
${styleText('bold', 'Try it')}, in another terminal:
  export KUBECONFIG=${kubeconfigFile}
  kubectl run hello --image=myregistry.azurecr.io/hello:1
  kubectl get pod hello -o jsonpath='{.spec.imagePullSecrets}'
  kubectl get pods -A

Rules:      edit ${configFile}; a good change is in force at once
Decisions:  ${decisionLogFile}
Metrics:    ${webhook.metricsUrl}/metrics
Your own:   npx pullkeeper sandbox --config FILE -f PODS.yaml

Ctrl-C ends it. Decisions from now on:`
}

function formatRecord ({ time = '', outcome, reason, namespace, pod = '', injected, rules }: DecisionRecord): string {
  const colour = outcome === 'injected' ? 'green' : outcome === 'denied' || outcome === 'error' ? 'red' : 'dim'
  const names = injected.length > 0 ? `  ${injected.join(', ')}` : ''
  const because = rules.length > 0 ? `rules ${rules.join(', ')}` : reason
  return `${time.slice(11, 19)}  ${styleText(colour, outcome.padEnd(9))}  ${namespace}/${pod}${names}  (${because})`
}
