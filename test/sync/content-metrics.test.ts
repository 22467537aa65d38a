import t from 'tap'
import { SourceError } from '../../src/core/credential-source.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { forgetContentMetrics, reportContentMetrics } from '../../src/sync/content-metrics.ts'
import { createContent } from '../helpers/copies.ts'

const start = () => {
  const metrics = createSyncMetrics()
  const shown = async (metric: 'sourceProblems' | 'verified' | 'credentialExpirySeconds'): Promise<unknown[]> => {
    const { values } = await metrics[metric].get()
    return values.filter(({ value }) => value > 0).map(({ labels, value }) => [...Object.values(labels), value])
  }
  return { metrics, shown }
}

t.test('problems are counted by reason, and go when they are over', async (t) => {
  const { metrics, shown } = start()
  const problems = [new SourceError('SourceMissing', ''), new SourceError('SourceMissing', ''), new SourceError('CredentialRejected', '')]
  reportContentMetrics(metrics, 'x', { problems })
  t.strictSame(await shown('sourceProblems'), [['x', 'SourceMissing', 2], ['x', 'CredentialRejected', 1]])
  reportContentMetrics(metrics, 'x', { problems: [] })
  t.strictSame(await shown('sourceProblems'), [])
})

t.test('the verdict and the expiry are those of the content in force', async (t) => {
  const { metrics, shown } = start()
  reportContentMetrics(metrics, 'x', { content: createContent({ verified: 'unknown', expiresAt: '2026-02-01T00:00:00.000Z' }), problems: [] })
  t.strictSame(await shown('verified'), [['x', 'unknown', 1]])
  t.strictSame(await shown('credentialExpirySeconds'), [['x', Date.UTC(2026, 1, 1) / 1000]])
  reportContentMetrics(metrics, 'x', { content: createContent({ verified: 'accepted' }), problems: [] })
  t.strictSame(await shown('verified'), [['x', 'accepted', 1]])
  t.strictSame(await shown('credentialExpirySeconds'), [])
})

t.test('what is forgotten leaves no metric', async (t) => {
  const { metrics } = start()
  reportContentMetrics(metrics, 'x', { content: createContent({ expiresAt: '2026-02-01T00:00:00.000Z' }), problems: [] })
  forgetContentMetrics(metrics, 'x')
  t.notMatch(await metrics.registry.metrics(), /secret="x"/)
})
