/** The history as other parts use it: they tell of executions, and ask how a task stands. */
import type { TaskEvent, TaskHistory } from '../../../events/types.ts'
import type { GroupWriter } from '../../../platform/group-commit.ts'
import type { Database } from '../../../platform/sqlite.ts'
import { TASK_TYPES } from '../status.ts'
import type { EndedExecution, StartRecords } from '../types.ts'
import { endedFromEvent } from './from-qlik.ts'
import { recordExecution, standingAt } from './store.ts'

export interface HistoryDeps {
  readonly writer: GroupWriter
  /** Who had Footman start an execution. */
  readonly records: Pick<StartRecords, 'byExecution'>
  /** Told about executions that were not known, or whose run time was not. */
  readonly onEnded?: (
    execution: EndedExecution,
    news: { readonly isNew: boolean; readonly isMeasured: boolean },
  ) => void
}

export interface History {
  /** In a transaction of the caller. */
  record(db: Database, execution: EndedExecution): void
  /** Resolves when they are on disk; `quiet` = they are old and nobody is told. */
  add(executions: readonly EndedExecution[], quiet?: boolean): Promise<void>
  /**
   * Notes how the event's execution ended and adds what earlier ones say; in a transaction of the caller. `isProven` =
   * false: only a message claims that the task exists, so nothing is noted.
   */
  complete(db: Database, event: TaskEvent, isProven?: boolean): TaskEvent
}

/** Rows per transaction, so that nothing else waits for long. */
const CHUNK = 200

export function createHistory({ writer, records, onEnded }: HistoryDeps): History {
  function record(db: Database, execution: EndedExecution, quiet = false): void {
    const { executionId } = execution
    const actor = execution.actor ?? (executionId ? (records.byExecution(executionId)?.actor ?? null) : null)
    const news = recordExecution(db, { ...execution, actor })
    if (!quiet && (news.isNew || news.isMeasured)) onEnded?.(execution, news)
  }

  return {
    record,
    async add(executions, quiet = false) {
      for (let from = 0; from < executions.length; from += CHUNK) {
        await writer.write((db) => {
          for (const execution of executions.slice(from, from + CHUNK)) record(db, execution, quiet)
        })
      }
    },
    complete(db, event, isProven = true) {
      if (!TASK_TYPES.some((type) => type === event.type)) return event
      const ended = endedFromEvent(event)
      const history = historyOf(db, event, ended)
      if (ended && !event.test && isProven) record(db, ended)
      return { ...event, history }
    },
  }
}

/** What the earlier executions of the task say, and this one if it failed. */
function historyOf(db: Database, event: TaskEvent, ended: EndedExecution | null): TaskHistory {
  const at = (ended?.stoppedAt ?? event.receivedAt) - 1
  const { failures, lastSuccessAt } = standingAt(db, event.taskId, at)
  if (ended === null) return { consecutiveFailures: failures, lastSuccessAt }
  const isBad = ended.outcome === 'failed' || ended.outcome === 'aborted'
  const own = knownBefore(db, ended, at)
  if (!isBad) return { consecutiveFailures: 0, lastSuccessAt: own ? successBefore(db, ended, at) : lastSuccessAt }
  const isCounted = own?.outcome === 'failed' || own?.outcome === 'aborted'
  return { consecutiveFailures: failures + (isCounted ? 0 : 1), lastSuccessAt }
}

/** This very execution, where it is among the earlier ones already, as an abort that is followed by a failure. */
function knownBefore(db: Database, { executionId }: EndedExecution, at: number) {
  if (executionId === null) return undefined
  const found = db.get<{ stoppedAt: number; outcome: string }>(
    'SELECT stopped_at AS stoppedAt, outcome FROM execution WHERE execution_id = ?',
    executionId.toLowerCase(),
  )
  return found && found.stoppedAt <= at ? found : undefined
}

/** The last success of the task but for this very execution. */
function successBefore(db: Database, { taskId, executionId }: EndedExecution, at: number): number | null {
  const found = db.get<{ at: number }>(
    `SELECT stopped_at AS at FROM execution WHERE task_id = ? AND stopped_at <= ? AND outcome = 'success'
       AND execution_id IS NOT ? ORDER BY stopped_at DESC LIMIT 1`,
    ...[taskId, at, executionId?.toLowerCase() ?? null],
  )
  return found?.at ?? null
}
