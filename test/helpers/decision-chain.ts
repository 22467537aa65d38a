import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { DecisionRecord } from '../../src/core/decision-record.ts'

/** A record as it stands in the log, with the hash of its line. */
export interface LoggedRecord extends DecisionRecord {
  instance: string
  seq: number
  uid: string
  /** SHA-256 of the line's bytes, computed here. */
  lineHash: string
}

/** Reads the whole lines of a log; throws when one is torn. */
export function parseDecisionLog (content: Buffer): LoggedRecord[] {
  if (content.length > 0 && content.at(-1) !== 0x0a) throw new Error(`the last line is torn: ${content.toString().slice(-100)}`)
  const lines = content.toString().split('\n').slice(0, -1)
  return lines.map((line) => ({ ...JSON.parse(line) as Omit<LoggedRecord, 'lineHash'>, lineHash: createHash('sha256').update(line).digest('hex') }))
}

export async function readDecisionLog (file: string): Promise<LoggedRecord[]> {
  return parseDecisionLog(await readFile(file))
}

/** Checks what an auditor checks of one instance's records; throws at the first one that does not follow the one before. */
export function verifyChain (records: LoggedRecord[]): void {
  for (const [index, record] of records.entries()) {
    const before = records[index - 1]
    if (record.seq !== index) throw new Error(`record ${index} has seq ${record.seq}`)
    if (record.prev !== before?.lineHash) throw new Error(`record ${index} does not follow the one before: prev is ${record.prev}`)
    if (before !== undefined && record.instance !== before.instance) throw new Error(`record ${index} is of another instance`)
  }
}
