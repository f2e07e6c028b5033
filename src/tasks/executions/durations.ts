/** Usual durations of a task from its last successful executions, and the expected end of one that runs. */

/** A successful execution; milliseconds, and milliseconds since 1970. Null where it was not measured. */
export interface Sample {
  readonly runMs: number | null
  readonly queueMs: number | null
  /** When it was triggered, or else when it began. */
  readonly beganAt: number | null
}

/** Percentiles of the last successful executions of a task, as pages and answers show them. */
export interface OwnDurations {
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p95Ms: number
  readonly waitP50Ms: number
}

export interface Usual {
  /** Null without a successful execution of its own that was measured. */
  readonly own: OwnDurations | null
  /** The median of `own`: the usual duration, as all pages, answers and messages say it. */
  readonly usualMs: number | null
  /** Percentiles of the sample for estimates: executions of the same time of day, or also those of other tasks. */
  readonly p50Ms: number
  readonly p90Ms: number
  readonly p95Ms: number
  readonly waitP50Ms: number
  readonly waitP90Ms: number
  /** Executions of the task itself that were measured. */
  readonly samples: number
  /** `guess`: too few of its own, those of other tasks of its type were added. `none`: nothing is known. */
  readonly basis: 'history' | 'guess' | 'none'
  /** Run times that the percentiles are made of, ascending. */
  readonly runs: readonly number[]
}

/** Executions and age of a sample. */
export const SAMPLE_RUNS = 30
export const SAMPLE_MS = 60 * 86_400_000
const ENOUGH = 5
/** So many executions are needed for a 90th percentile, and before only those of the same time of day are used. */
const MANY = 10
const SAME_TIME_MS = 3 * 3_600_000
const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
/** Without any execution. */
const UNKNOWN_P50_MS = MINUTE_MS
const UNKNOWN_P90_MS = 5 * MINUTE_MS

/** The smallest value that at least so many per cent of the values do not exceed. `sorted` ascending, not empty. */
export function nearestRank(sorted: ArrayLike<number>, percent: number): number {
  return sorted[Math.max(1, Math.ceil((percent * sorted.length) / 100)) - 1]!
}

interface UsualInput {
  /** Newest first; at most `SAMPLE_RUNS` are used. */
  readonly own: readonly Sample[]
  /** Executions of other tasks of the same type; asked for only where `own` is too small. */
  readonly others: () => readonly Sample[]
  /** The planned start as a wall-clock time (as if it were UTC); null = any. */
  readonly plannedWall?: number | null
  /** Wall-clock time of an instant; needed with `plannedWall`. */
  readonly wall?: (instant: number) => number
}

export function usualOf({ own: newest, others, plannedWall = null, wall = (instant) => instant }: UsualInput): Usual {
  const recent = newest.slice(0, SAMPLE_RUNS)
  const same = plannedWall === null ? [] : recent.filter((one) => isSameTime(one, plannedWall, wall))
  const chosen = same.length >= MANY ? same : recent
  const samples = runsOf(chosen).length
  const own = percentilesOf(recent)
  const usualMs = own?.p50Ms ?? null
  const isGuess = samples < ENOUGH
  const estimate = percentilesOf(isGuess ? [...chosen, ...others()] : chosen)
  if (!estimate) return { ...UNKNOWN, own, usualMs, samples }
  return { ...estimate, own, usualMs, samples, basis: isGuess ? 'guess' : 'history' }
}

/** Null when none of the samples was measured. */
function percentilesOf(samples: readonly Sample[]) {
  const runs = runsOf(samples)
  if (runs.length === 0) return null
  const waits = ascending(samples.flatMap(({ queueMs }) => queueMs ?? []))
  return {
    p50Ms: nearestRank(runs, 50),
    p90Ms: upper(runs, 90),
    p95Ms: upper(runs, 95),
    waitP50Ms: waits.length === 0 ? 0 : nearestRank(waits, 50),
    waitP90Ms: waits.length === 0 ? 0 : upper(waits, 90),
    runs,
  }
}

const UNKNOWN: Omit<Usual, 'samples' | 'usualMs' | 'own'> = {
  p50Ms: UNKNOWN_P50_MS,
  p90Ms: UNKNOWN_P90_MS,
  p95Ms: UNKNOWN_P90_MS,
  waitP50Ms: 0,
  waitP90Ms: 0,
  basis: 'none',
  runs: [],
}

const ascending = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b)
const runsOf = (samples: readonly Sample[]): number[] => ascending(samples.flatMap(({ runMs }) => runMs ?? []))
const upper = (sorted: readonly number[], percent: number): number =>
  sorted.length < MANY ? sorted.at(-1)! : nearestRank(sorted, percent)

/** Within three hours of the time of day, and both on a working day or both on a weekend. */
function isSameTime({ beganAt }: Sample, plannedWall: number, wall: (instant: number) => number): boolean {
  if (beganAt === null) return false
  const began = wall(beganAt)
  const distance = Math.abs(timeOfDay(began) - timeOfDay(plannedWall))
  return isWeekend(began) === isWeekend(plannedWall) && Math.min(distance, DAY_MS - distance) <= SAME_TIME_MS
}

const timeOfDay = (wall: number): number => ((wall % DAY_MS) + DAY_MS) % DAY_MS
const isWeekend = (wall: number): boolean => [0, 6].includes(new Date(wall).getUTCDay())

/** Expected end of an execution that runs or waits. Times in milliseconds since 1970. */
export interface Eta {
  readonly expectedEnd: number
  readonly pessimisticEnd: number
  /** It runs longer than usual: the expected end moves on with the time. */
  readonly over: boolean
  /** By how much it runs longer than usual; 0 while it is not over. */
  readonly overByMs: number
}

/** So many values beyond the elapsed time make an estimate. */
const LEFT = 3

/** An execution that runs since `startedAt`: of the values that are longer than it runs, the 50th and 90th percentile. */
export function etaOf(usual: Usual, startedAt: number, now: number): Eta {
  const { usualMs, p50Ms, p90Ms, runs } = usual
  const elapsed = Math.max(0, now - startedAt)
  const longer = runs.filter((value) => value > elapsed)
  const isKnown = runs.length >= LEFT
  if (elapsed > p90Ms || (isKnown && longer.length < LEFT)) {
    const end = now + Math.max(MINUTE_MS, p90Ms - p50Ms)
    return { expectedEnd: end, pessimisticEnd: end, over: true, overByMs: Math.max(0, elapsed - (usualMs ?? p50Ms)) }
  }
  const [expected, pessimistic] = isKnown
    ? [nearestRank(longer, 50), upper(longer, 90)]
    : [elapsed < p50Ms ? p50Ms : p90Ms, p90Ms]
  return { expectedEnd: startedAt + expected, pessimisticEnd: startedAt + pessimistic, over: false, overByMs: 0 }
}

/** An execution that is planned for an instant, or that waits since then. */
export function plannedEnd(usual: Usual, at: number): Pick<Eta, 'expectedEnd' | 'pessimisticEnd'> {
  return {
    expectedEnd: at + usual.waitP50Ms + usual.p50Ms,
    pessimisticEnd: at + usual.waitP90Ms + usual.p90Ms,
  }
}
