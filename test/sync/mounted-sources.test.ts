import { rm, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { createMountedSources, listSourceFiles, type MountedSources } from '../../src/sync/mounted-sources.ts'
import { eventually } from '../helpers/eventually.ts'
import { createMountedVolume } from '../helpers/mounted-volume.ts'
import { createPullSecret } from '../helpers/policies.ts'
import { createRegistry } from './content-world.ts'

const start = (t: Test): { files: MountedSources, changed: string[], text: (file: string) => string } => {
  const changed: string[] = []
  const files = createMountedSources((file) => { changed.push(file) })
  t.teardown(files.close)
  return { files, changed, text: (file) => String(files.read(file)) }
}

/** Whether reading a file fails for this reason. */
const failsWith = (files: MountedSources, file: string, reason: string): boolean => {
  try {
    files.read(file)
    return false
  } catch (error) {
    return (error as { reason?: string }).reason === reason
  }
}

t.test('followed files can be read at once, and every swap of the volume is told', async (t) => {
  const { files, changed, text } = start(t)
  const volume = await createMountedVolume(`${t.testdir()}/mount`, { user: 'a', password: 'test-password-1' })
  const [user, password] = [volume.path('user'), volume.path('password')]
  await files.follow([user, password])
  t.strictSame([text(user), text(password)], ['a', 'test-password-1'])
  t.strictSame(changed.toSorted(), [password, user])
  for (const version of ['2', '3']) {
    await volume.swap({ user: 'a', password: `test-password-${version}` })
    await eventually(`version ${version}`, () => text(password) === `test-password-${version}`)
  }
  t.equal(text(user), 'a')
  t.equal(changed.filter((file) => file === user).length, 1, 'what did not change is not told')
})

t.test('a file that is not there is missing, and found when it comes', async (t) => {
  const { files, changed } = start(t)
  const file = `${t.testdir()}/password`
  await files.follow([file])
  t.throws(() => files.read(file), { reason: 'SourceMissing', message: `${file}: no such file; mount it` })
  t.strictSame(changed, [file], 'that it is missing is told once')
  await writeFile(file, 'test-password-1')
  await eventually('the file', () => changed.length > 1)
  t.equal(String(files.read(file)), 'test-password-1')
})

t.test('a file that goes is missing, though its content was known; back again, it is told', async (t) => {
  const { files, changed, text } = start(t)
  const file = `${t.testdir({ password: 'test-password-1' })}/password`
  await files.follow([file])
  await rm(file)
  await eventually('its end', () => failsWith(files, file, 'SourceMissing'))
  t.equal(changed.length, 2)
  await writeFile(file, 'test-password-1')
  await eventually('its return', () => changed.length === 3 && text(file) === 'test-password-1')
})

t.test('what is no file can not be read', async (t) => {
  const { files } = start(t)
  const directory = t.testdir()
  await files.follow([directory])
  t.throws(() => files.read(directory), { reason: 'SourceUnreadable', message: `${directory} can not be read (EISDIR)` })
})

t.test('only what a configuration needs is followed', async (t) => {
  const { files, changed } = start(t)
  const directory = t.testdir({ a: 'a', b: 'b' })
  const [a, b] = [`${directory}/a`, `${directory}/b`]
  t.throws(() => files.read(a), { reason: 'SourceUnreadable', message: /not yet/ })
  await files.follow([a])
  await files.follow([b])
  t.throws(() => files.read(a), { name: 'SourceError', reason: 'SourceUnreadable' })
  t.equal(String(files.read(b)), 'b')
  await files.follow([b])
  t.strictSame(changed, [a, b], 'and what was followed before is not read anew')
})

t.test('the files of a configuration are those of all sources, each once', async (t) => {
  const credential = { basic: { usernameFrom: { file: '/user' }, passwordFrom: { file: '/password' } } }
  t.strictSame(listSourceFiles({
    pullSecrets: [
      createPullSecret({ copyFrom: { file: '/config.json' } }),
      createPullSecret({ registries: [createRegistry('a', { credential }), createRegistry('b', { credential }), createRegistry('c')] }),
      createPullSecret({ copyFrom: { secret: { namespace: 'platform', name: 'registry' } } })
    ]
  }), ['/config.json', '/user', '/password'])
})
