import t from 'tap'
import { applyDefaults, parseDurationMs } from '../../src/config/defaults.ts'
import type { ConfigDocument } from '../../src/config/schema.ts'

type PullSecretDocument = NonNullable<ConfigDocument['pullSecrets']>[number]

const header = { apiVersion: 'pullkeeper.dev/v1alpha1', kind: 'PullSecretConfig' } as const

t.test('the smallest configuration has every default', async (t) => {
  t.strictSame(applyDefaults({ ...header, rules: [] }), {
    pullSecrets: [],
    retired: [],
    rules: [],
    unmatched: 'allow',
    webhook: { onError: 'allow', annotate: true, failurePolicy: 'Ignore', timeoutSeconds: 3, manageRegistration: true },
    sync: { pruneAfterMs: 600_000, recover: 'off' }
  })
})

t.test('the smallest rule and pull secrets have every default', async (t) => {
  const { rules, pullSecrets } = applyDefaults({
    ...header,
    rules: [{ name: 'a', matchImages: ['a.io'], pullSecrets: ['b'] }, { name: 'c', always: true, pullSecrets: [] }],
    pullSecrets: [
      { name: 'b', registries: [{ servers: ['a.io'], credential: { azure: { identity: 'workloadIdentity' } } }] },
      { name: 'd', copyFrom: { file: '/d' } }
    ]
  })
  t.strictSame(rules, [
    { name: 'a', matchImages: ['a.io'], excludeImages: [], always: false, namespaces: { include: ['*'], exclude: [] }, pullSecrets: ['b'] },
    { name: 'c', matchImages: [], excludeImages: [], always: true, namespaces: { include: ['*'], exclude: [] }, pullSecrets: [] }
  ])
  t.strictSame(pullSecrets, [
    { name: 'b', onConflict: 'skip', onExpired: 'keep', serviceAccounts: [], registries: [{ servers: ['a.io'], credential: { azure: { identity: 'workloadIdentity' } }, verify: true }] },
    { name: 'd', onConflict: 'skip', onExpired: 'keep', serviceAccounts: [], copyFrom: { file: '/d' } }
  ])
})

t.test('what is written wins over the defaults', async (t) => {
  const rule = { name: 'a', matchImages: ['a.io'], excludeImages: ['b.io'], always: false, namespaces: { include: ['x'], exclude: ['y'], selector: { matchLabels: { team: 'a' } } }, pullSecrets: ['b'] }
  const credential = { basic: { username: 'puller', passwordFrom: { file: '/p' } } }
  const pullSecret: PullSecretDocument = { name: 'b', onConflict: 'adopt', onExpired: 'withdraw', serviceAccounts: ['*'], registries: [{ servers: ['a.io'], credential, verify: false, caFile: '/ca', allowedRealms: ['r'] }] }
  const webhook: NonNullable<ConfigDocument['webhook']> = { onError: 'deny', annotate: false, failurePolicy: 'Fail', timeoutSeconds: 10, manageRegistration: false }
  const document: ConfigDocument = { ...header, rules: [rule], pullSecrets: [pullSecret], retired: ['c'], unmatched: 'deny', webhook, sync: { pruneAfter: '1h', recover: 'evict' } }
  t.strictSame(applyDefaults(document), {
    rules: [rule],
    pullSecrets: [pullSecret],
    retired: ['c'],
    unmatched: 'deny',
    webhook,
    sync: { pruneAfterMs: 3_600_000, recover: 'evict' }
  })
})

t.test('one setting that is written leaves the others as they are', async (t) => {
  const config = applyDefaults({ ...header, rules: [], webhook: { timeoutSeconds: 5 }, sync: { recover: 'report' } })
  t.strictSame(config.webhook, { onError: 'allow', annotate: true, failurePolicy: 'Ignore', timeoutSeconds: 5, manageRegistration: true })
  t.strictSame(config.sync, { pruneAfterMs: 600_000, recover: 'report' })
})

t.test('an empty selector is none', async (t) => {
  for (const selector of [{}, { matchLabels: {} }, { matchExpressions: [] }]) {
    const { rules } = applyDefaults({ ...header, rules: [{ name: 'a', always: true, namespaces: { selector }, pullSecrets: [] }] })
    t.strictSame(rules[0]?.namespaces, { include: ['*'], exclude: [] })
  }
})

const durations: [string, string, number][] = [
  ['in milliseconds', '250ms', 250],
  ['in seconds', '90s', 90_000],
  ['in minutes', '10m', 600_000],
  ['in hours', '1h', 3_600_000],
  ['in days', '7d', 604_800_000],
  ['of nothing at all', '0s', 0],
  ['with leading zeros', '007s', 7000]
]

for (const [name, duration, expected] of durations) {
  t.test(`a duration ${name}, such as ${duration}`, async (t) => {
    t.equal(parseDurationMs(duration), expected)
  })
}
