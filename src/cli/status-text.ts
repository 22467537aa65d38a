import { styleText } from 'node:util'
import { alignColumns } from '../core/text-table.ts'
import type { CopyFinding } from '../sync/status/copy-findings.ts'
import type { PullSecretStatus, RetiredStatus, SyncStatus } from '../sync/status/sync-status.ts'
import { pluralize } from './output.ts'

/** What the text needs beside the status. */
export interface StatusTextOptions {
  nowMs: number
  /** The command that applies the worker's rights for this configuration. */
  rightsCommand: string
}

const HEADER = ['PULL SECRET', 'SOURCE', 'VERIFIED', 'EXPIRES', 'WANTED', 'PRESENT', 'STALE', 'CONFLICTING']
/** Namespaces that are named for each pull secret. */
const MAX_NAMED = 10
const HASH_LENGTH = 12
const UNITS: [label: string, ms: number][] = [['d', 86_400_000], ['h', 3_600_000], ['m', 60_000], ['s', 1000]]

/** A status as text: who leads, a table of the pull secrets, and what is not right, why and what to do. */
export function formatStatus (status: SyncStatus, options: StatusTextOptions): string {
  const sections = [
    formatWorker(status),
    formatTable([HEADER, ...status.pullSecrets.map((pullSecret) => formatRow(pullSecret, options.nowMs))]),
    ...status.pullSecrets.map((pullSecret) => formatProblems(pullSecret, options)),
    [...status.forgotten.map(formatForgotten), ...status.retired.map((retired) => formatRetired(retired, options))].join('\n')
  ]
  return sections.filter((section) => section !== '').join('\n\n')
}

function formatWorker ({ worker: { isLeading, holder = '', renewedSecondsAgo = 0, configHash }, ownNamespace, configHash: wantedHash }: SyncStatus): string {
  const renewed = `renewed ${renewedSecondsAgo.toFixed(1)} s ago`
  const leader = isLeading
    ? `${clean(holder)} leads, ${renewed}`
    : styleText('red', `no worker holds the Lease ${ownNamespace}/pullkeeper-sync: nothing is kept`) + (holder === '' ? '' : ` (${clean(holder)} held it, ${renewed})`)
  if (configHash === undefined || configHash === wantedHash) return leader
  const differs = `the worker has another configuration in force (SHA-256 ${clean(configHash.slice(0, HASH_LENGTH))}) than the one that is shown here (${wantedHash.slice(0, HASH_LENGTH)})`
  return `${leader}\n${styleText('yellow', differs)}`
}

function formatRow ({ name, source, verified = '-', expiresAt, wanted, present, stale, conflicting }: PullSecretStatus, nowMs: number): string[] {
  return [name, source, clean(verified), formatExpiry(expiresAt, nowMs), ...[wanted, present, stale, conflicting].map(String)]
}

function formatExpiry (expiresAt: string | undefined, nowMs: number): string {
  const leftMs = Date.parse(expiresAt ?? '') - nowMs
  if (Number.isNaN(leftMs)) return '-'
  return leftMs > 0 ? `in ${formatDuration(leftMs)}` : `${formatDuration(-leftMs)} ago`
}

function formatDuration (ms: number): string {
  const [label, unitMs] = UNITS.find(([, unitMs]) => ms >= unitMs) ?? ['s', 1000]
  return `${Math.floor(ms / unitMs)} ${label}`
}

function formatTable (rows: string[][]): string {
  return alignColumns(rows).map((line, index) => index === 0 ? styleText('bold', line) : line).join('\n')
}

function formatProblems (pullSecret: PullSecretStatus, { rightsCommand }: StatusTextOptions): string {
  const { name, problems, isForbidden, isExpired, heldRemoval, notRight } = pullSecret
  const lines = [
    ...problems.map(({ reason, message }) => `${clean(reason)}: ${clean(message)}`),
    ...(isExpired ? ['a credential has expired'] : []),
    ...(isForbidden ? [formatMissingRights(rightsCommand)] : []),
    ...(heldRemoval === undefined ? [] : [`the removal of ${heldRemoval.unwanted} of ${heldRemoval.copies} copies waits for a person; if it is meant:\n    ${heldRemoval.command}`]),
    ...formatFindings(notRight)
  ]
  return lines.length === 0 ? '' : [styleText('bold', name), ...lines.map((line) => `  ${line}`)].join('\n')
}

/** By state and reason, each with a handful of namespaces. */
function formatFindings (findings: CopyFinding[]): string[] {
  const groups = Map.groupBy(findings, ({ state, reason }) => `${state}: ${reason ?? ''}`)
  return [...groups].map(([title, members]) => {
    const names = members.slice(0, MAX_NAMED).map(({ namespace }) => namespace).join(', ')
    const others = members.length > MAX_NAMED ? ` and ${members.length - MAX_NAMED} more (-o json names all)` : ''
    return `${title}\n    ${pluralize(members.length, 'namespace')}: ${names}${others}`
  })
}

function formatForgotten (name: string): string {
  return `${styleText('bold', clean(name))} left the configuration without being retired: its copies stay and nobody keeps them; add it to retired`
}

function formatRetired ({ name, namespaces, isForbidden }: RetiredStatus, { rightsCommand }: StatusTextOptions): string {
  const advice = namespaces.length === 0
    ? 'no copy is left; it and its rights can go'
    : `${pluralize(namespaces.length, 'copy', 'copies')} left; keep it in retired, with its rights, until none is left`
  return `${styleText('bold', name)} is retired: ${advice}${isForbidden ? `\n  ${formatMissingRights(rightsCommand)}` : ''}`
}

function formatMissingRights (rightsCommand: string): string {
  return `the worker may not watch its copies; apply the rights of this configuration:\n    ${rightsCommand}`
}

/** What others wrote may hold what a terminal would obey. */
function clean (text: string): string {
  return text.replace(/\p{Cc}/gu, ' ')
}
