import { Writable } from 'node:stream'
import type { Test } from 'tap'
import { createProcessLog } from '../../src/observability/process-log.ts'
import type { KeyPair } from '../../src/tls/certificates.ts'
import { startWebhook, type Webhook, type WebhookOptions } from '../../src/webhook/webhook.ts'
import { createHttpsClient, type HttpsClient } from './https-client.ts'
import { OWN_NAMESPACE } from './policies.ts'
import { fetchMetrics, type MetricsPage } from './prometheus-text.ts'
import type { TestAuthority } from './test-authority.ts'
import { writeWebhookFiles, type WebhookFiles } from './webhook-files.ts'

/** A line of the process log. */
export interface LogEntry {
  level: string
  msg: string
  err?: { message: string, code?: string }
  [key: string]: unknown
}

/** A webhook in the test's own process, over real TLS. */
export interface WebhookFixture {
  webhook: Webhook
  files: WebhookFiles
  client: HttpsClient
  metrics: () => Promise<MetricsPage>
  /** The process log so far. */
  log: () => LogEntry[]
  logText: () => string
  /** Lines handed to the decision log so far. */
  records: () => string[]
}

export interface WebhookFixtureOptions extends Partial<Omit<WebhookOptions, 'log' | 'onRecord'>> {
  authority: TestAuthority
  keyPair: KeyPair
  config?: string
  /** Where its files go; the test's own directory if absent. */
  directory?: string
}

/** Short, so that tests need not wait; a poll that comes by itself would hide that events are missed. */
const INTERVALS = { debounceMs: 5, pollMs: 3_600_000 }

/** Starts a webhook on free ports, with its files in the test's directory; it ends with the test. */
export async function startWebhookFixture (t: Test, { authority, keyPair, config, directory = t.testdir(), ...options }: WebhookFixtureOptions): Promise<WebhookFixture> {
  const files = await writeWebhookFiles(directory, keyPair, config)
  const log: string[] = []
  const records: string[] = []
  const webhook = await startWebhook({
    ...files,
    host: '127.0.0.1',
    port: 0,
    metricsPort: 0,
    ownNamespace: OWN_NAMESPACE,
    intervals: INTERVALS,
    ...options,
    log: createProcessLog('info', collectLines(log)),
    onRecord: (line) => records.push(line)
  })
  const client = createHttpsClient(webhook.url, { ca: authority.certificate })
  t.teardown(async () => {
    client.close()
    await webhook.close(0)
  })
  return {
    webhook,
    files,
    client,
    metrics: async () => fetchMetrics(webhook.metricsUrl),
    log: () => log.map((line) => JSON.parse(line) as LogEntry),
    logText: () => log.join(''),
    records: () => records
  }
}

function collectLines (lines: string[]): Writable {
  return new Writable({
    write (chunk, _encoding, done) {
      lines.push(String(chunk))
      done()
    }
  })
}
