import { close, open, write } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'

/** What a line writer tells of its state. */
export interface LineWriterEvents {
  /** A write failed; `isFirst` when the one before had not. */
  onFailure: (error: NodeJS.ErrnoException, isFirst: boolean) => void
  /** Everything that waited since a failure has been written. */
  onRecovery: () => void
  /** A line was lost, since too much waits already. */
  onDrop: () => void
}

/** Where lines go, how soon, and how many may wait. */
export interface LineWriterOptions {
  /** File to append to; absent = standard output. */
  file?: string
  /** Lines are handed to the operating system this long after they came, at the latest. */
  flushMs?: number
  /** How long to wait after a failed write. */
  retryMs?: number
  /** How many bytes may wait while the file can not be written. */
  maxWaitingBytes?: number
}

/** An append-only file of lines, written off the event loop in batches. */
export interface LineWriter {
  /** Takes one line, without its newline; it is dropped when too much waits already. */
  append: (line: string) => void
  /** Whether the last attempt to write failed. */
  isFailing: () => boolean
  /** Opens the file anew after a rotation; what came before goes to the old one as far as it can be written. */
  reopen: () => Promise<void>
  /** Writes everything that waits, as far as it can be written, and closes the file. */
  close: () => Promise<void>
}

const FLUSH_MS = 50
const RETRY_MS = 1000
const BUSY_RETRY_MS = 5
const MAX_BUSY_RETRIES = 200
const MAX_WAITING_BYTES = 8 * 1024 * 1024
const STANDARD_OUTPUT = 1
const FILE_MODE = 0o640
const NEWLINE = 0x0a
const NOTHING = Buffer.alloc(0)

const openFile = promisify(open)
const closeFile = promisify(close)
const writeFrom = promisify((descriptor: number, bytes: Buffer, from: number, done: (error: Error | null, written: number) => void) => {
  write(descriptor, bytes, from, bytes.length - from, null, done)
})

/** Opens the file; throws when that is not possible. Later failures are told to `events`, and tried again. */
export async function openLineWriter (options: LineWriterOptions, events: LineWriterEvents): Promise<LineWriter> {
  const { file, flushMs = FLUSH_MS, retryMs = RETRY_MS, maxWaitingBytes = MAX_WAITING_BYTES } = options
  const openTarget = async () => file === undefined ? STANDARD_OUTPUT : openFile(file, 'a', FILE_MODE)
  let descriptor = await openTarget()
  let lines: string[] = []
  let waitingBytes = 0
  let batch = NOTHING
  let written = 0
  let isFailing = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()

  function append (line: string): void {
    if (waitingBytes + batch.length - written > maxWaitingBytes) return events.onDrop()
    lines.push(line)
    waitingBytes += Buffer.byteLength(line) + 1
    flushWithin(flushMs)
  }

  function flushWithin (delayMs: number): void {
    timer ??= setTimeout(() => void flush(), delayMs)
  }

  /** Runs `work` after everything that runs already, so that no two writes overlap. */
  async function inTurn (work: () => Promise<void>): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    running = running.then(work)
    await running
  }

  async function flush (): Promise<void> {
    await inTurn(writeWaiting)
  }

  /** Writes what waits now. Lines that come meanwhile have a timer of their own: under load there are always some. */
  async function writeWaiting (): Promise<void> {
    try {
      await writeBatch()
      if (lines.length > 0) takeBatch()
      await writeBatch()
      if (isFailing) events.onRecovery()
      isFailing = false
    } catch (error) {
      handleFailure(error as NodeJS.ErrnoException)
    }
  }

  async function writeBatch (): Promise<void> {
    while (written < batch.length) written += await writeFrom(descriptor, batch, written)
  }

  function hasWaiting (): boolean {
    return written < batch.length || lines.length > 0
  }

  /** Standard output may be a pipe whose reader is slow: not a failure. */
  function isBusy (): boolean {
    return hasWaiting() && !isFailing
  }

  function takeBatch (): void {
    batch = Buffer.from(lines.join('\n') + '\n')
    written = 0
    lines = []
    waitingBytes = 0
  }

  function handleFailure (error: NodeJS.ErrnoException): void {
    if (error.code === 'EAGAIN') return flushWithin(BUSY_RETRY_MS)
    events.onFailure(error, !isFailing)
    isFailing = true
    flushWithin(retryMs)
  }

  /** A line that the old file holds in part only is written whole to the new one. */
  async function replaceTarget (): Promise<void> {
    await writeWaiting()
    try {
      const old = descriptor
      descriptor = await openTarget()
      if (file !== undefined) await closeFile(old)
      if (written > 0 && written < batch.length) written = batch.lastIndexOf(NEWLINE, written - 1) + 1
      if (isFailing) await writeWaiting()
    } catch (error) {
      handleFailure(error as NodeJS.ErrnoException)
    }
  }

  async function closeTarget (): Promise<void> {
    await flush()
    for (let attempt = 0; isBusy() && attempt < MAX_BUSY_RETRIES; attempt++) {
      await delay(BUSY_RETRY_MS)
      await flush()
    }
    clearTimeout(timer)
    if (file !== undefined) await closeFile(descriptor)
  }

  return {
    append,
    isFailing: () => isFailing,
    reopen: async () => { await inTurn(replaceTarget) },
    close: closeTarget
  }
}
