import { Command, Option } from 'commander'
import { DEFAULT_OWN_NAMESPACE } from '../core/namespaces.ts'
import { parsePort, parseSeconds } from './options.ts'

interface WebhookCommandOptions {
  config: string
  tlsCert: string
  tlsKey: string
  host: string
  port: number
  metricsPort: number
  clientCa?: string
  decisionLog?: string
  drainSeconds: number
  logLevel: string
}

/** How long the requests in flight may take once nobody sends new ones. */
const CLOSE_MS = 15_000

/** `pullkeeper webhook`: the admission webhook, without any Kubernetes credential. */
export function createWebhookCommand (): Command {
  return new Command('webhook')
    .summary('run the mutating admission webhook')
    .description('Runs the mutating admission webhook over HTTPS. It holds no Kubernetes credential and calls nobody.\n' +
      'Configuration and certificate are followed when their files change; SIGHUP opens the decision log anew.')
    .requiredOption('--config <file>', 'configuration file')
    .requiredOption('--tls-cert <file>', 'serving certificate, PEM')
    .requiredOption('--tls-key <file>', 'its private key, PEM')
    .option('--host <address>', 'address to listen on', '0.0.0.0')
    .option('--port <port>', 'HTTPS port for the API server', parsePort, 8443)
    .option('--metrics-port <port>', 'HTTP port for /livez, /readyz and /metrics', parsePort, 9090)
    .option('--client-ca <file>', 'CA that must have signed the API server\'s client certificate, PEM')
    .option('--decision-log <file>', 'file for decision records (default: standard output)')
    .option('--drain-seconds <seconds>', 'how long to go on serving after SIGTERM, while endpoints are updated', parseSeconds, 10)
    .addOption(new Option('--log-level <level>', 'process log on standard error').choices(['error', 'warn', 'info']).default('info'))
    .action(runWebhook)
}

async function runWebhook (options: WebhookCommandOptions): Promise<void> {
  const [{ default: closeWithGrace }, { startWebhook }, { createProcessLog }] = await Promise.all([
    import('close-with-grace'), import('../webhook/webhook.ts'), import('../observability/process-log.ts')
  ])
  const log = createProcessLog(options.logLevel)
  const starting = startWebhook({
    configFile: options.config,
    certificateFile: options.tlsCert,
    privateKeyFile: options.tlsKey,
    host: options.host,
    port: options.port,
    metricsPort: options.metricsPort,
    ...(options.clientCa !== undefined && { clientCaFile: options.clientCa }),
    ...(options.decisionLog !== undefined && { decisionLogFile: options.decisionLog }),
    ownNamespace: process.env.POD_NAMESPACE ?? DEFAULT_OWN_NAMESPACE,
    log
  })
  process.on('SIGHUP', () => void starting.then(async ({ reopenDecisionLog }) => reopenDecisionLog(), () => undefined))
  const drainMs = options.drainSeconds * 1000
  const graceful = closeWithGrace({ delay: drainMs + CLOSE_MS, skip: ['SIGHUP'] }, async ({ err, signal }) => {
    if (err !== undefined) log.error({ err }, 'an unexpected error ends the process')
    await starting.then(async ({ close }) => close(signal === 'SIGTERM' ? drainMs : 0), () => undefined)
  })
  await starting.catch((error: unknown) => {
    graceful.uninstall()
    throw error
  })
}
