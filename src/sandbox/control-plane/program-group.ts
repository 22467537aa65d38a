import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChild } from './child-process.ts'
import type { Child } from './child-process.ts'
import { startOrphanGuard } from './orphan-guard.ts'

/** Programs that share a temporary directory and end together. */
export interface ProgramGroup {
  /** Readable by this user only; it goes with `close`. */
  readonly directory: string
  /** Starts a program that writes its output to `NAME.log` in the directory. */
  start: (name: string, file: string, args: string[]) => Child
  /** Ends all programs (SIGTERM, SIGKILL 5 s later) and removes the directory. */
  close: () => Promise<void>
}

const STOP_GRACE_MS = 5_000

/** Makes an empty group; when this process is gone before `close`, however it went, its programs are ended, too. */
export async function createProgramGroup (): Promise<ProgramGroup> {
  const directory = await mkdtemp(join(tmpdir(), 'pullkeeper-control-plane-'))
  const guard = startOrphanGuard(directory)
  const running = new Set<Child>()
  return {
    directory,
    start: (name, file, args) => {
      const child = startChild({ name, file, args, logFile: join(directory, `${name}.log`) })
      for (const earlier of running) if (earlier.ending() !== undefined) running.delete(earlier)
      running.add(child)
      guard.watch([...running].flatMap(({ pid }) => pid ?? []))
      return child
    },
    close: async () => {
      await Promise.all([...running].map(async (child) => { await child.stop(STOP_GRACE_MS) }))
      await rm(directory, { recursive: true, force: true })
      await guard.release()
    }
  }
}
