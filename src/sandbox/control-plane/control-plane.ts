import { randomBytes } from 'node:crypto'
import type { Child } from './child-process.ts'
import type { Cluster, ClusterOptions } from '../cluster.ts'
import type { Credentials } from '../cluster-request.ts'
import { listApiServerArguments, listControllerManagerArguments, listEtcdArguments } from './program-arguments.ts'
import { writeControlPlaneFiles } from './program-files.ts'
import type { ControlPlaneFiles } from './program-files.ts'
import { findEnvtestBinaries } from './envtest-binaries.ts'
import type { EnvtestBinaries } from './envtest-binaries.ts'
import { findFreePorts } from './free-ports.ts'
import { createProgramGroup } from './program-group.ts'
import type { ProgramGroup } from './program-group.ts'
import { checkApiServer, checkEtcd, checkPodCreation, createDefaultServiceAccount, waitUntilReady } from './readiness.ts'
import type { ReadinessCheck } from './readiness.ts'

/** Which programs are started, and how long that may take. */
export interface ControlPlaneOptions extends ClusterOptions {
  /** Folder with etcd, kube-apiserver and kube-controller-manager (the envtest layout, `KUBEBUILDER_ASSETS`). */
  binaries: string
  /** How long the start may take. Default: one minute. */
  timeoutMs?: number
  /** Ends the start. */
  signal?: AbortSignal
}

/** A real etcd and kube-apiserver, and the controller manager where the folder has one. */
export interface ControlPlane extends Cluster {
  /** Version of the API server, such as `1.20.2`. */
  readonly version: string
  /**
   * Whether a kube-controller-manager runs. Without it no Deployment becomes Pods, no namespace but `default` has a
   * ServiceAccount, and no deleted namespace goes.
   */
  readonly hasControllerManager: boolean
  /** Ends the API server as a crash does (SIGKILL); etcd and the controller manager stay. */
  killApiServer: () => Promise<void>
  /** Starts the API server again, on the same port, and waits until it is ready. */
  startApiServer: () => Promise<void>
}

const START_TIMEOUT_MS = 60_000
const ATTEMPTS = 3

/**
 * Starts a real control plane on free loopback ports, with everything that it keeps in a temporary directory.
 * It is ready for Pods in the namespace `default` when this resolves. Its processes end and the directory goes with
 * `close`, and also when this process is gone, however it went.
 * @throws Error that says which program is missing or why it ended, with its last lines
 */
export async function startControlPlane (options: ControlPlaneOptions): Promise<ControlPlane> {
  const binaries = await findEnvtestBinaries(options.binaries)
  const timeout = AbortSignal.timeout(options.timeoutMs ?? START_TIMEOUT_MS)
  const deadline = options.signal === undefined ? timeout : AbortSignal.any([timeout, options.signal])
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnFreePorts(binaries, options, deadline)
    } catch (error) {
      if (attempt === ATTEMPTS || !isPortTaken(error)) throw error
    }
  }
}

/** A port was free when we looked and taken when the program started: Go's words for EADDRINUSE. */
function isPortTaken (error: unknown): boolean {
  return error instanceof Error && error.message.includes('address already in use')
}

async function startOnFreePorts (binaries: EnvtestBinaries, options: ControlPlaneOptions, deadline: AbortSignal): Promise<ControlPlane> {
  const group = await createProgramGroup()
  try {
    return await startPrograms(group, binaries, options, deadline)
  } catch (error) {
    await group.close()
    throw error
  }
}

async function startPrograms (group: ProgramGroup, binaries: EnvtestBinaries, options: ControlPlaneOptions, deadline: AbortSignal): Promise<ControlPlane> {
  const [etcdPort = 0, port = 0] = await findFreePorts(2)
  const etcdUrl = `http://127.0.0.1:${etcdPort}`
  const url = `https://127.0.0.1:${port}`
  const etcd = startEtcd(group, binaries.etcd, etcdUrl)
  // etcd needs none of them and starts meanwhile.
  const files = await writeControlPlaneFiles(group.directory, url, options)
  await waitUntilReady(etcd.child, etcd.check, deadline)
  const admin = { url, caCertificate: files.caCertificate, token: files.adminToken }
  const probe = { ...admin, token: files.probeToken }
  const apiServer = createApiServer(group, binaries.apiServer, listApiServerArguments({ files, etcdUrl, port, auditLog: options.auditLog }), probe)
  const apiServerProgram = await apiServer.start(deadline)
  const controllerManager = startControllerManager(group, binaries, files)
  if (controllerManager === undefined) await waitUntilReady(apiServerProgram, createDefaultServiceAccount(probe), deadline)
  await waitUntilReady(controllerManager ?? apiServerProgram, checkPodCreation(probe), deadline)
  return {
    ...admin,
    version: binaries.version,
    hasControllerManager: controllerManager !== undefined,
    killApiServer: apiServer.kill,
    startApiServer: async () => { await apiServer.start(AbortSignal.timeout(START_TIMEOUT_MS)) },
    close: group.close
  }
}

function startEtcd (group: ProgramGroup, binary: string, url: string): { child: Child, check: ReadinessCheck } {
  const name = `pullkeeper-${randomBytes(8).toString('hex')}`
  const child = group.start('etcd', binary, listEtcdArguments(group.directory, name, url))
  return { child, check: checkEtcd(url, name) }
}

interface RestartableProgram {
  start: (deadline: AbortSignal) => Promise<Child>
  kill: () => Promise<void>
}

function createApiServer (group: ProgramGroup, binary: string, args: string[], probe: Credentials): RestartableProgram {
  let child: Child | undefined
  return {
    start: async (deadline) => {
      child = group.start('kube-apiserver', binary, args)
      await waitUntilReady(child, checkApiServer(probe), deadline)
      return child
    },
    kill: async () => { await child?.kill() }
  }
}

function startControllerManager (group: ProgramGroup, binaries: EnvtestBinaries, files: ControlPlaneFiles): Child | undefined {
  if (binaries.controllerManager === undefined) return undefined
  const args = listControllerManagerArguments(files, binaries.minorVersion)
  return group.start('kube-controller-manager', binaries.controllerManager, args)
}
