import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { BenchContext } from './context.ts'

export interface ServerStart {
  name: string
  /** Program and arguments; it says where it listens by a JSON line with `url` or `metricsUrl` on standard error. */
  command: string[]
  env?: Record<string, string>
}

/** A server that runs in a process of its own. */
export interface ServerProcess {
  name: string
  pid: number
  /** Empty for a worker, which serves nothing else. */
  url: string
  /** Where probes and metrics are; absent for servers without. */
  metricsUrl?: string
  /** When the process was started, on the clock of `performance.now()`. */
  startedMs: number
  /** Ends it, gently at first; resolves when it is gone. */
  stop: () => Promise<void>
}

interface Announcement { url?: string, metricsUrl?: string }

const START_TIMEOUT_MS = 20_000
const STOP_TIMEOUT_MS = 10_000
const KEPT_LINES = 20

/** Starts a server and waits until it says where it listens; it ends with the run at the latest. */
export async function startServer (context: BenchContext, { name, command: [file = '', ...args], env = {} }: ServerStart): Promise<ServerProcess> {
  context.signal.throwIfAborted()
  const startedMs = performance.now()
  const child = spawn(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit').catch(() => {})
  const stop = async (): Promise<void> => {
    const killer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    if (child.pid !== undefined && child.kill('SIGTERM')) await exited
    clearTimeout(killer)
  }
  context.onClose(stop)
  const listening = readAnnouncement(child.stderr)
  const { url, metricsUrl } = await Promise.race([
    listening,
    once(child, 'exit').then(([code]) => fail(name, `it ended with ${String(code)}`)),
    once(AbortSignal.any([context.signal, AbortSignal.timeout(START_TIMEOUT_MS)]), 'abort').then(() => fail(name, 'it was not ready in time'))
  ])
  if (child.pid === undefined) return fail(name, 'it has no process')
  return { name, pid: child.pid, url: url?.replace(/^http:/, 'https:') ?? '', ...(metricsUrl !== undefined && { metricsUrl }), startedMs, stop }
}

function fail (name: string, why: string): never {
  throw new Error(`${name} could not be started: ${why}`)
}

/** Reads lines for as long as the process writes some, so that it never waits for us. */
async function readAnnouncement (stderr: NodeJS.ReadableStream): Promise<Announcement> {
  const lines: string[] = []
  return new Promise((resolve, reject) => {
    createInterface(stderr).on('line', (line) => {
      if (lines.push(line) > KEPT_LINES) lines.shift()
      const announcement = parseAnnouncement(line)
      if (announcement.url !== undefined || announcement.metricsUrl !== undefined) resolve(announcement)
    }).on('close', () => { reject(new Error(`a server ended; its last lines:\n${lines.join('\n')}`)) })
  })
}

function parseAnnouncement (line: string): Announcement {
  try {
    return JSON.parse(line) as Announcement
  } catch {
    return {}
  }
}
