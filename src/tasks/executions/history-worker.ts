/**
 * The thread that answers queries of the history on a read-only connection: pages, and counts and exact percentiles of
 * groups. The main thread does not load it.
 */
import { errorText } from '../../platform/errors.ts'
import { globMatcher } from '../../platform/glob.ts'
import { type Database, isStorageFailure, openDatabase } from '../../platform/sqlite.ts'
import type { WorkerChannel } from '../../platform/worker.ts'
import { createZone, hostZone, type Zone } from '../../platform/zone.ts'
import { concurrencyOf, durationsOf, slowerTasks, stripsOf, timelineOf, usualOfTasks } from '../overview/queries.ts'
import type { HistoryItem, SummaryGroup } from './contract.ts'
import { nearestRank } from './durations.ts'
import type { ExecutionOutcome, Grouping, Sorting } from './kinds.ts'
import { isoOf, statusTextOf } from './status.ts'
import { EXECUTION_COLUMNS } from './store.ts'
import type {
  EndedExecution,
  HistoryFilter,
  HistoryPosition,
  ListAnswer,
  ListQuery,
  SummaryAnswer,
  SummaryQuery,
} from './types.ts'

/** Answers by the kind of the query. */
const QUESTIONS = {
  list: listHistory,
  summary: summarise,
  timeline: timelineOf,
  usual: usualOfTasks,
  strips: stripsOf,
  durations: durationsOf,
  slower: slowerTasks,
  concurrency: concurrencyOf,
} as const

export type Questions = typeof QUESTIONS
export type Query<Kind extends keyof Questions> = Parameters<Questions[Kind]>[1] & { readonly kind: Kind }
type HistoryQuery = { [Kind in keyof Questions]: Query<Kind> }[keyof Questions]
type HistoryAnswer = ReturnType<Questions[keyof Questions]>

export interface ToHistory {
  readonly id: number
  readonly query: HistoryQuery
}

export type FromHistory =
  | { readonly id: number; readonly answer: HistoryAnswer }
  /** `isStorage`: of the database, not of the question. */
  | { readonly id: number; readonly problem: string; readonly isStorage: boolean }

export function runHistoryWorker(
  channel: WorkerChannel<FromHistory, ToHistory>,
  { file }: { readonly file: string },
): Promise<void> {
  const db = openDatabase(file, { readOnly: true })
  const answer = (query: HistoryQuery) =>
    (QUESTIONS[query.kind] as (db: Database, query: HistoryQuery) => HistoryAnswer)(db, query)
  channel.onMessage(({ id, query }) => {
    try {
      channel.post({ id, answer: answer(query) })
    } catch (error) {
      const problem = errorText(error)
      channel.post({ id, problem, isStorage: isStorageFailure(error) })
    }
  })
  return Promise.resolve()
}

// The queries, read backwards from the newest row.

/** Columns that summaries need. */
const SUMMARY_COLUMNS = `task_id AS taskId, task_name AS taskName, task_type AS taskType, app_id AS appId,
  app_name AS appName, outcome, node, stopped_at AS stoppedAt, queue_ms AS queueMs, run_ms AS runMs`

type SummaryRow = Pick<
  EndedExecution,
  'taskId' | 'taskName' | 'taskType' | 'appId' | 'appName' | 'outcome' | 'node' | 'stoppedAt' | 'queueMs' | 'runMs'
>

const CHUNK = 10_000

interface Base {
  readonly seq: number
  readonly stoppedAt: number
  readonly taskName: string
}

/** Rows of the table that are looked at before the time is looked at again. */
const WINDOW = 20_000
const BUDGET_MS = 80

/**
 * The position `WINDOW` rows after this one, those that ended last first; null when there are not so many. A search ends
 * there when its time is over.
 */
function windowAfter(db: Database, [stoppedAt, seq]: HistoryPosition): HistoryPosition | null {
  const row = db.get<Base>(
    `SELECT seq, stopped_at AS stoppedAt FROM execution WHERE (stopped_at, seq) < (?, ?)
       ORDER BY stopped_at DESC, seq DESC LIMIT 1 OFFSET ${WINDOW - 1}`,
    stoppedAt,
    seq,
  )
  return row ? [row.stoppedAt, row.seq] : null
}

