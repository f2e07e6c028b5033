/** Waiting until the tasks of a start request are final. */
import type { ExecutionFollower, ExecutionSummary } from '../executions/types.ts'
import type { QueuedTask, StartOutcome, TaskResult } from './types.ts'

/** A start request and how far its executions are. */
export interface Followed {
  /** As it stands now: what was queued may have been started, or not, meanwhile. */
  readonly outcome: StartOutcome
  /** By task id. */
  readonly executions: ReadonlyMap<string, ExecutionSummary>
  readonly allFinal: boolean
}

/** Resolves when everything is final, or when the signal aborts. A task without an execution id cannot be followed. */
export async function waitForAll(
  outcome: StartOutcome,
  executions: ExecutionFollower,
  signal: AbortSignal,
): Promise<Followed> {
  const queued = outcome.queued ?? []
  const results = new Map<string, TaskResult>()
  const summaries = new Map<string, ExecutionSummary>()

  async function follow(taskId: string, executionId: string | null): Promise<void> {
    if (executionId !== null) summaries.set(taskId, await executions.untilFinal(executionId, signal))
  }

  async function followQueued({ taskId, settled }: QueuedTask): Promise<void> {
    const result = await unlessAborted(settled, signal)
    if (!result) return
    results.set(taskId, result)
    if ('executionId' in result) await follow(taskId, result.executionId)
  }

  await Promise.all([
    ...outcome.started.map(({ taskId, executionId }) => follow(taskId, executionId)),
    ...queued.map(followQueued),
  ])
  const now = advanced(outcome, results)
  const isFinal = ({ taskId }: { taskId: string }) => summaries.get(taskId)?.state === 'finished'
  return {
    outcome: now,
    executions: summaries,
    allFinal: (now.queued ?? []).length === 0 && now.started.every(isFinal),
  }
}

/** The outcome with what has become of the queued tasks. */
function advanced(outcome: StartOutcome, results: ReadonlyMap<string, TaskResult>): StartOutcome {
  const { queued = [], ...rest } = outcome
  const started = [...outcome.started]
  const failed = [...outcome.failed]
  for (const { taskId, taskName } of queued) {
    const result = results.get(taskId)
    if (result && 'error' in result) failed.push({ taskId, taskName, error: result.error })
    else if (result) started.push({ taskId, taskName, executionId: result.executionId })
  }
  const still = queued.filter(({ taskId }) => !results.has(taskId))
  return { ...rest, started, failed, ...(still.length > 0 && { queued: still }) }
}

/** Null when the signal was faster. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | null> {
  if (signal.aborted) return Promise.resolve(null)
  return new Promise((resolve) => {
    const abort = () => resolve(null)
    signal.addEventListener('abort', abort, { once: true })
    void promise.then((value) => {
      signal.removeEventListener('abort', abort)
      resolve(value)
    })
  })
}
