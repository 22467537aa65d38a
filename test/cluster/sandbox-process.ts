import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { watch } from 'node:fs'
import { mkdir, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { makeDirectory } from './test-cluster.ts'

/** `pullkeeper sandbox` as a process of its own, with a temporary directory of its own. */
export interface SandboxProcess {
  /** What it has printed so far. */
  output: () => { stdout: string, stderr: string }
  /** Waits until standard output matches. */
  waitForOutput: (pattern: RegExp) => Promise<RegExpExecArray>
  /** Waits until its temporary directory holds what is wanted. */
  waitForFiles: (predicate: (names: string[]) => boolean) => Promise<void>
  /** What it and its programs have left: files in the temporary directory, and command lines that name it. */
  listRemains: () => Promise<string[]>
  kill: (signal: NodeJS.Signals) => void
  /** How it ended. */
  ended: Promise<{ exitCode: number | null, stdout: string, stderr: string }>
}

const ROOT = join(import.meta.dirname, '..', '..')
const NODE = join(ROOT, 'node_modules', '.bin', 'node')
const MAIN = join(ROOT, 'src', 'cli', 'main.ts')
const DEADLINE_MS = 60_000
const FILES_DEADLINE_MS = 10_000

/** Starts the command; it ends with the test. Nothing of the environment reaches it but what `env` says. */
export async function startSandboxProcess (t: Test, args: string[], { input = '', env = {} }: { input?: string, env?: NodeJS.ProcessEnv } = {}): Promise<SandboxProcess> {
  const directory = join(await makeDirectory(t), 'tmp')
  await mkdir(directory)
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const child = spawn(NODE, [MAIN, 'sandbox', ...args], { cwd: ROOT, env: { PATH: process.env['PATH'], TMPDIR: directory, ...env } })
  const [output, ended] = [{ stdout: '', stderr: '' }, once(child, 'close')]
  child.stdout.setEncoding('utf8').on('data', (text: string) => { output.stdout += text })
  child.stderr.setEncoding('utf8').on('data', (text: string) => { output.stderr += text })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })

  async function waitForOutput (pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(output.stdout)
      if (match !== null) return match
      const more = once(child.stdout, 'data', { signal: deadline }).then(() => true, () => false)
      const isRunning = await Promise.race([more, ended.then(() => false)])
      if (!isRunning && !pattern.test(output.stdout)) throw new Error(`it never printed ${pattern.source}: ${JSON.stringify(output)}`)
    }
  }

  async function waitForFiles (predicate: (names: string[]) => boolean): Promise<void> {
    const watcher = watch(directory)
    const deadline = AbortSignal.timeout(FILES_DEADLINE_MS)
    try {
      for (;;) {
        const change = once(watcher, 'change', { signal: deadline })
        change.catch(() => {}) // heard below, or not wanted any more
        const names = await readdir(directory)
        if (predicate(names)) return
        await change.catch(() => { throw new Error(`the temporary directory was not as wanted, it held: ${names.join(', ')}`) })
      }
    } finally {
      watcher.close()
    }
  }

  return {
    output: () => output,
    waitForOutput,
    waitForFiles,
    listRemains: async () => [...await readdir(directory), ...await listCommandLines(directory)],
    kill: (signal) => { child.kill(signal) },
    ended: ended.then(([exitCode]) => ({ exitCode: exitCode as number | null, ...output }))
  }
}

/** The command lines of running processes that name `text`, where the system tells them. */
async function listCommandLines (text: string): Promise<string[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name))
  const lines = await Promise.all(pids.map(async (pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return lines.filter((line) => line.includes(text))
}

/** The pull secrets of each Pod in the sandbox's table, `+ ` before those that were injected; random parts of names are cut. */
export function readTable (stdout: string): Record<string, string[]> {
  const [header = '', ...lines] = stdout.split('\n\n')[0]?.trimEnd().split('\n') ?? []
  const column = header.indexOf('PULL SECRETS')
  const table: Record<string, string[]> = {}
  let pod = ''
  for (const line of lines) {
    pod = /^(\S+)/.exec(line)?.[1]?.replace(/(-[a-z0-9]{8,10})?-[a-z0-9]{5}$/, '') ?? pod
    const secret = line.slice(column).trimEnd()
    table[pod] = [...table[pod] ?? [], ...(secret === '' ? [] : [secret.trimStart()])]
  }
  return table
}
