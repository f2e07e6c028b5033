/** Executions of tasks and reloads of apps by their ids. */
import type { AppReloads } from '../../apps/types.ts'
import { nullWhenAbsent } from '../../qlik/qrs/failure.ts'
import type { QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { appReloadExecution, queuedStart, recordedStart, taskExecution } from './describe.ts'
import type { Lookout } from './look.ts'
import type { Progress } from './progress.ts'
import { scriptError } from './script-error.ts'
import type { Execution, ExecutionFollower, QueuedStart, StartRecord, StartRecords } from './types.ts'

export interface ExecutionsDeps {
  readonly qrs: Pick<QrsClient, 'taskById' | 'scriptLog'>
  readonly lookout: Lookout
  readonly follower: ExecutionFollower
  readonly records: StartRecords
  readonly reloads: AppReloads
  /** An entry of the start queue by its id. */
  readonly queued: (id: string) => QueuedStart | null
}

export type ScriptLogAnswer =
  | { readonly found: true; readonly log: string }
  | { readonly found: false; readonly execution: Execution | null; readonly reason: string }

/** Both reject with a `QrsError` when QRS cannot be asked. */
export interface Executions {
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

export function createExecutions(deps: ExecutionsDeps): Executions {
  const { qrs, lookout, follower, records, reloads } = deps
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
    const look = await lookout.recent(executionId, CACHE_MS)
    // QRS may learn of a start a moment later than the scheduler.
    if (!look.progress && !record) return null
    await follower.untilFinal(executionId, signal)
    const progress = lookout.last(executionId)?.progress ?? look.progress
    if (!progress) return record ? recordedStart(record) : null
    const taskId = progress.taskId || (record?.taskId ?? '')
    const task = await qrs.taskById(taskId)
    const error = await errorInScript(executionId, progress, task)
    return taskExecution({ executionId: executionId.toLowerCase(), progress, task, record, scriptError: error })
  }

  /** Best effort: the details of the execution tell something too. */
  async function errorInScript(executionId: string, progress: Progress, task: QrsTask | null): Promise<string | null> {
    if (progress.outcome !== 'failed' || task?.taskType !== RELOAD_TASK) return null
    const known = scriptErrors.get(executionId)
    if (known) return known
    const log = await qrs.scriptLog(task.id, progress.result).catch(() => null)
    const error = log === null ? null : scriptError(log)
    if (error === null) return null
    scriptErrors.set(executionId, error)
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
        file ? `It is the file ${file} on the server of the engine.` : 'The engine has not told where it is.',
      )
    }
    if (execution.taskType !== 'reload') return absent('Only reload tasks have script logs.')
    const { executionId, taskId } = execution
    const log = (await logOf(executionId, taskId, CACHE_MS)) ?? (await logOf(executionId, taskId, 0))
    if (log !== null) return { found: true, log }
    return absent(
      execution.state === 'finished' ? 'Qlik Sense has none.' : 'Qlik Sense has it when the reload has ended.',
    )
  }

  /** What was seen just when a reload ended does not tell yet where its log is. */
  async function logOf(executionId: string, taskId: string | null, maxAgeMs: number): Promise<string | null> {
    const look =
      maxAgeMs > 0
        ? await lookout.recent(executionId, maxAgeMs)
        : (await lookout.look([executionId])).get(executionId.toLowerCase())
    const result = look?.progress?.result
    if (!result || taskId === null) return null
    return (await qrs.scriptLog(taskId, result).catch(nullWhenAbsent)) || null
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
