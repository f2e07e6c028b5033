/** A page of the history. */
import type { Database } from '../../../platform/sqlite.ts'
import { statusTextOf } from '../status.ts'
import { isoOf } from '../task-info.ts'
import type { EndedExecution } from '../types.ts'
import { LIST_COLUMNS, scan } from './scan.ts'
import type { HistoryItem, ListAnswer, ListQuery } from './types.ts'

/** Rows read at a time when most of them are wanted. */
const SMALL_CHUNK = 600

export function listHistory(db: Database, { filter, after, limit }: ListQuery): ListAnswer {
  const executions: HistoryItem[] = []
  let last: ListAnswer['next'] = null
  const rows = scan<EndedExecution>(db, LIST_COLUMNS, filter, after, filter.taskName === null ? SMALL_CHUNK : undefined)
  for (const row of rows) {
    if (executions.length === limit) return { executions, next: last }
    executions.push(itemOf(row))
    last = [row.stoppedAt, row.seq]
  }
  return { executions, next: null }
}

function itemOf(row: EndedExecution): HistoryItem {
  const { executionId, taskId, taskName, taskType, appId, appName, outcome, statusNum, node, actor } = row
  return {
    executionId,
    kind: 'task',
    ...{ taskId, taskName, taskType, appId, appName, state: 'finished', outcome, statusNum },
    statusText: statusNum === null ? TEXT_OF_OUTCOME[outcome] : statusTextOf(statusNum),
    node,
    ...(actor !== null && { actor }),
    triggeredAt: isoOf(row.triggeredAt),
    startedAt: isoOf(row.startedAt),
    stoppedAt: new Date(row.stoppedAt).toISOString(),
    ...{ queueMs: row.queueMs, runMs: row.runMs, attempts: row.attempts, error: row.error },
  }
}

/** While Qlik Sense has not told its number. */
const TEXT_OF_OUTCOME = {
  success: statusTextOf(7),
  failed: statusTextOf(8),
  aborted: statusTextOf(6),
  skipped: statusTextOf(9),
  unknown: 'Unknown',
} as const
