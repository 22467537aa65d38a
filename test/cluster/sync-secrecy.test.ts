import { createServer } from 'node:https'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Test } from 'tap'
import { eventually } from '../helpers/eventually.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { createRegistry, createWorld, patchObject, secretPath, type SyncWorld } from './sync-world.ts'
import { createObject, testEachCluster, type TestCluster } from './test-cluster.ts'

/** No value of a source shows anywhere but in the Secrets: not in logs, Events, metrics, or on the Lease. */

const MARK = 'marked-test-password'
const OTHER_MARK = 'marked-test-user'
const MARKS = [MARK, OTHER_MARK].flatMap((mark) => [mark, Buffer.from(mark).toString('base64').replace(/=*$/, '').slice(0, -1)])

/** An admission webhook that refuses a name's Secrets and repeats all that it was asked, as a careless one does. */
const refuseSecrets = async (t: Test, { client }: TestCluster, world: SyncWorld): Promise<() => Promise<void>> => {
  const authority = await createTestAuthority()
  const { certificate, privateKey } = await authority.issueServer()
  const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    void text(request).then((body) => {
      const review = JSON.parse(body) as { apiVersion: string, kind: string, request: { uid: string, name: string, object?: { data?: Record<string, string> } } }
      const { uid, name, object } = review.request
      const content = Buffer.from(object?.data?.['.dockerconfigjson'] ?? '', 'base64').toString()
      const status = { code: 403, reason: 'Forbidden', message: `no: ${content} ${JSON.stringify(object)}` }
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ ...review, request: undefined, response: { uid, allowed: name !== world.name, status } }))
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => { server.close() })
  const path = '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations'
  const name = `refuse-${world.prefix}`
  await createObject(client, path, {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingWebhookConfiguration',
    metadata: { name },
    webhooks: [{
      name: 'refuse.example.com',
      clientConfig: { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, caBundle: Buffer.from(authority.certificate).toString('base64') },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['secrets'], operations: ['CREATE', 'UPDATE'] }],
      sideEffects: 'None',
      admissionReviewVersions: ['v1'],
      failurePolicy: 'Fail'
    }]
  })
  const remove = async (): Promise<void> => { await client.delete(`${path}/${name}`) }
  t.teardown(remove)
  return remove
}

/** Everything that people and programs may read who may not read Secrets. */
const readTraces = async ({ client }: TestCluster, log: string[], metrics: string): Promise<string> => {
  const [events, leases] = await Promise.all([client.list('/api/v1/events'), client.list('/apis/coordination.k8s.io/v1/leases')])
  return [...log, metrics, JSON.stringify(events.body), JSON.stringify(leases.body)].join('\n')
}

testEachCluster(async (t, cluster) => {
  await t.test('no trace of a source\'s values, whatever happens to it', async (t) => {
    const world = await createWorld(cluster, { teams: 2, password: MARK })
    const { client, own, name, team } = world
    await patchObject(client, secretPath(own, 'source'), 'merge', { stringData: { user: OTHER_MARK } })
    const source = (key: string): object => ({ secret: { namespace: own, name: 'source', key } })
    const credential = { basic: { usernameFrom: source('user'), passwordFrom: source('password') } }
    const log: string[] = []
    let verdict: 'accepted' | 'rejected' = 'accepted'
    const worker = await world.start(t, {
      config: world.config({ pullSecret: { registries: [createRegistry(own, { credential, verify: true })] } }),
      onLog: (line) => { log.push(line) },
      verify: async () => ({ verdict, reason: verdict, message: 'said the registry' })
    })
    await world.waitForPassword(MARK, [team(0), team(1)])
    verdict = 'rejected'
    await patchObject(client, secretPath(own, 'source'), 'merge', { stringData: { password: `${MARK}-2` } })
    await world.waitForEvent(own, 'source', 'CredentialRejected')
    await patchObject(client, secretPath(own, 'source'), 'merge', { stringData: { user: `${OTHER_MARK}:colon`, password: MARK } })
    await world.waitForEvent(own, 'source', 'SourceMalformed')
    t.notMatch(await readTraces(cluster, log, await worker.metrics()), new RegExp(MARKS.join('|')))
    t.match(log.join('\n'), name)
  })

  await t.test('an admission webhook that refuses the write and repeats the Secret is named, not quoted', async (t) => {
    const world = await createWorld(cluster, { teams: 1, password: MARK })
    const { own, name, team } = world
    const allow = await refuseSecrets(t, cluster, world)
    await eventually('the webhook is in force', async () => {
      const { status, body } = await cluster.client.create(`/api/v1/namespaces/${team(0)}/secrets?dryRun=All`, { metadata: { name }, stringData: { note: MARK } })
      return status === 403 && new RegExp(MARKS.join('|')).test(JSON.stringify(body))
    })
    const log: string[] = []
    const worker = await world.start(t, { onLog: (line) => { log.push(line) } })
    t.match(await world.waitForEvent(team(0), name, 'WriteFailed'), 'the admission webhook refuse.example.com refuses it')
    await world.waitForEvent(own, name, 'WriteFailed')
    const traces = await readTraces(cluster, log, await worker.metrics())
    t.notMatch(traces, new RegExp(MARKS.join('|')))
    t.notMatch(traces, /auths|no: \{/, 'nor anything else of it')
    await allow()
    await world.waitForPassword(MARK, [team(0)])
  })
})
