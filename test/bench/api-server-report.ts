import { findMedian, findPercentile, formatSpread, formatTable } from './figures.ts'

/** A round through the API server with one variant registered. */
export interface ApiServerRound {
  /** Milliseconds of each creation, several in flight. */
  concurrentMs: number[]
  creationsPerSecond: number
  /** Milliseconds of each creation, one at a time. */
  oneByOneMs: number[]
}

export interface VariantRounds {
  name: string
  rounds: ApiServerRound[]
}

/** The table of the benchmark `apiserver`; what a variant adds is the difference of the medians over the rounds. */
export function formatApiServerReport (variants: VariantRounds[]): string[] {
  const [without] = variants
  if (without === undefined) return []
  const row = (label: string, pick: (round: ApiServerRound) => number, digits: number, hasAdded = true): string[] => {
    const baseline = findMedian(without.rounds.map(pick))
    const cells = variants.map(({ rounds }) => formatSpread(rounds.map(pick), digits))
    const added = variants.slice(1).map(({ rounds }) => hasAdded ? `+${(findMedian(rounds.map(pick)) - baseline).toFixed(digits)}` : '')
    return [label, ...cells, ...added]
  }
  return ['', ...formatTable([
    ['median (range)', ...variants.map(({ name }) => name), ...variants.slice(1).map(({ name }) => `${name} adds`)],
    row('20 in flight: p50 ms', ({ concurrentMs }) => findPercentile(concurrentMs, 50), 1),
    row('20 in flight: p99 ms', ({ concurrentMs }) => findPercentile(concurrentMs, 99), 1),
    row('20 in flight: creations/s', ({ creationsPerSecond }) => creationsPerSecond, 0, false),
    row('one by one: p50 ms', ({ oneByOneMs }) => findPercentile(oneByOneMs, 50), 2),
    row('one by one: p99 ms', ({ oneByOneMs }) => findPercentile(oneByOneMs, 99), 2)
  ])]
}
