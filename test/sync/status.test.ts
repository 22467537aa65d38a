import t from 'tap'
import { parseConfig } from '../../src/config/parse-config.ts'
import { formatDockerConfig } from '../../src/core/docker-config.ts'
import type { Namespace, Secret } from '../../src/core/kube-object.ts'
import { createManagedSecret, hashContent } from '../../src/core/managed-secret.ts'
import { formatWorkerReport, type WorkerReport } from '../../src/core/worker-report.ts'
import type { Lease } from '../../src/kubernetes/lease-record.ts'
import { assembleSnapshot } from '../../src/sync/status/cluster-snapshot.ts'
import { createSyncStatus, type PullSecretStatus, type SyncStatus } from '../../src/sync/status/sync-status.ts'
import { compileSyncPlan, type SyncPlan } from '../../src/sync/sync-plan.ts'
import { formatConfig } from '../helpers/sync-worker.ts'

const OWN = 'pullkeeper-system'
const NAME = 'acr-pull'
const NOW_MS = Date.UTC(2026, 0, 31, 12)
const SOURCE = { namespace: OWN, name: 'acr-token', key: 'password' }
const CONFIG = {
  pullSecrets: [{ name: NAME, registries: [{ servers: ['registry.example.com'], credential: { basic: { username: 'puller', passwordFrom: { secret: SOURCE } } } }] }],
  rules: [{ name: 'all', matchImages: ['registry.example.com'], namespaces: { include: ['team-*'] }, pullSecrets: [NAME] }]
}

/** What stands in a cluster; everything is right until a test changes it. */
interface World {
  config: object
  namespaces: Namespace[]
  secrets: Secret[]
  lease: Lease | undefined
}

const encode = (password: string): string => Buffer.from(formatDockerConfig([{ servers: ['registry.example.com'], username: 'puller', password }])).toString('base64')
const CONTENT = encode('test-password-1')

const namespace = (name: string, parts: Partial<Namespace['metadata']> = {}): Namespace => ({ metadata: { name, uid: name, resourceVersion: '1', ...parts } })

const copy = (namespace: string, data = CONTENT, annotations: Record<string, string> = {}): Secret => {
  const secret = createManagedSecret(NAME, namespace, { data, hash: hashContent(data), source: 'test' }) as Secret
  return { ...secret, metadata: { ...secret.metadata, uid: `${namespace}/${NAME}`, resourceVersion: '1', annotations: { ...secret.metadata.annotations, ...annotations } } }
}
const foreign = (namespace: string, data = CONTENT): Secret => {
  const { labels, ...metadata } = copy(namespace, data).metadata
  return { ...copy(namespace, data), metadata }
}

const planOf = (config: object): SyncPlan => {
  const report = parseConfig(formatConfig(config), 'config.yaml')
  if (report.config === undefined) throw new Error(JSON.stringify(report.problems))
  return compileSyncPlan(report.config, { configHash: report.hash, ownNamespace: OWN })
}

const leaseOf = (report: Partial<WorkerReport> = {}, { ageMs = 1000, names = NAME, holder = 'worker-1' } = {}): Lease => ({
  metadata: { annotations: { 'pullkeeper.dev/report': formatWorkerReport({ config: planOf(CONFIG).configHash, secrets: {}, ...report }), 'pullkeeper.dev/names': names } },
  spec: { holderIdentity: holder, leaseDurationSeconds: 15, renewTime: new Date(NOW_MS - ageMs).toISOString() }
})

const createWorld = (changes: Partial<World> = {}): World => ({
  config: CONFIG,
  namespaces: ['default', OWN, 'team-a', 'team-b'].map((name) => namespace(name)),
  secrets: [OWN, 'team-a', 'team-b'].map((name) => copy(name)),
  lease: leaseOf(),
  ...changes
})

const judge = (changes: Partial<World> = {}): SyncStatus => {
  const { config, namespaces, secrets, lease } = createWorld(changes)
  const plan = planOf(config)
  const byName = Map.groupBy(secrets, ({ metadata }) => metadata.name)
  return createSyncStatus(plan, assembleSnapshot(plan, { namespaces, secrets: byName, lease }), NOW_MS)
}

/** The world with another Secret in place of that of team-b, or none. */
const withTeamB = (secret?: Secret): Partial<World> => ({ secrets: [copy(OWN), copy('team-a'), ...(secret === undefined ? [] : [secret])] })
const withConflict = (onConflict: string): object => ({ ...CONFIG, pullSecrets: CONFIG.pullSecrets.map((pullSecret) => ({ ...pullSecret, onConflict })) })

