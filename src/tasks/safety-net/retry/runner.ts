/** Starts what is due. A retry that is cut short by a crash goes on where it stood, and starts nothing twice. */
import type { GroupWriter } from '../../../platform/group-commit.ts'
import type { Database } from '../../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../../platform/types.ts'
import { reasonOf } from '../../../qlik/qrs/failure.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../../qlik/qrs/types.ts'
import { meaningOf } from '../../executions/status.ts'
import type { StartOutcome, StartTask, TaskResult } from '../../start/types.ts'
import { type Breakers, brokenBy } from './breakers.ts'
import { MAX_AGE_MS } from './planner.ts'
import * as store from './store.ts'

export interface RetryRunnerDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly start: StartTask
  readonly qrs: Pick<QrsClient, 'taskById' | 'executionResults'> & Pick<ExecutionReader, 'resultsById'>
  /** A retry that alerts wait for will not be made: they leave now and say why. In a transaction of the caller. */
  readonly release: (db: Database, eventId: string, refused: string) => void
  /** After `release` was committed. */
  readonly released: () => void
  readonly onResult?: (result: 'started' | 'refused' | 'superseded') => void
}

export interface RetryRunner extends Service {
  /** Another retry may be the next one. */
  wake(): void
}

/** So long after its time a retry is still made, when Qlik Sense could not be asked or Footman was away. */
const GIVE_UP_MS = 15 * 60_000
const AGAIN_MS = 10_000
const MAX_TIMER_MS = 2 ** 31 - 1
const UNFINISHED = [1, 2, 3, 4, 5, 10, 13, 14]

type End = { readonly state: 'refused' | 'superseded'; readonly reason: string } | { readonly state: 'later' }

export interface RetryRunnerSettings extends Breakers {
  /** False: what is due from an earlier time is not made. */
  readonly enable: boolean
}

