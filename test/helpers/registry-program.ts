import { execFile, spawnSync } from 'node:child_process'
import { createHash, randomUUID } from 'node:crypto'
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import type { Test } from 'tap'
import { findFreePorts } from '../../src/sandbox/control-plane/free-ports.ts'
import { createProgramGroup, type ProgramGroup } from '../../src/sandbox/control-plane/program-group.ts'
import { eventually } from './eventually.ts'
import { createHttpsClient } from './https-client.ts'
import { needsProgram } from './programs.ts'
import { createTestAuthority } from './test-authority.ts'

/** How the registry asks for a credential: by itself, or by a token server with signed tokens. */
export type RegistryAuth = 'htpasswd' | TokenAuth

/** A token server whose tokens the registry believes. */
export interface TokenAuth {
  realm: string
  service: string
  issuer: string
  /** PEM; tokens carry a certificate that it signed. */
  rootCertificates: string
}

/** Debian's docker-registry on 127.0.0.1, with TLS. */
export interface RegistryProgram {
  /** `localhost:PORT`, as it stands in images and in `auths`. */
  host: string
  /** PEM of the CA that signed its certificate, and a file that holds it. */
  caCertificate: string
  caFile: string
  /** Puts a tiny image with the tag `v1` into `repository`; only with `auth: 'htpasswd'`. */
  pushImage: (repository: string) => Promise<void>
  /** From now on only this password is good. */
  setPassword: (password: string) => Promise<void>
  /** Pulls `HOST/REPOSITORY:v1` with skopeo, the content of a Secret as its authfile. */
  pullWithAuthFile: (image: string, dockerConfig: string) => Promise<PullResult>
  close: () => Promise<void>
}

/** What skopeo said. */
export interface PullResult {
  isPulled: boolean
  output: string
}

const TIMEOUT_MS = 20_000
const ATTEMPTS = 3
const TAG = 'v1'
const run = promisify(execFile)

/** Options of a test that runs a registry: skipped by name where a program is missing. */
export function needsRegistry (): { skip?: string } {
  return { ...needsProgram('docker-registry', 'docker-registry'), ...needsProgram('skopeo', 'skopeo'), ...needsProgram('htpasswd', 'apache2-utils') }
}

/** Starts a registry that knows one user; the end of the test ends it. */
export async function startRegistry (t: Test, { username, password, auth = 'htpasswd' }: { username: string, password: string, auth?: RegistryAuth }): Promise<RegistryProgram> {
  const group = await createProgramGroup()
  t.teardown(group.close)
  const file = (name: string): string => join(group.directory, name)
  const authority = await createTestAuthority()
  const { certificate, privateKey } = await authority.issueServer()
  let current = password
  const setPassword = async (password: string): Promise<void> => {
    current = password
    await replaceFile(file('htpasswd'), hashPassword(username, password))
  }
  await mkdir(file('certs'))
  await setPassword(password)
  await Promise.all([
    writeFile(file('certs/ca.crt'), authority.certificate),
    writeFile(file('tls.crt'), certificate),
    writeFile(file('tls.key'), privateKey),
    writeFile(file('tokens.crt'), auth === 'htpasswd' ? '' : auth.rootCertificates),
    writeFile(file('policy.json'), '{"default":[{"type":"insecureAcceptAnything"}]}')
  ])
  const host = await serve(group, auth, authority.certificate)
  return {
    host,
    caCertificate: authority.certificate,
    caFile: file('certs/ca.crt'),
    setPassword,
    pushImage: async (repository) => {
      const layout = file(randomUUID())
      await writeImageLayout(layout)
      const authFile = await writeAuthFile(group, JSON.stringify({ auths: { [host]: { auth: Buffer.from(`${username}:${current}`).toString('base64') } } }))
      await runSkopeo(group, ['--dest-cert-dir', file('certs'), '--dest-authfile', authFile, `oci:${layout}:${TAG}`, `docker://${host}/${repository}:${TAG}`])
    },
    pullWithAuthFile: async (image, dockerConfig) => {
      const authFile = await writeAuthFile(group, dockerConfig)
      try {
        return { isPulled: true, output: await runSkopeo(group, ['--src-cert-dir', file('certs'), '--src-authfile', authFile, `docker://${image}:${TAG}`, `dir:${file(randomUUID())}`]) }
      } catch (error) {
        return { isPulled: false, output: (error as Error).message }
      }
    },
    close: group.close
  }
}

