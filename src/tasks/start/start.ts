/** The start function: every start of a task goes through it, over REST, MQTT, schedules and retries alike. */
import { errorText } from '../../platform/errors.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { StartRecords } from '../executions/types.ts'
import { auditLine } from './answers.ts'
import type { StartNotes } from './notes.ts'
import { readItem } from './parse.ts'
import type { StartQueue } from './queue.ts'
import { type Selection, type StartFilterSettings, selectTasks, startFilterFor } from './select.ts'
import { lastResultId, type PerhapsStarted, startAll } from './start-all.ts'
import {
  type KeyValueItem,
  LookupError,
  type QueuedTask,
  ShadowModeError,
  type StartOutcome,
  type StartProgress,
  type StartRequest,
  type StartTask,
  type StoreKeyValues,
  type TaskResult,
} from './types.ts'

export interface StartTaskDeps {
  readonly qrs: QrsClient & Pick<ExecutionReader, 'resultsById'>
  readonly log: Logger
  readonly clock: Clock
  /** Absent while the key-value store is off. */
  readonly storeKeyValues?: StoreKeyValues | undefined
  /** Absent: what was started is not remembered. */
  readonly records?: StartRecords
  /** Absent: a request that comes again does not know what it was about to start. */
  readonly notes?: StartNotes
  /** Absent: nothing limits the starts. */
  readonly queue?: StartQueue
  /** Called for every request with its outcome, or with the problem that prevented it. */
  readonly onFinished?: (request: StartRequest, outcome: StartOutcome | null, problem: string | null) => void
}

interface StartTaskSettings extends StartFilterSettings {
  /** Nothing is started: requests reject with `ShadowModeError`. */
  readonly shadow: boolean
}

/**
 * Looks everything up first; each task is then started once, and QRS's answer is awaited. With a limit, what may not
 * start yet waits in the start queue. Rejects with a `LookupError` when QRS cannot be asked which tasks are meant and with a
 * `QueueFullError` when they do not fit into the queue (nothing was started then); a start that fails is part of the
 * outcome.
 */
export function createStartTask(deps: StartTaskDeps, settings: StartTaskSettings): StartTask {
  const { clock } = deps
  const log = deps.log.child('start-task')
  return async (request, progress) => {
    const began = clock.now()
    const audit = (outcome: StartOutcome | null, problem?: string): void => {
      log.info(auditLine(request, outcome, clock.now() - began, problem))
      deps.onFinished?.(request, outcome, problem ?? null)
    }
    try {
      if (settings.shadow) throw new ShadowModeError()
      const filter = startFilterFor(request.origin, settings, request.limitedTo)
      const selection = await selectTasks(deps.qrs, filter, request).catch((error: unknown) => {
        throw withEarlier(deps, request, error)
      })
      logRefused(log, request, selection)
      const mayComeAgain = request.id !== undefined || progress !== undefined
      const identified = { id: uuidV7(began), ...request, mayComeAgain }
      const outcome = await startSelected({ ...deps, log }, identified, selection, progress)
      audit(outcome)
      return outcome
    } catch (error) {
      audit(null, errorText(error))
      throw error
    }
  }
}

/** The error of a look-up, with what an earlier attempt of the request has perhaps started. */
function withEarlier({ notes }: StartTaskDeps, { id }: StartRequest, error: unknown): unknown {
  if (!(error instanceof LookupError) || id === undefined) return error
  const perhaps = [...(notes?.of(id).keys() ?? [])]
  if (perhaps.length === 0) return error
  return new LookupError(error.timedOut, error.message, { ...error.known, perhaps }, error.cause)
}

type Identified = StartRequest & {
  readonly id: string
  /** After a crash, or because its caller repeats it. */
  readonly mayComeAgain: boolean
}

async function startSelected(
  deps: StartTaskDeps,
  request: Identified,
  { matches, notFound, denied }: Selection,
  progress: StartProgress | undefined,
): Promise<StartOutcome> {
  const holdIds = request.allTaskIdsMustExist && notFound.length > 0
  const selected = matches.map(({ task: _, ...match }) => match)
  const toStart = matches.filter((match) => !(holdIds && match.by === 'id'))
  const tasks = [...new Map(toStart.map(({ task }) => [task.id, task])).values()]
  const { results, interrupted } = await begin(deps, request, tasks, progress)

  const started: StartOutcome['started'][number][] = []
  const failed: StartOutcome['failed'][number][] = []
  const queued: QueuedTask[] = []
  for (const [index, result] of results.entries()) {
    const task = tasks[index]!
    const ref = { taskId: task.id, taskName: task.name }
    const { by, selector } = toStart.find(({ taskId }) => taskId === task.id)!
    if ('queueId' in result) {
      queued.push(result)
      deps.log.info(`STARTTASK: Queued task ID ${task.id} "${task.name}", selected by ${by} ${selector}`)
    } else if ('error' in result) {
      failed.push({ ...ref, ...result })
      deps.log.error(`STARTTASK: Error while starting Sense task ${task.id} "${task.name}": ${result.error}`)
    } else {
      started.push({ ...ref, executionId: result.executionId })
      deps.log.info(`STARTTASK: Started task ID ${task.id} "${task.name}", selected by ${by} ${selector}`)
    }
  }
  const heldBack = holdIds ? selected.filter((match) => match.by === 'id') : []
  return {
    started,
    failed,
    ...(queued.length > 0 && { queued }),
    notFound,
    denied,
    heldBack: heldBack.map(({ taskId, taskName }) => ({ taskId, taskName })),
    selected,
    ...(interrupted && { interrupted }),
  }
}

