/**
 * The usual duration, as pages, answers and messages say it: the median of its last successful runs, by nearest
 * rank, so that it is the duration of one of them. Milliseconds; null without one.
 */
export function usualDuration(runs: readonly (number | null)[]): number | null {
  const known = runs.flatMap((ms) => ms ?? []).sort((a, b) => a - b)
  return known[Math.ceil(known.length / 2) - 1] ?? null
}

/** The list must not be empty; an even number of values gives the middle of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2
}

/** The median absolute deviation. */
export function deviation(values: readonly number[], from: number): number {
  return median(values.map((value) => Math.abs(value - from)))
}
