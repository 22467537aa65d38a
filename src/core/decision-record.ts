import { hash } from 'node:crypto'
import type { Decision, ImageDecision, Outcome, Reason } from './admission-decision.ts'
import type { AdmissionRequest } from './admission-review.ts'
import type { ImageReference } from './image-reference.ts'
import { readOwner, readPodName, readServiceAccount, type ImageField, type PodOwner } from './pod.ts'
import type { UnknownObject } from './unknown.ts'

/**
 * What a line of the decision log says. The fields from `time` to `prev`, and `uid`, `user`, `dryRun` and `durationMs`, belong to an admission call: records of `explain` lack them.
 */
export interface DecisionRecord {
  /** When the decision was made, RFC 3339 in UTC. */
  time?: string
  /** The process that decided: host name and random bits, new per start. */
  instance?: string
  /** Counts an instance's records from 0. */
  seq?: number
  /** SHA-256 of the instance's line before, lower-case hex; absent on its first. */
  prev?: string
  /** Name of the MutatingWebhookConfiguration's entry. */
  entry: string
  uid?: string
  namespace: string
  /** Name, or generateName while the API server has made up none. */
  pod?: string
  owner?: PodOwner
  user?: string
  serviceAccount?: string
  operation: string
  dryRun?: boolean
  outcome: Outcome
  reason: Reason
  /** Names of the rules that apply. */
  rules: string[]
  images: RecordedImage[]
  /** Pull secrets that stood in the Pod when the call came. */
  present: string[]
  /** Pull secrets that the call appended. */
  injected: string[]
  /** SHA-256 of the configuration file in force, lower-case hex. */
  config: string
  durationMs?: number
}

/** An image in a record: what was named, what it parsed to, and the rules that match it. */
export interface RecordedImage {
  container: string
  field: ImageField
  image: string
  reference?: ImageReference
  /** Why the image could not be parsed. */
  error?: string
  /** Names of the rules that match it. */
  rules: string[]
}

/** The place of a record in its instance's chain. */
export interface ChainLink {
  time: string
  instance: string
  seq: number
  prev?: string | undefined
}

/** A record as it is written, and its hash: the next record's `prev`. */
export interface SealedRecord {
  line: string
  hash: string
}

/** The part of a record that the object, the configuration and the decision give: all of it, in `explain`. */
export function createDecisionRecord (
  decision: Decision,
  context: { entry: string, namespace: string, operation: string, object: UnknownObject | undefined, config: string }
): DecisionRecord {
  const object = context.object ?? {}
  const pod = readPodName(object)
  const owner = readOwner(object)
  const serviceAccount = readServiceAccount(object)
  return {
    entry: context.entry,
    namespace: context.namespace,
    ...(pod !== undefined && { pod }),
    ...(owner !== undefined && { owner }),
    ...(serviceAccount !== undefined && { serviceAccount }),
    operation: context.operation,
    outcome: decision.outcome,
    reason: decision.reason,
    rules: decision.rules,
    images: decision.images.map(recordImage),
    present: decision.present,
    injected: decision.injected,
    config: context.config
  }
}

/** Puts a record into its instance's chain, with what only an admission call has. */
export function sealRecord (record: DecisionRecord, link: ChainLink, request: AdmissionRequest, durationMs: number): SealedRecord {
  const { time, instance, seq, prev } = link
  const { uid, user, dryRun } = request
  const { entry, namespace, pod, owner, serviceAccount, operation, outcome, reason, rules, images, present, injected, config } = record
  const fields: Record<keyof DecisionRecord, unknown> = {
    time, instance, seq, prev, uid, user, dryRun, entry, namespace, pod, owner, serviceAccount, operation, outcome, reason, rules, images, present, injected, config, durationMs
  }
  const line = JSON.stringify(fields)
  return { line, hash: hashLine(line) }
}

/** SHA-256 of a line's bytes without the newline, lower-case hex. */
export function hashLine (line: string): string {
  return hash('sha256', line)
}

/** The witness in the API server's audit log: unique by uid, since a second annotation with the same key is dropped. */
export function createAuditAnnotation (uid: string, link: ChainLink, sealed: SealedRecord, decision: Decision): Record<string, string> {
  const { outcome, rules, injected } = decision
  return { [`record.${uid}`]: JSON.stringify({ record: `${link.instance}/${link.seq}/${sealed.hash}`, outcome, rules, injected }) }
}

function recordImage ({ container, field, image, reference, error, rules }: ImageDecision): RecordedImage {
  if (reference !== undefined) return { container, field, image, reference, rules }
  return { container, field, image, ...(error !== undefined && { error }), rules }
}