t.test('everything is right', async (t) => {
  t.match(judge(), {
    isRight: true,
    worker: { isLeading: true, holder: 'worker-1', renewedSecondsAgo: 1, renewedAt: '2026-01-31T11:59:59.000Z' },
    pullSecrets: [{ name: NAME, source: 'basic from Secret pullkeeper-system/acr-token', isExpired: false, wanted: 3, present: 3, missing: 0, stale: 0, conflicting: 0, unwanted: 0, held: 0 }],
    retired: [],
    forgotten: []
  })
  t.strictSame(judge().pullSecrets[0]?.notRight, [])
})

/** What is in the cluster, what the counts are then, and why the copy of team-b is not right. */
const copies: [title: string, changes: Partial<World>, counts: Partial<PullSecretStatus>, reason: RegExp, isRight?: boolean][] = [
  ['a missing copy', withTeamB(), { present: 2, missing: 1 }, /^it is not written yet$/],
  ['another content', withTeamB(copy('team-b', encode('test-password-2'))), { present: 2, stale: 1 }, /^its content is not what it should be$/],
  ['an immutable copy of another content', withTeamB({ ...copy('team-b', encode('test-password-2')), immutable: true }), { present: 2, stale: 1 }, /^it is immutable/],
  ['a copy of the wrong type', withTeamB({ ...copy('team-b'), type: 'Opaque' }), { present: 2, stale: 1 }, /^it is of another type/],
  ['a Secret of others', withTeamB(foreign('team-b')), { present: 2, conflicting: 1 }, /^a Secret that is not pullkeeper's stands here; remove or rename it/],
  ['a Secret of others that is adopted', { ...withTeamB(foreign('team-b')), config: withConflict('adopt') }, { present: 2, conflicting: 1 }, /takes it over$/],
  ['a Secret of others that is not adopted', { ...withTeamB(foreign('team-b', encode('test-password-2'))), config: withConflict('adopt') }, { present: 2, conflicting: 1 }, /set onConflict/],
  ['a Secret of others that is overwritten', { ...withTeamB(foreign('team-b', encode('test-password-2'))), config: withConflict('overwrite') }, { present: 2, conflicting: 1 }, /takes it over$/],
  ['an opted-out namespace', { namespaces: [namespace(OWN), namespace('team-a'), namespace('team-b', { labels: { 'pullkeeper.dev/inject': 'false' } })] }, { wanted: 2, present: 2, unwanted: 1 }, /^it is not wanted any more, and goes/, true]
]

for (const [title, changes, counts, reason, isRight = false] of copies) {
  t.test(title, async (t) => {
    const status = judge(changes)
    t.match(status.pullSecrets[0], counts)
    t.match(status.pullSecrets[0]?.notRight, [{ namespace: 'team-b', reason }])
    // The configuration of these rows differs from that of the report, too.
    if (changes.config === undefined) t.equal(status.isRight, isRight)
  })
}

t.test('a namespace that ends lacks nothing', async (t) => {
  const ending = namespace('team-b', { deletionTimestamp: '2026-01-31T11:00:00Z' })
  t.match(judge({ namespaces: [namespace(OWN), namespace('team-a'), ending], ...withTeamB() }), { isRight: true, pullSecrets: [{ wanted: 2, present: 2, missing: 0 }] })
})

t.test('a canonical copy that someone edited is stale; the others are judged by what the worker wrote', async (t) => {
  const edited = { ...copy(OWN), data: { '.dockerconfigjson': encode('test-password-2') } }
  const [pullSecret] = judge({ secrets: [edited, copy('team-a'), copy('team-b')] }).pullSecrets
  t.match(pullSecret, { present: 2, stale: 1, notRight: [{ namespace: OWN }] })
})

t.test('without a canonical copy nothing tells what the copies should hold', async (t) => {
  const [pullSecret] = judge({ secrets: [copy('team-a')] }).pullSecrets
  t.strictSame(pullSecret?.notRight, [
    { namespace: OWN, state: 'missing', reason: 'there is no good content to write' },
    { namespace: 'team-a', state: 'stale', reason: 'nothing tells what it should hold: pullkeeper\'s own copy in pullkeeper-system is not there' },
    { namespace: 'team-b', state: 'missing', reason: 'there is no good content to write' }
  ])
})

t.test('a source that carries the managed name is left alone and counts as present', async (t) => {
  const config = { ...CONFIG, pullSecrets: [{ name: NAME, copyFrom: { secret: { namespace: OWN, name: NAME } } }] }
  t.match(judge({ config, secrets: [foreign(OWN), copy('team-a'), copy('team-b', encode('test-password-2'))] }).pullSecrets, [{ present: 2, stale: 1, conflicting: 0, notRight: [{ namespace: 'team-b' }] }])
})

t.test('a removal in bulk waits for a person: the command allows exactly this configuration', async (t) => {
  const many = Array.from({ length: 12 }, (_none, index) => `team-${index + 10}`)
  const config = { ...CONFIG, rules: [] }
  const world = { config, namespaces: [OWN, ...many].map((name) => namespace(name)), secrets: [OWN, ...many].map((name) => copy(name)), lease: leaseOf({ config: planOf(config).configHash }) }
  const status = judge(world)
  const approval = planOf(config).configHash.slice(0, 12)
  t.match(status, { isRight: false, pullSecrets: [{ wanted: 1, present: 1, held: 12, heldRemoval: { copies: 12, unwanted: 12, command: `kubectl annotate secret -n pullkeeper-system acr-pull pullkeeper.dev/allow-removal=${approval} --overwrite` } }] })
  const approved = judge({ ...world, secrets: [copy(OWN, CONTENT, { 'pullkeeper.dev/allow-removal': approval }), ...many.map((name) => copy(name))] })
  t.match(approved, { isRight: true, pullSecrets: [{ held: 0, unwanted: 12 }] })
})

/** What the Lease says, and what becomes of it. */
const leases: [title: string, changes: Partial<World>, expected: object][] = [
  ['no Lease', { lease: undefined }, { isRight: false, worker: { isLeading: false } }],
  ['a Lease that was given back', { lease: leaseOf({}, { holder: '' }) }, { isRight: false, worker: { isLeading: false } }],
  ['a Lease that ran out', { lease: leaseOf({}, { ageMs: 16_000 }) }, { isRight: false, worker: { isLeading: false, holder: 'worker-1', renewedSecondsAgo: 16 } }],
  ['a worker with another configuration', { lease: leaseOf({ config: 'f00d' }) }, { isRight: false, worker: { isLeading: true, configHash: 'f00d' } }],
  ['a report that can not be read', { lease: { ...leaseOf(), metadata: { annotations: { 'pullkeeper.dev/report': '{' } } } }, { isRight: true }],
  ['a problem with a source', { lease: leaseOf({ secrets: { [NAME]: { problems: [{ reason: 'SourceMissing', message: 'create it' }] } } }) },
    { isRight: false, pullSecrets: [{ problems: [{ reason: 'SourceMissing', message: 'create it' }] }] }],
  ['a credential that was not tried', { lease: leaseOf({ secrets: { [NAME]: { problems: [{ reason: 'CredentialUnverified', message: 'no answer' }] } } }) },
    { isRight: true, pullSecrets: [{ problems: [{ reason: 'CredentialUnverified' }] }] }],
  ['a secret that the worker may not watch', { lease: leaseOf({ secrets: { [NAME]: { isForbidden: true } } }) }, { isRight: false, pullSecrets: [{ isForbidden: true }] }],
  ['a name that left the configuration', { lease: leaseOf({}, { names: `${NAME},old-pull` }) }, { isRight: false, forgotten: ['old-pull'] }]
]

for (const [title, changes, expected] of leases) {
  t.test(title, async (t) => { t.match(judge(changes), expected) })
}

t.test('a retired name is named with the namespaces where copies are left', async (t) => {
  const config = { ...CONFIG, pullSecrets: [], rules: [], retired: [NAME, 'old-pull'] }
  const status = judge({ config, lease: leaseOf({ config: planOf(config).configHash, secrets: { 'old-pull': { isForbidden: true } } }), secrets: [copy(OWN), copy('team-a'), foreign('team-b')] })
  t.strictSame(status.retired, [{ name: NAME, namespaces: [OWN, 'team-a'], isForbidden: false }, { name: 'old-pull', namespaces: [], isForbidden: true }])
  t.strictSame([status.forgotten, status.isRight], [[], false])
})

/** The canonical copy's annotations, and what is shown of them. */
const notes: [title: string, annotations: Record<string, string>, expected: Partial<PullSecretStatus>, isRight: boolean][] = [
  ['what the registries said', { 'pullkeeper.dev/verified': 'accepted' }, { verified: 'accepted' }, true],
  ['a credential that will expire', { 'pullkeeper.dev/expires-at': '2026-01-31T12:00:01.000Z' }, { expiresAt: '2026-01-31T12:00:01.000Z', isExpired: false }, true],
  ['a credential that has expired', { 'pullkeeper.dev/expires-at': '2026-01-31T12:00:00.000Z' }, { isExpired: true }, false]
]

for (const [title, annotations, expected, isRight] of notes) {
  t.test(title, async (t) => {
    const status = judge({ secrets: [copy(OWN, CONTENT, annotations), copy('team-a'), copy('team-b')] })
    t.match(status.pullSecrets[0], expected)
    t.equal(status.isRight, isRight)
  })
}

t.test('nothing of a credential is in it', async (t) => {
  const text = JSON.stringify(judge(withTeamB(foreign('team-b', encode('test-password-2')))))
  for (const secret of ['test-password', CONTENT, encode('test-password-2')]) t.notMatch(text, secret)
})
