/** The bars of a timeline: executions that lie close together become batches, until all of them fit. */

import type { ExecutionOutcome } from '../executions/kinds.ts'

/** Times in milliseconds since 1970. */
export interface ExecutionBar {
  readonly kind: 'execution'
  readonly executionId: string | null
  readonly outcome: ExecutionOutcome
  /** Null where it was not measured. */
  readonly triggeredAt: number | null
  readonly startedAt: number | null
  readonly stoppedAt: number
}

interface BatchBar {
  readonly kind: 'batch'
  readonly from: number
  readonly to: number
  readonly count: number
  readonly worst: ExecutionOutcome
}

export interface MissingBar {
  readonly kind: 'missing'
  readonly dueAt: number
  /** Name of the trigger. */
  readonly trigger: string
}

interface RunningBar {
  readonly kind: 'running'
  readonly executionId: string | null
  readonly state: 'queued' | 'running'
  readonly startedAt: number
  readonly expectedEnd: number
  readonly pessimisticEnd: number
  readonly over: boolean
  readonly overByMs: number
}

interface ForecastBar {
  readonly kind: 'forecast'
  readonly plannedAt: number
  readonly expectedEnd: number
  readonly trigger: string
}

export type Bar = ExecutionBar | BatchBar | MissingBar | RunningBar | ForecastBar

interface RowBars {
  /** Ascending by begin. */
  readonly executions: readonly ExecutionBar[]
  readonly missing: readonly MissingBar[]
  readonly running: readonly RunningBar[]
  /** Ascending. */
  readonly forecast: readonly ForecastBar[]
  /** Rows that are fine are left out first. */
  readonly problem: boolean
}

/** Closer than this share of the range, bars are one. */
const CLOSE = 0.0015
const BADNESS: Readonly<Record<ExecutionOutcome, number>> = {
  failed: 4,
  aborted: 3,
  unknown: 2,
  skipped: 1,
  success: 0,
}

export const beginOf = ({ triggeredAt, startedAt, stoppedAt }: ExecutionBar): number =>
  triggeredAt ?? startedAt ?? stoppedAt

/**
 * The bars of each row, at most `most` in all; null = a row that is left out. Merges more the more bars there are: first what lies
 * closer than 0.15 % of the range, then twice that, and so on; forecasts give way first, and last rows without problems.
 */
export function fitBars(rows: readonly RowBars[], rangeMs: number, most: number): (readonly Bar[] | null)[] {
  const fixed = rows.map(({ missing, running }) => [...missing, ...running])
  let gap = rangeMs * CLOSE
  let merged = rows.map(({ executions }) => mergeClose(executions, gap))
  const count = () => merged.reduce((sum, bars, n) => sum + bars.length + fixed[n]!.length, 0)
  for (; count() > most && gap < rangeMs; gap *= 2)
    merged = rows.map(({ executions }) => mergeClose(executions, gap * 2))
  let left = most
  const shown = rows.map(() => false)
  for (const n of byNeed(rows)) {
    const needed = merged[n]!.length + fixed[n]!.length
    if (needed > left) continue
    shown[n] = true
    left -= needed
  }
  const forecasts = shareForecasts(rows, shown, left)
  return rows.map((_, n) => (shown[n] ? [...merged[n]!, ...fixed[n]!, ...forecasts[n]!] : null))
}

const byNeed = (rows: readonly RowBars[]): number[] =>
  rows.map((_, n) => n).sort((a, b) => Number(rows[b]!.problem) - Number(rows[a]!.problem) || a - b)

/** The next start of every row, then the one after it of every row, as long as there is room. */
function shareForecasts(rows: readonly RowBars[], shown: readonly boolean[], room: number): ForecastBar[][] {
  const given: ForecastBar[][] = rows.map(() => [])
  let left = room
  for (let turn = 0, found = true; found && left > 0; turn += 1) {
    found = false
    for (const [n, { forecast }] of rows.entries()) {
      const bar = forecast[turn]
      if (!bar || !shown[n] || left === 0) continue
      given[n]!.push(bar)
      left -= 1
      found = true
    }
  }
  return given
}

/** Neighbours whose distance is less than `gapMs` become one batch. Ascending by begin. */
export function mergeClose(bars: readonly ExecutionBar[], gapMs: number): (ExecutionBar | BatchBar)[] {
  const merged: (ExecutionBar | BatchBar)[] = []
  let open: ExecutionBar[] = []
  let end = Number.NEGATIVE_INFINITY
  const close = () => {
    if (open.length > 0) merged.push(open.length === 1 ? open[0]! : batchOf(open, end))
    open = []
  }
  for (const bar of bars) {
    if (open.length > 0 && beginOf(bar) - end >= gapMs) close()
    end = open.length === 0 ? bar.stoppedAt : Math.max(end, bar.stoppedAt)
    open.push(bar)
  }
  close()
  return merged
}

function batchOf(bars: readonly ExecutionBar[], to: number): BatchBar {
  const worst = bars.reduce<ExecutionOutcome>(
    (bad, { outcome }) => (BADNESS[outcome] > BADNESS[bad] ? outcome : bad),
    'success',
  )
  return { kind: 'batch', from: beginOf(bars[0]!), to, count: bars.length, worst }
}
