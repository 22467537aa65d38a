import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { parseConfig } from '../../src/config/parse-config.ts'
import { openClusterAccess } from '../../src/kubernetes/cluster-access.ts'
import { createKubeClient } from '../../src/kubernetes/kube-client.ts'
import { systemClock } from '../../src/kubernetes/system-clock.ts'
import { writeKubeconfig } from '../../src/sandbox/kubeconfig.ts'
import { readClusterSnapshot } from '../../src/sync/status/cluster-snapshot.ts'
import { createSyncStatus, type PullSecretStatus, type SyncStatus } from '../../src/sync/status/sync-status.ts'
import { compileSyncPlan } from '../../src/sync/sync-plan.ts'
import { readAuditEvents } from '../helpers/cluster.ts'
import { eventually } from '../helpers/eventually.ts'
import { runKubectl } from '../helpers/kubectl.ts'
import { runCli, type CliResult } from '../helpers/run-cli.ts'
import { formatConfig, startWorker } from '../helpers/sync-worker.ts'
import { createAuths, createForeignSecret, createRegistry, createWorld, secretPath, type SyncWorld } from './sync-world.ts'
import { createObject, makeDirectory, testEachCluster, type TestCluster } from './test-cluster.ts'
import { TOKEN_REQUEST } from './worker-requests.ts'

/** `pullkeeper status` beside a real worker, and without one. */

interface StatusCommand {
  kubeconfig: string
  /** With another configuration than the world's own, or with none: then it reads the ConfigMap. */
  run: (args?: string[], config?: object | null) => Promise<CliResult>
  /** What it judges, without a process of its own. */
  read: (config?: object) => Promise<SyncStatus>
  /** Reads until it is as wanted, since the worker writes a moment later; also the only pull secret. */
  waitFor: (isWanted: (status: SyncStatus) => boolean, config?: object) => Promise<{ status: SyncStatus, pullSecret: PullSecretStatus }>
}

async function createCommand (t: Test, { cluster }: TestCluster, world: SyncWorld): Promise<StatusCommand> {
  const directory = await makeDirectory(t)
  const [kubeconfig, configFile] = [join(directory, 'kubeconfig'), join(directory, 'config.yaml')]
  await writeKubeconfig(kubeconfig, cluster, { name: 'test' })

  async function run (args: string[] = [], config: object | null = world.config()): Promise<CliResult> {
    if (config !== null) await writeFile(configFile, formatConfig(config))
    return runCli(['status', '--kubeconfig', kubeconfig, '-n', world.own, ...(config === null ? [] : ['--config', configFile]), ...args])
  }

  const client = createKubeClient(await openClusterAccess({ kubeconfigFile: kubeconfig }, systemClock.monotonicMs), systemClock, { maxConnections: 4 })
  t.teardown(client.close)

  async function read (config: object = world.config()): Promise<SyncStatus> {
    const report = parseConfig(formatConfig(config), 'config.yaml')
    if (report.config === undefined) throw new Error(JSON.stringify(report.problems))
    const plan = compileSyncPlan(report.config, { configHash: report.hash, ownNamespace: world.own })
    return createSyncStatus(plan, await readClusterSnapshot(client, systemClock, plan), systemClock.nowMs())
  }

  return {
    kubeconfig,
    run,
    read,
    waitFor: async (isWanted, config) => eventually('the status is as wanted', async () => {
      const status = await read(config)
      const [pullSecret] = status.pullSecrets
      return pullSecret !== undefined && isWanted(status) && { status, pullSecret }
    }, 30_000)
  }
}

