/** Starting tasks after a reload, through the one way in which tasks are started. */
import { setTimeout as delay } from 'node:timers/promises'
import type { TaskSelectors } from '../http/endpoint/caller.ts'
import type { Logger } from '../platform/types.ts'
import type { StartOutcome, StartTask } from '../tasks/start/types.ts'

export interface FollowUps {
  readonly appId: string
  readonly host: string
  readonly executionId: string
  readonly actor: string
  readonly success: boolean
  readonly taskIds: readonly string[]
  /** What the caller may start. */
  readonly limitedTo?: TaskSelectors | undefined
}

/** Waits between the attempts to ask QRS which tasks are meant. */
export const RETRY_MS: readonly number[] = [1000, 5000, 15_000, 30_000, 60_000]

/**
 * Resolves with one line for each task that was not started. While QRS cannot be asked at all, nothing has been started,
 * and it is asked again after each of `retryMs`. Never rejects.
 */
export async function startFollowUps(
  deps: { readonly start: StartTask; readonly log: Logger },
  work: FollowUps,
  signal: AbortSignal,
  retryMs: readonly number[] = RETRY_MS,
): Promise<readonly string[]> {
  if (work.taskIds.length === 0) return []
  const { start, log } = deps
  const result = work.success ? 'success' : 'failure'
  for (const taskId of work.taskIds) {
    log.verbose(`APPRELOAD: Starting task ${taskId} after reloading ${result} of ${work.appId} on host ${work.host}`)
  }
  for (let attempt = 0; ; attempt++) {
    try {
      if (signal.aborted) throw new Error('Footman stops')
      return report(await start(requestOf(work)), log)
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      const wait = retryMs[attempt]
      if (wait === undefined || signal.aborted) return notStarted(work.taskIds, reason, log)
      log.warn(`APPRELOAD: The tasks after the reload of ${work.appId} are tried again in ${wait} ms: ${reason}`)
      await delay(wait, undefined, { signal }).catch(() => undefined)
    }
  }
}

function requestOf({ executionId, actor, taskIds, limitedTo }: FollowUps): Parameters<StartTask>[0] {
  return {
    origin: 'followUp',
    requestedBy: `${actor}, app reload ${executionId}`,
    taskIds,
    tags: [],
    customProperties: [],
    match: 'any',
    allTaskIdsMustExist: false,
    actor,
    ...(limitedTo && { limitedTo }),
  }
}

function report({ started, failed, notFound, denied }: StartOutcome, log: Logger): readonly string[] {
  for (const { taskId, taskName } of started) log.verbose(`APPRELOAD: Started task ${taskId} "${taskName}"`)
  const problems = [
    ...failed.map(({ taskId, error }) => `Task ${taskId} was not started: ${error}`),
    ...notFound.map((taskId) => `Task ${taskId} was not started: it does not exist`),
    ...denied.taskIds.map((taskId) => `Task ${taskId} was not started: the start filter does not allow it`),
  ]
  for (const problem of problems) log.warn(`APPRELOAD: ${problem}`)
  return problems
}

function notStarted(taskIds: readonly string[], reason: string, log: Logger): readonly string[] {
  const problems = taskIds.map((taskId) => `Task ${taskId} was not started: ${reason}`)
  for (const problem of problems) log.error(`APPRELOAD: ${problem}`)
  return problems
}
