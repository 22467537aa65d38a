/*
 * Writes numbered lines to standard output through the line writer, in a process of its own: LINES lines of WIDTH
 * characters. It says on standard error when all were taken, and what became of them when it has closed.
 */
import { openLineWriter } from '../../src/observability/line-writer.ts'

const [, , lines = '0', width = '0'] = process.argv
const counts = { failures: 0, recoveries: 0, drops: 0 }
// As soon as a process touches its own stdout, Node makes the pipe non-blocking: a full one then gives EAGAIN.
void process.stdout.writable
const writer = await openLineWriter({ maxWaitingBytes: 1e9 }, {
  onFailure: () => { counts.failures++ },
  onRecovery: () => { counts.recoveries++ },
  onDrop: () => { counts.drops++ }
})
for (let index = 0; index < Number(lines); index++) writer.append(`${index} `.padEnd(Number(width), 'x'))
process.stderr.write('taken\n')
await writer.close()
process.stderr.write(`${JSON.stringify(counts)}\n`)
