import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** The programs of a control plane, and which Kubernetes they are. */
export interface EnvtestBinaries {
  etcd: string
  apiServer: string
  /** Absent when the folder has none: the archives of setup-envtest have none. */
  controllerManager: string | undefined
  /** Of the API server, such as `1.20.2`. */
  version: string
  minorVersion: number
}

const HELP = 'see https://book.kubebuilder.io/reference/envtest'
const VERSION_TIMEOUT_MS = 10_000
const run = promisify(execFile)

/**
 * Finds the programs of a control plane in a folder of the envtest layout (what `KUBEBUILDER_ASSETS` names).
 * @throws Error that says which one is missing, may not be executed or does not run here
 */
export async function findEnvtestBinaries (folder: string): Promise<EnvtestBinaries> {
  const isFolder = await stat(folder).then((stats) => stats.isDirectory(), () => false)
  if (!isFolder) throw new Error(`no control plane in "${folder}": there is no such folder, ${HELP}`)
  const etcd = await findBinary(folder, 'etcd')
  const apiServer = await findBinary(folder, 'kube-apiserver')
  const hasControllerManager = await exists(join(folder, 'kube-controller-manager'))
  const controllerManager = hasControllerManager ? await findBinary(folder, 'kube-controller-manager') : undefined
  return { etcd, apiServer, controllerManager, ...await readVersion(apiServer) }
}

async function findBinary (folder: string, name: string): Promise<string> {
  const file = join(folder, name)
  if (!await exists(file)) throw new Error(`no ${name} in ${folder}: there is no such file, ${HELP}`)
  await access(file, constants.X_OK).catch(() => {
    throw new Error(`no usable ${name} in ${folder}: the file is not executable (chmod +x), ${HELP}`)
  })
  return file
}

async function exists (file: string): Promise<boolean> {
  return access(file).then(() => true, () => false)
}

async function readVersion (apiServer: string): Promise<{ version: string, minorVersion: number }> {
  const output = await run(apiServer, ['--version'], { timeout: VERSION_TIMEOUT_MS }).catch((error: Error) => {
    throw new Error(`${apiServer} does not run here, ${HELP}: ${error.message.trim()}`, { cause: error })
  })
  const [, version, minor] = /^Kubernetes v(\d+\.(\d+)\S*)/.exec(output.stdout) ?? []
  if (version === undefined) {
    throw new Error(`${apiServer} is no kube-apiserver: --version printed ${JSON.stringify(output.stdout.slice(0, 80))}, ${HELP}`)
  }
  return { version, minorVersion: Number(minor) }
}
