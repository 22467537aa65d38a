import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { readCpuMs } from './process-stats.ts'

export interface RunOptions {
  cwd?: string
  env?: Record<string, string>
  /** Ends the program (SIGKILL). */
  signal: AbortSignal
}

/** What a program that ended well wrote, and how much of one core it used while it ran (0 to 1). */
export interface ProgramResult {
  stdout: string
  cpuShare: number
}

const SAMPLE_MS = 250

/** Runs a program to its end; throws with what it wrote unless it exits with 0. */
export async function runProgram (file: string, args: string[], { cwd, env = {}, signal }: RunOptions): Promise<ProgramResult> {
  signal.throwIfAborted()
  const child = spawn(file, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' })
  const ended = new Promise<number | string | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, killedBy) => { resolve(code ?? killedBy) })
  })
  const sampler = sampleCpuShare(child.pid)
  try {
    const [stdout, stderr, ending] = await Promise.all([text(child.stdout), text(child.stderr), ended])
    if (ending !== 0) throw new Error(`${file} ended with ${ending}:\n${stdout}${stderr}`)
    return { stdout, cpuShare: sampler.cpuShare() }
  } finally {
    sampler.stop()
  }
}

/** Looks at a process now and then, since its counters are gone once it has ended. */
function sampleCpuShare (pid: number | undefined): { cpuShare: () => number, stop: () => void } {
  const startedMs = performance.now()
  let cpuShare = 0
  const timer = setInterval(() => {
    if (pid === undefined) return
    void readCpuMs(pid).then((cpuMs) => { cpuShare = cpuMs / (performance.now() - startedMs) }, () => {})
  }, SAMPLE_MS)
  return { cpuShare: () => cpuShare, stop: () => { clearInterval(timer) } }
}
