import { findMedian, findPercentile, formatSpread, formatTable } from './figures.ts'

/** What the benchmark `sync` found; times in milliseconds. */
export interface SyncFigures {
  /** From the first Secret to the last, as a watcher sees them; one figure a round. */
  post: number[]
  apply: number[]
  fill: number[]
  /** From the write of the source to the last copy. */
  rotation: number[]
  /** CPU time of the worker from its start to two seconds after the fill. */
  fillCpuMs: number[]
  deletedBack: number[]
  editedBack: number[]
  newNamespace: number[]
  /** Requests of an idle minute, by kind. */
  idleRequests?: Record<string, number>
  /** Changes of copies after a restart with everything in place. */
  restartWrites?: number
  rotationBesideUnrelated?: number
  memoryMib: Record<string, number>
}

/** The tables of the benchmark `sync`. */
export function formatSyncReport (figures: SyncFigures): string[] {
  const ratio = (times: number[], floor: number[]): string => (findMedian(times) / findMedian(floor)).toFixed(2)
  const row = (label: string, times: number[]): string[] => [label, formatSpread(times), ratio(times, figures.post), ratio(times, figures.apply)]
  const delays = (label: string, times: number[], aim: string): string[] => [label, findMedian(times).toFixed(1), findPercentile(times, 99).toFixed(1), Math.max(...times).toFixed(1), aim]
  return ['', ...formatTable([
    ['1,000 copies', 'median (range), ms', 'of POST', 'of apply'],
    row('bare loop of POSTs', figures.post),
    row('bare loop of applies', figures.apply),
    row('worker: first copy to last (aim 1.5, 1.1)', figures.fill),
    row('worker: rotation, from the source\'s write to the last copy', figures.rotation)
  ]), '', ...formatTable([
    ['one at a time, ms', 'p50', 'p99', 'worst', 'aim'],
    delays('new namespace to Secret', figures.newNamespace, '10, 100'),
    delays('deleted copy back', figures.deletedBack, '1000'),
    delays('edited copy back', figures.editedBack, '1000')
  ]), '',
  `CPU of the worker for start and fill: ${formatSpread(figures.fillCpuMs)} ms`,
  `requests in an idle minute: ${JSON.stringify(figures.idleRequests)}`,
  `writes after a restart with everything in place: ${figures.restartWrites}`,
  `rotation beside unrelated Secrets: ${figures.rotationBesideUnrelated?.toFixed(0)} ms`,
  ...Object.entries(figures.memoryMib).map(([when, mib]) => `RSS ${when}: ${mib.toFixed(0)} MiB (aim 150)`)]
}
