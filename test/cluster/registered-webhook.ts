import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { stringify } from 'yaml'
import type { ConfigDocument } from '../../src/config/schema.ts'
import type { DecisionRecord } from '../../src/core/decision-record.ts'
import type { Policy } from '../../src/core/policy.ts'
import { createWebhookConfiguration } from '../../src/core/webhook-entries.ts'
import { createProcessLog } from '../../src/observability/process-log.ts'
import { startWebhook, type Webhook } from '../../src/webhook/webhook.ts'
import { waitForLines } from '../helpers/cluster.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { askForPod, askUntil, createObject, makeDirectory, PROBE_NAME, type TestCluster } from './test-cluster.ts'

/** What a test says of a configuration file; the rest is filled in. */
export type ConfigParts = Pick<ConfigDocument, 'rules'> & Partial<ConfigDocument>

/** An entry of a MutatingWebhookConfiguration, as far as tests change it. */
export type RegisteredEntry = { admissionReviewVersions: string[], rules: { operations: string[] }[] }

/** The real webhook, registered with a cluster that acts on it. */
export interface RegisteredWebhook {
  webhook: Webhook
  caBundle: string
  configFile: string
  /** Every line of the decision log: waits until the file holds what was handed to it. */
  readLines: () => Promise<string[]>
  /** The records of a namespace, less those of probes. */
  readRecords: (namespace: string) => Promise<DecisionRecord[]>
  /** Ends the webhook before the test ends; its registration stays. */
  close: () => Promise<void>
}

export interface WebhookParts {
  /** Changes the entries before they are registered. */
  adjust?: (entry: RegisteredEntry) => RegisteredEntry
  onPolicy?: (policy: Policy) => void
}

export const CONFIGURATIONS = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'

/** Long, so that a busy machine loses no call; `Ignore` would hide it. */
const TIMEOUT_SECONDS = 30
const RELOAD_INTERVALS = { debounceMs: 10, pollMs: 200 }

/** Starts the webhook, registers it and waits until the cluster calls it; it ends with the test, and its registration, too. */
export async function startRegisteredWebhook (t: Test, cluster: TestCluster, config: ConfigParts, { adjust = (entry) => entry, onPolicy }: WebhookParts = {}): Promise<RegisteredWebhook> {
  const directory = await makeDirectory(t)
  const lines: string[] = []
  const [caBundle, configFile, decisionLogFile] = [await writeCertificates(directory), join(directory, 'config.yaml'), join(directory, 'decisions.jsonl')]
  await writeConfig(configFile, config)
  const webhook = await startWebhook({
    configFile,
    certificateFile: join(directory, 'tls.crt'),
    privateKeyFile: join(directory, 'tls.key'),
    host: '127.0.0.1',
    port: 0,
    metricsPort: 0,
    decisionLogFile,
    ownNamespace: 'pullkeeper-system',
    log: createProcessLog('error'),
    intervals: RELOAD_INTERVALS,
    onRecord: (line) => { lines.push(line) },
    ...(onPolicy !== undefined && { onPolicy })
  })
  let closing: Promise<void> | undefined
  const close = async (): Promise<void> => {
    closing ??= webhook.close(0)
    await closing
  }
  t.teardown(close)
  const registration = createWebhookConfiguration(webhook.policy().config, { target: { url: webhook.url }, caBundle }) as { webhooks: RegisteredEntry[] }
  await registerUntilCalled(t, cluster, { ...registration, webhooks: registration.webhooks.map(adjust) }, () => lines.length > 0)

  async function readLines (): Promise<string[]> {
    const expected = lines.length
    return waitForLines(decisionLogFile, (written) => written.length >= expected)
  }

  async function readRecords (namespace: string): Promise<DecisionRecord[]> {
    const records = (await readLines()).map((line) => JSON.parse(line) as DecisionRecord)
    return records.filter((record) => record.namespace === namespace && record.pod !== PROBE_NAME)
  }
  return { webhook, caBundle, configFile, readLines, readRecords, close }
}

/** Writes a configuration file, in place of what it held. */
export async function writeConfig (file: string, config: ConfigParts): Promise<void> {
  const { webhook, ...rest } = config
  await writeFile(file, stringify({
    apiVersion: 'pullkeeper.dev/v1alpha1',
    kind: 'PullSecretConfig',
    ...rest,
    webhook: { timeoutSeconds: TIMEOUT_SECONDS, ...webhook }
  }))
}

/**
 * Creates a MutatingWebhookConfiguration, which goes with the test, and waits until the API server acts on it.
 * It learns of all of them in the order of their changes: earlier ones that are gone are then gone for it, too.
 */
export async function registerUntilCalled (t: Test, { client }: TestCluster, registration: object, isCalled: () => boolean): Promise<void> {
  const { metadata } = await createObject(client, CONFIGURATIONS, registration)
  t.teardown(async () => { await client.delete(`${CONFIGURATIONS}/${metadata?.name}`) })
  await askUntil(async () => askForPod(client, 'default', { name: PROBE_NAME }, { isDryRun: true }), isCalled)
}

/** The value of one time series in the webhook's metrics; absent when it was never counted. */
export async function readMetric ({ webhook }: RegisteredWebhook, series: string): Promise<string | undefined> {
  const page = await (await fetch(`${webhook.metricsUrl}/metrics`)).text()
  return page.split('\n').find((line) => line.startsWith(`${series} `))?.slice(series.length + 1)
}

async function writeCertificates (directory: string): Promise<string> {
  const authority = await createTestAuthority()
  const serving = await authority.issueServer()
  await writeFile(join(directory, 'tls.key'), serving.privateKey, { mode: 0o600 })
  await writeFile(join(directory, 'tls.crt'), serving.certificate)
  return authority.certificate
}
