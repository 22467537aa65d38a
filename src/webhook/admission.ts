import { decideAdmission, failOpenOrClosed, type Decision } from '../core/admission-decision.ts'
import { createAdmissionReview, type AdmissionRequest } from '../core/admission-review.ts'
import { createDecisionRecord } from '../core/decision-record.ts'
import type { Policy } from '../core/policy.ts'
import { formatEntryName } from '../core/webhook-entries.ts'
import type { ProcessLog } from '../observability/process-log.ts'
import type { WebhookMetrics } from '../observability/webhook-metrics.ts'
import type { DecisionLog } from './decision-log.ts'

/** Everything that an answer needs besides the request. */
export interface AdmissionDependencies {
  /** The policy in force; asked once per call. */
  policy: () => Policy
  decisionLog: DecisionLog
  metrics: Pick<WebhookMetrics, 'admissions' | 'ruleAdmissions' | 'durationSeconds'>
  log: ProcessLog
  /** Milliseconds of a clock that never jumps. */
  monotonicMs: () => number
}

/** Answers one admission call of an entry: decided, recorded, counted. */
export type AnswerAdmission = (path: string, request: AdmissionRequest, startedMs: number) => object

/** Makes the function that answers admission calls; it never throws for anything that a request holds. */
export function createAdmissionAnswerer (dependencies: AdmissionDependencies): AnswerAdmission {
  return (path, request, startedMs) => {
    const policy = dependencies.policy()
    const decision = decideSafely(dependencies, policy, path, request)
    const { patch, warnings, message } = decision
    const auditAnnotations = record(dependencies, { policy, path, request, startedMs, decision })
    return createAdmissionReview(request, { allowed: decision.outcome !== 'denied', patch, warnings, auditAnnotations, message })
  }
}

interface DecidedCall {
  policy: Policy
  path: string
  request: AdmissionRequest
  startedMs: number
  decision: Decision
}

/** Writes the record and counts; gives the annotation that witnesses it. */
function record (dependencies: AdmissionDependencies, { policy, path, request, startedMs, decision }: DecidedCall): Record<string, string> {
  const durationMs = dependencies.monotonicMs() - startedMs
  const unsealed = createDecisionRecord(decision, {
    entry: formatEntryName(path),
    namespace: request.namespace,
    operation: request.operation,
    object: request.object,
    config: policy.configHash
  })
  count(dependencies.metrics, decision, durationMs)
  return dependencies.decisionLog.append(decision, unsealed, request, roundToMicroseconds(durationMs))
}

function decideSafely ({ decisionLog, log }: AdmissionDependencies, policy: Policy, path: string, request: AdmissionRequest): Decision {
  const { onError } = policy.config.webhook
  try {
    const decision = decideAdmission(policy, path, request)
    const mustRecord = onError === 'deny' && decision.outcome !== 'skipped'
    return mustRecord && decisionLog.isUnavailable() ? failOpenOrClosed(onError, 'decision-log-unavailable') : decision
  } catch (error) {
    log.error({ err: error, uid: request.uid }, 'a decision failed; this is a defect of pullkeeper')
    return failOpenOrClosed(onError, 'internal-error')
  }
}

function count (metrics: AdmissionDependencies['metrics'], { outcome, reason, rules }: Decision, durationMs: number): void {
  metrics.admissions.inc({ outcome, reason })
  for (const rule of rules) metrics.ruleAdmissions.inc({ rule, outcome })
  metrics.durationSeconds.observe(durationMs / 1000)
}

function roundToMicroseconds (milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}
