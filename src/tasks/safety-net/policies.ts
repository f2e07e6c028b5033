/** Delays of retries, and the limits of tasks without a watch policy, learnt from their last successful executions. */
import { deviation, median, usualDuration } from '../../platform/usual.ts'
import type { WatchdogConfig } from './config.ts'
import { LONGEST_RETRY_MS, type RetryPolicy } from './config-policies.ts'

/** From a failure to the `attempt`-th retry (1 = the first), at most a day. */
export function delayBefore({ delayMs, factor }: RetryPolicy, attempt: number): number {
  return Math.min(delayMs * factor ** (attempt - 1), LONGEST_RETRY_MS)
}

/** Milliseconds; null where it was not measured. */
export interface Run {
  readonly runMs: number | null
  readonly queueMs: number | null
}

interface Limit {
  readonly limitMs: number
  /** The median, of waits or of run times; null when nothing is known. */
  readonly usualMs: number | null
}

const TEN_MINUTES = 600_000
/** Median absolute deviations beyond the median that still count as usual. */
const DEVIATIONS = 6

/** How long a task may wait in the queue. */
export function queueLimit(runs: readonly Run[], { lateAfter }: Pick<WatchdogConfig, 'lateAfter'>): Limit {
  const times = runs.flatMap(({ queueMs }) => queueMs ?? [])
  if (times.length === 0) return { limitMs: lateAfter, usualMs: null }
  const middle = median(times)
  const limitMs = Math.max(lateAfter, middle + DEVIATIONS * deviation(times, middle))
  return { limitMs, usualMs: usualDuration(times) }
}

/** How long a task may run; null while too few of its runs are known. */
export function runLimit(
  runs: readonly Run[],
  { stuckFactor, minRuns }: Pick<WatchdogConfig, 'stuckFactor' | 'minRuns'>,
): Limit | null {
  const times = runs.flatMap(({ runMs }) => runMs ?? [])
  if (times.length < minRuns) return null
  const middle = median(times)
  const unusual = middle + DEVIATIONS * deviation(times, middle)
  const limitMs = Math.max(middle * stuckFactor, unusual, middle + TEN_MINUTES)
  return { limitMs, usualMs: usualDuration(times) }
}
