/** The history of executions: other parts report executions and ask for the state of a task. */

import { setTimeout as pause } from 'node:timers/promises'
import type { TaskEvent, TaskHistory } from '../../events/types.ts'
import { backoffDelay } from '../../platform/backoff.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Logger, Service } from '../../platform/types.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { attemptsOf, failureReason } from '../../qlik/qrs/execution.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { and, compare } from '../../qlik/qrs/filter.ts'
import type { ExecutionReader, QrsClient, QrsExecutionResult, QrsTask, SiteReader } from '../../qlik/qrs/types.ts'
import { createEndedFeed } from './ended-feed.ts'
import { OUTCOMES, TASK_TYPES } from './kinds.ts'
import { lastResultOf, mayHaveAttempts, type Progress, progressOf, taskTypeText } from './status.ts'
import { knownBefore, recordExecution, standingAt, successBefore, taskState } from './store.ts'
import type { EndedExecution, EndedOnSite, EndedReader, StartRecords } from './types.ts'

export interface HistoryDeps {
  readonly writer: GroupWriter
  /** Give the actor of an execution that Footman has started. */
  readonly records: Pick<StartRecords, 'byExecution'>
  /** Called for executions that are new, or whose run time is; in the transaction that stores them. */
  readonly onEnded?: (
    execution: EndedExecution,
    news: { readonly isNew: boolean; readonly isMeasured: boolean },
    tx: Database,
  ) => void
}

