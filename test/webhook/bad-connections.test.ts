import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { listAddedSecrets, readAnsweredProblem, readAnsweredReview } from '../helpers/admission-answers.ts'
import { eventually } from '../helpers/eventually.ts'
import { openRawConnection } from '../helpers/raw-connection.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { startWebhookFixture } from '../helpers/webhook-fixture.ts'

const CUT_REQUESTS = 20
const MIB = 1024 * 1024

const authority = await createTestAuthority()
const { client, webhook, metrics, records, log } = await startWebhookFixture(t, { authority, keyPair: await authority.issueServer() })
const body = JSON.stringify(createReview())
const head = `POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`

const openRaw = async () => openRawConnection(webhook.url, authority.certificate)
const expectServed = async (t: Test): Promise<void> => {
  const answer = await client.post('/mutate', createReview())
  t.strictSame(listAddedSecrets(readAnsweredReview(answer).patch), ['example-pull'], 'the next request is served')
}
const expectNothingInFlight = async (t: Test): Promise<void> => {
  await eventually('nothing in flight', async () => (await metrics()).value('pullkeeper_admissions_in_flight') === 0)
  t.pass('nothing is in flight')
}
const readStatus = (answer: string): number => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1])

/** What goes over the connection, and the status that comes back; the connection ends. */
const malformed: [string, string, number][] = [
  ['no HTTP at all', 'hello\r\n\r\n', 400],
  ['an unknown method', 'BREW /mutate HTTP/1.1\r\nhost: webhook\r\n\r\n', 400],
  ['an unknown HTTP version', 'POST /mutate HTTP/7.3\r\nhost: webhook\r\n\r\n', 400],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
  ['a header without colon', 'POST /mutate HTTP/1.1\r\nhost: webhook\r\nnonsense\r\n\r\n', 400],
  ['a length that is no number', 'POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-length: many\r\n\r\n', 400],
  ['two lengths', 'POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n', 400],
  ['a length and chunks', 'POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n', 400],
  ['a chunk whose length is no number', 'POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n', 400],
  ['headers of 17 KiB', `POST /mutate HTTP/1.1\r\nhost: webhook\r\nx-long: ${'x'.repeat(17_408)}\r\n\r\n`, 431]
]

for (const [name, request, status] of malformed) {
  t.test(`refused with ${status}: ${name}`, async (t) => {
    const raw = await openRaw()
    raw.write(request)
    const answer = await raw.readToEnd()
    t.equal(readStatus(answer), status)
    const problem = readAnsweredProblem({ body: answer.slice(answer.indexOf('\r\n\r\n') + 4) })
    t.match(problem.message, /\S+ \S+/)
    await expectServed(t)
    await expectNothingInFlight(t)
  })
}

t.test('a request without host, which Node itself answers, is refused with 400', async (t) => {
  const raw = await openRaw()
  raw.write(head.replace('host: webhook\r\n', '') + body)
  t.equal(readStatus(await raw.readAnswer()), 400)
  raw.cut()
  await expectServed(t)
})

t.test('8 MiB are refused with 413, before they are sent when their length is announced', async (t) => {
  const chunked = head.replace(/content-length: \d+/, 'transfer-encoding: chunked')
  const raw = await openRaw()
  raw.write(head.replace(/content-length: \d+/, `content-length: ${8 * MIB}`))
  const announced = await raw.readAnswer()
  raw.cut()
  const other = await openRaw()
  other.write(chunked)
  // No byte more than it takes: a client that goes on writing may lose the answer with the connection.
  for (let mib = 0; mib < 7; mib++) other.write(`${MIB.toString(16)}\r\n${' '.repeat(MIB)}\r\n`)
  other.write('1\r\n \r\n')
  for (const answer of [announced, await other.readAnswer()]) {
    t.equal(readStatus(answer), 413)
    t.equal(readAnsweredProblem({ body: answer.slice(answer.indexOf('\r\n\r\n') + 4) }).code, 'BODY_TOO_LARGE')
  }
  other.cut()
  await expectServed(t)
  await expectNothingInFlight(t)
})

t.test('clients that send 8 MiB all the same are refused or cut off, and harm nobody', async (t) => {
  const large = JSON.stringify(createReview({ pod: { padding: 'x'.repeat(8 * MIB) } }))
  const outcomes = await Promise.all(Array.from({ length: 5 }, async () => {
    return client.send({ headers: { 'content-type': 'application/json' }, body: large }).then(({ status }) => status, ({ code }: NodeJS.ErrnoException) => code)
  }))
  for (const outcome of outcomes) t.ok(outcome === 413 || outcome === 'EPIPE' || outcome === 'ECONNRESET', String(outcome))
  await expectServed(t)
  await expectNothingInFlight(t)
})

t.test('plain HTTP on the TLS port is refused', async (t) => {
  const { hostname, port } = new URL(webhook.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.end(head + body)
  await once(socket.resume(), 'close')
  await expectServed(t)
})

t.test('after a request that is no AdmissionReview the same connection goes on', async (t) => {
  const raw = await openRaw()
  raw.write('POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: 1\r\n\r\n{')
  t.equal(readStatus(await raw.readAnswer()), 400)
  raw.write('POST /nowhere HTTP/1.1\r\nhost: webhook\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nabc')
  t.equal(readStatus(await raw.readAnswer()), 404)
  raw.write('POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: text/plain\r\ncontent-length: 3\r\n\r\nabc')
  t.equal(readStatus(await raw.readAnswer()), 415)
  raw.write(head + body)
  t.equal(readStatus(await raw.readAnswer()), 200)
  raw.cut()
})

t.test('requests one behind another on one connection are answered in order', async (t) => {
  const raw = await openRaw()
  raw.write(head + body + head + body + 'GET /nowhere HTTP/1.1\r\nhost: webhook\r\n\r\n')
  t.equal(readStatus(await raw.readAnswer()), 200)
  t.equal(readStatus(await raw.readAnswer()), 200)
  t.equal(readStatus(await raw.readAnswer()), 404)
  raw.cut()
})

t.test('a body that comes byte by byte is served', async (t) => {
  const raw = await openRaw()
  raw.write(head)
  for (const byte of Buffer.from(body)) raw.write(Buffer.of(byte))
  t.equal(readStatus(await raw.readAnswer()), 200)
  raw.cut()
})

t.test('a request whose client asks first is told to go on', async (t) => {
  const raw = await openRaw()
  raw.write(head.replace('\r\n\r\n', '\r\nexpect: 100-continue\r\n\r\n'))
  t.match(await raw.readAnswer(), /^HTTP\/1\.1 100 /)
  raw.write(body)
  t.equal(readStatus(await raw.readAnswer()), 200)
  raw.cut()
})

/** How much of a request comes before the connection is cut. */
const cuts: [string, string][] = [
  ['in the head', head.slice(0, 40)],
  ['after the head', head],
  ['in the body', head + body.slice(0, body.length / 2)],
  ['before the last byte', head + body.slice(0, -1)]
]

for (const [name, part] of cuts) {
  t.test(`requests cut ${name} leave nothing behind`, async (t) => {
    const recorded = records().length
    for (let index = 0; index < CUT_REQUESTS; index++) {
      const raw = await openRaw()
      await new Promise<void>((resolve) => { raw.socket.write(part, () => { resolve() }) })
      raw.cut()
    }
    await expectServed(t)
    await expectNothingInFlight(t)
    t.equal(records().length, recorded + 1, 'half a request decides nothing')
  })
}

t.test('none of it is an error of ours', async (t) => {
  t.strictSame(log().filter(({ level }) => level === 'error'), [])
})
