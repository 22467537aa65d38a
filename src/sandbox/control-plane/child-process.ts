import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** A program that was started and whose output goes to a file. */
export interface Child {
  readonly name: string
  /** Absent when the program could not be started. */
  readonly pid: number | undefined
  /** Why it ended, such as `exit code 1`; absent while it runs. */
  ending: () => string | undefined
  /** The last lines that it wrote. */
  readLogTail: () => Promise<string>
  /** Sends SIGTERM, and SIGKILL `graceMs` later if that did not end it; resolves when it is gone. */
  stop: (graceMs: number) => Promise<void>
  /** Sends SIGKILL; resolves when it is gone. */
  kill: () => Promise<void>
}

/** Which program is started, and where its log goes. */
export interface ChildOptions {
  /** What people call it; used in errors. */
  name: string
  file: string
  args: string[]
  /** Where its standard output and error are appended: a file never blocks it, as a full pipe would. */
  logFile: string
}

const TAIL_LINES = 12

/** Starts a program with its output in a file; it never throws: a program that can't be started has an `ending`. */
export function startChild ({ name, file, args, logFile }: ChildOptions): Child {
  const child = spawnWithLog(file, args, logFile)
  let ending: string | undefined
  const gone = new Promise<void>((resolve) => {
    const end = (why: string): void => { ending ??= why; resolve() }
    child.once('error', (error) => { if (child.pid === undefined) end(error.message) })
    child.once('exit', (code, signal) => { end(signal === null ? `exit code ${code}` : signal) })
  })
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await gone
  }
  const stop = async (graceMs: number): Promise<void> => {
    child.kill('SIGTERM')
    const graceEnded = new AbortController()
    await Promise.race([gone, delay(graceMs, undefined, { signal: graceEnded.signal }).catch(() => {})])
    graceEnded.abort()
    await kill()
  }
  return { name, pid: child.pid, ending: () => ending, readLogTail: async () => readTail(logFile), stop, kill }
}

function spawnWithLog (file: string, args: string[], logFile: string): ChildProcess {
  const log = openSync(logFile, 'a', 0o600)
  try {
    return spawn(file, args, { stdio: ['ignore', log, log] })
  } finally {
    closeSync(log)
  }
}

async function readTail (file: string): Promise<string> {
  const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
  return lines.slice(-TAIL_LINES).join('\n')
}
