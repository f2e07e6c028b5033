/**
 * Publishes the begin of executions that Qlik Sense has started. Its scheduler reports ends only, so QRS is asked: every 10 s
 * while the topic is followed, else with each run of the watchdog.
 */
import type { ChangeFeed } from '../alerts/history/change-feed.ts'
import { errorText } from '../platform/errors.ts'
import { createRecurringJob } from '../platform/recurring-job.ts'
import type { Logger, Service } from '../platform/types.ts'
import type { ExecutionReader } from '../qlik/qrs/types.ts'
import type { RunningTask } from '../tasks/safety-net/site.ts'
import type { Part } from './types.ts'

interface ExecutionTopicDeps {
  readonly log: Logger
  readonly feed: Pick<ChangeFeed, 'publish' | 'onFollowed'>
  readonly qrs: Pick<ExecutionReader, 'resultsById'>
  readonly runningTasks: (signal: AbortSignal) => Promise<readonly RunningTask[]>
}

const POLL_MS = 10_000
const TIMEOUT_MS = 8000

/** `pollMs`: default 10 s; 0 = QRS is not asked. */
export function createExecutionTopic(deps: ExecutionTopicDeps, { pollMs = POLL_MS } = {}): Part {
  const { log, feed } = deps
  /** Published states by task. */
  let known = new Map<string, string>()
  let isFirst = true
  let stopped = true

  /** The tasks that the first look finds are no news. */
  async function see(tasks: readonly RunningTask[]): Promise<void> {
    const before = known
    known = new Map(tasks.map((task) => [task.taskId, keyOf(task)]))
    const news = isFirst ? [] : tasks.filter((task) => before.get(task.taskId) !== keyOf(task))
    isFirst = false
    if (news.length === 0) return
    const executions = await executionsOf(news)
    for (const { taskId, taskName, state, since, resultId } of news) {
      const at = since === null ? null : new Date(since).toISOString()
      const isRunning = state === 'running'
      feed.publish('execution', {
        executionId: (resultId && executions.get(resultId)) || null,
        taskId,
        taskName,
        state,
        outcome: null,
        triggeredAt: isRunning ? null : at,
        startedAt: isRunning ? at : null,
        stoppedAt: null,
      })
    }
  }

  /** The ids of the executions by those of their results; without an answer of QRS none. */
  async function executionsOf(tasks: readonly RunningTask[]): Promise<ReadonlyMap<string, string>> {
    const ids = tasks.flatMap(({ resultId }) => resultId ?? [])
    if (ids.length === 0) return new Map()
    try {
      const results = await deps.qrs.resultsById(ids, AbortSignal.timeout(TIMEOUT_MS))
      return new Map(results.map(({ id, executionID = '' }) => [id.toLowerCase(), executionID.toLowerCase()]))
    } catch (error) {
      log.verbose(`STREAM: The executions of running tasks could not be read: ${errorText(error)}`)
      return new Map()
    }
  }

  const failed = (error: unknown) => log.verbose(`STREAM: Running tasks could not be read: ${errorText(error)}`)
  const polling = createRecurringJob({ everyMs: pollMs, firstMs: 0, onError: failed }, async (signal) => {
    await see(await deps.runningTasks(AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])))
  })

  feed.onFollowed('execution', (isFollowed) => {
    if (pollMs === 0 || stopped) return
    if (isFollowed) polling.start()
    else void polling.stop()
  })

  const service: Service = {
    name: 'execution topic',
    async start() {
      stopped = false
    },
    async stop() {
      stopped = true
      await polling.stop()
    },
  }
  return { services: [service], observers: { liveTasks: (tasks) => void see(tasks).catch(failed) } }
}

const keyOf = ({ state, resultId }: RunningTask): string => `${state} ${resultId}`
