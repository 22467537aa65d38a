import type { SourceFailureReason } from '../core/credential-source.ts'
import type { SyncMetrics } from '../observability/sync-metrics.ts'
import type { ContentState } from './content-controller.ts'

type ContentMetrics = Pick<SyncMetrics, 'sourceProblems' | 'verified' | 'credentialExpirySeconds'>

const REASONS: SourceFailureReason[] = [
  'SourceMissing', 'SourceForbidden', 'SourceUnreadable', 'SourceMalformed', 'SourceUnsupported', 'CredentialRejected', 'CredentialUnverified'
]
const VERDICTS = ['accepted', 'unknown', 'off']

/** Shows the content of a pull secret in the metrics: problems of its sources, verification and expiry. */
export function reportContentMetrics (metrics: ContentMetrics, name: string, { content, problems }: ContentState): void {
  for (const reason of REASONS) {
    metrics.sourceProblems.set({ secret: name, reason }, problems.filter((problem) => problem.reason === reason).length)
  }
  for (const verdict of VERDICTS) metrics.verified.set({ secret: name, verdict }, content?.verified === verdict ? 1 : 0)
  if (content?.expiresAt === undefined) metrics.credentialExpirySeconds.remove({ secret: name })
  else metrics.credentialExpirySeconds.set({ secret: name }, Date.parse(content.expiresAt) / 1000)
}

/** Takes a pull secret that is no longer configured out of the metrics. */
export function forgetContentMetrics (metrics: ContentMetrics, name: string): void {
  for (const reason of REASONS) metrics.sourceProblems.remove({ secret: name, reason })
  for (const verdict of VERDICTS) metrics.verified.remove({ secret: name, verdict })
  metrics.credentialExpirySeconds.remove({ secret: name })
}
