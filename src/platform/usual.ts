/**
 * The usual duration, as pages, answers and messages say it: the median of its last successful runs, by nearest
 * rank, so that it is the duration of one of them. Milliseconds; null without one.
 */
export function usualDuration(runs: readonly (number | null)[]): number | null {
  const known = runs.flatMap((ms) => ms ?? []).sort((a, b) => a - b)
  return known[Math.ceil(known.length / 2) - 1] ?? null
}
