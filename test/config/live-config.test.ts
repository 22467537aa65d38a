import { createHash } from 'node:crypto'
import t, { type Test } from 'tap'
import { loadConfig, openLiveConfig, type LiveConfig, type ValidConfig } from '../../src/config/live-config.ts'
import { eventually } from '../helpers/eventually.ts'
import { createMountedVolume } from '../helpers/mounted-volume.ts'

const NEVER_MS = 3_600_000
const HEAD = 'apiVersion: pullkeeper.dev/v1alpha1\nkind: PullSecretConfig\n'
const createText = (ruleName: string, pullSecret = 'acr-pull'): string => `${HEAD}rules:\n  - { name: ${ruleName}, always: true, pullSecrets: [${pullSecret}] }\n`
const rulesOf = ({ config }: ValidConfig): string[] => config.rules.map(({ name }) => name)

interface Setup {
  live: LiveConfig
  write: (text: string) => Promise<void>
  changes: ValidConfig[]
  refused: Error[]
  /** What the process makes of a configuration: it may throw. */
  judge: { onConfig: (changed: ValidConfig) => void }
}

const start = async (t: Test): Promise<Setup> => {
  const volume = await createMountedVolume(`${t.testdir()}/mount`, { 'config.yaml': createText('first') })
  const changes: ValidConfig[] = []
  const refused: Error[] = []
  const judge = { onConfig: (_changed: ValidConfig) => {} }
  const live = await openLiveConfig({
    file: volume.path('config.yaml'),
    intervals: { debounceMs: 1, pollMs: NEVER_MS },
    onConfig (changed) {
      judge.onConfig(changed)
      changes.push(changed)
    },
    onRefused: (error) => { refused.push(error) }
  })
  t.teardown(live.close)
  return { live, write: async (text) => volume.swap({ 'config.yaml': text }), changes, refused, judge }
}

t.test('a file is loaded with its hash and what its author should know', async (t) => {
  const text = createText('first')
  const { live } = await start(t)
  const { hash, warnings } = live.current()
  t.strictSame(rulesOf(live.current()), ['first'])
  t.equal(hash, createHash('sha256').update(text).digest('hex'))
  t.match(warnings, [/config\.yaml.*acr-pull/])
})

t.test('a change comes into force by itself', async (t) => {
  const { live, write, changes, refused } = await start(t)
  t.strictSame(changes, [], 'the first is not told')
  await write(createText('second'))
  await eventually('the second', () => rulesOf(live.current()).join() === 'second')
  t.strictSame(changes.map(rulesOf), [['second']])
  t.strictSame(refused, [])
})

t.test('a bad change is refused with all that is wrong, and the old one stays in force', async (t) => {
  const { live, write, changes, refused } = await start(t)
  const before = live.current()
  await write(`${HEAD}rule: []\nunmatched: maybe\n`)
  await eventually('the refusal', () => refused.length > 0)
  t.match(refused, [{ name: 'InvalidConfigError', message: /rule[^]*unmatched/ }])
  t.equal(live.current(), before)
  t.strictSame(changes, [])
  await write(createText('third'))
  await eventually('the third', () => rulesOf(live.current()).join() === 'third')
})

t.test('a change that the process can not use is refused, too', async (t) => {
  const { live, write, refused, judge } = await start(t)
  judge.onConfig = () => { throw new Error('not with these rights') }
  await write(createText('second'))
  await eventually('the refusal', () => refused.length > 0)
  t.match(refused, [{ message: 'not with these rights' }])
  t.strictSame(rulesOf(live.current()), ['first'])
})

t.test('a file that was emptied is refused, and what it was stays in force; back again, it is told', async (t) => {
  const { live, write, refused, changes } = await start(t)
  const before = live.current()
  await write('')
  await eventually('the refusal', () => refused.length > 0)
  t.equal(live.current(), before)
  await write(createText('first'))
  await eventually('its return', () => changes.length > 0)
  t.equal(live.current().hash, before.hash)
})

t.test('after close nothing is told', async (t) => {
  const volume = await createMountedVolume(`${t.testdir()}/mount`, { 'config.yaml': createText('first') })
  const told: string[] = []
  const open = async (name: string): Promise<LiveConfig> => openLiveConfig({
    file: volume.path('config.yaml'), intervals: { debounceMs: 1, pollMs: NEVER_MS }, onConfig: () => { told.push(name) }, onRefused: () => { told.push(name) }
  })
  const closed = await open('closed')
  const other = await open('other')
  t.teardown(other.close)
  closed.close()
  await volume.swap({ 'config.yaml': createText('second') })
  await eventually('the other one', () => told.length > 0)
  t.strictSame(told, ['other'])
})

t.test('a first file that is bad or missing is an error', async (t) => {
  const directory = t.testdir({ 'config.yaml': `${HEAD}rule: []\n` })
  const tell = { onConfig: () => {}, onRefused: () => {} }
  await t.rejects(openLiveConfig({ file: `${directory}/config.yaml`, ...tell }), { name: 'InvalidConfigError' })
  await t.rejects(openLiveConfig({ file: `${directory}/none.yaml`, ...tell }), { code: 'ENOENT' })
  await t.rejects(loadConfig(`${directory}/config.yaml`), { name: 'InvalidConfigError', message: /config\.yaml:3:1/ })
})
