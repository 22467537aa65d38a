import { EventEmitter, once } from 'node:events'
import type { V1MutatingWebhookConfiguration } from '@kubernetes/client-node'
import type { Policy } from '../../src/core/policy.ts'
import { registerWebhook } from '../../src/sandbox/registration.ts'
import { checkDecisionLog } from './decision-log-checks.ts'
import { CONFIGURATIONS, readMetric, startRegisteredWebhook, writeConfig, type ConfigParts } from './registered-webhook.ts'
import { askForPod, askUntil, createNamespace, namesOf, storePod, testEachCluster } from './test-cluster.ts'

/** The configuration file and the registration change at different moments. */

const example = { name: 'example', matchImages: ['registry.example.com'], pullSecrets: ['example-pull'] }
const payments = { name: 'payments', matchImages: ['docker.io/payments/'], namespaces: { selector: { matchLabels: { team: 'payments' } } }, pullSecrets: ['payments-pull'] }
const before: ConfigParts = { rules: [example] }
const withSelector: ConfigParts = { rules: [example, payments] }
const app = { name: 'app', images: ['registry.example.com/app', 'payments/app'] }

testEachCluster(async (t, cluster) => {
  const { client } = cluster
  const changes = new EventEmitter()
  const registered = await startRegisteredWebhook(t, cluster, before, { onPolicy: (policy) => { changes.emit('policy', policy) } })
  const { webhook, caBundle, configFile } = registered
  const namespace = await createNamespace(cluster, 'team', { team: 'payments' })

  /** Changes the file and waits until the webhook follows it. */
  async function changeConfig (config: ConfigParts): Promise<Policy> {
    const changed = once(changes, 'policy')
    await writeConfig(configFile, config)
    const [policy] = await changed as [Policy]
    return policy
  }

  async function listRegisteredEntries (): Promise<string[]> {
    const { body } = await client.get<V1MutatingWebhookConfiguration>(`${CONFIGURATIONS}/pullkeeper`)
    return (body.webhooks ?? []).map(({ name }) => name)
  }

  async function listDecisions (name: string): Promise<unknown[]> {
    return (await registered.readRecords(namespace)).filter(({ pod }) => pod === name).map(({ entry, outcome, reason }) => [entry, outcome, reason])
  }

  let selectorEntry = ''

  await t.test('a selector that is new in the file is in force when it is registered', async (t) => {
    t.strictSame(namesOf(await storePod(client, namespace, { ...app, name: 'before' })), ['example-pull'])
    const { config, entries } = await changeConfig(withSelector)
    selectorEntry = [...entries.values()][0]?.name ?? ''
    t.strictSame(namesOf(await storePod(client, namespace, { ...app, name: 'not-registered' })), ['example-pull'], 'nobody calls the new entry yet')
    await registerWebhook(cluster.cluster, config, { url: webhook.url, caBundle })
    t.strictSame(await listRegisteredEntries(), [selectorEntry, 'pods.pullkeeper.dev'])
    await askUntil(async () => askForPod(client, namespace, { ...app, name: 'asking' }, { isDryRun: true }), ({ body }) => namesOf(body).length === 2)
    t.strictSame(namesOf(await storePod(client, namespace, { ...app, name: 'after' })), ['payments-pull', 'example-pull'])
    t.strictSame(await listDecisions('after'), [
      [selectorEntry, 'injected', 'rule-matched'],
      ['pods.pullkeeper.dev', 'injected', 'rule-matched'],
      [selectorEntry, 'unchanged', 'already-present']
    ])
  })

  await t.test('an entry that is left over from an old registration is answered and counted', async (t) => {
    await changeConfig(before)
    t.strictSame(namesOf(await storePod(client, namespace, { ...app, name: 'left-over' })), ['example-pull'])
    t.strictSame(await listDecisions('left-over'), [
      [selectorEntry, 'skipped', 'unknown-entry'],
      ['pods.pullkeeper.dev', 'injected', 'rule-matched'],
      [selectorEntry, 'skipped', 'unknown-entry']
    ])
    t.equal(await readMetric(registered, 'pullkeeper_admissions_total{outcome="skipped",reason="unknown-entry"}'), '2')
  })

  await t.test('registered anew, the left-over entry is gone', async (t) => {
    await registerWebhook(cluster.cluster, webhook.policy().config, { url: webhook.url, caBundle })
    t.strictSame(await listRegisteredEntries(), ['pods.pullkeeper.dev'])
  })

  await t.test('of registrations at the same time one stays, and none fails', async (t) => {
    const { config } = webhook.policy()
    const configs = [5, 6, 7].map((timeoutSeconds) => ({ ...config, webhook: { ...config.webhook, timeoutSeconds } }))
    await t.resolves(Promise.all(configs.map(async (config) => registerWebhook(cluster.cluster, config, { url: webhook.url, caBundle }))))
    t.strictSame(await listRegisteredEntries(), ['pods.pullkeeper.dev'])
  })

  await t.test('the records of three configurations are one chain', async (t) => {
    await checkDecisionLog(t, cluster, registered)
    const records = await registered.readRecords(namespace)
    t.equal(new Set(records.map(({ config }) => config)).size, 2, 'each names its configuration')
  })
})
