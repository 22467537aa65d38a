import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import type { Policy } from '../core/policy.ts'
import { openLineWriter, type LineWriter } from '../observability/line-writer.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import { createWebhookMetrics, type WebhookMetrics } from '../observability/webhook-metrics.ts'
import { isCertificate } from '../tls/key-pair.ts'
import { createAdmissionAnswerer } from './admission.ts'
import { createAdmissionServer, type AdmissionServer } from './admission-server.ts'
import { createDecisionLog } from './decision-log.ts'
import { openLiveKeyPair, type ReloadIntervals } from './live-key-pair.ts'
import { openLivePolicy } from './live-policy.ts'
import { createProbeServer } from '../observability/probe-server.ts'

/** Files, addresses and identity of a webhook process. */
export interface WebhookOptions {
  configFile: string
  certificateFile: string
  privateKeyFile: string
  host: string
  /** 0 = any free port. */
  port: number
  metricsPort: number
  clientCaFile?: string
  /** File for decision records; absent = standard output. */
  decisionLogFile?: string
  /** The namespace that pullkeeper runs in, which no rule touches unless it names it. */
  ownNamespace: string
  log: ProcessLog
  intervals?: ReloadIntervals
  /** Told of each policy that comes into force after the first. */
  onPolicy?: (policy: Policy) => void
  /** Told of each decision record as it is handed to the log. */
  onRecord?: (line: string) => void
}

/** A running webhook. */
export interface Webhook {
  /** `https://HOST:PORT`. */
  url: string
  /** `http://HOST:PORT` of probes and metrics. */
  metricsUrl: string
  policy: () => Policy
  /** Opens the decision log anew, after a rotation. */
  reopenDecisionLog: () => Promise<void>
  /**
   * Not ready from now on; answers what still comes for `drainMs`, while the news reaches every API server, then what is
   * in flight, and flushes the decision log.
   */
  close: (drainMs: number) => Promise<void>
}

/**
 * Starts the webhook: it holds no Kubernetes credential and calls nobody. Throws when the configuration, the
 * certificate, a port or the decision log can not be used.
 */
export async function startWebhook (options: WebhookOptions): Promise<Webhook> {
  const { log, intervals = {} } = options
  const metrics = createWebhookMetrics()
  const shared = { metrics, log, intervals }
  const policy = await openLivePolicy({
    ...shared,
    file: options.configFile,
    ownNamespace: options.ownNamespace,
    ...(options.onPolicy !== undefined && { onPolicy: options.onPolicy })
  })
  const keyPair = await openLiveKeyPair({
    ...shared,
    certificateFile: options.certificateFile,
    privateKeyFile: options.privateKeyFile,
    onKeyPair: (changed) => { server.setKeyPair(changed) }
  })
  const writer = await openDecisionWriter(options, metrics)
  const clientCa = await readClientCa(options.clientCaFile)
  const server: AdmissionServer = createAdmissionServer({
    keyPair: keyPair.current(),
    ...(clientCa !== undefined && { clientCa }),
    answer: createAdmissionAnswerer({
      policy: policy.current,
      decisionLog: createDecisionLog({
        append (line) {
          writer.append(line)
          options.onRecord?.(line)
        },
        isUnavailable: writer.isFailing,
        instance: createInstanceName(),
        now: () => new Date()
      }),
      metrics,
      log,
      monotonicMs: () => performance.now()
    }),
    monotonicMs: () => performance.now(),
    onRequest: () => { metrics.inFlight.inc() },
    onResponse: () => { metrics.inFlight.dec() },
    onRejected: (status) => { metrics.rejectedRequests.inc({ status }) }
  })
  let notReady: string | undefined
  const probes = createProbeServer({ registry: metrics.registry, findReasonNotReady: () => notReady })

  async function closeAll (): Promise<void> {
    policy.close()
    keyPair.close()
    await server.close()
    await writer.close()
    await probes.close()
  }

  async function listen (): Promise<Pick<Webhook, 'url' | 'metricsUrl'>> {
    const address = await server.app.listen({ host: options.host, port: options.port })
    const metricsUrl = await probes.listen({ host: options.host, port: options.metricsPort })
    return { url: address.replace(/^http:/, 'https:'), metricsUrl } // fastify does not know that our server factory speaks TLS
  }

  async function close (drainMs: number): Promise<void> {
    notReady = 'shutting down'
    server.startDraining()
    log.info({ drainMs }, 'draining')
    await delay(drainMs)
    await closeAll()
    log.info('webhook is stopped')
  }

  const urls = await listen().catch(async (error: unknown) => {
    await closeAll()
    throw error
  })
  log.info(urls, 'webhook is ready')
  let closing: Promise<void> | undefined
  return {
    ...urls,
    policy: policy.current,
    reopenDecisionLog: writer.reopen,
    async close (drainMs) {
      closing ??= close(drainMs)
      await closing
    }
  }
}

async function openDecisionWriter ({ decisionLogFile: file, log }: WebhookOptions, metrics: WebhookMetrics): Promise<LineWriter> {
  return openLineWriter(file === undefined ? {} : { file }, {
    onFailure (error, isFirst) {
      metrics.decisionLogFailures.inc()
      metrics.decisionLogFailing.set(1)
      if (isFirst) log.error({ err: error, file }, 'the decision log can not be written; records wait in memory and it is tried again')
    },
    onRecovery () {
      metrics.decisionLogFailing.set(0)
      log.info({ file }, 'the decision log is written again')
    },
    onDrop: () => { metrics.decisionLogDropped.inc() }
  })
}

/** An empty file would mean the public CAs to Node, so it is refused. */
async function readClientCa (file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined
  const content = await readFile(file, 'utf8')
  if (!isCertificate(content)) throw new Error(`${file}: the client CA file holds no PEM certificate`)
  return content
}

/** Host name (in a cluster the Pod's) and random bits, so that each process start has a chain of its own. */
function createInstanceName (): string {
  return `${hostname()}-${randomBytes(4).toString('hex')}`
}
