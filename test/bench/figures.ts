/** The middle of some figures; NaN when there is none. */
export function findMedian (figures: number[]): number {
  return findPercentile(figures, 50)
}

/** A percentile by linear interpolation between the nearest ranks. */
export function findPercentile (figures: number[], percent: number): number {
  const sorted = figures.toSorted((a, b) => a - b)
  const rank = (sorted.length - 1) * percent / 100
  const low = sorted[Math.floor(rank)] ?? NaN
  const high = sorted[Math.ceil(rank)] ?? NaN
  return low + (high - low) * (rank - Math.floor(rank))
}

/** `median (lowest to highest)`. */
export function formatSpread (figures: number[], digits = 0): string {
  const [median, low, high] = [findMedian(figures), Math.min(...figures), Math.max(...figures)].map((figure) => figure.toFixed(digits))
  return `${median} (${low} to ${high})`
}

/** Lines of a table whose first row is its head. */
export function formatTable (rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ').trimEnd())
  return lines.toSpliced(1, 0, widths.map((width) => '-'.repeat(width)).join('  '))
}