testEachCluster(async (t, cluster) => {
  t.test('all is right; then the source is gone: the copies stay, and it is named', async (t) => {
    const world = await createWorld(cluster)
    const command = await createCommand(t, cluster, world)
    await world.start(t, { identity: 'the-leader' })
    await world.waitForPassword('test-password-1', [0, 1, 2].map(world.team))
    const { status, pullSecret } = await command.waitFor(({ isRight, worker }) => isRight && worker.configHash !== undefined)
    t.match(status, { worker: { isLeading: true, holder: 'the-leader', configHash: status.configHash }, forgotten: [], retired: [] })
    t.match(pullSecret, { name: world.name, source: `basic from Secret ${world.own}/source`, verified: 'off', wanted: 4, present: 4, notRight: [], problems: [] })

    const text = await command.run()
    t.match(text, { exitCode: 0, stderr: '' })
    t.match(text.stdout, /^the-leader leads, renewed \d\.\d s ago\n\nPULL SECRET +SOURCE/)
    t.match(text.stdout, new RegExp(`^${world.name} +basic from Secret ${world.own}/source +off +- +4 +4 +0 +0$`, 'm'))

    await world.client.delete(secretPath(world.own, 'source'))
    const without = await command.waitFor(({ pullSecrets }) => pullSecrets[0]?.problems.length === 1)
    t.equal(without.status.isRight, false)
    t.match(without.pullSecret, { present: 4, problems: [{ reason: 'SourceMissing', message: `there is no Secret ${world.own}/source; create it` }] })
  })

  t.test('a Secret of others is named with its namespace, and nothing of its content is shown', async (t) => {
    const world = await createWorld(cluster)
    const command = await createCommand(t, cluster, world)
    await createObject(world.client, `/api/v1/namespaces/${world.team(1)}/secrets`, createForeignSecret(world.name, createAuths('test-password-foreign')))
    await world.start(t)
    await world.waitForCopies((copies) => copies.size === 4)
    const { pullSecret } = await command.waitFor(({ pullSecrets }) => pullSecrets[0]?.present === 3)
    t.match(pullSecret, { conflicting: 1, notRight: [{ namespace: world.team(1), state: 'conflicting' }] })
    const outputs = [await command.run(), await command.run(['-o', 'json'])]
    t.strictSame(outputs.map(({ exitCode }) => exitCode), [1, 1])
    const secrets = ['test-password-1', 'test-password-foreign', 'puller:test-password-1'].flatMap((text) => [text, Buffer.from(text).toString('base64')])
    for (const secret of secrets) t.notOk(outputs.some(({ stdout }) => stdout.includes(secret)))
  })

  t.test('without a worker it says so, sees what is missing, and writes nothing', async (t) => {
    const world = await createWorld(cluster)
    const command = await createCommand(t, cluster, world)
    t.match(await command.read(), { isRight: false, worker: { isLeading: false }, pullSecrets: [{ wanted: 4, present: 0, missing: 4 }] })
    const worker = await world.start(t)
    await world.waitForPassword('test-password-1', [0, 1, 2].map(world.team))
    await worker.close()
    await world.client.delete(secretPath(world.team(0), world.name))
    const countWrites = async (): Promise<number> => (await readAuditEvents(cluster.auditLog))
      .filter(({ verb, objectRef }) => objectRef?.namespace === world.own && !['get', 'list', 'watch'].includes(verb)).length
    const before = await countWrites()
    const { status, pullSecret } = await command.waitFor(({ pullSecrets }) => pullSecrets[0]?.missing === 1)
    t.match(status.worker, { isLeading: false })
    t.match(pullSecret, { present: 3, notRight: [{ namespace: world.team(0), state: 'missing', reason: 'it is not written yet' }] })
    t.match(await command.run(), { exitCode: 1, stdout: `no worker holds the Lease ${world.own}/pullkeeper-sync: nothing is kept` })
    t.equal(await countWrites(), before)
  })

  t.test('a removal in bulk waits; the command that status prints allows it', async (t) => {
    const world = await createWorld(cluster, { teams: 12 })
    const command = await createCommand(t, cluster, world)
    const worker = await world.start(t)
    await world.waitForCopies((copies) => copies.size === 13)
    const config = { ...world.config({ pruneAfter: '0s' }), rules: [] }
    await worker.configure(config)
    const { status, pullSecret } = await command.waitFor(({ worker, configHash }) => worker.configHash === configHash, config)
    t.equal(status.isRight, false)
    t.match(pullSecret, { held: 12, heldRemoval: { copies: 12, unwanted: 12 } })
    const text = await command.run([], config)
    const [, line = ''] = /\n {4}kubectl (annotate .*)\n/.exec(text.stdout) ?? []
    t.match(await runKubectl(command.kubeconfig, line.split(' ')), { exitCode: 0 })
    await world.waitForCopies((copies) => copies.size === 1)
    t.match(await command.waitFor(({ isRight }) => isRight, config), { pullSecret: { held: 0, wanted: 1, present: 1 } })
  })

  t.test('a name that leaves is remembered until it is retired, and cleaned up', async (t) => {
    const world = await createWorld(cluster)
    const command = await createCommand(t, cluster, world)
    const worker = await world.start(t)
    await world.waitForCopies((copies) => copies.size === 4)
    await world.waitForLease(({ 'pullkeeper.dev/names': names = '' }) => names === world.name)
    const left = { pullSecrets: [], rules: [], sync: { pruneAfter: '0s' } }
    await worker.configure(left)
    await eventually('the name is remembered', async () => (await command.read(left)).forgotten.includes(world.name), 30_000)
    const retired = { ...left, retired: [world.name] }
    await worker.configure(retired)
    await world.waitForCopies((copies) => copies.size === 0)
    const status = await eventually('nothing is left to do', async () => {
      const status = await command.read(retired)
      return status.isRight && status
    }, 30_000)
    t.match(status, { forgotten: [], retired: [{ name: world.name, namespaces: [] }] })
    t.match(await command.run([], retired), { exitCode: 0, stdout: `${world.name} is retired: no copy is left; it and its rights can go` })
  })

  const skip = t.name === 'in-memory' && 'the in-memory API does not authorize'
  t.test('a pull secret that was added before its rights; the command that status prints makes it right', { skip }, async (t) => {
    const world = await createWorld(cluster)
    const command = await createCommand(t, cluster, world)
    const applyRights = async (config: object): Promise<void> => {
      const { stdout } = await runCli(['manifests', '--config', '-', '--only', 'rbac', '-n', world.own], { stdin: formatConfig(config) })
      t.match(await runKubectl(command.kubeconfig, ['apply', '-f', '-'], { input: stdout }), { exitCode: 0 })
    }
    await applyRights(world.config())
    const { status: { token } } = await createObject<{ status: { token: string } }>(world.client, `/api/v1/namespaces/${world.own}/serviceaccounts/pullkeeper-sync/token`, TOKEN_REQUEST)
    const worker = await startWorker(t, { ...cluster.cluster, token }, { ownNamespace: world.own, config: world.config() })
    await world.waitForCopies((copies) => copies.size === 4)
    const both = { ...world.config(), pullSecrets: [...world.config().pullSecrets, { name: 'added-pull', registries: [createRegistry(world.own)] }] }
    await worker.configure(both)
    const { status } = await command.waitFor(({ pullSecrets }) => pullSecrets[1]?.isForbidden === true, both)
    t.match(status, { isRight: false, pullSecrets: [{ present: 4, isForbidden: false }, { name: 'added-pull', present: 0, missing: 1 }] })
    const { stdout } = await command.run([], both)
    t.match(stdout, new RegExp(`^ {4}pullkeeper manifests --config \\S+ --only rbac -n ${world.own} \\| kubectl apply -f -$`, 'm'))
    await applyRights(both)
    await command.waitFor(({ isRight }) => isRight, both)
  })

  t.test('without --config it reads the ConfigMap, and says what to do when there is none', async (t) => {
    const world = await createWorld(cluster)
    const command = await createCommand(t, cluster, world)
    const name = `ConfigMap ${world.own}/pullkeeper`
    const advice = '; name the configuration by --config FILE, or pullkeeper\'s own namespace by -n NAMESPACE\n'
    t.strictSame(await command.run([], null), { exitCode: 1, stdout: '', stderr: `pullkeeper: there is no ${name}${advice}` })
    const path = `/api/v1/namespaces/${world.own}/configmaps`
    await createObject(world.client, path, { metadata: { name: 'pullkeeper' }, data: { config: '' } })
    t.strictSame(await command.run([], null), { exitCode: 1, stdout: '', stderr: `pullkeeper: ${name} has no key config.yaml${advice}` })
    await world.client.patch(`${path}/pullkeeper`, 'merge', { data: { 'config.yaml': formatConfig(world.config()) } })
    const { stdout } = await command.run(['-o', 'json'], null)
    t.match(JSON.parse(stdout), { pullSecrets: [{ name: world.name, wanted: 4, missing: 4 }] })
  })
})
