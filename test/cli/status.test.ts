import t, { type Test } from 'tap'
import { stripVTControlCharacters } from 'node:util'
import { stringify } from 'yaml'
import { formatStatus } from '../../src/cli/status-text.ts'
import type { PullSecretStatus, SyncStatus } from '../../src/sync/status/sync-status.ts'
import { runCli, type CliResult } from '../helpers/run-cli.ts'
import { formatConfig } from '../helpers/webhook-files.ts'

const NOW_MS = Date.UTC(2026, 0, 31, 12)
const RIGHTS = 'pullkeeper manifests --config config.yaml --only rbac | kubectl apply -f -'

const createPullSecret = (parts: Partial<PullSecretStatus> = {}): PullSecretStatus => ({
  name: 'acr-pull', source: 'copy of Secret default/acr', isExpired: false, wanted: 3, present: 3, missing: 0, stale: 0, conflicting: 0, unwanted: 0, held: 0, notRight: [], problems: [], isForbidden: false, ...parts
})
const createStatus = (parts: Partial<SyncStatus> = {}): SyncStatus => ({
  isRight: true,
  configHash: 'c0ffee',
  ownNamespace: 'pullkeeper-system',
  worker: { isLeading: true, holder: 'worker-1', renewedAt: '2026-01-31T11:59:59.000Z', renewedSecondsAgo: 1, configHash: 'c0ffee' },
  pullSecrets: [createPullSecret()],
  retired: [],
  forgotten: [],
  ...parts
})
const format = (parts: Partial<SyncStatus> = {}): string => stripVTControlCharacters(formatStatus(createStatus(parts), { nowMs: NOW_MS, rightsCommand: RIGHTS }))

t.test('all right: who leads, and a table', async (t) => {
  t.equal(format(), [
    'worker-1 leads, renewed 1.0 s ago',
    '',
    'PULL SECRET   SOURCE                       VERIFIED   EXPIRES   WANTED   PRESENT   STALE   CONFLICTING',
    'acr-pull      copy of Secret default/acr   -          -         3        3         0       0'
  ].join('\n'))
})

const findings = Array.from({ length: 12 }, (_none, index) => ({ namespace: `team-${index}`, state: 'missing' as const, reason: 'it is not written yet' }))

/** What is not right, and what the text says of it. */
const texts: [title: string, parts: Partial<SyncStatus>, expected: RegExp | string][] = [
  ['nobody leads', { worker: { isLeading: false } }, /^no worker holds the Lease pullkeeper-system\/pullkeeper-sync: nothing is kept\n/],
  ['the leader is gone', { worker: { isLeading: false, holder: 'worker-1', renewedSecondsAgo: 61.04 } }, /^no worker holds .* \(worker-1 held it, renewed 61\.0 s ago\)\n/],
  ['another configuration is in force', { configHash: 'f00d' }, /^worker-1 leads, .*\nthe worker has another configuration in force \(SHA-256 c0ffee\) than the one that is shown here \(f00d\)\n/],
  ['a credential expires', { pullSecrets: [createPullSecret({ verified: 'accepted', expiresAt: '2026-01-31T17:59:00Z' })] }, /acr +accepted +in 5 h +3 /],
  ['a credential has expired', { pullSecrets: [createPullSecret({ expiresAt: '2026-01-28T12:00:00Z', isExpired: true })] }, /- +3 d ago +3 [^]*\nacr-pull\n {2}a credential has expired$/],
  ['namespaces are not right', { pullSecrets: [createPullSecret({ notRight: findings })] },
    /\nacr-pull\n {2}missing: it is not written yet\n {4}12 namespaces: team-0, [^\n]*team-9 and 2 more \(-o json names all\)$/],
  ['a source is not right', { pullSecrets: [createPullSecret({ problems: [{ reason: 'SourceMissing', message: 'there is no Secret default/acr; create it' }] })] },
    /\nacr-pull\n {2}SourceMissing: there is no Secret default\/acr; create it$/],
  ['rights are missing', { pullSecrets: [createPullSecret({ isForbidden: true })] }, `\nacr-pull\n  the worker may not watch its copies; apply the rights of this configuration:\n    ${RIGHTS}`],
  ['a removal waits', { pullSecrets: [createPullSecret({ heldRemoval: { copies: 20, unwanted: 12, command: 'kubectl annotate' } })] },
    /\nacr-pull\n {2}the removal of 12 of 20 copies waits for a person; if it is meant:\n {4}kubectl annotate$/],
  ['a name was forgotten', { forgotten: ['old-pull'] }, /\n\nold-pull left the configuration without being retired: .*; add it to retired$/],
  ['copies of a retired name are left', { retired: [{ name: 'old-pull', namespaces: ['a', 'b'], isForbidden: false }] }, /\n\nold-pull is retired: 2 copies left; keep it in retired, with its rights, until none is left$/],
  ['no copy of a retired name is left', { retired: [{ name: 'old-pull', namespaces: [], isForbidden: true }] }, `old-pull is retired: no copy is left; it and its rights can go\n  the worker may not watch its copies; apply the rights of this configuration:\n    ${RIGHTS}`]
]

for (const [title, parts, expected] of texts) {
  t.test(title, async (t) => { t.match(format(parts), expected) })
}

t.test('what others wrote can not steer the terminal', async (t) => {
  const hostile = ['a\u001b[2Jb', 'c\u001b]0;d\u0007', 'e\nf', 'g\u009b2Jh', 'i\u001b[31m']
  const [holder = '', verified = '', reason = '', message = '', name = ''] = hostile
  const text = formatStatus(createStatus({
    worker: { isLeading: true, holder, renewedSecondsAgo: 1 },
    pullSecrets: [createPullSecret({ verified, problems: [{ reason, message }] })],
    forgotten: [name]
  }), { nowMs: NOW_MS, rightsCommand: RIGHTS })
  for (const part of hostile) {
    t.notOk(text.includes(part))
    t.ok(text.includes(part.replace(/\p{Cc}/gu, ' ')))
  }
})

const runStatus = async (t: Test, ...args: string[]): Promise<CliResult> => {
  const kubeconfig = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1' } }],
    users: [{ name: 'a', user: { token: 'test-token-1' } }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
    'current-context': 'a'
  })
  return runCli(['status', '--kubeconfig', 'kubeconfig', ...args], { cwd: t.testdir({ kubeconfig, 'config.yaml': formatConfig(), 'bad.yaml': 'rules: []\n' }) })
}

t.test('an API server that can not be reached is named', async (t) => {
  const expected = { exitCode: 1, stdout: '', stderr: 'pullkeeper: the API server can not be reached: ECONNREFUSED (https://127.0.0.1:1); check --kubeconfig\n' }
  t.strictSame(await runStatus(t), expected)
  t.strictSame(await runStatus(t, '--config', 'config.yaml', '-o', 'json'), expected)
})

t.test('errors of the configuration are printed as check prints them', async (t) => {
  t.match(await runStatus(t, '--config', 'bad.yaml'), { exitCode: 1, stdout: '', stderr: /^pullkeeper: the configuration can not be used\nbad\.yaml:1:1: error: / })
})
