import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BenchFiles } from './bench-files.ts'
import { COMPILED_MAIN } from './build.ts'
import type { BenchContext } from './context.ts'
import { startServer, type ServerProcess } from './server-process.ts'

const FLOOR_SERVER = fileURLToPath(new URL('floor-server.ts', import.meta.url))

/** Starts the webhook as production runs it: compiled, decision log to a file, metrics on. `prefix` is for taskset. */
export async function startWebhookServer (context: BenchContext, files: BenchFiles, prefix: string[] = []): Promise<ServerProcess> {
  const flags = [...context.options.nodeFlags, ...await profileFlags(context, 'webhook')]
  const args = [
    'webhook', '--config', files.configFile, '--tls-cert', files.certificateFile, '--tls-key', files.keyFile, '--host', '127.0.0.1',
    '--port', '0', '--metrics-port', '0', '--decision-log', files.decisionLogFile, '--drain-seconds', '0'
  ]
  return startServer(context, {
    name: 'webhook',
    command: [...prefix, process.execPath, ...flags, COMPILED_MAIN, ...args],
    env: { NODE_ENV: 'production' }
  })
}

export interface FloorOptions {
  /** Command prefix that pins it. */
  prefix?: string[]
  /** File with its constant answer; without one it admits what it is asked for. */
  answerFile?: string
  /** File with the JSON Patch that it answers to everything it admits. */
  patchFile?: string
}

/** Starts the floor. */
export async function startFloorServer (context: BenchContext, files: BenchFiles, { prefix = [], answerFile, patchFile }: FloorOptions = {}): Promise<ServerProcess> {
  const flags = [...context.options.floorNodeFlags, ...await profileFlags(context, 'floor')]
  const args = [
    '--cert', files.certificateFile, '--key', files.keyFile,
    ...(answerFile === undefined ? [] : ['--answer', answerFile]), ...(patchFile === undefined ? [] : ['--patch', patchFile])
  ]
  return startServer(context, { name: 'floor', command: [...prefix, process.execPath, ...flags, FLOOR_SERVER, ...args] })
}

async function profileFlags ({ options }: BenchContext, name: string): Promise<string[]> {
  if (options.profileDirectory === undefined) return []
  const directory = resolve(options.profileDirectory)
  await mkdir(directory, { recursive: true })
  return ['--cpu-prof', `--cpu-prof-dir=${directory}`, `--cpu-prof-name=${name}.cpuprofile`]
}
