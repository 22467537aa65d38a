import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { within } from './eventually.ts'
import { CLEAN_ENV, MAIN, NODE } from './webhook-process.ts'

/** What a command printed, and how it ended. */
export interface CliResult {
  exitCode: number | NodeJS.Signals
  stdout: string
  stderr: string
}

export interface CliOptions {
  cwd?: string
  env?: Record<string, string>
  stdin?: string
}

/** Runs `pullkeeper ARGS` to its end; a command that does not end is killed and fails the test. */
export async function runCli (args: string[], { cwd, env = {}, stdin = '' }: CliOptions = {}): Promise<CliResult> {
  const child = spawn(NODE, [MAIN, ...args], { ...(cwd !== undefined && { cwd }), env: { ...CLEAN_ENV, ...env }, stdio: 'pipe' })
  child.stdin.on('error', () => {})
  child.stdin.end(stdin)
  try {
    const [stdout, stderr, [code, signal]] = await within(`pullkeeper ${args.join(' ')}`, Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]), 30_000)
    return { exitCode: (code ?? signal) as number | NodeJS.Signals, stdout, stderr }
  } finally {
    child.kill('SIGKILL')
  }
}
