/** Executions of the past, written into the database of a Footman that runs. */
import { DatabaseSync } from 'node:sqlite'
import type { Footman } from './footman.ts'

export interface StoredRun {
  readonly executionId: string
  readonly taskId: string
  readonly taskName: string
  readonly outcome: 'success' | 'failed'
  /** Milliseconds since 1970. */
  readonly stoppedAt: number
  readonly runMs: number
}

/** Each waits for a second before it runs. The state of the tasks stays. */
export function storeHistory({ directory }: Pick<Footman, 'directory'>, runs: readonly StoredRun[]): void {
  const db = new DatabaseSync(directory.join('data', 'footman.db'), { timeout: 20_000 })
  try {
    const insert = db.prepare(
      `INSERT INTO execution (execution_id, task_id, task_name, task_type, outcome, triggered_at, started_at, stopped_at,
        queue_ms, run_ms, attempts) VALUES (?, ?, ?, 'reload', ?, ?, ?, ?, 1000, ?, 1)`,
    )
    db.exec('BEGIN IMMEDIATE')
    for (const { executionId, taskId, taskName, outcome, stoppedAt, runMs } of runs) {
      const startedAt = stoppedAt - runMs
      insert.run(executionId, taskId, taskName, outcome, startedAt - 1000, startedAt, stoppedAt, runMs)
    }
    db.exec('COMMIT')
  } finally {
    db.close()
  }
}
