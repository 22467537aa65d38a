import { watch, type FSWatcher } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Who is told of changes, and how soon. */
export interface MountedFilesOptions {
  /** Called with the content of all files, in their order, when any of it changed or is readable again after an error. */
  onChange: (contents: Buffer[]) => void
  /** Called when a file can not be read; the content known before stays in force. */
  onError: (error: Error) => void
  /** How long to wait after an event for the rest of a change. */
  debounceMs?: number
  /** How often to look at the content besides, since events get lost. */
  pollMs?: number
}

/** A running watch over mounted files. */
export interface MountedFiles {
  /** Looks at the content now. */
  check: () => Promise<void>
  close: () => void
}

const DEBOUNCE_MS = 200
const POLL_MS = 10_000

/**
 * Watches files as Kubernetes mounts them: a ConfigMap or Secret volume swaps the link `..data`, which a watch on the
 * file itself sees once only, so the directory is watched, and the content polled besides (as controller-runtime does).
 * `initial` is the content that is in force already.
 */
export function watchMountedFiles (files: string[], initial: Buffer[], options: MountedFilesOptions): MountedFiles {
  const directories = [...new Set(files.map((file) => dirname(file)))]
  const watchers = new Map<string, FSWatcher>()
  let known = initial
  let wasUnreadable = false
  let running = Promise.resolve()
  let debounce: NodeJS.Timeout | undefined

  /** One look after another: of two at once, the one that began earlier could end later and bring back what is replaced. */
  async function check (): Promise<void> {
    running = running.then(look)
    await running
  }

  async function look (): Promise<void> {
    for (const directory of directories) watchDirectory(directory)
    try {
      const contents = await Promise.all(files.map(async (file) => readFile(file)))
      if (!wasUnreadable && contents.every((content, index) => known[index]?.equals(content) === true)) return
      wasUnreadable = false
      known = contents
      options.onChange(contents)
    } catch (error) {
      wasUnreadable = true
      options.onError(error as Error)
    }
  }

  function checkSoon (): void {
    clearTimeout(debounce)
    debounce = setTimeout(() => void check(), options.debounceMs ?? DEBOUNCE_MS).unref()
  }

  function watchDirectory (directory: string): void {
    if (watchers.has(directory)) return
    try {
      const watcher = watch(directory, { persistent: false }, checkSoon)
      watcher.on('error', () => forgetDirectory(directory))
      watchers.set(directory, watcher)
    } catch {
      // A missing directory is tried again at the next poll; the read says what is wrong.
    }
  }

  function forgetDirectory (directory: string): void {
    watchers.get(directory)?.close()
    watchers.delete(directory)
  }

  for (const directory of directories) watchDirectory(directory)
  const poll = setInterval(() => void check(), options.pollMs ?? POLL_MS).unref()
  return {
    check,
    close () {
      clearInterval(poll)
      clearTimeout(debounce)
      for (const directory of directories) forgetDirectory(directory)
    }
  }
}
