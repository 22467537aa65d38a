import { fileURLToPath } from 'node:url'
import { findProgram } from './machine.ts'
import { runProgram } from './run-program.ts'

/** What to send and where. */
export interface LoadTarget {
  url: string
  /** File with the body of every request. */
  bodyFile: string
  connections: number
  seconds: number
  /** Command prefix that pins the generator. */
  prefix: string[]
  signal: AbortSignal
}

/** What a round of load saw. */
export interface LoadResult {
  requests: number
  requestsPerSecond: number
  p50Ms: number
  p99Ms: number
  /** Failed connections, timeouts and answers other than 2xx. */
  errors: number
  /** How much of its core the generator used, 0 to 1: near 1 it was the limit, not the server. */
  generatorCpuShare: number
}

/** Posts one body over keep-alive connections as fast as answers come. */
export interface LoadGenerator {
  name: 'wrk' | 'autocannon'
  run: (target: LoadTarget) => Promise<LoadResult>
}

const WRK_SCRIPT = fileURLToPath(new URL('post-review.lua', import.meta.url))
const AUTOCANNON = fileURLToPath(new URL('../../node_modules/autocannon/autocannon.js', import.meta.url))

/** wrk where it is installed, since it costs far less per request than the servers do; else autocannon. */
export function findLoadGenerator (wanted?: LoadGenerator['name']): LoadGenerator {
  const wrk = findProgram('wrk')
  if (wanted === 'wrk' && wrk === undefined) throw new Error('wrk is not installed (apt-get install wrk)')
  return wrk === undefined || wanted === 'autocannon' ? { name: 'autocannon', run: runAutocannon } : { name: 'wrk', run: async (target) => runWrk(wrk, target) }
}

interface WrkSummary { requests: number, durationUs: number, errors: number, p50Us: number, p99Us: number }

async function runWrk (wrk: string, { url, bodyFile, connections, seconds, prefix, signal }: LoadTarget): Promise<LoadResult> {
  const [file = '', ...args] = [...prefix, wrk, '-t1', `-c${connections}`, `-d${seconds}s`, '-s', WRK_SCRIPT, url]
  const { stdout, cpuShare } = await runProgram(file, args, { env: { BENCH_BODY: bodyFile }, signal })
  const summary = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{') + 1)) as WrkSummary
  return {
    requests: summary.requests,
    requestsPerSecond: summary.requests / (summary.durationUs / 1e6),
    p50Ms: summary.p50Us / 1000,
    p99Ms: summary.p99Us / 1000,
    errors: summary.errors,
    generatorCpuShare: cpuShare
  }
}

interface AutocannonSummary { requests: { total: number }, duration: number, errors: number, non2xx: number, latency: { p50: number, p99: number } }

/** autocannon's percentiles are whole milliseconds. */
async function runAutocannon ({ url, bodyFile, connections, seconds, prefix, signal }: LoadTarget): Promise<LoadResult> {
  const options = ['--json', '-c', `${connections}`, '-d', `${seconds}`, '-m', 'POST', '-H', 'content-type=application/json', '-i', bodyFile]
  const [file = '', ...args] = [...prefix, process.execPath, AUTOCANNON, ...options, url]
  const { stdout, cpuShare } = await runProgram(file, args, { signal })
  const { requests, duration, errors, non2xx, latency } = JSON.parse(stdout) as AutocannonSummary
  return {
    requests: requests.total,
    requestsPerSecond: requests.total / duration,
    p50Ms: latency.p50,
    p99Ms: latency.p99,
    errors: errors + non2xx,
    generatorCpuShare: cpuShare
  }
}
