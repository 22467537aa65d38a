import { accessSync, constants } from 'node:fs'
import { availableParallelism, cpus, loadavg } from 'node:os'
import { delimiter, join } from 'node:path'

/** Command prefixes that keep servers and load on a core of their own; empty where that is not possible. */
export interface Pinning {
  server: string[]
  load: string[]
  description: string
}

/** One line about the machine and what runs on it at present. */
export function describeMachine (): string {
  const [minute = 0] = loadavg()
  return `node ${process.versions.node}, ${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), load average ${minute.toFixed(1)} before the start`
}

/** Pins servers to core 0 and load to core 1 with taskset (util-linux), where both are there. */
export function findPinning (): Pinning {
  const taskset = findProgram('taskset')
  if (taskset === undefined) return { server: [], load: [], description: 'not pinned: taskset (util-linux) is missing' }
  if (availableParallelism() < 2) return { server: [], load: [], description: 'not pinned: one core only' }
  return { server: [taskset, '-c', '0'], load: [taskset, '-c', '1'], description: 'servers pinned to core 0, load to core 1' }
}

/** The first program of that name on the PATH. */
export function findProgram (name: string): string | undefined {
  const directories = (process.env['PATH'] ?? '').split(delimiter)
  return directories.map((directory) => join(directory, name)).find(isExecutable)
}

function isExecutable (file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
