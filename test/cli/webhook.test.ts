import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { runCli, type CliResult } from '../helpers/run-cli.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig, writeWebhookFiles, type WebhookFiles } from '../helpers/webhook-files.ts'

const authority = await createTestAuthority()
const [keyPair, otherKeyPair] = await Promise.all([authority.issueServer(), authority.issueServer()])

/** Starts a webhook that is expected to end by itself. */
const start = async (files: WebhookFiles, ...args: string[]): Promise<CliResult> => runCli([
  'webhook', '--host', '127.0.0.1', '--port', '0', '--metrics-port', '0', '--log-level', 'error',
  '--config', files.configFile, '--tls-cert', files.certificateFile, '--tls-key', files.privateKeyFile, ...args
])

const occupyPort = async (t: Test): Promise<number> => {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

const expectFailure = (t: Test, { exitCode, stdout, stderr }: CliResult, expected: RegExp): void => {
  t.equal(exitCode, 1)
  t.equal(stdout, '')
  t.match(stderr, expected)
  t.notMatch(stderr, /\n\s+at |node_modules|PRIVATE KEY/)
}

for (const option of ['--port', '--metrics-port']) {
  t.test(`${option}: a port in use ends it with exit code 1`, async (t) => {
    const port = await occupyPort(t)
    expectFailure(t, await start(await writeWebhookFiles(t.testdir(), keyPair), option, String(port)), new RegExp(`^pullkeeper: port ${port} is in use by another process; choose another one\n$`))
  })
}

/** What is done to the files before the start, more options, and what is said. */
const cases: [string, (files: WebhookFiles) => Promise<void>, (files: WebhookFiles) => string[], RegExp][] = [
  ['a bad configuration, with every error and its place', async ({ configFile }) => writeFile(configFile, formatConfig({ more: 'unmached: deny\nretire: []\n' })), () => [], /config\.yaml:10:1: error: .*unmached[^]*config\.yaml:11:1: error: .*retire/],
  ['a missing certificate', async ({ certificateFile }) => rm(certificateFile), () => [], /^pullkeeper: .*tls\.crt: no such file or directory\n$/],
  ['a missing key', async ({ privateKeyFile }) => rm(privateKeyFile), () => [], /^pullkeeper: .*tls\.key: no such file or directory\n$/],
  ['a certificate that is none', async ({ certificateFile }) => writeFile(certificateFile, 'hello'), () => [], /^pullkeeper: the certificate file holds no PEM certificate\n$/],
  ['a key of another certificate', async ({ privateKeyFile }) => writeFile(privateKeyFile, otherKeyPair.privateKey), () => [], /^pullkeeper: the private key does not belong to the certificate\n$/],
  ['a missing client CA', async () => {}, ({ directory }) => ['--client-ca', `${directory}/missing.crt`], /^pullkeeper: .*missing\.crt: no such file or directory\n$/],
  ['an empty client CA: it must not mean the public CAs', async ({ directory }) => writeFile(`${directory}/ca.crt`, ''), ({ directory }) => ['--client-ca', `${directory}/ca.crt`], /^pullkeeper: [^\n]*certificate[^\n]*\n$/],
  ['a client CA that is none', async ({ directory }) => writeFile(`${directory}/ca.crt`, 'hello'), ({ directory }) => ['--client-ca', `${directory}/ca.crt`], /^pullkeeper: [^\n]*certificate[^\n]*\n$/],
  ['a decision log in a directory that is not there', async () => {}, ({ directory }) => ['--decision-log', `${directory}/logs/decisions.log`], /^pullkeeper: .*decisions\.log: no such file or directory\n$/],
  ['a decision log that is a directory', async () => {}, ({ directory }) => ['--decision-log', directory], /^pullkeeper: .*is a directory/]
]

for (const [name, damage, args, expected] of cases) {
  t.test(`exits 1: ${name}`, async (t) => {
    const files = await writeWebhookFiles(t.testdir(), keyPair)
    await damage(files)
    expectFailure(t, await start(files, ...args(files)), expected)
  })
}
