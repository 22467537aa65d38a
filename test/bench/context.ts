import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BenchOptions } from './options.ts'

/** What every benchmark gets. */
export interface BenchContext {
  options: BenchOptions
  /** A temporary directory that goes with the run. */
  directory: string
  /** Aborted by Ctrl-C: nothing new starts then. */
  signal: AbortSignal
  /** Has `close` called when the run ends, whether well, by an error or by Ctrl-C; the last one first. */
  onClose: (close: () => Promise<void>) => void
  print: (line?: string) => void
}

/** A benchmark, by the name of its key in the list. */
export interface Benchmark {
  summary: string
  run: (context: BenchContext) => Promise<void>
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/** Runs `work` with a context of its own; processes and files of the run are gone when this settles. */
export async function withContext (options: BenchOptions, work: (context: BenchContext) => Promise<void>): Promise<void> {
  const closers: (() => Promise<void>)[] = []
  const interrupt = new AbortController()
  const abort = (): void => { interrupt.abort(new Error('interrupted')) }
  for (const signal of SIGNALS) process.on(signal, abort)
  const directory = await mkdtemp(join(tmpdir(), 'pullkeeper-bench-'))
  closers.push(async () => { await rm(directory, { recursive: true, force: true }) })
  try {
    await work({
      options,
      directory,
      signal: interrupt.signal,
      onClose: (close) => { closers.push(close) },
      print: (line = '') => { process.stdout.write(`${line}\n`) }
    })
  } finally {
    for (const close of closers.reverse()) await close()
    for (const signal of SIGNALS) process.off(signal, abort)
  }
}
