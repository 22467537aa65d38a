import { readdirSync, readlinkSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { watchMountedFiles, type MountedFiles, type MountedFilesOptions } from '../../src/config/mounted-files.ts'
import { eventually } from '../helpers/eventually.ts'
import { createMountedVolume } from '../helpers/mounted-volume.ts'

const NEVER_MS = 3_600_000

/** Whether this process has a file open. */
const isOpen = (file: string): boolean => readdirSync('/proc/self/fd').some((descriptor) => {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`) === file
  } catch {
    return false
  }
})

interface Watched {
  files: MountedFiles
  /** What was told of, each change as the texts of all files. */
  changes: string[][]
  errors: (string | undefined)[]
}

const watch = async (t: Test, paths: string[], intervals: Pick<MountedFilesOptions, 'debounceMs' | 'pollMs'> = { debounceMs: 5, pollMs: NEVER_MS }): Promise<Watched> => {
  const changes: string[][] = []
  const errors: (string | undefined)[] = []
  const files = watchMountedFiles(paths, await Promise.all(paths.map(async (path) => readFile(path))), {
    ...intervals,
    onChange: (contents) => { changes.push(contents.map(String)) },
    onError: (error: NodeJS.ErrnoException) => { errors.push(error.code) }
  })
  t.teardown(files.close)
  return { files, changes, errors }
}

t.test('every swap of a mounted volume is told once, all files together', async (t) => {
  const volume = await createMountedVolume(`${t.testdir()}/mount`, { a: '0', b: '0' })
  const { changes, errors } = await watch(t, [volume.path('a'), volume.path('b')])
  for (const version of ['1', '2', '3']) {
    await volume.swap({ a: version, b: version })
    await eventually(`version ${version}`, () => changes.at(-1)?.every((content) => content === version))
  }
  t.strictSame(changes.at(-1), ['3', '3'])
  t.strictSame(errors, [])
})

t.test('files of two directories are both followed', async (t) => {
  const directory = t.testdir({ one: { a: '0' }, two: { b: '0' } })
  const { changes } = await watch(t, [`${directory}/one/a`, `${directory}/two/b`])
  await writeFile(`${directory}/two/b`, '1')
  await eventually('the second', () => changes.at(-1)?.join() === '0,1')
  await writeFile(`${directory}/one/a`, '1')
  await eventually('the first', () => changes.at(-1)?.join() === '1,1')
})

t.test('what does not change a file\'s content is not told', async (t) => {
  const directory = t.testdir({ a: '0' })
  const { files, changes } = await watch(t, [`${directory}/a`])
  await writeFile(`${directory}/a`, '0')
  await writeFile(`${directory}/other`, '1')
  await files.check()
  t.strictSame(changes, [])
})

t.test('the poll finds what no event told, also after the directory was replaced', async (t) => {
  const directory = t.testdir({ mount: { a: '0' } })
  const { changes } = await watch(t, [`${directory}/mount/a`], { debounceMs: NEVER_MS, pollMs: 5 })
  await mkdir(`${directory}/new`)
  await writeFile(`${directory}/new/a`, '1')
  await rename(`${directory}/mount`, `${directory}/old`)
  await rename(`${directory}/new`, `${directory}/mount`)
  await eventually('the new content', () => changes.at(-1)?.join() === '1')
})

t.test('a file that is gone is an error; when it is back, its content is told even if it is the old one', async (t) => {
  const directory = t.testdir({ a: '0' })
  const { files, changes, errors } = await watch(t, [`${directory}/a`])
  await rm(`${directory}/a`)
  await files.check()
  t.ok(errors.includes('ENOENT'))
  t.strictSame(changes, [])
  await writeFile(`${directory}/a`, '0')
  await files.check()
  t.strictSame(changes.at(-1), ['0'], 'so that who was told of the error learns that it is over')
})

t.test('a look that takes long does not bring back what a later one has replaced', async (t) => {
  const directory = t.testdir({ a: '0' })
  const file = `${directory}/a`
  const { files, changes } = await watch(t, [file], { debounceMs: NEVER_MS, pollMs: NEVER_MS })
  await writeFile(file, 'x'.repeat(64 * 1024 * 1024))
  const slow = files.check()
  await eventually('it has opened the file', () => isOpen(file))
  await writeFile(`${file}.new`, '1')
  await rename(`${file}.new`, file)
  await files.check()
  await slow
  t.equal(changes.at(-1)?.join().slice(0, 10), '1')
})

t.test('after close nothing is told', async (t) => {
  const directory = t.testdir({ a: '0', b: '0' })
  const closed = await watch(t, [`${directory}/a`])
  const open = await watch(t, [`${directory}/a`])
  closed.files.close()
  await writeFile(`${directory}/a`, '1')
  await eventually('the other one', () => open.changes.length > 0)
  t.strictSame(closed.changes, [])
})
