import t, { type Test } from 'tap'
import { KubeError } from '../../src/kubernetes/kube-error.ts'
import type { EventNote } from '../../src/kubernetes/event-note.ts'
import { createProcessLog } from '../../src/observability/process-log.ts'
import { createSyncMetrics } from '../../src/observability/sync-metrics.ts'
import { createContentController } from '../../src/sync/content-controller.ts'
import { reportContentMetrics } from '../../src/sync/content-metrics.ts'
import { createSyncEvents } from '../../src/sync/sync-events.ts'
import { describeWriteFailure } from '../../src/sync/write-failure.ts'
import { createContentWorld, createCopiedSecret, createRegistriesSecret, createRegistry, type ContentWorld } from './content-world.ts'

const MARK = 'test-password-marked'
const encoded = Buffer.from(MARK).toString('base64')
/** The mark itself, any of its encodings within a longer text, and what it would be as a login. */
const TRACES = [MARK, encoded.slice(0, -4), Buffer.from(`:${MARK}`).toString('base64').slice(4, -4), Buffer.from(`x:${MARK}`).toString('base64').slice(4, -4)]

const checkText = (t: Test, text: string): void => {
  t.strictSame(TRACES.filter((trace) => text.includes(trace)), [], text)
}

const copied = (content: string) => ({ secrets }: ContentWorld): void => { secrets.set('platform/registry', { '.dockerconfigjson': content }) }

const copies: [string, (world: ContentWorld) => void][] = [
  ['no JSON', copied(MARK)],
  ['cut JSON', copied(`{"auths":{"a.io":{"password":"${MARK}"`)],
  ['a credential for a key', copied(`{"auths":{"${MARK}":7}}`)],
  ['an auth that is no base64', copied(`{"auths":{"a.io":{"auth":"${MARK}!"}}}`)],
  ['an auth without a colon', copied(`{"auths":{"a.io":{"auth":"${encoded}"}}}`)],
  ['a password beside no user name', copied(`{"auths":{"a.io":{"password":"${MARK}"}}}`)],
  ['headers', copied(`{"HttpHeaders":{"authorization":["${MARK}"]}}`)],
  ['a malformed dockercfg', ({ secrets }) => { secrets.set('platform/registry', { '.dockercfg': `{"a.io":"${MARK}"}` }) }],
  ['another key', ({ secrets }) => { secrets.set('platform/registry', { token: MARK }) }]
]

const registries: [string, (world: ContentWorld) => void][] = [
  ['a password that is not UTF-8', ({ secrets }) => { secrets.set('platform/a', { password: Buffer.concat([Buffer.from(MARK), Buffer.from([0xff])]) }) }],
  ['a password under another key', ({ secrets }) => { secrets.set('platform/a', { passwort: MARK }) }],
  ['a user name with a colon', ({ secrets, files }) => { secrets.set('platform/a', { password: MARK }); files.set('/etc/user', `x:${MARK}`) }],
  ['a rejected password', ({ answers }) => { answers.set('a.io', 'rejected') }],
  ['a password that could not be tried', ({ answers }) => { answers.set('a.io', 'unexpected-status') }],
  ['a trial that broke', (world) => { world.verify = async () => { throw new TypeError(`Invalid value "${MARK}"`) } }],
  ['a source that broke', ({ resolver }) => { resolver.createSource = () => ({ resolve: async () => JSON.parse(MARK) }) }],
  ['a good password', () => {}]
]

const cases = [
  ...copies.map(([name, arrange]) => [name, createCopiedSecret(), arrange] as const),
  ...registries.map(([name, arrange]) => {
    const credential = { basic: { usernameFrom: { file: '/etc/user' }, passwordFrom: { secret: { namespace: 'platform', name: 'a', key: 'password' } } } }
    return [name, createRegistriesSecret(createRegistry('a', { credential })), arrange] as const
  })
]

for (const [name, pullSecret, arrange] of cases) {
  t.test(`${name} shows in no Event, log or metric`, async (t) => {
    const world = createContentWorld()
    world.files.set('/etc/user', 'puller')
    world.secrets.set('platform/a', { password: MARK })
    arrange(world)
    const lines: string[] = []
    const notes: EventNote[] = []
    const metrics = createSyncMetrics()
    const log = createProcessLog('trace', { write: (line: string) => { lines.push(line) } } as unknown as NodeJS.WritableStream)
    const events = createSyncEvents({ record: (note) => notes.push(note) > 0 }, 'pullkeeper-system')
    const controller = createContentController({
      ...world.resolver,
      pullSecret: () => pullSecret,
      canonical: () => undefined,
      onContent: () => {},
      onResolved (secret, state) {
        reportContentMetrics(metrics, secret, state)
        for (const problem of state.problems) {
          events.reportSource(secret, problem)
          log.warn({ secret, err: problem }, problem.message)
        }
      }
    })
    await controller.resolve(pullSecret.name)
    t.equal(controller.state(pullSecret.name)?.problems.length, name === 'a good password' ? 0 : 1)
    checkText(t, lines.join(''))
    checkText(t, JSON.stringify(notes))
    checkText(t, await metrics.registry.metrics())
  })
}

const failures: [string, { status: number, reason: string, message: string }][] = [
  ['a webhook that quotes what was written', { status: 403, reason: 'Forbidden', message: `admission webhook "policy.example.com" denied the request: data ${MARK} is refused` }],
  ['a webhook that puts it into the reason', { status: 400, reason: MARK, message: `admission webhook "policy.example.com" denied the request: ${MARK}` }],
  ['a policy that quotes it', { status: 422, reason: 'Invalid', message: `secrets "x" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: ${MARK}` }],
  ['a validation that quotes it', { status: 422, reason: 'Invalid', message: `Secret "x" is invalid: data[.dockerconfigjson]: Invalid value: "${MARK}"` }],
  ['a proxy that answers with it', { status: 502, reason: `<html>${encoded}</html>`, message: MARK }]
]

for (const [name, details] of failures) {
  t.test(`${name} makes no Event show it`, async (t) => {
    checkText(t, describeWriteFailure(new KubeError(details)))
  })
}
