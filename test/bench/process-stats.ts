import { readFile } from 'node:fs/promises'

/** Linux reports CPU times to user space in hundredths of a second, whatever its own clock (proc(5), USER_HZ). */
const TICK_MS = 10

/** CPU time that a process has used so far, user and system, in milliseconds. */
export async function readCpuMs (pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // The name in parentheses may hold anything; utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** Memory that a process has resident, in MiB. */
export async function readRssMib (pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024
}
