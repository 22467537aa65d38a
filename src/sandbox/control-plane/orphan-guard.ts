import { spawn } from 'node:child_process'

/** Ends processes and removes a directory when this process is gone, however it went. */
export interface OrphanGuard {
  /** Says which processes to end; replaces what was said before. */
  watch: (pids: number[]) => void
  /** Lets go: nothing is ended and nothing removed any more; resolves when the guard is gone. */
  release: () => Promise<void>
}

/*
 * The shell reads lines of process ids from a pipe whose other end this process holds. The kernel closes that end when
 * this process is gone, also by SIGKILL, where no handler of ours could run; the last line is what must go.
 */
const SCRIPT = `
while read -r line; do pids=$line; done
[ "$pids" = released ] && exit 0
[ -n "$pids" ] && kill -KILL $pids
rm -rf "$1"
`

/**
 * Starts the guard of a directory and of the processes named later.
 * It is a process of its own and in a session of its own (so that Ctrl-C ends us and not it). Handlers for signals
 * would not do: they change what a signal does for everyone else in the process, and SIGKILL has none.
 */
export function startOrphanGuard (directory: string): OrphanGuard {
  const shell = spawn('/bin/sh', ['-c', SCRIPT, 'pullkeeper-orphan-guard', directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore']
  })
  shell.unref()
  shell.stdin.on('error', () => {})
  const gone = new Promise<void>((resolve) => {
    shell.once('error', () => { resolve() })
    shell.once('exit', () => { resolve() })
  })
  return {
    watch: (pids) => { shell.stdin.write(`${pids.join(' ')}\n`) },
    release: async () => {
      shell.ref()
      shell.stdin.end('released\n')
      await gone
    }
  }
}
