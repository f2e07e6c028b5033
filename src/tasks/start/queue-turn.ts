/** What is done with an entry of the start queue when its turn has come. */
import { isDown, reasonOf } from '../../qlik/qrs/failure.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { QueueEntry, QueueStore } from './queue-store.ts'
import { startOne } from './start-all.ts'
import type { TaskResult } from './types.ts'

export interface TurnDeps {
  readonly qrs: QrsClient & Pick<ExecutionReader, 'resultsById'>
  readonly store: QueueStore
  readonly now: () => number
  /** Why the entry must not be started any more; null while it may. */
  readonly expired: (entry: QueueEntry) => string | null
}

export interface Turn {
  /** As it is on disk now. */
  readonly entry: QueueEntry
  /** The result, or why the entry has to stay in the queue for another turn. */
  readonly result: TaskResult | { readonly later: string }
}

/**
 * Starts the task of the entry. Before QRS is asked, the entry is marked on disk; whoever finds it marked looks first
 * whether the task has got a new result since, so that a crash in between starts nothing twice. Never rejects.
 */
export async function takeTurn(deps: TurnDeps, entry: QueueEntry): Promise<Turn> {
  const { qrs, store } = deps
  let marked = entry
  try {
    // Much may have happened to the task since it was queued.
    const task = await qrs.taskById(entry.taskId)
    if (!task) return { entry, result: { error: 'The task does not exist any more' } }
    const begun = entry.startingAt === null ? null : await begunMeanwhile(deps, entry, task)
    if (begun) return { entry, result: begun }
    const reason = deps.expired(entry)
    if (reason !== null) return { entry, result: { error: reason } }
    marked = { ...entry, startingAt: deps.now(), resultBefore: lastResultId(task) }
    await store.markStarting(marked)
    const { cause, ...result } = await startOne(qrs, task)
    return { entry: marked, result: 'error' in result && isDown(cause) ? { later: result.error } : result }
  } catch (error) {
    const reason = reasonOf(error)
    return { entry: marked, result: isDown(error) ? { later: reason } : { error: reason } }
  }
}

async function begunMeanwhile(deps: TurnDeps, entry: QueueEntry, task: QrsTask): Promise<TaskResult | null> {
  const resultId = lastResultId(task)
  if (resultId === (entry.resultBefore ?? '')) return null
  const [result] = await deps.qrs.resultsById([resultId])
  return { executionId: result?.executionID ?? null }
}

const lastResultId = (task: QrsTask): string => task.operational?.lastExecutionResult?.id ?? ''
