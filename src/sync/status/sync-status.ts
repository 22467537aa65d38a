import type { CopyState } from '../../core/copy-reconciliation.ts'
import { ALLOW_REMOVAL_ANNOTATION, EXPIRES_AT_ANNOTATION, VERIFIED_ANNOTATION } from '../../core/managed-secret.ts'
import { describeSource } from '../../core/pull-secret-source.ts'
import { formatRemovalApproval, type RemovalCounts } from '../../core/removal-guard.ts'
import { NAMES_ANNOTATION, parseNames, type ReportedProblem, type SecretReport } from '../../core/worker-report.ts'
import { createCopyDemand, type CopyDemand } from '../copy-demand.ts'
import { listWatchedNames, type SyncPlan } from '../sync-plan.ts'
import type { ClusterSnapshot } from './cluster-snapshot.ts'
import { judgeCopies, type CopyFinding } from './copy-findings.ts'
import { readWorkerPresence, readWorkerReport, type WorkerPresence } from './worker-presence.ts'

/** How a cluster stands beside a configuration; nothing of it is secret. */
export interface SyncStatus {
  /** Nothing is left for a person to do, and a worker leads. */
  isRight: boolean
  /** SHA-256 of the configuration that the cluster is judged by. */
  configHash: string
  ownNamespace: string
  worker: WorkerPresence
  pullSecrets: PullSecretStatus[]
  retired: RetiredStatus[]
  /** Names that left the configuration without having been retired: nobody keeps their copies, and nobody removes them. */
  forgotten: string[]
}

/** How the copies of one pull secret stand. */
export interface PullSecretStatus {
  name: string
  source: string
  /** What the registries said of the credentials: `accepted`, `unknown` or `off`. */
  verified?: string
  /** When the first of the credentials expires, RFC 3339. */
  expiresAt?: string
  isExpired: boolean
  /** Namespaces that should have a copy, pullkeeper's own included. */
  wanted: number
  present: number
  missing: number
  stale: number
  conflicting: number
  unwanted: number
  held: number
  /** The copies that are not as they should be, by namespace. */
  notRight: CopyFinding[]
  /** What the worker last said of its sources. */
  problems: ReportedProblem[]
  /** The worker may not watch its copies. */
  isForbidden: boolean
  /** A removal that waits for a person. */
  heldRemoval?: HeldRemoval
}

/** What is left of a retired name. */
export interface RetiredStatus {
  name: string
  /** Where copies are left. */
  namespaces: string[]
  /** The worker may not watch its copies, and so can not remove them. */
  isForbidden: boolean
}

/** How many copies a person is asked about, and how to say yes. */
export interface HeldRemoval extends RemovalCounts {
  /** The whole command that allows it. */
  command: string
}

/** A credential that no registry would say anything about is in use; a person may want to know, and need not act. */
const HARMLESS_PROBLEM = 'CredentialUnverified'

/** Judges a snapshot by a plan, with the same functions as the worker. */
export function createSyncStatus (plan: SyncPlan, snapshot: ClusterSnapshot, nowMs: number): SyncStatus {
  const demand = createCopyDemand({ plan: () => plan, view: snapshot, isRemovingAll: false })
  const reports = readWorkerReport(snapshot.lease)?.secrets ?? {}
  const worker = readWorkerPresence(snapshot.lease, nowMs)
  const watched = listWatchedNames(plan)
  const pullSecrets = [...plan.pullSecrets.keys()].map((name) => judgePullSecret(name, reports[name] ?? {}, plan, snapshot, demand, nowMs))
  const forgotten = parseNames(snapshot.lease?.metadata.annotations?.[NAMES_ANNOTATION]).filter((name) => !watched.includes(name))
  const retired = [...plan.retired].map((name) => ({ name, namespaces: listOwned(name, snapshot), isForbidden: reports[name]?.isForbidden === true }))
  const isInForce = worker.configHash === undefined || worker.configHash === plan.configHash
  return {
    isRight: worker.isLeading && isInForce && forgotten.length === 0 && pullSecrets.every(isPullSecretRight) && !retired.some(({ isForbidden }) => isForbidden),
    configHash: plan.configHash,
    ownNamespace: plan.ownNamespace,
    worker,
    pullSecrets,
    retired,
    forgotten
  }
}

function judgePullSecret (name: string, report: SecretReport, plan: SyncPlan, snapshot: ClusterSnapshot, demand: CopyDemand, nowMs: number): PullSecretStatus {
  const findings = judgeCopies(name, plan, snapshot, demand)
  const count = (state: CopyState): number => findings.filter((finding) => finding.state === state).length
  const annotations = snapshot.copies(name)?.canonical()?.metadata.annotations ?? {}
  const expiresAt = annotations[EXPIRES_AT_ANNOTATION]
  const verified = annotations[VERIFIED_ANNOTATION]
  return {
    name,
    source: describeSource(plan.pullSecrets.get(name) ?? {}),
    ...(verified !== undefined && { verified }),
    ...(expiresAt !== undefined && { expiresAt }),
    isExpired: Date.parse(expiresAt ?? '') <= nowMs,
    wanted: demand.countWanted(name),
    present: count('present'),
    missing: count('missing'),
    stale: count('stale'),
    conflicting: count('conflicting'),
    unwanted: count('unwanted'),
    held: count('held'),
    notRight: findings.filter(({ state }) => state !== 'present'),
    problems: report.problems ?? [],
    isForbidden: report.isForbidden === true,
    ...(count('held') > 0 && { heldRemoval: { ...demand.counts(name), command: formatApproval(name, plan) } })
  }
}

/** A copy that is only not wanted any more is the worker's business. */
function isPullSecretRight ({ notRight, problems, isForbidden, isExpired }: PullSecretStatus): boolean {
  return !isForbidden && !isExpired && notRight.every(({ state }) => state === 'unwanted') && !problems.some(isFailure)
}

/** Whether a problem keeps content old or missing. */
export function isFailure ({ reason }: ReportedProblem): boolean {
  return reason !== HARMLESS_PROBLEM
}

function formatApproval (name: string, { ownNamespace, configHash }: SyncPlan): string {
  return `kubectl annotate secret -n ${ownNamespace} ${name} ${ALLOW_REMOVAL_ANNOTATION}=${formatRemovalApproval(configHash)} --overwrite`
}

function listOwned (name: string, snapshot: ClusterSnapshot): string[] {
  return [...snapshot.copies(name)?.entries() ?? []].filter(([, { isOwned }]) => isOwned).map(([namespace]) => namespace).toSorted()
}
