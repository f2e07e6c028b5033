/** Executions of tasks and reloads of apps by their ids. */
import type { AppReload, AppReloads } from '../../apps/types.ts'
import { errorLine } from '../../qlik/qrs/execution.ts'
import { readScriptLog, type ScriptLogReader, UnreadLog } from '../../qlik/qrs/script-log.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import type { Execution } from './contract.ts'
import { isoOf, type Progress, type StatusCache, summaryOf, taskTypeText } from './status.ts'
import type { ExecutionFollower, QueuedStart, StartRecord, StartRecords } from './types.ts'

interface ExecutionLookupDeps extends Pick<ScriptLogReader, 'logProblem'> {
  readonly qrs: Pick<QrsClient, 'taskById' | 'scriptLog'>
  readonly statuses: StatusCache
  readonly follower: ExecutionFollower
  readonly records: StartRecords
  readonly reloads: AppReloads
  /** An entry of the start queue by its id. */
  readonly queued: (id: string) => QueuedStart | null
  /** The script log of a failed execution was read. */
  readonly onScriptError: (executionId: string, found: ScriptError) => void
}

type ScriptLogAnswer =
  | { readonly found: true; readonly log: string }
  | { readonly found: false; readonly execution: Execution | null; readonly reason: string }

/** The reason that the script log of a failed execution gives. */
export interface ScriptError {
  readonly progress: Progress
  readonly task: QrsTask
  readonly error: string
}

/** Both reject with a `QrsError` when QRS cannot be asked. */
export interface ExecutionLookup {
  /**
   * By execution id, or by the id of an entry of the start queue. Comes when the execution is final or the signal
   * aborts; null for an unknown id.
   */
  get(id: string, signal: AbortSignal): Promise<Execution | null>
  scriptLog(id: string): Promise<ScriptLogAnswer>
}

/** Answers of QRS are used for so long. */
const CACHE_MS = 10_000
/** Error texts that are kept. */
const KEEP_ERRORS = 500
const RELOAD_TASK = 0

export function createExecutionLookup(deps: ExecutionLookupDeps): ExecutionLookup {
  const { qrs, statuses, follower, records, reloads } = deps
  const scriptErrors = new Map<string, string>()

  async function get(id: string, signal: AbortSignal): Promise<Execution | null> {
    if (reloads.get(id)) {
      await orAborted(reloads.finished(id), signal)
      const reload = reloads.get(id)
      return reload && appReloadExecution(reload)
    }
    const waiting = deps.queued(id)
    if (waiting) await orAborted(waiting.settled, signal)
    const still = deps.queued(id)
    if (still) return queuedStart(still)
    const record = records.byId(id) ?? records.byExecution(id)
    if (record && record.executionId === null) return recordedStart(record)
    return ofTask(record?.executionId ?? id, record, signal)
  }

  async function ofTask(
    executionId: string,
    record: StartRecord | undefined,
    signal: AbortSignal,
  ): Promise<Execution | null> {
    const look = await statuses.recent(executionId, CACHE_MS)
    // QRS may learn of a start a moment later than the scheduler.
    if (!look.progress && !record) return null
    await follower.untilFinal(executionId, signal)
    const progress = statuses.last(executionId)?.progress ?? look.progress
    if (!progress) return record ? recordedStart(record) : null
    const taskId = progress.taskId || (record?.taskId ?? '')
    const task = await qrs.taskById(taskId)
    const error = await errorInScript(executionId, progress, task)
    return taskExecution({ executionId: executionId.toLowerCase(), progress, task, record, scriptError: error })
  }

  /** Best effort: without it the details of the execution are used. */
  async function errorInScript(executionId: string, progress: Progress, task: QrsTask | null): Promise<string | null> {
    if (progress.outcome !== 'failed' || task?.taskType !== RELOAD_TASK) return null
    const known = scriptErrors.get(executionId)
    if (known) return known
    const log = await qrs.scriptLog(task.id, progress.result).catch(() => null)
    const error = log === null ? null : errorLine(log.split(/\r?\n/))
    if (error === null) return null
    scriptErrors.set(executionId, error)
    deps.onScriptError(executionId, { progress, task, error })
    const oldest = scriptErrors.size > KEEP_ERRORS ? scriptErrors.keys().next().value : undefined
    if (oldest !== undefined) scriptErrors.delete(oldest)
    return error
  }

  async function scriptLog(id: string): Promise<ScriptLogAnswer> {
    const execution = await get(id, AbortSignal.abort())
    const absent = (reason: string): ScriptLogAnswer => ({ found: false, execution, reason })
    if (!execution) return absent('')
    if (execution.kind === 'appReload') {
      const file = reloads.get(id)?.scriptLogFile
      return absent(
        file ? `It is the file ${file} on the server of the engine.` : 'The engine has not reported where it is.',
      )
    }
    if (execution.taskType !== 'reload') return absent('Only reload tasks have script logs.')
    const { executionId, taskId } = execution
    try {
      const log = (await logOf(executionId, taskId, CACHE_MS)) ?? (await logOf(executionId, taskId, 0))
      if (log !== null) return { found: true, log }
    } catch (error) {
      if (error instanceof UnreadLog) return absent(error.message)
      throw error
    }
    return absent(
      execution.state === 'finished' ? 'Qlik Sense has none.' : 'Qlik Sense has it when the reload has ended.',
    )
  }

  /** A status that was read just when a reload ended may not contain the place of its log yet. */
  async function logOf(executionId: string, taskId: string | null, maxAgeMs: number): Promise<string | null> {
    const look =
      maxAgeMs > 0
        ? await statuses.recent(executionId, maxAgeMs)
        : (await statuses.ask([executionId])).get(executionId.toLowerCase())
    const result = look?.progress?.result
    if (!result || taskId === null) return null
    return readScriptLog(deps, taskId, result)
  }

  return { get, scriptLog }
}

