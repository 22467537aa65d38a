import { spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { watch } from 'node:fs'
import { access, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'
import { createProgramGroup } from '../../src/sandbox/control-plane/program-group.ts'

// A program is known to run while its connection is open: the kernel closes it with the program, however that ends.
const CONNECT = 'require("node:net").connect(Number(process.argv[1]))'
const CONNECT_AND_STAY = `process.on("SIGTERM", () => {}); ${CONNECT}`

async function listen (t: Test): Promise<{ server: Server, port: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return { server, port: (server.address() as AddressInfo).port }
}

async function nextConnection (server: Server): Promise<Socket> {
  const [socket] = await once(server, 'connection') as [Socket]
  socket.on('error', () => {}).resume()
  return socket
}

t.test('close ends the programs, resolves when they are gone, and removes the directory', async (t) => {
  const { server, port } = await listen(t)
  const group = await createProgramGroup()
  const program = group.start('client', process.execPath, ['-e', CONNECT, String(port)])
  const socket = await nextConnection(server)
  const closed = once(socket, 'close')
  t.equal(program.ending(), undefined)
  await group.close()
  t.equal(program.ending(), 'SIGTERM')
  await t.rejects(access(group.directory))
  await closed
  await group.close()
})

t.test('a program that ignores SIGTERM is killed', async (t) => {
  const { server, port } = await listen(t)
  const group = await createProgramGroup()
  const program = group.start('client', process.execPath, ['-e', CONNECT_AND_STAY, String(port)])
  await nextConnection(server)
  await program.stop(1)
  t.equal(program.ending(), 'SIGKILL')
  await group.close()
})

for (const signal of ['SIGKILL', 'SIGTERM', 'SIGINT'] as const) {
  t.test(`when this process is ended by ${signal}, so are the programs, and the directory goes`, async (t) => {
    const { server, port } = await listen(t)
    const temporary = t.testdir()
    const parent = spawn(process.execPath, ['--input-type=module', '-e', `
      import { createProgramGroup } from ${JSON.stringify(join(import.meta.dirname, '../../src/sandbox/control-plane/program-group.ts'))}
      const group = await createProgramGroup()
      group.start('client', process.execPath, ['-e', ${JSON.stringify(CONNECT_AND_STAY)}, ${JSON.stringify(String(port))}])
    `], { env: { ...process.env, TMPDIR: temporary }, stdio: 'ignore' })
    const socket = await nextConnection(server)
    const closed = once(socket, 'close')
    const emptied = waitUntilEmpty(temporary)
    parent.kill(signal)
    await closed
    await emptied
  })
}

async function waitUntilEmpty (directory: string): Promise<void> {
  const watcher = watch(directory)
  const changes = on(watcher, 'change')
  while ((await readdir(directory)).length > 0) await changes.next()
  watcher.close()
}