/** One result per task, in order. */
async function begin(
  deps: StartTaskDeps,
  request: Identified,
  tasks: readonly QrsTask[],
  progress: StartProgress | undefined,
): Promise<{ results: readonly (TaskResult | QueuedTask)[]; interrupted: boolean }> {
  const { log, queue, storeKeyValues } = deps
  const limited = queue !== undefined && (queue.maxConcurrent > 0 || request.maxConcurrent !== undefined)
  if (limited) queue.checkRoom(tasks)
  const done = doneBefore(deps, request, progress)
  // Once a task was started its pairs are that task's business: it may have changed or removed them.
  if (done.size === 0) await storeItems({ log, storeKeyValues }, request.keyValues ?? [])
  return limited
    ? { results: await throughQueue(queue, request, tasks, done), interrupted: false }
    : startAll(
        {
          qrs: deps.qrs,
          done,
          now: deps.clock.now,
          ...intentions(deps, request, progress),
          onStarted: recorder(deps, request, progress),
        },
        tasks,
      )
}

/** The notes about starts that are about to be made: those of the caller, else those of the start function. */
function intentions(
  { notes }: StartTaskDeps,
  { id, mayComeAgain }: Identified,
  progress: StartProgress | undefined,
): Pick<Parameters<typeof startAll>[0], 'perhaps' | 'onStarting' | 'onRefused'> {
  const { starting, perhaps = new Map<string, string>() } = progress ?? {}
  if (starting) {
    return {
      perhaps: new Map(
        [...perhaps].map(([taskId, resultBefore]): [string, PerhapsStarted] => [taskId, { resultBefore }]),
      ),
      onStarting: (task) => starting.call(progress, task.id, task.name, lastResultId(task)),
    }
  }
  if (!notes || !mayComeAgain) return {}
  return {
    perhaps: notes.of(id),
    onStarting: (task) => notes.add(id, task.id, lastResultId(task)),
    onRefused: ({ id: taskId }) => notes.remove(id, taskId),
  }
}

/** Starts of this request before it was cut short. */
function doneBefore(
  { records }: StartTaskDeps,
  { id }: Identified,
  progress: StartProgress | undefined,
): Map<string, string | null> {
  const done = new Map(progress?.done)
  for (const { taskId, executionId, error } of records?.ofRequest(id) ?? []) {
    if (error === null) done.set(taskId, executionId)
  }
  return done
}

function recorder({ records, clock, log }: StartTaskDeps, request: Identified, progress: StartProgress | undefined) {
  return async ({ id: taskId, name: taskName }: QrsTask, executionId: string | null): Promise<void> => {
    const now = clock.now()
    const { id, actor = request.origin } = request
    const recorded = records
      ?.add({
        id: uuidV7(now),
        request: id,
        taskId,
        taskName,
        actor,
        executionId,
        startedAt: now,
        finalAt: null,
        error: null,
      })
      // The task runs all the same.
      .catch((error: unknown) => log.error(`STARTTASK: The start of task ${taskId} could not be recorded: ${error}`))
    // The task runs. Only a request that may come again has to find on disk what it has started; others are answered.
    if (request.mayComeAgain) await Promise.all([recorded, progress?.started(taskId, executionId)])
  }
}

/** Disabled tasks are refused at once, without waiting in the queue. */
async function throughQueue(
  queue: StartQueue,
  { id, origin, actor = origin, maxConcurrent }: Identified,
  tasks: readonly QrsTask[],
  done: ReadonlyMap<string, string | null>,
): Promise<(TaskResult | QueuedTask)[]> {
  const waiting = tasks.filter((task) => task.enabled !== false && !done.has(task.id))
  const places = await queue.submit(waiting, { id, actor, limit: maxConcurrent ?? null })
  const results = new Map(waiting.map((task, index) => [task.id, places[index]!]))
  return tasks.map((task) => {
    const executionId = done.get(task.id)
    if (executionId !== undefined) return { executionId }
    return results.get(task.id) ?? { error: 'The task is disabled' }
  })
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

const TRYING = 'STARTTASK: Trying to store key-value data, but'

/** Stores what is complete, in one go; everything else is skipped with a warning. Rejects when the storage fails. */
export async function storeItems(
  { log, storeKeyValues }: { readonly log: Logger; readonly storeKeyValues?: StoreKeyValues | undefined },
  items: readonly unknown[],
): Promise<void> {
  if (items.length === 0) return
  const complete: KeyValueItem[] = []
  for (const item of items) {
    const result = storeKeyValues ? readItem(item) : 'KV store is not enabled.'
    if (typeof result === 'string') log.warn(`${TRYING} ${result}`)
    else complete.push(result)
  }
  if (complete.length > 0) await storeKeyValues?.(complete)
}