/** The registry does not say which port it took, so that one is chosen first, and another when it was lost meanwhile. */
async function serve (group: ProgramGroup, auth: RegistryAuth, caCertificate: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    const [port] = await findFreePorts(1)
    await writeFile(join(group.directory, 'config.yml'), JSON.stringify(formatConfig(group.directory, `127.0.0.1:${port}`, auth)))
    const program = group.start('docker-registry', 'docker-registry', ['serve', join(group.directory, 'config.yml')])
    const client = createHttpsClient(`https://localhost:${port}`, { ca: caCertificate })
    try {
      await eventually('the registry answers', async () => program.ending() !== undefined || await client.send({ method: 'GET', path: '/v2/' }).catch(() => undefined), TIMEOUT_MS)
    } finally {
      client.close()
    }
    if (program.ending() === undefined) return `localhost:${port}`
    if (attempt === ATTEMPTS) throw new Error(`docker-registry: ${program.ending()}: ${await program.readLogTail()}`)
  }
}

function formatConfig (directory: string, address: string, auth: RegistryAuth): object {
  const file = (name: string): string => join(directory, name)
  return {
    version: '0.1',
    log: { level: 'warn' },
    storage: { filesystem: { rootdirectory: file('storage') } },
    http: { addr: address, tls: { certificate: file('tls.crt'), key: file('tls.key') } },
    auth: auth === 'htpasswd'
      ? { htpasswd: { realm: 'test registry', path: file('htpasswd') } }
      : { token: { realm: auth.realm, service: auth.service, issuer: auth.issuer, rootcertbundle: file('tokens.crt') } }
  }
}

/** bcrypt, the only hash that the registry takes, at the least cost. */
function hashPassword (username: string, password: string): string {
  return spawnSync('htpasswd', ['-inB', '-C', '4', username], { input: password, encoding: 'utf8' }).stdout
}

/** Whole at any moment: the registry reads it again when its time has changed. */
async function replaceFile (path: string, content: string): Promise<void> {
  await writeFile(`${path}.new`, content)
  await rename(`${path}.new`, path)
}

async function writeAuthFile (group: ProgramGroup, content: string): Promise<string> {
  const path = join(group.directory, `${randomUUID()}.json`)
  await writeFile(path, content, { mode: 0o600 })
  return path
}

async function runSkopeo (group: ProgramGroup, args: string[]): Promise<string> {
  const command = ['--policy', join(group.directory, 'policy.json'), '--tmpdir', group.directory, 'copy', ...args]
  const env = { PATH: process.env['PATH'], HOME: group.directory, XDG_RUNTIME_DIR: group.directory }
  const { stdout, stderr } = await run('skopeo', command, { timeout: TIMEOUT_MS, env })
  return stdout + stderr
}

/** An OCI image layout with one layer: an empty tar archive. */
async function writeImageLayout (directory: string): Promise<void> {
  const blobs = join(directory, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const addBlob = async (content: Buffer | object, mediaType: string): Promise<object> => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content))
    const digest = hash(bytes)
    await writeFile(join(blobs, digest), bytes)
    return { mediaType, digest: `sha256:${digest}`, size: bytes.length }
  }
  const archive = Buffer.alloc(1024)
  const layer = await addBlob(gzipSync(archive), 'application/vnd.oci.image.layer.v1.tar+gzip')
  const config = await addBlob({ architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: [`sha256:${hash(archive)}`] } }, 'application/vnd.oci.image.config.v1+json')
  const manifest = await addBlob({ schemaVersion: 2, config, layers: [layer] }, 'application/vnd.oci.image.manifest.v1+json')
  const index = { schemaVersion: 2, manifests: [{ ...manifest, annotations: { 'org.opencontainers.image.ref.name': TAG } }] }
  await writeFile(join(directory, 'index.json'), JSON.stringify(index))
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

function hash (bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex')
}
