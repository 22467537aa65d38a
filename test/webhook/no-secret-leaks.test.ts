import { readFile, writeFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { readAnsweredProblem, readAnsweredReview } from '../helpers/admission-answers.ts'
import { eventually } from '../helpers/eventually.ts'
import { createHttpsClient, type HttpsQuestion } from '../helpers/https-client.ts'
import { createPod } from '../helpers/pods.ts'
import { fetchMetrics } from '../helpers/prometheus-text.ts'
import { openRawConnection } from '../helpers/raw-connection.ts'
import { createReview } from '../helpers/reviews.ts'
import { createTestAuthority } from '../helpers/test-authority.ts'
import { formatConfig, writeWebhookFiles } from '../helpers/webhook-files.ts'
import { startWebhookProcess } from '../helpers/webhook-process.ts'

/** Stands wherever a secret might stand by mistake; it may come out nowhere. */
const MARK = 'MARKED-VALUE'

const HEADERS = { 'content-type': 'application/json', authorization: `Bearer ${MARK}`, cookie: `a=${MARK}`, 'x-remote-user': MARK, 'user-agent': MARK }

const authority = await createTestAuthority()
const files = await writeWebhookFiles(t.testdir(), await authority.issueServer())
const webhook = await startWebhookProcess(t, files, { args: ['--drain-seconds', '0'], env: { SOME_TOKEN: MARK } })
const client = createHttpsClient(webhook.url, { ca: authority.certificate })
t.teardown(client.close)

/** The mark in every part of a review that a record does not speak of. */
const markedReview = createReview({
  pod: createPod({
    annotations: { 'example.com/token': MARK, 'pullkeeper.dev/injected': MARK },
    labels: { token: MARK },
    spec: {
      containers: [{ name: 'app', image: 'registry.example.com/app:1', command: [MARK], args: [MARK], env: [{ name: 'TOKEN', value: MARK }] }],
      volumes: [{ name: 'v', csi: { driver: 'd', volumeAttributes: { password: MARK } } }],
      hostname: MARK
    }
  }),
  request: { userInfo: { username: 'jane', uid: MARK, groups: [MARK], extra: { token: [MARK] } }, options: { token: MARK }, oldObject: { data: MARK }, name: MARK }
})

const expectNoMark = async (t: Test): Promise<void> => {
  t.notMatch(webhook.stderr(), MARK, 'process log')
  t.notMatch(webhook.stdout(), MARK, 'standard output')
  t.notMatch((await fetchMetrics(webhook.metricsUrl)).text, MARK, 'metrics')
  t.notMatch(await readFile(files.decisionLogFile, 'utf8'), MARK, 'decision log')
}

t.test('a review gives its record and its answer nothing but the documented fields', async (t) => {
  const answer = await client.send({ headers: HEADERS, body: JSON.stringify(markedReview) })
  t.match(readAnsweredReview(answer), { allowed: true })
  t.notMatch(answer.body, MARK)
  await eventually('the record is written', async () => (await readFile(files.decisionLogFile, 'utf8')).endsWith('\n'))
  await expectNoMark(t)
})

/** Requests that go wrong. */
const bad: [string, HttpsQuestion][] = [
  ['broken JSON', { headers: HEADERS, body: `{"password":"${MARK}"` }],
  ['JSON that is no review', { headers: HEADERS, body: JSON.stringify({ kind: MARK, apiVersion: MARK, data: MARK }) }],
  ['an unknown version', { headers: HEADERS, body: JSON.stringify({ ...markedReview, apiVersion: MARK }) }],
  ['a wrong content type', { headers: { ...HEADERS, 'content-type': MARK }, body: MARK }],
  ['text', { headers: { ...HEADERS, 'content-type': `text/plain; charset=${MARK}` }, body: MARK }],
  ['an unknown path', { path: `/${MARK}?token=${MARK}`, headers: HEADERS, body: MARK }],
  ['a wrong method', { method: 'PUT', path: `/mutate?token=${MARK}`, headers: HEADERS, body: MARK }]
]

for (const [name, question] of bad) {
  t.test(`${name}: neither the answer nor any log repeats it`, async (t) => {
    const answer = await client.send(question)
    t.match(readAnsweredProblem(answer), { message: /\S/ })
    t.notMatch(answer.body, MARK)
    await expectNoMark(t)
  })
}

t.test('malformed HTTP and a body that is too large are not repeated', async (t) => {
  const large = `POST /mutate HTTP/1.1\r\nhost: webhook\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n{"data":"${MARK}`
  for (const request of [large, `${MARK}\r\n\r\n`, `POST /mutate HTTP/1.1\r\nauthorization: Bearer ${MARK}\r\n${MARK}\r\n\r\n`]) {
    const raw = await openRawConnection(webhook.url, authority.certificate)
    raw.write(request)
    t.notMatch(await raw.readToEnd(), MARK)
  }
  await expectNoMark(t)
})

/** Configurations into which somebody wrote a secret where none belongs. */
const configs: [string, string][] = [
  ['an inline password', formatConfig().replace('copyFrom: { file: /etc/pullkeeper/config.json }', `registries: [{ servers: [a.io], credential: { basic: { username: u, password: ${MARK} } } }]`)],
  ['a password for its source', formatConfig().replace('copyFrom: { file: /etc/pullkeeper/config.json }', `registries: [{ servers: [a.io], credential: { basic: { username: u, passwordFrom: ${MARK} } } }]`)],
  ['a broken line', formatConfig({ more: `password: "${MARK}\n` })],
  ['a text that is no configuration', `${MARK}\n`],
  ['two keys of one name', formatConfig({ more: `unmatched: allow\nunmatched: ${MARK}\n` })]
]

for (const [name, config] of configs) {
  t.test(`a configuration with ${name}: the log names the place and not the value`, async (t) => {
    const before = webhook.log().length
    await writeFile(files.configFile, config)
    const refusal = await eventually('it is refused', () => webhook.log().slice(before).find(({ msg }) => msg.includes('old one stays in force')))
    t.match(refusal.err?.message, /config\.yaml:\d+:\d+: error: /)
    t.notMatch(JSON.stringify(webhook.log().slice(before)), MARK)
  })
}

t.test('a key file with something else in it is refused and not repeated', async (t) => {
  const before = webhook.log().length
  await writeFile(files.privateKeyFile, `-----BEGIN PRIVATE KEY-----\n${MARK}\n-----END PRIVATE KEY-----\n`)
  await eventually('it is refused', () => webhook.log().some(({ msg }) => msg.includes('serving certificate is refused')))
  t.notMatch(JSON.stringify(webhook.log().slice(before)), MARK)
})
