import { writeBenchFiles, type BenchFiles } from './bench-files.ts'
import { COMPILED_MAIN } from './build.ts'
import type { BenchContext } from './context.ts'
import { formatSpread, formatTable } from './figures.ts'
import { getPlainPage, postReview } from './https-client.ts'
import { readRssMib } from './process-stats.ts'
import { readReview } from './reviews.ts'
import { runProgram } from './run-program.ts'
import { startWebhookServer } from './servers.ts'

const STARTS = 7

interface Start {
  readyMs: number
  answeredMs: number
  idleMib: number
  versionMs: number
}

/** Starts the webhook a few times, and the command line that only prints its version. */
export async function benchStartup (context: BenchContext): Promise<void> {
  const files = await writeBenchFiles(context)
  const review = await readReview(context.options.review)
  const starts: Start[] = []
  for (let start = 0; start < STARTS; start++) starts.push({ ...await measureStart(context, files, review), versionMs: await measureVersion(context) })
  const row = (label: string, pick: (start: Start) => number, aim = ''): string[] => [label, formatSpread(starts.map(pick)), aim]
  context.print(`${STARTS} starts, not pinned\n`)
  for (const line of formatTable([
    ['from process start', 'median (range)', 'aim'],
    row('/readyz says 200, ms', ({ readyMs }) => readyMs),
    row('first review answered, ms', ({ answeredMs }) => answeredMs),
    row('RSS idle after it, MiB', ({ idleMib }) => idleMib, '< 90'),
    row('pullkeeper --version, ms', ({ versionMs }) => versionMs)
  ])) context.print(line)
}

async function measureStart (context: BenchContext, files: BenchFiles, review: Buffer): Promise<Omit<Start, 'versionMs'>> {
  const webhook = await startWebhookServer(context, files)
  const ready = await getPlainPage(`${webhook.metricsUrl}/readyz`)
  const readyMs = performance.now() - webhook.startedMs
  const answer = await postReview(webhook.url, review, files.caCertificate)
  const answeredMs = performance.now() - webhook.startedMs
  if (ready.status !== 200 || answer.status !== 200) throw new Error(`the webhook was not ready: ${ready.body} ${answer.body}`)
  const idleMib = await readRssMib(webhook.pid)
  await webhook.stop()
  return { readyMs, answeredMs, idleMib }
}

async function measureVersion ({ signal }: BenchContext): Promise<number> {
  const startedMs = performance.now()
  await runProgram(process.execPath, [COMPILED_MAIN, '--version'], { signal })
  return performance.now() - startedMs
}
