/**
 * The floor: the least that a webhook in node can do, as a process of its own. It answers with the bytes of the file
 * `--answer`, or else admits what it is asked for, with the JSON Patch in the file `--patch` where that is given.
 * `GET /count` tells how many bodies it has answered.
 */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

interface Review { apiVersion: string, request: { uid: string } }

const { values: files } = parseArgs({
  options: { cert: { type: 'string', default: '' }, key: { type: 'string', default: '' }, answer: { type: 'string' }, patch: { type: 'string' } }
})
const constant = files.answer === undefined ? undefined : readFileSync(files.answer)
const patch = files.patch === undefined ? {} : { patchType: 'JSONPatch', patch: readFileSync(files.patch).toString('base64') }
let count = 0

const server = createServer({ cert: readFileSync(files.cert), key: readFileSync(files.key), keepAliveTimeout: 95_000 }, (request, response) => {
  if (request.method === 'GET') {
    response.end(String(count))
    return
  }
  readJson(request, (review) => {
    count++
    const answer = constant ?? admit(review as Review)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(answer) })
    response.end(answer)
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  process.stderr.write(`${JSON.stringify({ url: `https://127.0.0.1:${port}` })}\n`)
})
process.on('SIGTERM', () => { process.exit() })

function readJson (request: IncomingMessage, done: (value: unknown) => void): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  request.on('end', () => { done(JSON.parse(Buffer.concat(chunks).toString())) })
}

function admit ({ apiVersion, request: { uid } }: Review): string {
  return JSON.stringify({ kind: 'AdmissionReview', apiVersion, response: { uid, allowed: true, ...patch } })
}