/** Rows that the filter lets through, those that ended last first. `chunk` = rows read at a time. */
function* scan<Row extends { readonly stoppedAt: number; readonly taskName: string }>(
  db: Database,
  columns: string,
  filter: HistoryFilter,
  after: HistoryPosition | null,
  chunk = CHUNK,
  until: HistoryPosition | null = null,
): Generator<Row & Base> {
  const { sql, values } = conditions(filter)
  const isNamed = filter.taskName === null ? () => true : globMatcher(filter.taskName)
  let [stoppedAt, seq] = after ?? firstOf(filter)
  const end = until ? ' AND (stopped_at, seq) >= (?, ?)' : ''
  for (;;) {
    const rows = db.all<Row & Base>(
      `SELECT seq, ${columns} FROM execution WHERE (stopped_at, seq) < (?, ?)${end}${sql}
         ORDER BY stopped_at DESC, seq DESC LIMIT ?`,
      stoppedAt,
      seq,
      ...(until ?? []),
      ...values,
      chunk,
    )
    for (const row of rows) if (isNamed(row.taskName)) yield row
    const last = rows.at(-1)
    if (!last || rows.length < chunk) return
    stoppedAt = last.stoppedAt
    seq = last.seq
  }
}

const firstOf = ({ to }: HistoryFilter): HistoryPosition => [to ?? Number.MAX_SAFE_INTEGER, 0]

function conditions(filter: HistoryFilter): { readonly sql: string; readonly values: readonly (string | number)[] } {
  const lists: readonly (readonly [string, readonly string[] | null])[] = [
    ['execution_id', filter.id],
    ['task_id', filter.taskId],
    ['app_id', filter.appId],
    ['task_type', filter.type],
    ['outcome', filter.outcome],
    ['node COLLATE NOCASE', filter.node],
    ['actor', filter.actor],
  ]
  const asked = lists.flatMap(([column, values]) => (values === null ? [] : [{ column, values }]))
  const ins = asked.map(({ column, values }) => ` AND ${column} IN (${values.map(() => '?').join(', ')})`)
  const values = asked.flatMap((one) => one.values)
  if (filter.from === null) return { sql: ins.join(''), values }
  return { sql: `${ins.join('')} AND stopped_at >= ?`, values: [...values, filter.from] }
}

/** Rows read at a time when most of them are wanted. */
const SMALL_CHUNK = 600

/** A page. A search for something rare ends when `budgetMs` are over. */
export function listHistory(
  db: Database,
  { filter, after, limit }: ListQuery,
  { budgetMs = BUDGET_MS }: { readonly budgetMs?: number } = {},
): ListAnswer {
  const executions: HistoryItem[] = []
  const end = performance.now() + budgetMs
  const chunk = filter.taskName === null ? SMALL_CHUNK : CHUNK
  let position = after ?? firstOf(filter)
  for (;;) {
    const until = isIndexed(filter) ? null : windowAfter(db, position)
    let last = position
    for (const row of scan<EndedExecution>(db, EXECUTION_COLUMNS, filter, position, chunk, until)) {
      if (executions.length === limit) return { executions, next: last, partial: false }
      executions.push(itemOf(row))
      last = [row.stoppedAt, row.seq]
    }
    const isOver = until === null || (filter.from !== null && until[0] < filter.from)
    if (isOver) return { executions, next: null, partial: false }
    position = until
    if (performance.now() > end) return { executions, next: position, partial: true }
  }
}

/** An index finds the rows, or nearly every row is wanted. */
const isIndexed = ({ id, taskId, outcome, taskName, appId, type, node, actor }: HistoryFilter): boolean =>
  id !== null ||
  taskId !== null ||
  outcome !== null ||
  [taskName, appId, type, node, actor].every((one) => one === null)

function itemOf(row: EndedExecution): HistoryItem {
  const { executionId, taskId, taskName, taskType, appId, appName, outcome, statusNum, node, actor } = row
  return {
    executionId,
    kind: 'task',
    taskId,
    taskName,
    taskType,
    appId,
    appName,
    state: 'finished',
    outcome,
    statusNum,
    statusText: statusNum === null ? TEXT_OF_OUTCOME[outcome] : statusTextOf(statusNum),
    node,
    ...(actor !== null && { actor }),
    triggeredAt: isoOf(row.triggeredAt),
    startedAt: isoOf(row.startedAt),
    stoppedAt: new Date(row.stoppedAt).toISOString(),
    queueMs: row.queueMs,
    runMs: row.runMs,
    attempts: row.attempts,
    error: row.error,
  }
}

/** Used until the status number of Qlik Sense is known. */
const TEXT_OF_OUTCOME = {
  success: statusTextOf(7),
  failed: statusTextOf(8),
  aborted: statusTextOf(6),
  skipped: statusTextOf(9),
  unknown: 'Unknown',
} as const

interface Group {
  readonly key: string | null
  /** The newest execution gives the name, and the two that follow. */
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
    key,
    name,
    runs,
    success,
    failed,
    aborted,
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
    min: sorted[0]!,
    p50: nearestRank(sorted, 50),
    p95: nearestRank(sorted, 95),
    max: sorted.at(-1)!,
    total,
  }
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
