/** Counts and exact percentiles of groups of executions. */
import { hostZone } from '../../../platform/host-zone.ts'
import type { Database } from '../../../platform/sqlite.ts'
import { createZone, type Zone } from '../../../platform/zone.ts'
import type { ExecutionOutcome } from '../types.ts'
import { SUMMARY_COLUMNS, type SummaryRow, scan } from './scan.ts'
import type { Grouping, Sorting, SummaryAnswer, SummaryGroup, SummaryQuery } from './types.ts'

interface Group {
  readonly key: string | null
  /** Of its newest execution, like the two that follow. */
  readonly name: string | null
  readonly lastOutcome: ExecutionOutcome
  readonly lastStoppedAt: number
  runs: number
  readonly outcomes: Partial<Record<ExecutionOutcome, number>>
  readonly runMs: number[]
  readonly queueMs: number[]
}

type KeyOf = (row: SummaryRow) => readonly [key: string | null, name: string | null]

export function summarise(db: Database, query: SummaryQuery): SummaryAnswer {
  const groups = new Map<string | null, Group>()
  const keyOf = keyBy(query.groupBy, query.timezone)
  for (const row of scan<SummaryRow>(db, SUMMARY_COLUMNS, query.filter, null)) add(groups, keyOf(row), row)
  const all = [...groups.values()].map(groupOf).sort(orderOf(query))
  const end = query.offset + query.limit
  return { summary: all.slice(query.offset, end), next: all.length > end ? end : null }
}

/** Rows come newest first. */
function add(groups: Map<string | null, Group>, [key, name]: ReturnType<KeyOf>, row: SummaryRow): void {
  let group = groups.get(key)
  if (!group) {
    const { outcome: lastOutcome, stoppedAt: lastStoppedAt } = row
    group = { key, name, lastOutcome, lastStoppedAt, runs: 0, outcomes: {}, runMs: [], queueMs: [] }
    groups.set(key, group)
  }
  group.runs += 1
  group.outcomes[row.outcome] = (group.outcomes[row.outcome] ?? 0) + 1
  if (row.runMs !== null) group.runMs.push(row.runMs)
  if (row.queueMs !== null) group.queueMs.push(row.queueMs)
}

function groupOf({ key, name, runs, outcomes, runMs, queueMs, lastOutcome, lastStoppedAt }: Group): SummaryGroup {
  const { success = 0, failed = 0, aborted = 0 } = outcomes
  return {
    ...{ key, name, runs, success, failed, aborted },
    successRate: Math.round((success / runs) * 10_000) / 10_000,
    runMs: distribution(runMs),
    queueMs: withoutTotals(distribution(queueMs)),
    lastOutcome,
    lastStoppedAt: new Date(lastStoppedAt).toISOString(),
  }
}

function distribution(values: readonly number[]): SummaryGroup['runMs'] {
  if (values.length === 0) return null
  const sorted = Float64Array.from(values).sort()
  const total = sorted.reduce((sum, value) => sum + value, 0)
  return {
    ...{ min: sorted[0]!, p50: nearestRank(sorted, 50), p95: nearestRank(sorted, 95), max: sorted.at(-1)!, total },
  }
}

/** The smallest value that at least so many per cent of the values do not exceed. `sorted` ascending, not empty. */
export function nearestRank(sorted: ArrayLike<number>, percent: number): number {
  return sorted[Math.max(1, Math.ceil((percent * sorted.length) / 100)) - 1]!
}

function withoutTotals(all: SummaryGroup['runMs']): SummaryGroup['queueMs'] {
  return all && { p50: all.p50, p95: all.p95, max: all.max }
}

function keyBy(groupBy: Grouping, timezone: string): KeyOf {
  const same = (text: string | null) => [text, text] as const
  const wall = wallClock(createZone(timezone || hostZone()))
  const keys: Readonly<Record<Grouping, KeyOf>> = {
    task: ({ taskId, taskName }) => [taskId, taskName],
    app: ({ appId, appName }) => [appId, appName],
    node: ({ node }) => same(node),
    type: ({ taskType }) => same(taskType),
    day: ({ stoppedAt }) => same(wall(stoppedAt).slice(0, 10)),
    hour: ({ stoppedAt }) => same(`${wall(stoppedAt).slice(0, 13)}:00`),
  }
  return keys[groupBy]
}

/** Offsets change at most every quarter of an hour, and are dear to find out. */
const OFFSET_MS = 15 * 60_000

function wallClock(zone: Zone): (instant: number) => string {
  const known = new Map<number, string>()
  return (instant) => {
    const quarter = Math.floor(instant / OFFSET_MS) * OFFSET_MS
    const text = known.get(quarter) ?? new Date(zone.wall(quarter)).toISOString()
    known.set(quarter, text)
    return text
  }
}

const SORT_VALUES: Readonly<Record<Sorting, (group: SummaryGroup) => number>> = {
  runs: ({ runs }) => runs,
  failures: ({ failed, aborted }) => failed + aborted,
  p95: ({ runMs }) => runMs?.p95 ?? -1,
  total: ({ runMs }) => runMs?.total ?? -1,
}

function orderOf({ sort, groupBy }: SummaryQuery): (a: SummaryGroup, b: SummaryGroup) => number {
  const byKey = (a: SummaryGroup, b: SummaryGroup) => ((a.key ?? '') < (b.key ?? '') ? -1 : 1)
  if (sort === null && (groupBy === 'day' || groupBy === 'hour')) return (a, b) => byKey(b, a)
  const value = SORT_VALUES[sort ?? 'runs']
  return (a, b) => value(b) - value(a) || byKey(a, b)
}
