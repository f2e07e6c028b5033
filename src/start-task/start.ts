/** The one way in which tasks are started, whoever asks. */
import type { Clock, Logger } from '../platform/types.ts'
import { isLost, reasonOf } from '../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../qlik/qrs/types.ts'
import { auditLine } from './audit.ts'
import { ShadowModeError } from './errors.ts'
import { type StartFilterSettings, startFilterFor } from './filter.ts'
import { storeItems } from './key-values.ts'
import { type Selection, selectTasks } from './select.ts'
import type { StartOutcome, StartProgress, StartRequest, StartTask, StoreKeyValues } from './types.ts'

export interface StartTaskDeps {
  readonly qrs: QrsClient
  readonly log: Logger
  readonly clock: Clock
  /** Absent while the key-value store is off. */
  readonly storeKeyValues?: StoreKeyValues | undefined
  /** Told about every request: what came of it, or why nothing did. */
  readonly onFinished?: (request: StartRequest, outcome: StartOutcome | null, problem: string | null) => void
}

export interface StartTaskSettings extends StartFilterSettings {
  /** Nothing is started: requests reject with `ShadowModeError`. */
  readonly shadow: boolean
}

/** Starts under way at the same time, per request. */
const CONCURRENCY = 4

/**
 * Looks everything up first; each task is then started once, and QRS's answer is awaited. Rejects with a `LookupError`
 * when QRS cannot tell which tasks are meant (nothing was started); a start that fails is part of the outcome.
 */
export function createStartTask(deps: StartTaskDeps, settings: StartTaskSettings): StartTask {
  const { qrs, clock } = deps
  const log = deps.log.child('start-task')
  return async (request, progress) => {
    const began = clock.now()
    const audit = (outcome: StartOutcome | null, problem?: string): void => {
      log.info(auditLine(request, outcome, clock.now() - began, problem))
      deps.onFinished?.(request, outcome, problem ?? null)
    }
    try {
      if (settings.shadow) throw new ShadowModeError()
      const selection = await selectTasks(qrs, startFilterFor(request.origin, settings, request.limitedTo), request)
      logRefused(log, request, selection)
      // Once a task was started its pairs are that task's business: it may have changed or removed them.
      if (!progress?.done.size) await storeItems({ log, storeKeyValues: deps.storeKeyValues }, request.keyValues ?? [])
      const outcome = await startSelected(qrs, log, request, selection, progress)
      audit(outcome)
      return outcome
    } catch (error) {
      audit(null, error instanceof Error ? error.message : String(error))
      throw error
    }
  }
}

async function startSelected(
  qrs: QrsClient,
  log: Logger,
  request: StartRequest,
  { matches, notFound, denied }: Selection,
  progress: StartProgress | undefined,
): Promise<StartOutcome> {
  const holdIds = request.allTaskIdsMustExist && notFound.length > 0
  const selected = matches.map(({ task: _, ...match }) => match)
  const toStart = matches.filter((match) => !(holdIds && match.by === 'id'))
  const tasks = [...new Map(toStart.map(({ task }) => [task.id, task])).values()]
  const { results, interrupted } = await startAll(qrs, tasks, progress)

  const started: StartOutcome['started'][number][] = []
  const failed: StartOutcome['failed'][number][] = []
  for (const [index, result] of results.entries()) {
    const task = tasks[index]!
    const ref = { taskId: task.id, taskName: task.name }
    if ('error' in result) {
      failed.push({ ...ref, error: result.error })
      log.error(`STARTTASK: Error while starting Sense task ${task.id} "${task.name}": ${result.error}`)
      continue
    }
    started.push({ ...ref, executionId: result.executionId })
    const match = toStart.find(({ taskId }) => taskId === task.id)!
    log.info(`STARTTASK: Started task ID ${task.id} "${task.name}", selected by ${match.by} ${match.selector}`)
  }
  const heldBack = holdIds ? selected.filter((match) => match.by === 'id') : []
  return {
    started,
    failed,
    notFound,
    denied,
    heldBack: heldBack.map(({ taskId, taskName }) => ({ taskId, taskName })),
    selected,
    ...(interrupted && { interrupted }),
  }
}

type TaskResult = { readonly executionId: string | null } | { readonly error: string }

/** One result per task, in order. Once QRS is lost the remaining tasks are not tried. */
async function startAll(
  qrs: QrsClient,
  tasks: readonly QrsTask[],
  progress: StartProgress | undefined,
): Promise<{ results: readonly TaskResult[]; interrupted: boolean }> {
  const results: TaskResult[] = []
  let next = 0
  let lost: string | null = null

  async function startOne(task: QrsTask): Promise<TaskResult> {
    const executionId = progress?.done.get(task.id)
    if (executionId !== undefined) return { executionId }
    if (lost !== null) return { error: `not tried, because QRS was lost: ${lost}` }
    // The asynchronous form of older servers would report a disabled task as started.
    if (task.enabled === false) return { error: 'The task is disabled' }
    try {
      const result = await qrs.startTask(task.id)
      if (!result.started) return { error: result.reason }
      await progress?.started(task.id, result.executionId)
      return { executionId: result.executionId }
    } catch (error) {
      const reason = reasonOf(error)
      if (isLost(error)) lost ??= reason
      return { error: reason }
    }
  }

  async function work(): Promise<void> {
    for (let index = next++; index < tasks.length; index = next++) results[index] = await startOne(tasks[index]!)
  }

  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, tasks.length) }, work))
  return { results, interrupted: lost !== null }
}

function logRefused(log: Logger, request: StartRequest, { notFound, denied }: Selection): void {
  for (const id of notFound) log.warn(`TASK ID VERIFY: Task ID not valid: ${id}`)
  for (const id of denied.taskIds) {
    const place = id === request.urlTaskId ? 'URL path' : 'msg body'
    log.warn(`STARTTASK: Task ID in ${place} is not allowed: ${id}`)
  }
  for (const tag of denied.tags) log.warn(`STARTTASK: Task tag is not allowed: ${tag}`)
  for (const { name, value } of denied.customProperties) {
    log.warn(`STARTTASK: Task custom property is not allowed. Name: ${name}, value: ${value}`)
  }
}
