import type { Test } from 'tap'
import { waitForAuditEvents, type AuditEvent } from '../helpers/cluster.ts'
import { parseDecisionLog, verifyChain, type LoggedRecord } from '../helpers/decision-chain.ts'
import { listSchemaErrors } from '../helpers/record-schema.ts'
import type { RegisteredWebhook } from './registered-webhook.ts'
import type { TestCluster } from './test-cluster.ts'

/**
 * Checks the whole decision log, that the API server's audit log holds the witness of each of its lines, and no other.
 * Controllers that try again may add lines meanwhile.
 */
export async function checkDecisionLog (t: Test, { auditLog }: TestCluster, { readLines }: RegisteredWebhook): Promise<void> {
  const witnesses = parseLines(await readLines()).map(formatWitness)
  const instance = witnesses[0]?.split(' ')[1]?.split('/')[0] ?? ''
  const listOurs = (events: AuditEvent[]): string[] => events.flatMap(listWitnesses).filter((witness) => witness.includes(` ${instance}/`))
  const findMissing = (found: string[]): string[] => witnesses.filter((witness) => !found.includes(witness))
  const found = listOurs(await waitForAuditEvents(auditLog, (events) => findMissing(listOurs(events)).length === 0))
  t.equal(new Set(found).size, found.length, 'the audit log holds the hash of each line, once')
  const records = parseLines(await readLines())
  const known = new Set(records.map(formatWitness))
  t.strictSame(found.filter((witness) => !known.has(witness)), [], 'and of no other')
  t.doesNotThrow(() => { verifyChain(records) }, 'the chain has no gap')
  t.strictSame(records.flatMap(({ lineHash, ...record }) => listSchemaErrors(record)), [], 'each record is valid by the schema')
}

/** The witnesses of one audit event: `<entry>/record.<uid> <instance>/<seq>/<SHA-256>`. */
export function listWitnesses ({ annotations = {} }: AuditEvent): string[] {
  return Object.entries(annotations).flatMap(([key, value]) => {
    return /\/record\.[-0-9a-f]{36}$/.test(key) ? `${key} ${(JSON.parse(value) as { record: string }).record}` : []
  })
}

function parseLines (lines: string[]): LoggedRecord[] {
  return parseDecisionLog(Buffer.from(lines.map((line) => `${line}\n`).join('')))
}

function formatWitness ({ entry, uid, instance, seq, lineHash }: LoggedRecord): string {
  return `${entry}/record.${uid} ${instance}/${seq}/${lineHash}`
}
