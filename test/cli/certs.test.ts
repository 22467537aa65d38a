import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { connect, createServer } from 'node:tls'
import t, { type Test } from 'tap'
import { runCli } from '../helpers/run-cli.ts'

const NAMES = ['pullkeeper-webhook.pullkeeper-system.svc', 'localhost', '127.0.0.1', '::1']
const FILES = ['ca.crt', 'ca.key', 'tls.crt', 'tls.key'] as const
const DAY_MS = 24 * 60 * 60 * 1000

type Files = Record<typeof FILES[number], string>

const certs = async (dir: string, ...args: string[]) => runCli(['certs', '--dir', dir, '--dns', ...NAMES, ...args])
const readFiles = async (dir: string): Promise<Files> => {
  const contents = await Promise.all(FILES.map(async (name) => [name, await readFile(join(dir, name), 'utf8')]))
  return Object.fromEntries(contents) as Files
}
const daysLeft = (certificate: string): number => (Date.parse(new X509Certificate(certificate).validTo) - Date.now()) / DAY_MS

/** Shakes hands under a name; gives the error's code, or `ok`. */
const greet = async (t: Test, files: Files, servername: string): Promise<string> => {
  const server = createServer({ cert: files['tls.crt'], key: files['tls.key'] }, (socket) => socket.end())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername, ca: files['ca.crt'] })
  return once(socket, 'secureConnect').then(() => 'ok', (error: NodeJS.ErrnoException) => error.code ?? error.message).finally(() => { socket.destroy() })
}

t.test('makes a CA and a certificate that serves TLS for the names, and for no other', async (t) => {
  const dir = join(t.testdir(), 'new', 'certs')
  const { exitCode, stdout, stderr } = await certs(dir)
  t.equal(exitCode, 0)
  t.equal(stderr, '')
  for (const name of ['ca.crt', 'tls.crt', 'tls.key', ...NAMES]) t.match(stdout, name)
  t.notMatch(stdout, 'PRIVATE KEY')
  const files = await readFiles(dir)
  t.equal(await greet(t, files, 'localhost'), 'ok')
  t.equal(await greet(t, files, 'pullkeeper-webhook.pullkeeper-system.svc'), 'ok')
  t.equal(await greet(t, files, 'other.pullkeeper-system.svc'), 'ERR_TLS_CERT_ALTNAME_INVALID')
  const serving = new X509Certificate(files['tls.crt'])
  t.ok(serving.checkIP('127.0.0.1') !== undefined && serving.checkIP('::1') !== undefined)
  t.ok(serving.verify(new X509Certificate(files['ca.crt']).publicKey))
  t.match([daysLeft(files['tls.crt']), daysLeft(files['ca.crt'])].map(Math.ceil), [365, 3650])
})

t.test('keys are for their owner only, whatever the umask', async (t) => {
  const dir = t.testdir()
  await certs(dir)
  for (const name of ['ca.key', 'tls.key']) t.equal((await stat(join(dir, name))).mode & 0o777, 0o600, name)
})

t.test('a key that is replaced is for its owner only, even if it was not before', async (t) => {
  const dir = t.testdir()
  await certs(dir)
  await rm(join(dir, 'tls.key'))
  await writeFile(join(dir, 'tls.key'), 'old', { mode: 0o644 })
  t.match(await certs(dir, '--force'), { exitCode: 0 })
  t.equal((await stat(join(dir, 'tls.key'))).mode & 0o777, 0o600)
})

t.test('a second run replaces nothing unless it is forced; then the CA stays', async (t) => {
  const dir = t.testdir()
  await certs(dir)
  const first = await readFiles(dir)
  const refused = await certs(dir)
  t.match(refused, { exitCode: 1, stdout: '', stderr: /^pullkeeper: .*tls\.crt exists; --force replaces it\n$/ })
  t.strictSame(await readFiles(dir), first)
  const forced = await certs(dir, '--force', '--days', '30')
  t.match(forced, { exitCode: 0, stdout: /used CA/ })
  const second = await readFiles(dir)
  t.equal(second['ca.crt'], first['ca.crt'])
  t.equal(second['ca.key'], first['ca.key'])
  t.not(second['tls.key'], first['tls.key'])
  t.equal(Math.ceil(daysLeft(second['tls.crt'])), 30)
  t.equal(await greet(t, second, 'localhost'), 'ok', 'the old CA vouches for the new certificate')
})

for (const missing of FILES) {
  t.test(`half a pair is refused: without ${missing}`, async (t) => {
    const dir = t.testdir()
    await certs(dir)
    await rm(join(dir, missing))
    const before = await Promise.all(FILES.filter((name) => name !== missing).map(async (name) => readFile(join(dir, name), 'utf8')))
    const args = missing.startsWith('ca') ? ['--force'] : []
    t.match(await certs(dir, ...args), { exitCode: 1, stdout: '', stderr: /^pullkeeper: .* holds only one of \S+ and \S+; .*\n$/ })
    t.strictSame(await Promise.all(FILES.filter((name) => name !== missing).map(async (name) => readFile(join(dir, name), 'utf8'))), before, 'nothing is touched')
  })
}

t.test('a CA that is none is refused without a stack trace', async (t) => {
  const dir = t.testdir({ 'ca.crt': 'hello', 'ca.key': 'hello' })
  const { exitCode, stderr } = await certs(dir)
  t.equal(exitCode, 1)
  t.match(stderr, /^pullkeeper: [^\n]*ca\.(crt|key)[^\n]*\n$/, 'names the file')
  t.equal(await stat(join(dir, 'tls.key')).catch(() => undefined), undefined)
})
