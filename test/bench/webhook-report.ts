import { findMedian, formatSpread, formatTable } from './figures.ts'
import type { LoadResult } from './load-generator.ts'

/** A round of load, and the CPU time that it cost the server. */
export interface Round extends LoadResult {
  cpuMs: number
}

/** What was measured of one server. */
export interface MeasuredServer {
  name: string
  idleMib: number
  loadedMib: number
  rounds: Round[]
}

/** Above this a process counts as busy all the time. */
const BUSY_SHARE = 0.9

/** The table of the benchmark `webhook`: the floor, the webhook, their ratio, and what is aimed at. */
export function formatWebhookReport (servers: MeasuredServer[]): string[] {
  const [floor, webhook] = servers
  if (floor === undefined || webhook === undefined) return []
  const row = (label: string, digits: number, pick: (round: Round) => number, aim = ''): string[] => {
    const ratio = findMedian(webhook.rounds.map(pick)) / findMedian(floor.rounds.map(pick))
    return [label, ...servers.map(({ rounds }) => formatSpread(rounds.map(pick), digits)), ratio.toFixed(2), aim]
  }
  const memory = (label: string, pick: (server: MeasuredServer) => number, aim: string): string[] => {
    return [label, ...servers.map((server) => pick(server).toFixed(0)), (pick(webhook) / pick(floor)).toFixed(2), aim]
  }
  const best = servers.map(({ rounds }) => Math.min(...rounds.map(({ p99Ms }) => p99Ms)))
  const table = formatTable([
    ['median (range)', 'floor', 'webhook', 'ratio', 'aim'],
    row('requests/s', 0, ({ requestsPerSecond }) => requestsPerSecond, '>= 0.85'),
    row('p50 ms', 2, ({ p50Ms }) => p50Ms),
    row('p99 ms', 2, ({ p99Ms }) => p99Ms),
    ['best round\'s p99 ms', ...best.map((figure) => figure.toFixed(2)), ((best[1] ?? NaN) / (best[0] ?? NaN)).toFixed(2), '<= 1.5'],
    row('CPU ms per 1,000 requests', 1, ({ cpuMs, requests }) => cpuMs / requests * 1000),
    row('requests per CPU second', 0, ({ cpuMs, requests }) => requests / cpuMs * 1000, '(>= 0.85)'),
    memory('RSS idle MiB', ({ idleMib }) => idleMib, '< 90'),
    memory('RSS after load MiB', ({ loadedMib }) => loadedMib, '< 150'),
    row('server\'s share of its core', 2, findServerShare),
    row('generator\'s share of its core', 2, ({ generatorCpuShare }) => generatorCpuShare),
    ['errors', ...servers.map(({ rounds }) => String(sum(rounds.map(({ errors }) => errors)))), '', '0']
  ])
  return [...table, ...listRounds(servers), ...listDoubts(servers)]
}

function listRounds (servers: MeasuredServer[]): string[] {
  const list = (pick: (round: Round) => string): string => servers.map(({ name, rounds }) => `${name} ${rounds.map(pick).join(' ')}`).join(' | ')
  return ['', `requests/s by round: ${list(({ requestsPerSecond }) => requestsPerSecond.toFixed(0))}`, `p99 ms by round: ${list(({ p99Ms }) => p99Ms.toFixed(1))}`]
}

function listDoubts (servers: MeasuredServer[]): string[] {
  const rounds = servers.flatMap((server) => server.rounds)
  const isGeneratorBusy = rounds.some(({ generatorCpuShare }) => generatorCpuShare > BUSY_SHARE)
  const isServerIdle = servers.some((server) => findMedian(server.rounds.map(findServerShare)) < BUSY_SHARE)
  return [
    ...(isGeneratorBusy ? ['The load generator used up its core: it may have been the limit. wrk costs less than autocannon.'] : []),
    ...(isServerIdle ? ['A server did not have its core to itself, or waited for load: go by the CPU time per request.'] : [])
  ]
}

/** How much of its core the server used, 0 to 1. */
function findServerShare ({ cpuMs, requests, requestsPerSecond }: Round): number {
  return cpuMs / 1000 / (requests / requestsPerSecond)
}

function sum (figures: number[]): number {
  return figures.reduce((total, figure) => total + figure, 0)
}