export interface History {
  /** In a transaction of the caller. */
  record(db: Database, execution: EndedExecution): void
  /** Resolves when they are on disk; `quiet` = they are old and `onEnded` is not called. */
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
    if (!quiet && (news.isNew || news.isMeasured)) onEnded?.(execution, news, db)
  }

  return {
    record,
    async add(executions, quiet = false) {
      for (let from = 0; from < executions.length; from += CHUNK) {
        await writer.write((tx) => {
          for (const execution of executions.slice(from, from + CHUNK)) record(tx, execution, quiet)
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

/** Facts from the earlier executions of the task, and from this one if it failed. */
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

// The row of an execution, from results in QRS and from events.

/** Null while it is not final, or when its task is gone or of a kind that is not known. */
function endedFromResults(
  executionId: string | null,
  results: readonly QrsExecutionResult[],
  task: QrsTask | null,
): EndedExecution | null {
  return endedFromProgress(executionId, progressOf(results, false), task)
}

/** `endedFromResults` for progress that is known already. */
export function endedFromProgress(
  executionId: string | null,
  progress: Progress | null,
  task: QrsTask | null,
): EndedExecution | null {
  if (!progress || !task || task.taskType < 0 || task.taskType >= TASK_TYPES.length) return null
  const { state, outcome } = progress
  if (state !== 'finished' || outcome === null) return null
  const stoppedAt = progress.stoppedAt ?? progress.startedAt ?? progress.triggeredAt
  if (stoppedAt === null) return null
  return {
    executionId,
    taskId: task.id,
    taskName: task.name,
    taskType: taskTypeText(task.taskType),
    appId: task.app?.id ?? null,
    appName: task.app?.name ?? null,
    ...measured(progress),
    outcome,
    actor: null,
    stoppedAt,
    error: progress.errorDetail,
  }
}

/** Null for events that are not about the end of a task. */
function endedFromEvent(event: TaskEvent): EndedExecution | null {
  const outcome = OUTCOMES.find((one) => one === event.outcome) ?? null
  if (outcome === null || !TASK_TYPES.some((type) => type === event.type)) return null
  const { execution } = event
  const progress = execution && progressOf(attemptsOf(execution), false)
  const final = progress?.state === 'finished' ? progress : null
  const proven = final?.outcome ?? outcome
  const fromLog = failureReason({ outcome: proven, log: event.scriptLog?.lines ?? [], details: [] })
  return {
    executionId: event.executionId || execution?.executionID || null,
    taskId: event.taskId,
    taskName: event.taskName,
    taskType: event.type,
    appId: event.appId || null,
    appName: event.appName || null,
    ...(final ? measured(final) : UNMEASURED),
    outcome: proven,
    actor: null,
    stoppedAt: final?.stoppedAt ?? event.receivedAt,
    error: fromLog ?? final?.errorDetail ?? null,
    isErrorOfLog: fromLog !== null,
  }
}

function measured({ result, statusNum, node, triggeredAt, startedAt, queueMs, runMs, attempts }: Progress) {
  return { resultId: result.id, statusNum, node: node || null, triggeredAt, startedAt, queueMs, runMs, attempts }
}

const UNMEASURED = {
  resultId: null,
  statusNum: null,
  node: null,
  triggeredAt: null,
  startedAt: null,
  queueMs: null,
  runMs: null,
  attempts: 1,
} as const

// Executions that have ended on the site in a span of time.

interface EndedReaderDeps {
  readonly qrs: SiteReader & Pick<ExecutionReader, 'resultsOfExecutions' | 'resultsById'> & Pick<QrsClient, 'tasks'>
  readonly log: Logger
}

export function createEndedReader({ qrs, log }: EndedReaderDeps): EndedReader {
  let canFilterResults = true

  /** Servers that cannot filter results by their end still know the last one of each task. */
  async function resultsBetween(
    from: number,
    to: number,
    signal?: AbortSignal,
  ): Promise<readonly QrsExecutionResult[]> {
    if (!canFilterResults) return lastResultsBetween(from, to, signal)
    try {
      return await qrs.resultsEndedBetween(from, to, signal)
    } catch (error) {
      if (!(error instanceof QrsError) || error.status !== 400) throw error
      canFilterResults = false
      log.verbose(`EXECUTIONS: Results cannot be filtered by their end, tasks are asked instead: ${error.message}`)
      return lastResultsBetween(from, to, signal)
    }
  }

  async function lastResultsBetween(from: number, to: number, signal?: AbortSignal) {
    const path = 'operational.lastExecutionResult.stopTime'
    const tasks = await qrs.tasks(
      and(compare(path, 'ge', new Date(from).toISOString()), compare(path, 'lt', new Date(to).toISOString())),
      signal,
    )
    const results = tasks.flatMap((task) => {
      const result = lastResultOf(task)
      return result ? [{ ...result, taskID: task.id }] : []
    })
    const withIds = await qrs.resultsById(
      results.map(({ id }) => id),
      signal,
    )
    const ids = new Map(withIds.map(({ id, executionID }) => [id, executionID]))
    return results.map((result) => ({ ...result, executionID: ids.get(result.id) ?? result.executionID }))
  }

  /** `attempts`: all results of the executions of `found`. */
  async function endedOf(
    found: readonly QrsExecutionResult[],
    attempts: readonly QrsExecutionResult[],
    signal?: AbortSignal,
  ): Promise<readonly EndedOnSite[]> {
    const byExecution = Map.groupBy(attempts, ({ executionID }) => executionID?.toLowerCase() ?? '')
    const tasks = await qrs.tasksById(
      found.flatMap(({ taskID }) => taskID ?? []),
      signal,
    )
    const taskOf = new Map(tasks.map((task) => [task.id.toLowerCase(), task]))
    const ended = new Map<string, EndedOnSite>()
    for (const result of found) {
      const executionId = result.executionID?.toLowerCase() ?? null
      const task = taskOf.get(result.taskID?.toLowerCase() ?? '')
      const results = (executionId && byExecution.get(executionId)) || [result]
      const execution = task && endedFromResults(executionId, results, task)
      if (execution) ended.set(executionId ?? result.id, { execution, task, resultIds: results.map(({ id }) => id) })
    }
    return [...ended.values()].sort((a, b) => a.execution.stoppedAt - b.execution.stoppedAt)
  }

  const reader: EndedReader = {
    async between(from, to, isHandled, signal) {
      const found = (await resultsBetween(from, to, signal)).filter(({ id }) => !isHandled(id))
      const executionIds = found.flatMap(({ executionID }) => executionID ?? [])
      // Other attempts of the same execution may have ended before, or go on.
      return endedOf(found, await qrs.resultsOfExecutions(executionIds, signal), signal)
    },
    async ofExecutions(executionIds, signal) {
      const results = await qrs.resultsOfExecutions(executionIds, signal)
      return endedOf(results, results, signal)
    },
    feed: (checkpoint, settings) => createEndedFeed(reader, checkpoint, settings),
  }
  return reader
}

// First import: the history begins with the last result of each task.

interface FirstImportDeps {
  readonly db: Database
  readonly history: Pick<History, 'add'>
  readonly qrs: Pick<ExecutionReader, 'taskBatches' | 'resultsById' | 'resultsOfExecutions'>
  /** How many events wait for data of Qlik Sense. */
  readonly eventsWaiting: () => number
  readonly log: Logger
}

const DONE_KEY = 'history.imported'
const RETRY = { firstMs: 2000, maxMs: 60_000 }
/** While more events than these wait, their questions go first, */
const MANY_EVENTS = 100
const PAUSE_MS = 1000
/** but no longer than this in all. */
const PATIENCE_MS = 600_000

/**
 * Goes on in the background until QRS has answered; nothing waits for it. It makes way for a burst of events, and leaves out
 * the tasks of which the history has learned meanwhile: those of a mass failure are not asked about twice.
 */
export function createFirstImport({ db, history, qrs, eventsWaiting, log }: FirstImportDeps): Service {
  const stopping = new AbortController()
  const { signal } = stopping
  let running: Promise<void> = Promise.resolve()
  let patience = PATIENCE_MS / PAUSE_MS
  const isNew = (taskId: string) => taskState(db, taskId) === undefined

  async function makeWay(): Promise<void> {
    for (; eventsWaiting() > MANY_EVENTS && patience > 0; patience -= 1) {
      await pause(PAUSE_MS, undefined, { signal, ref: false })
    }
  }

  async function run(): Promise<void> {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      try {
        let count = 0
        await makeWay()
        for await (const tasks of qrs.taskBatches(signal, isNew)) {
          const executions = await lastExecutions(tasks)
          await history.add(executions, true)
          count += executions.length
          await makeWay()
        }
        db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', DONE_KEY, String(count))
        log.info(`HISTORY: The last results of ${count} tasks were taken from Qlik Sense`)
        return
      } catch (error) {
        log.verbose(`HISTORY: The last results of tasks cannot be read yet: ${reasonOf(error)}`)
        await pause(backoffDelay(attempt, RETRY), undefined, { signal, ref: false }).catch(() => {})
      }
    }
  }

  async function lastExecutions(tasks: readonly QrsTask[]): Promise<EndedExecution[]> {
    const lasts = tasks.flatMap((task) => {
      const result = lastResultOf(task)
      return result ? [{ task, result }] : []
    })
    const ids = lasts.map(({ result }) => result.id)
    const known = new Map((await qrs.resultsById(ids, signal)).map((result) => [result.id, result.executionID]))
    const idOf = (result: QrsExecutionResult) => result.executionID ?? known.get(result.id) ?? null
    const retried = lasts.flatMap(({ task, result }) => (mayHaveAttempts(task) && idOf(result)) || [])
    const results = retried.length > 0 ? await qrs.resultsOfExecutions(retried, signal) : []
    const attempts = Map.groupBy(results, ({ executionID }) => executionID?.toLowerCase() ?? null)
    return lasts.flatMap(({ task, result }) => {
      const executionId = idOf(result)
      return endedFromResults(executionId, attempts.get(executionId?.toLowerCase() ?? '') ?? [result], task) ?? []
    })
  }

  return {
    name: 'first history',
    async start() {
      if (db.get('SELECT 1 FROM meta WHERE key = ?', DONE_KEY)) return
      running = run()
    },
    async stop() {
      stopping.abort()
      await running
    },
  }
}