export function createRetryRunner(deps: RetryRunnerDeps, settings: RetryRunnerSettings): RetryRunner {
  const { db, writer, clock, log } = deps
  /** Wait in the start queue. */
  const queued = new Set<string>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | null = null
  let stopped = true

  function wake(): void {
    if (stopped || running) return
    clearTimeout(timer)
    const [next] = openRetries()
    if (!next) return
    const delay = next.state === 'starting' ? 0 : next.dueAt - clock.now()
    timer = setTimeout(turn, Math.min(Math.max(delay, 0), MAX_TIMER_MS))
  }

  function turn(): void {
    running ??= workOff().finally(() => {
      running = null
      wake()
    })
  }

  async function workOff(): Promise<void> {
    const now = clock.now()
    for (const retry of openRetries()) {
      if (stopped || (retry.state === 'due' && retry.dueAt > now)) continue
      const end = await attempt(retry).catch((error: unknown): End => giveUpOrLater(retry, reasonOf(error)))
      if (end.state !== 'later') await conclude(retry, end)
    }
    if (!stopped && openRetries().some(({ dueAt }) => dueAt <= clock.now())) await pause(AGAIN_MS)
  }

  function openRetries(): store.Retry[] {
    return store.openRetries(db).filter(({ id }) => !queued.has(id))
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      timer = setTimeout(resolve, ms)
      resume = resolve
    })
  }
  let resume: () => void = () => {}

  function giveUpOrLater(retry: store.Retry, reason: string): End {
    if (clock.now() - retry.dueAt <= GIVE_UP_MS) {
      log.verbose(`RETRY: Task ${retry.taskId} cannot be started yet: ${reason}`)
      return { state: 'later' }
    }
    return { state: 'refused', reason }
  }

  async function attempt(retry: store.Retry): Promise<End> {
    const { id, taskId } = retry
    if (!settings.enable) return { state: 'refused', reason: 'retryPolicy.enable is false' }
    if (retry.state === 'due') {
      if (clock.now() - retry.dueAt > GIVE_UP_MS)
        return { state: 'refused', reason: 'Footman was away when it was due' }
      const broken = brokenBy(db, settings, taskId, clock.now())
      if (broken) return { state: 'refused', reason: broken }
      const task = await deps.qrs.taskById(taskId)
      const obstacle = obstacleOf(task) ?? (await doubtAbout(retry, task))
      if (obstacle) return obstacle
      await writer.write((tx) => store.markStarting(tx, id))
    } else {
      // Cut off by a crash or by silence of Qlik Sense, which may have started it all the same.
      const task = await deps.qrs.taskById(taskId)
      const obstacle = obstacleOf(task) ?? (await doubtAbout(retry, task))
      if (obstacle?.state === 'superseded') return noteStart(retry, null)
    }
    const outcome = await deps.start({
      ...{ id, origin: 'retry', requestedBy: 'retry', actor: 'retry', taskIds: [taskId], tags: [] },
      ...{ customProperties: [], match: 'any', allTaskIdsMustExist: false },
    })
    if (outcome.interrupted) return giveUpOrLater(retry, outcome.failed[0]?.error ?? 'Qlik Sense is unreachable')
    const [waiting] = outcome.queued ?? []
    if (waiting) {
      queued.add(id)
      void waiting.settled.then((result) => afterQueue(retry, result))
      return { state: 'later' }
    }
    const [started] = outcome.started
    return started ? noteStart(retry, started.executionId) : { state: 'refused', reason: refusalOf(outcome) }
  }

  /** Others need not wait for the start queue. */
  async function afterQueue(retry: store.Retry, result: TaskResult): Promise<void> {
    if (stopped) return
    try {
      if ('error' in result) await conclude(retry, { state: 'refused', reason: result.error })
      else await noteStart(retry, result.executionId)
    } catch (error) {
      log.error(`RETRY: What became of task ${retry.taskId} could not be noted: ${reasonOf(error)}`)
    }
    queued.delete(retry.id)
  }

  async function noteStart({ id, taskId, attempt, max }: store.Retry, executionId: string | null): Promise<End> {
    await writer.write((tx) => store.markStarted(tx, id, executionId, clock.now()))
    log.info(`RETRY: Task ${taskId} was started again, try ${attempt} of ${max}`)
    deps.onResult?.('started')
    return { state: 'later' }
  }

  function obstacleOf(task: QrsTask | null): End | null {
    if (!task) return { state: 'refused', reason: 'the task does not exist any more' }
    if (!task.enabled) return { state: 'refused', reason: 'the task is disabled' }
    const status = task.operational?.lastExecutionResult?.status ?? 0
    return UNFINISHED.includes(status) ? { state: 'superseded', reason: 'the task runs already' } : null
  }

  /**
   * Null when Qlik Sense confirms the failure: it is the last run of the task, and no old one. The message alone proves
   * nothing, as every program in the network can send one; so do messages about later runs.
   */
  async function doubtAbout(retry: store.Retry, task: QrsTask | null): Promise<End | null> {
    const { executionId, reportedAt } = retry
    const refused = (reason: string): End => ({ state: 'refused', reason })
    const last = task?.operational?.lastExecutionResult
    const lastId = last && (await deps.qrs.resultsById([last.id]))[0]?.executionID
    if (executionId && lastId && !isSame(lastId, executionId)) {
      if (await hasFailed(retry)) return { state: 'superseded', reason: 'the task has run again since' }
      return refused('Qlik Sense does not know of this failure')
    }
    if (!last || meaningOf(last.status).outcome !== 'failed') return refused('Qlik Sense does not know of this failure')
    if (reportedAt !== null && reportedAt - Date.parse(last.stopTime) > MAX_AGE_MS)
      return refused('the task failed long before it was reported')
    return null
  }

  async function hasFailed({ taskId, executionId }: store.Retry): Promise<boolean> {
    const last = (await deps.qrs.executionResults(executionId)).at(-1)
    return last !== undefined && meaningOf(last.status).outcome === 'failed' && isSame(last.taskID ?? taskId, taskId)
  }

  async function conclude(retry: store.Retry, end: Exclude<End, { state: 'later' }>): Promise<void> {
    await writer.write((tx) => {
      store.markEnded(tx, retry.id, end.state, end.reason)
      if (end.state === 'refused') deps.release(tx, retry.eventId, end.reason)
    })
    const text = `RETRY: Task ${retry.taskId} is not started again: ${end.reason}`
    if (end.state === 'refused') log.warn(text)
    else log.info(text)
    deps.onResult?.(end.state)
    if (end.state === 'refused') deps.released()
  }

  return {
    name: 'retries',
    wake,
    async start() {
      stopped = false
      wake()
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      resume()
      await running
    },
  }
}

const isSame = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()

function refusalOf({ failed, denied, notFound }: StartOutcome): string {
  if (denied.taskIds.length > 0) return 'Butler.startTaskFilter does not allow it'
  if (notFound.length > 0) return 'the task does not exist any more'
  return failed[0]?.error ?? 'Qlik Sense did not start it'
}
