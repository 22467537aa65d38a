import type { Decision } from '../core/admission-decision.ts'
import type { AdmissionRequest } from '../core/admission-review.ts'
import { createAuditAnnotation, sealRecord, type ChainLink, type DecisionRecord } from '../core/decision-record.ts'

/** Where lines go, and what names them. */
export interface DecisionLogOptions {
  /** Takes a line, without its newline. */
  append: (line: string) => void
  isUnavailable: () => boolean
  /** Host name and random bits, new per process start. */
  instance: string
  now: () => Date
}

/** The hash chain of one instance: every record names its place, and the hash of the line before. */
export interface DecisionLog {
  /** Writes a record and gives the audit annotation that witnesses it, whether or not the line can be written. */
  append: (decision: Decision, record: DecisionRecord, request: AdmissionRequest, durationMs: number) => Record<string, string>
  /** Whether lines can not be written at present. */
  isUnavailable: () => boolean
}

/** Starts a chain at `seq` 0. A line that gets lost keeps its `seq`, so that the gap shows. */
export function createDecisionLog ({ append, isUnavailable, instance, now }: DecisionLogOptions): DecisionLog {
  let seq = 0
  let prev: string | undefined
  return {
    append (decision, record, request, durationMs) {
      const link: ChainLink = { time: now().toISOString(), instance, seq, prev }
      const sealed = sealRecord(record, link, request, durationMs)
      seq++
      prev = sealed.hash
      append(sealed.line)
      return createAuditAnnotation(request.uid, link, sealed, decision)
    },
    isUnavailable
  }
}
