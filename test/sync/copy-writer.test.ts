import t from 'tap'
import { isOlderVersion } from '../../src/core/kube-object.ts'
import { DOCKER_CONFIG_KEY, observeSecret } from '../../src/core/managed-secret.ts'
import type { KubeClient, KubeRequest } from '../../src/kubernetes/kube-client.ts'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { createCopyWriter, type CopyWrite, type CopyWriter } from '../../src/sync/copy-writer.ts'
import { createContent, createCopy } from '../helpers/copies.ts'

const NAME = 'example-pull'
const content = createContent()

interface Setup {
  writer: CopyWriter
  requests: KubeRequest[]
  /** The writes that were told. */
  told: CopyWrite[]
  countWrites: () => Promise<number>
}

const start = ({ isDryRun = false, failure, answer = createCopy('team-a', '7', { content }) }: { isDryRun?: boolean, failure?: KubeError, answer?: object } = {}): Setup => {
  const requests: KubeRequest[] = []
  const told: CopyWrite[] = []
  const metrics = createSyncMetrics()
  const client: KubeClient = {
    async request <T> (request: KubeRequest): Promise<T> {
      requests.push(request)
      if (failure !== undefined) throw failure
      return answer as T
    },
    watch: () => { throw new Error('no writer watches') },
    close: async () => {}
  }
  return {
    writer: createCopyWriter({ client, metrics, isDryRun, onWrite: (write) => { told.push(write) } }),
    requests,
    told,
    countWrites: async () => (await metrics.writes.get()).values.reduce((sum, { value }) => sum + value, 0)
  }
}

t.test('a copy is applied with one call, and removed as it was observed with another', async (t) => {
  const { writer, requests, told } = start()
  const secret = await writer.apply('team-a', NAME, content, 'missing')
  await writer.remove('team-a', NAME, observeSecret(secret), 'unwanted')
  t.match(requests, [
    { method: 'PATCH', path: `/api/v1/namespaces/team-a/secrets/${NAME}`, query: { fieldManager: 'pullkeeper', force: 'true' } },
    { method: 'DELETE', query: {}, body: { preconditions: { uid: 'uid-of-team-a', resourceVersion: '7' } } }
  ])
  t.notOk(requests.some(({ query }) => query !== undefined && 'dryRun' in query))
  t.strictSame(told.map(({ operation, reason }) => [operation, reason]), [['apply', 'missing'], ['delete', 'unwanted']])
})

t.test('a dry run says so in each call', async (t) => {
  const { writer, requests } = start({ isDryRun: true })
  await writer.apply('team-a', NAME, content, 'missing')
  await writer.remove('team-b', NAME, observeSecret(createCopy('team-b', '1')), 'unwanted')
  t.strictSame(requests.map(({ query }) => query?.['dryRun']), ['All', 'All'])
})

t.test('a new copy of a dry run, which has no version, is answered as one that is older than all others', async (t) => {
  const { metadata: { resourceVersion, ...metadata }, ...rest } = createCopy('team-a', '7', { content })
  const { writer } = start({ isDryRun: true, answer: { ...rest, metadata } })
  const secret = await writer.apply('team-a', NAME, content, 'missing')
  t.equal(secret.metadata.resourceVersion, '')
  t.ok(isOlderVersion(secret.metadata.resourceVersion, resourceVersion))
  t.equal(observeSecret(secret).hash, content.hash)
})

t.test('what a dry run removed and makes anew is not asked for: it still stands there and would refuse it', async (t) => {
  const { writer, requests, told, countWrites } = start({ isDryRun: true })
  await writer.remove('team-a', NAME, observeSecret(createCopy('team-a', '1')), 'recreated')
  const secret = await writer.apply('team-a', NAME, content, 'missing')
  t.strictSame(requests.map(({ method }) => method), ['DELETE'])
  t.equal(secret.data?.[DOCKER_CONFIG_KEY], content.data, 'what would stand there is said')
  t.equal(observeSecret(secret).hash, content.hash)
  t.strictSame(told.map(({ operation, reason }) => [operation, reason]), [['delete', 'recreated'], ['apply', 'missing']])
  t.equal(await countWrites(), 2)
  await writer.apply('team-b', NAME, content, 'missing')
  t.equal(requests.length, 2, 'the others are asked for')
})

t.test('a removal that a dry run was refused leaves the copy in the way', async (t) => {
  const failure = new KubeError({ status: 403, reason: 'Forbidden', message: 'no' })
  const { writer, requests, told } = start({ isDryRun: true, failure })
  await t.rejects(writer.remove('team-a', NAME, observeSecret(createCopy('team-a', '1')), 'recreated'), { message: 'no' })
  await t.rejects(writer.apply('team-a', NAME, content, 'missing'), { message: 'no' })
  t.equal(requests.length, 2)
  t.strictSame(told, [])
})

t.test('what a dry run has made is not made again, since no watch tells of it', async (t) => {
  const { writer, requests, told } = start({ isDryRun: true })
  const first = await writer.apply('team-a', NAME, content, 'missing')
  t.strictSame(await writer.apply('team-a', NAME, content, 'missing'), first)
  t.equal(requests.length, 1)
  t.equal(told.length, 1)
  await writer.apply('team-b', NAME, content, 'missing')
  t.equal(told.length, 2)
})
