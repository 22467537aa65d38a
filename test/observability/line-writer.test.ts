import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { open, readFile, rename, stat, symlink } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { openLineWriter, type LineWriter, type LineWriterOptions } from '../../src/observability/line-writer.ts'
import { eventually, within } from '../helpers/eventually.ts'
import { CLEAN_ENV, NODE } from '../helpers/webhook-process.ts'

const WRITE_LINES = fileURLToPath(new URL('../helpers/write-lines.ts', import.meta.url))

interface Counts { failures: string[], recoveries: number, drops: number }

const openWriter = async (options: LineWriterOptions): Promise<LineWriter & { counts: Counts }> => {
  const counts: Counts = { failures: [], recoveries: 0, drops: 0 }
  const writer = await openLineWriter({ flushMs: 1, retryMs: 5, ...options }, {
    onFailure: (error, isFirst) => { counts.failures.push(`${error.code}${isFirst ? ' first' : ''}`) },
    onRecovery: () => { counts.recoveries++ },
    onDrop: () => { counts.drops++ }
  })
  return { ...writer, counts }
}
const linesOf = async (file: string): Promise<string[]> => (await readFile(file, 'utf8')).split('\n').slice(0, -1)
const numbered = (count: number, from = 0): string[] => Array.from({ length: count }, (_, index) => `line ${from + index}`)

/** A link to a full disk, and what frees it. */
const createFullFile = async (t: Test) => {
  const file = `${t.testdir()}/lines.log`
  await symlink('/dev/full', file)
  return { file, free: async (): Promise<string> => { await rename(file, `${file}.full`); return file } }
}

t.test('lines are appended in order, each whole, behind what is there', async (t) => {
  const file = `${t.testdir({ 'lines.log': 'before\n' })}/lines.log`
  const writer = await openWriter({ file })
  for (const line of numbered(1000)) writer.append(line)
  await eventually('a flush by itself', async () => (await linesOf(file)).length === 1001)
  writer.append('é🐳\u2028')
  await writer.close()
  t.strictSame(await linesOf(file), ['before', ...numbered(1000), 'é🐳\u2028'])
  t.strictSame(writer.counts, { failures: [], recoveries: 0, drops: 0 })
})

t.test('what is appended while a write runs is written too', async (t) => {
  const file = `${t.testdir()}/lines.log`
  const writer = await openWriter({ file, flushMs: 0 })
  for (const line of numbered(300)) {
    writer.append(line)
    if (line.endsWith('7')) await new Promise(setImmediate)
  }
  await writer.close()
  t.strictSame(await linesOf(file), numbered(300))
})

t.test('a file that can not be opened throws', async (t) => {
  await t.rejects(openWriter({ file: `${t.testdir()}/missing/lines.log` }), { code: 'ENOENT' })
})

t.test('a full disk is told once as the first failure, and tried again', async (t) => {
  const { file } = await createFullFile(t)
  const writer = await openWriter({ file })
  writer.append('a')
  await eventually('some failures', () => writer.counts.failures.length >= 3)
  t.ok(writer.isFailing())
  t.strictSame(writer.counts.failures.slice(0, 3), ['ENOSPC first', 'ENOSPC', 'ENOSPC'])
  await writer.close()
  t.equal(writer.counts.recoveries, 0)
})

t.test('reopening after a failure writes everything that waits to the new file', async (t) => {
  const { file, free } = await createFullFile(t)
  const writer = await openWriter({ file, retryMs: 3_600_000 })
  for (const line of numbered(3)) writer.append(line)
  await eventually('a failure', () => writer.isFailing())
  for (const line of numbered(3, 3)) writer.append(line)
  const good = await free()
  await writer.reopen()
  t.notOk(writer.isFailing())
  t.equal(writer.counts.recoveries, 1)
  writer.append('line 6')
  await writer.close()
  t.strictSame(await linesOf(good), numbered(7))
})

t.test('a pipe that takes a line in part: the new file has the whole line', async (t) => {
  const directory = t.testdir()
  const file = `${directory}/lines.log`
  await once(spawn('mkfifo', [file]), 'close')
  const reader = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  const writer = await openWriter({ file, retryMs: 3_600_000 })
  // The default pipe holds 64 KiB: the second line goes in in part. The write waits in another thread until the reader leaves.
  const lines = ['a', 'b', 'c'].map((letter) => letter.repeat(50_000))
  for (const line of lines) writer.append(line)
  const taken = Buffer.alloc(50_001)
  await eventually('the first line is in the pipe', async () => {
    const { bytesRead } = await reader.read({ buffer: taken, length: 1 }).catch(() => ({ bytesRead: 0 }))
    return bytesRead === 1
  })
  await reader.close()
  await eventually('the writer has seen it', () => writer.isFailing())
  t.match(writer.counts.failures, ['EPIPE first'])
  await rename(file, `${file}.old`)
  await writer.reopen()
  await writer.close()
  const written = await linesOf(file)
  t.ok(written.length > 1 && written.length < 4, `${written.length} lines were not taken whole by the pipe`)
  t.ok(written.every((line, index) => line === lines.slice(-written.length)[index]), 'the line that was taken in part comes first, and whole')
})

