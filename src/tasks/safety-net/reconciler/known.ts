/** Whether an execution that ended was announced. */

import type { Database } from '../../../platform/sqlite.ts'
import type { EndedExecution } from '../../executions/types.ts'

/** A message without an execution id is about the execution of the task that ended so near to its arrival. */
const SAME_END_MS = 2 * 60_000

/** True when there is an event about this end, or one that waits for it, as of a distribution. */
export function isAnnounced(db: Database, { executionId, taskId, outcome, stoppedAt }: EndedExecution): boolean {
  const byId =
    executionId !== null &&
    db.get(
      `SELECT 1 FROM event WHERE execution_id = ? AND execution_id <> '' AND test = 0
         AND (outcome = ? OR announced = 'distribute')`,
      executionId.toLowerCase(),
      outcome,
    )
  if (byId) return true
  return Boolean(
    // The plus: a few minutes hold less than the history of a busy task.
    db.get(
      `SELECT 1 FROM event WHERE +task_id = ? AND outcome = ? AND test = 0 AND received_at BETWEEN ? AND ?
         AND (execution_id = '' OR ? IS NULL)`,
      ...[taskId, outcome, stoppedAt - SAME_END_MS, stoppedAt + SAME_END_MS, executionId],
    ),
  )
}