/** Resolves when either has happened. */
function orAborted(work: Promise<unknown>, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const end = () => {
      signal.removeEventListener('abort', end)
      resolve()
    }
    signal.addEventListener('abort', end, { once: true })
    work.then(end, end)
  })
}

// The description of an execution, from QRS, the engine and Footman's own records.

interface TaskExecutionParts {
  readonly executionId: string
  readonly progress: Progress
  /** Null when the task has been deleted. */
  readonly task: QrsTask | null
  /** Present when Footman started it. */
  readonly record: StartRecord | undefined
  /** The error in the script log. */
  readonly scriptError: string | null
}

function taskExecution({ executionId, progress, task, record, scriptError }: TaskExecutionParts): Execution {
  const { state, outcome, statusText, queueMs, runMs } = summaryOf(progress)
  return {
    executionId,
    kind: 'task',
    taskId: task?.id ?? (progress.taskId || null),
    taskName: task?.name ?? record?.taskName ?? null,
    taskType: task ? taskTypeText(task.taskType) : null,
    appId: task?.app?.id ?? progress.appId,
    appName: task?.app?.name ?? null,
    state,
    outcome,
    statusNum: progress.statusNum,
    statusText,
    node: progress.node || null,
    ...(record && { actor: record.actor }),
    triggeredAt: isoOf(progress.triggeredAt),
    startedAt: isoOf(progress.startedAt),
    stoppedAt: isoOf(progress.stoppedAt),
    queueMs,
    runMs,
    attempts: progress.attempts,
    error: scriptError ?? progress.errorDetail,
    details: progress.details,
  }
}

const APP_RELOAD_TEXTS = { running: 'Running', success: 'Succeeded', failed: 'Failed', unknown: 'Unknown' } as const

function appReloadExecution(reload: AppReload): Execution {
  const { executionId, appId, appName, state, outcome, actor, error, details } = reload
  return {
    executionId,
    kind: 'appReload',
    taskId: null,
    taskName: null,
    taskType: null,
    appId,
    appName,
    state,
    outcome,
    statusNum: null,
    statusText: reload.progress || APP_RELOAD_TEXTS[outcome ?? 'running'],
    node: null,
    actor,
    triggeredAt: isoOf(reload.triggeredAt),
    startedAt: isoOf(reload.startedAt),
    stoppedAt: isoOf(reload.stoppedAt),
    queueMs: reload.startedAt - reload.triggeredAt,
    runMs: reload.stoppedAt === null ? null : reload.stoppedAt - reload.startedAt,
    attempts: 1,
    error,
    details: details.map(({ at, level, message }) => ({ at: new Date(at).toISOString(), level, message })),
  }
}

const NOTHING_YET = {
  taskType: null,
  appId: null,
  appName: null,
  statusNum: null,
  node: null,
  startedAt: null,
  queueMs: null,
  runMs: null,
  attempts: 0,
  details: [],
} as const

/** A start that failed, or that QRS does not know. */
function recordedStart(record: StartRecord): Execution {
  const { id, executionId, taskId, taskName, actor, error } = record
  const at = isoOf(record.startedAt)
  const common = { executionId: executionId ?? id, kind: 'task', taskId, taskName, actor, triggeredAt: at } as const
  return error === null
    ? { ...NOTHING_YET, ...common, state: 'queued', outcome: null, statusText: 'Triggered', stoppedAt: null, error }
    : {
        ...NOTHING_YET,
        ...common,
        state: 'finished',
        outcome: 'failed',
        statusText: 'NotStarted',
        stoppedAt: at,
        error,
      }
}

/** A start that has not had its turn. */
function queuedStart({ id, taskId, taskName, actor, queuedAt }: QueuedStart): Execution {
  return {
    ...NOTHING_YET,
    executionId: id,
    kind: 'task',
    taskId,
    taskName,
    actor,
    state: 'queued',
    outcome: null,
    statusText: 'InStartQueue',
    triggeredAt: isoOf(queuedAt),
    stoppedAt: null,
    error: null,
  }
}
