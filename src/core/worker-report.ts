import { asArray, asObject, asString } from './unknown.ts'
import type { RemovalCounts } from './removal-guard.ts'

/** What the leading worker tells of itself on its Lease, for `status`; nothing of it is secret. */
export interface WorkerReport {
  /** SHA-256 of the configuration in force, lower-case hex. */
  config: string
  /** By the name of the pull secret; what is well is absent. */
  secrets: Record<string, SecretReport>
}

/** What is wrong with one pull secret. */
export interface SecretReport {
  /** What keeps its content old, or missing. */
  problems?: ReportedProblem[]
  /** The worker may not watch its copies. */
  isForbidden?: boolean
  /** A removal that waits for a person. */
  held?: RemovalCounts
}

/** Why a source gives nothing usable. */
export interface ReportedProblem {
  reason: string
  message: string
}

/** On the Lease: the report, as JSON. */
export const REPORT_ANNOTATION = 'pullkeeper.dev/report'
/** On the Lease: every name whose copies may still stand somewhere, joined by commas. */
export const NAMES_ANNOTATION = 'pullkeeper.dev/names'

const MAX_REPORT_BYTES = 128 * 1024
/** Messages are cut to the first of these lengths with which the report fits. */
const MESSAGE_LENGTHS = [400, 100]

/**
 * Writes a report. Messages are cut, and at last left out, since all annotations together have a limit of 256 KiB, beyond
 * which the Lease could not be renewed.
 */
export function formatWorkerReport (report: WorkerReport): string {
  const texts = MESSAGE_LENGTHS.map((length) => formatReport(report, length))
  return texts.find((text) => Buffer.byteLength(text) <= MAX_REPORT_BYTES) ?? formatReport(report, 0)
}

function formatReport (report: WorkerReport, messageLength: number): string {
  return JSON.stringify(report, (key, value: unknown) => key === 'message' && typeof value === 'string' ? value.slice(0, messageLength) : value)
}

/** Reads a report; undefined if there is none, or none that can be read. */
export function parseWorkerReport (text: string | undefined): WorkerReport | undefined {
  const document = parseObject(text)
  const secrets = asObject(document?.secrets)
  if (document === undefined || secrets === undefined) return undefined
  return {
    config: asString(document.config) ?? '',
    secrets: Object.fromEntries(Object.entries(secrets).map(([name, secret]) => [name, readSecretReport(secret)]))
  }
}

/** Names that may still have copies: what was known, what is configured, and not those whose last copy has gone. */
export function mergeNames (known: string[], watched: string[], cleared: string[]): string[] {
  return [...new Set([...known, ...watched])].filter((name) => !cleared.includes(name)).toSorted()
}

/** Reads the names of an annotation. */
export function parseNames (text: string | undefined): string[] {
  return (text ?? '').split(',').filter((name) => name !== '')
}

function readSecretReport (value: unknown): SecretReport {
  const report = asObject(value)
  const held = asObject(report?.held)
  const problems = asArray(report?.problems).map((problem) => {
    const { reason, message } = asObject(problem) ?? {}
    return { reason: asString(reason) ?? '', message: asString(message) ?? '' }
  })
  return {
    ...(problems.length > 0 && { problems }),
    ...(report?.isForbidden === true && { isForbidden: true }),
    ...(held !== undefined && { held: { copies: Number(held.copies) || 0, unwanted: Number(held.unwanted) || 0 } })
  }
}

function parseObject (text: string | undefined): ReturnType<typeof asObject> {
  try {
    return asObject(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}
