import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'

/**
 * Finds `count` different TCP ports of 127.0.0.1 that nothing listens on.
 * Another process may take one before it is used: whoever starts a program on it tries again with others then.
 */
export async function findFreePorts (count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map(closeServer))
  return ports
}

async function listenAnywhere (): Promise<Server> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function closeServer (server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  await closed
}
