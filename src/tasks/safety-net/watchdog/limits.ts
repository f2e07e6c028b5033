/** What is usual for a task, learnt from its last successful executions, and where the unusual begins. */

/** Milliseconds; null where it was not measured. */
export interface Run {
  readonly runMs: number | null
  readonly queueMs: number | null
}

export interface LimitSettings {
  readonly lateAfter: number
  readonly stuckFactor: number
  readonly minRuns: number
}

export interface Limit {
  readonly limitMs: number
  /** The median; null when nothing is known. */
  readonly usualMs: number | null
}

const TEN_MINUTES = 600_000
/** Median absolute deviations beyond the median that still count as usual. */
const DEVIATIONS = 6

/** How long a task may wait in the queue. */
export function queueLimit(runs: readonly Run[], { lateAfter }: LimitSettings): Limit {
  const times = runs.flatMap(({ queueMs }) => queueMs ?? [])
  if (times.length === 0) return { limitMs: lateAfter, usualMs: null }
  const usualMs = median(times)
  return { limitMs: Math.max(lateAfter, usualMs + DEVIATIONS * deviation(times, usualMs)), usualMs }
}

/** How long a task may run; null while too few of its runs are known. */
export function runLimit(runs: readonly Run[], { stuckFactor, minRuns }: LimitSettings): Limit | null {
  const times = runs.flatMap(({ runMs }) => runMs ?? [])
  if (times.length < minRuns) return null
  const usualMs = median(times)
  const unusual = usualMs + DEVIATIONS * deviation(times, usualMs)
  return { limitMs: Math.max(usualMs * stuckFactor, unusual, usualMs + TEN_MINUTES), usualMs }
}

/** Of a list that is not empty; of an even number of values the middle of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2
}

/** The median absolute deviation. */
export function deviation(values: readonly number[], from: number): number {
  return median(values.map((value) => Math.abs(value - from)))
}