t.test('reopening when the file can not be opened keeps the old one', async (t) => {
  const directory = t.testdir({ logs: {} })
  const writer = await openWriter({ file: `${directory}/logs/lines.log` })
  await rename(`${directory}/logs`, `${directory}/old`)
  await writer.reopen()
  t.match(writer.counts.failures, ['ENOENT first'])
  writer.append('a')
  await writer.close()
  t.strictSame(await linesOf(`${directory}/old/lines.log`), ['a'])
})

t.test('what waits is bounded in bytes; what does not fit is dropped and counted', async (t) => {
  const { file, free } = await createFullFile(t)
  const writer = await openWriter({ file, maxWaitingBytes: 1000, retryMs: 3_600_000 })
  writer.append('first')
  await eventually('a failure', () => writer.isFailing())
  for (const line of numbered(1000)) writer.append(line)
  t.ok(writer.counts.drops > 800, `${writer.counts.drops} dropped`)
  const good = await free()
  await writer.reopen()
  const written = await linesOf(good)
  t.equal(written.length, 1001 - writer.counts.drops)
  t.strictSame(written, ['first', ...numbered(1000)].slice(0, written.length), 'the first ones are kept')
  t.ok((await readFile(good)).length < 1000 + 20)
  writer.append('after')
  await writer.close()
  t.equal((await linesOf(good)).at(-1), 'after', 'there is room again')
})

t.test('the bound counts bytes, not characters', async (t) => {
  const { file } = await createFullFile(t)
  const writer = await openWriter({ file, maxWaitingBytes: 3000, retryMs: 3_600_000 })
  for (let index = 0; index < 100; index++) writer.append('🐳'.repeat(25))
  t.ok(writer.counts.drops >= 60, `${writer.counts.drops} of 100 lines of 101 bytes dropped`)
  await writer.close()
})

t.test('closing twice and reopening at once do no harm', async (t) => {
  const file = `${t.testdir()}/lines.log`
  const writer = await openWriter({ file })
  for (const line of numbered(10)) writer.append(line)
  await Promise.all([writer.reopen(), writer.reopen(), writer.reopen()])
  for (const line of numbered(10, 10)) writer.append(line)
  await writer.close()
  t.strictSame(await linesOf(file), numbered(20))
})

t.test('a slow reader of standard output gets every line, in order: a full pipe is no failure', async (t) => {
  const COUNT = 2000
  const WIDTH = 1000
  const child = spawn(NODE, [WRITE_LINES, String(COUNT), String(WIDTH)], { env: CLEAN_ENV, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { errors += chunk })
  await eventually('all lines are taken, and nobody has read', () => errors.includes('taken'))
  let output = ''
  for await (const chunk of child.stdout.setEncoding('utf8') as AsyncIterable<string>) {
    output += chunk
    await new Promise(setImmediate)
  }
  if (child.exitCode === null) await within('the end of the writer', once(child, 'close'))
  t.equal(child.exitCode, 0)
  t.match(errors, '{"failures":0,"recoveries":0,"drops":0}')
  const lines = output.split('\n').slice(0, -1)
  t.equal(lines.length, COUNT)
  t.ok(lines.every((line, index) => line.length === WIDTH && line.startsWith(`${index} x`)), 'whole and in order')
})

t.test('a reader of standard output that has gone is a failure that ends nothing', async (t) => {
  const child = spawn(NODE, [WRITE_LINES, '10', '10'], { env: CLEAN_ENV, stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  child.stdout.destroy()
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => { errors += chunk })
  const [code] = await within('the end of the writer', once(child, 'close'))
  t.equal(code, 0)
  t.match(errors, /"failures":[1-9]/)
})

t.test('a file is readable by its group and nobody else', async (t) => {
  const file = `${t.testdir()}/lines.log`
  const writer = await openWriter({ file })
  await writer.close()
  t.equal((await stat(file)).mode & 0o137, 0)
})
