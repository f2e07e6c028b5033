/** The present state of the tasks of the site: which wait, run or are due. */
import { createRecurringJob, type RecurringJob } from '../../platform/recurring-job.ts'
import type { Logger } from '../../platform/types.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import { and, compare, or } from '../../qlik/qrs/filter.ts'
import { type ExecutionReader, NEVER, type QrsClient, type QrsTask } from '../../qlik/qrs/types.ts'
import { mayHaveAttempts, progressOf } from '../executions/status.ts'

export interface LiveTask {
  readonly task: QrsTask
  readonly state: 'queued' | 'running' | 'idle'
  /** Since when it waits, or since its first attempt runs, milliseconds since 1970; null when unknown. */
  readonly since: number | null
  /** Result of the attempt that goes on. */
  readonly resultId: string | null
  /** Result of the first attempt of the execution, as far as known. */
  readonly firstResultId: string | null
  readonly node: string
  /** Its next start by a schedule of Qlik Sense. */
  readonly dueAt: number | null
}

/** A task that waits or runs. */
export interface RunningTask {
  /** The type that events have; `unknown` for other tasks. */
  readonly type: string
  readonly state: 'queued' | 'running'
  readonly taskId: string
  readonly taskName: string
  /** Since when it is in that state, milliseconds since 1970; null when unknown. */
  readonly since: number | null
  /** The result that QRS keeps about the execution. */
  readonly resultId: string | null
}

export function runningTasks(
  tasks: readonly LiveTask[],
  typeOf: (task: QrsTask) => string | null,
): readonly RunningTask[] {
  return tasks.flatMap(({ task, state, since, resultId }) =>
    state === 'idle'
      ? []
      : [{ type: typeOf(task) ?? 'unknown', state, taskId: task.id, taskName: task.name, since, resultId }],
  )
}

/** 3 waits for an engine, 1 for the scheduler. */
const QUEUED = [1, 3]
const RUNNING = [2, 4, 5, 10, 13, 14]
const YEAR_AFTER_NEVER = '1754-01-01T00:00:00.000Z'

export interface LiveReader {
  /** Tasks that wait or run, and enabled ones that are due until then. Rejects with a `QrsError`. */
  read(dueUntil: number, signal?: AbortSignal): Promise<readonly LiveTask[]>
}

export function createLiveReader({
  qrs,
}: {
  qrs: Pick<QrsClient, 'tasks'> & Pick<ExecutionReader, 'allTasks' | 'resultsById' | 'resultsOfExecutions'>
}): LiveReader {
  let canFilter = true
  /** The first attempts of executions that run, by the ids of the results that go on. */
  let runs = new Map<string, Pick<LiveTask, 'since' | 'firstResultId'>>()

  async function tasks(dueUntil: number, signal?: AbortSignal): Promise<readonly QrsTask[]> {
    if (!canFilter) return qrs.allTasks(signal)
    try {
      return await qrs.tasks(filterFor(dueUntil), signal)
    } catch (error) {
      if (!(error instanceof QrsError) || error.status !== 400) throw error
      canFilter = false
      return qrs.allTasks(signal)
    }
  }

  /** A task shows its attempt that goes on; a run begins with the first. */
  async function learnRuns(found: readonly LiveTask[], signal?: AbortSignal): Promise<void> {
    const ids = found.flatMap(({ task, state, resultId }) =>
      state === 'running' && mayHaveAttempts(task) && resultId ? resultId : [],
    )
    runs = new Map([...runs].filter(([id]) => ids.includes(id)))
    const unknown = ids.filter((id) => !runs.has(id))
    if (unknown.length === 0) return
    const going = await qrs.resultsById(unknown, signal)
    const executionIds = going.flatMap(({ executionID }) => executionID ?? [])
    const results = await qrs.resultsOfExecutions(executionIds, signal)
    for (const attempts of Map.groupBy(results, ({ executionID }) => executionID).values()) {
      const since = progressOf(attempts, true)?.startedAt ?? null
      const firstResultId = attempts[0]!.id.toLowerCase()
      if (since !== null) for (const { id } of attempts) runs.set(id.toLowerCase(), { since, firstResultId })
    }
  }

  return {
    async read(dueUntil, signal) {
      const found = (await tasks(dueUntil, signal)).map((task) => liveTask(task, dueUntil))
      // Without the right to read results, the attempt stands for the run.
      await learnRuns(found, signal).catch((error: unknown) => {
        if (!(error instanceof QrsError)) throw error
      })
      return found.map((one) => ({ ...one, ...(one.state === 'running' ? runs.get(one.resultId ?? '') : null) }))
    },
  }
}

function filterFor(dueUntil: number): string {
  const states = [...QUEUED, ...RUNNING].map((status) =>
    compare('operational.lastExecutionResult.status', 'eq', status),
  )
  const due = and(
    compare('enabled', 'eq', true),
    compare('operational.nextExecution', 'gt', YEAR_AFTER_NEVER),
    compare('operational.nextExecution', 'le', new Date(dueUntil).toISOString()),
  )
  return or(...states, due)
}

function liveTask(task: QrsTask, dueUntil: number): LiveTask {
  const result = task.operational?.lastExecutionResult ?? null
  const status = result?.status ?? 0
  const state = QUEUED.includes(status) ? 'queued' : RUNNING.includes(status) ? 'running' : 'idle'
  const next = instant(task.operational?.nextExecution)
  const triggered = instant(result?.startTime) ?? instant(first(result?.details ?? []))
  const started = instant(result?.details.find(({ message }) => /\bto Started\b/.test(message))?.detailCreatedDate)
  const resultId = state === 'idle' ? null : (result?.id.toLowerCase() ?? null)
  return {
    task,
    state,
    since: state === 'idle' ? null : state === 'running' ? (started ?? triggered) : triggered,
    resultId,
    firstResultId: resultId,
    node: result?.executingNodeName ?? '',
    dueAt: task.enabled && next !== null && next <= dueUntil ? next : null,
  }
}

const first = (details: readonly { readonly detailCreatedDate: string }[]): string | undefined =>
  details.map(({ detailCreatedDate }) => detailCreatedDate).sort()[0]

/** Null for "never" and what is no time. */
export function instant(text: string | undefined): number | null {
  if (!text || text.startsWith(NEVER.slice(0, 4))) return null
  const time = Date.parse(text)
  return Number.isNaN(time) ? null : time
}

interface SiteJob {
  /** Begins every message. */
  readonly label: string
  readonly intervalMs: number
  /** From the start to the first run. */
  readonly firstMs: number
  work(signal: AbortSignal): Promise<void>
}

/** A recurring job that reads the site. It logs a failure as a warning once, until the work has succeeded again. */
export function createSiteJob({ label, intervalMs, firstMs, work }: SiteJob, log: Logger): RecurringJob {
  let isFailing = false
  return createRecurringJob(
    {
      everyMs: intervalMs,
      firstMs,
      onError(error) {
        const text = `${label}: ${reasonOf(error)}; tried again in ${Math.round(intervalMs / 1000)} s`
        if (isFailing) log.verbose(text)
        else log.warn(text)
        isFailing = true
      },
    },
    async (signal) => {
      await work(signal)
      if (isFailing) log.info(`${label}: works again`)
      isFailing = false
    },
  )
}
