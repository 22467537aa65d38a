import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { writeBenchFiles, type BenchFiles } from './bench-files.ts'
import type { BenchContext } from './context.ts'
import { getPlainPage, postReview, REVIEW_PATH } from './https-client.ts'
import { findLoadGenerator, type LoadGenerator, type LoadTarget } from './load-generator.ts'
import { findPinning, type Pinning } from './machine.ts'
import { readCpuMs, readRssMib } from './process-stats.ts'
import { readReview, REVIEWS } from './reviews.ts'
import type { ServerProcess } from './server-process.ts'
import { startFloorServer, startWebhookServer } from './servers.ts'
import { formatWebhookReport, type MeasuredServer, type Round } from './webhook-report.ts'

const CONNECTIONS = 100
/** For what a server still has to do after its start or after the load. */
const SETTLE_MS = 1000

/** Sends one captured review over 100 keep-alive connections to the floor and the webhook in turn. */
export async function benchWebhook (context: BenchContext): Promise<void> {
  const { options, print } = context
  const files = await writeBenchFiles(context)
  const review = await readReview(options.review)
  const bodyFile = join(context.directory, 'review.json')
  await writeFile(bodyFile, review)
  const pinning = findPinning()
  const generator = findLoadGenerator(options.generator)
  print(`${CONNECTIONS} keep-alive connections, load by ${generator.name}, ${pinning.description}`)
  print(`review: ${options.review}, ${REVIEWS[options.review].description}: ${review.length} bytes`)
  print(`node flags: webhook ${formatFlags(options.nodeFlags)}, floor ${formatFlags(options.floorNodeFlags)}`)
  const servers = await startServers(context, files, review, pinning)
  print(`${options.rounds} rounds of ${options.seconds} s each after a warm-up round, floor and webhook in turn ...\n`)
  const measured = await measureServers(context, servers, async (server) => {
    const load = { url: server.url + REVIEW_PATH, bodyFile, connections: CONNECTIONS, seconds: options.seconds, prefix: pinning.load, signal: context.signal }
    const round = await runRound(server, generator, load)
    await delay(SETTLE_MS)
    await truncate(files.decisionLogFile)
    return round
  })
  for (const line of formatWebhookReport(measured)) print(line)
  for (const line of await readAdmissionCounts(servers)) print(line)
  for (const server of servers) await server.stop()
}

/** The webhook first: its answer is the floor's constant. */
async function startServers (context: BenchContext, files: BenchFiles, review: Buffer, { server: prefix }: Pinning): Promise<ServerProcess[]> {
  const webhook = await startWebhookServer(context, files, prefix)
  const answer = await fetchAnswer(webhook, review, files)
  const answerFile = join(context.directory, 'answer.json')
  await writeFile(answerFile, answer)
  const floor = await startFloorServer(context, files, { prefix, answerFile })
  await fetchAnswer(floor, review, files)
  context.print(`answer: ${Buffer.byteLength(answer)} bytes`)
  await delay(SETTLE_MS)
  return [floor, webhook]
}

async function fetchAnswer ({ name, url }: ServerProcess, review: Buffer, { caCertificate }: BenchFiles): Promise<string> {
  const { status, body } = await postReview(url, review, caCertificate)
  const { response } = JSON.parse(body) as { response?: { patch?: string } }
  if (status !== 200 || response?.patch === undefined) throw new Error(`${name} answered ${status} without a patch: ${body}`)
  return body
}

/** Runs the rounds in turn, never two at the same time; the first round of each server is dropped. */
async function measureServers ({ options }: BenchContext, servers: ServerProcess[], run: (server: ServerProcess) => Promise<Round>): Promise<MeasuredServer[]> {
  const measured = await Promise.all(servers.map(async ({ name, pid }): Promise<MeasuredServer> => ({ name, idleMib: await readRssMib(pid), loadedMib: 0, rounds: [] })))
  for (let round = 0; round <= options.rounds; round++) {
    for (const [index, server] of servers.entries()) {
      const result = await run(server)
      if (round > 0) measured[index]?.rounds.push(result)
    }
  }
  return Promise.all(measured.map(async (server, index) => ({ ...server, loadedMib: await readRssMib(servers[index]?.pid ?? 0) })))
}

async function runRound ({ pid }: ServerProcess, generator: LoadGenerator, target: LoadTarget): Promise<Round> {
  const cpuBeforeMs = await readCpuMs(pid)
  const load = await generator.run(target)
  return { ...load, cpuMs: await readCpuMs(pid) - cpuBeforeMs }
}

/** What the webhook itself counted, to be held against the number of requests. */
async function readAdmissionCounts (servers: ServerProcess[]): Promise<string[]> {
  const metricsUrl = servers.find((server) => server.metricsUrl !== undefined)?.metricsUrl
  const { body } = await getPlainPage(`${metricsUrl}/metrics`)
  return body.split('\n').filter((line) => line.startsWith('pullkeeper_admissions_total'))
}

function formatFlags (flags: readonly string[]): string {
  return flags.length === 0 ? '(none)' : flags.join(' ')
}
