import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'
import { createTestAuthority } from '../helpers/test-authority.ts'

/** What a server was asked. */
export interface Question {
  /** With the query. */
  path: string
  authorization: string | undefined
}

/** What it answers; `silent` never does. */
export type Answer = { status: number, headers?: Record<string, string | string[]>, body?: string | Buffer } | 'silent' | 'cut'

/** An https server on 127.0.0.1. */
export interface FakeRegistry {
  /** `localhost:PORT`. */
  host: string
  /** PEM of the CA that signed its certificate. */
  caCertificate: string
  /** Every question so far. */
  questions: Question[]
  /** How many connections there have been. */
  connections: () => number
}

const authority = createTestAuthority()
const loopbackPair = authority.then(async ({ issueServer }) => issueServer())

/** Starts a server whose answers a test writes, with a certificate for the loopback names or others. */
export async function startFakeRegistry (t: Test, answer: (question: Question) => Answer, names?: string[]): Promise<FakeRegistry> {
  const { certificate: caCertificate, issueServer } = await authority
  const { certificate, privateKey } = await (names === undefined ? loopbackPair : issueServer({ names }))
  const questions: Question[] = []
  const server = createServer({ cert: certificate, key: privateKey }, (request, response) => {
    const question = { path: request.url ?? '', authorization: request.headers.authorization }
    questions.push(question)
    const answered = answer(question)
    if (answered === 'silent') return
    if (answered === 'cut') { response.destroy(); return }
    response.on('error', () => {})
    response.writeHead(answered.status, answered.headers).end(answered.body)
  })
  let connections = 0
  server.on('secureConnection', () => { connections++ }).on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => { server.close(resolve) })
  })
  return { host: `localhost:${(server.address() as AddressInfo).port}`, caCertificate, questions, connections: () => connections }
}
