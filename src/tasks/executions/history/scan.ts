/** Reads the history from its end backwards. */
import { globMatcher } from '../../../platform/glob.ts'
import type { Database } from '../../../platform/sqlite.ts'
import type { EndedExecution } from '../types.ts'
import { EXECUTION_COLUMNS } from './store.ts'
import type { HistoryFilter, HistoryPosition } from './types.ts'

/** What summaries are made of. */
export const SUMMARY_COLUMNS = `task_id AS taskId, task_name AS taskName, task_type AS taskType, app_id AS appId,
  app_name AS appName, outcome, node, stopped_at AS stoppedAt, queue_ms AS queueMs, run_ms AS runMs`

export type SummaryRow = Pick<
  EndedExecution,
  'taskId' | 'taskName' | 'taskType' | 'appId' | 'appName' | 'outcome' | 'node' | 'stoppedAt' | 'queueMs' | 'runMs'
>

export const LIST_COLUMNS = EXECUTION_COLUMNS

const CHUNK = 10_000

interface Base {
  readonly seq: number
  readonly stoppedAt: number
  readonly taskName: string
}

/** Rows that the filter lets through, those that ended last first. `chunk` = rows read at a time. */
export function* scan<Row extends { readonly stoppedAt: number; readonly taskName: string }>(
  db: Database,
  columns: string,
  filter: HistoryFilter,
  after: HistoryPosition | null,
  chunk = CHUNK,
): Generator<Row & Base> {
  const { sql, values } = conditions(filter)
  const isNamed = filter.taskName === null ? () => true : globMatcher(filter.taskName)
  let [stoppedAt, seq] = after ?? [filter.to ?? Number.MAX_SAFE_INTEGER, 0]
  for (;;) {
    const rows = db.all<Row & Base>(
      `SELECT seq, ${columns} FROM execution WHERE (stopped_at, seq) < (?, ?)${sql}
         ORDER BY stopped_at DESC, seq DESC LIMIT ?`,
      ...[stoppedAt, seq, ...values, chunk],
    )
    for (const row of rows) if (isNamed(row.taskName)) yield row
    const last = rows.at(-1)
    if (!last || rows.length < chunk) return
    stoppedAt = last.stoppedAt
    seq = last.seq
  }
}

function conditions(filter: HistoryFilter): { readonly sql: string; readonly values: readonly (string | number)[] } {
  const lists: readonly (readonly [string, readonly string[] | null])[] = [
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
