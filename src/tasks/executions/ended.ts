/** What has ended on the site in a span of time, whoever started it. */
import type { Logger } from '../../platform/types.ts'
import { QrsError } from '../../qlik/qrs/errors.ts'
import { and, compare } from '../../qlik/qrs/filter.ts'
import type { ExecutionReader, QrsClient, QrsExecutionResult, SiteReader } from '../../qlik/qrs/types.ts'
import { endedFromResults } from './history/from-qlik.ts'
import { lastResultOf } from './task-info.ts'
import type { EndedOnSite, EndedReader } from './types.ts'

export interface EndedReaderDeps {
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

  return {
    async between(from, to, isHandled, signal) {
      const found = (await resultsBetween(from, to, signal)).filter(({ id }) => !isHandled(id))
      const executionIds = found.flatMap(({ executionID }) => executionID ?? [])
      // Other attempts of the same execution may have ended before, or go on.
      const attempts = await qrs.resultsOfExecutions(executionIds, signal)
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
    },
  }
}
