/** Retries of failed tasks: the planner decides whether and when a task is started again, the runner starts it. */

import type { Hold } from '../../alerts/types.ts'
import type { EventOutcome, EventType, Need, RetryState, TaskEvent } from '../../events/types.ts'
import { type BackoffSettings, backoffDelay } from '../../platform/backoff.ts'
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger, Service } from '../../platform/types.ts'
import { uuidV7 } from '../../platform/uuid.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { ExecutionReader, QrsClient, QrsTask } from '../../qlik/qrs/types.ts'
import { meaningOf } from '../executions/status.ts'
import type { StartOutcome, StartTask, TaskResult } from '../start/types.ts'
import type { RetryPolicy } from './config-policies.ts'
import { delayBefore } from './policies.ts'
import * as store from './store.ts'
import { countRetries } from './store.ts'

interface RetryPlanner {
  /** The event with where its series of retries stands; in a transaction of the caller. */
  plan(db: Database, event: TaskEvent): TaskEvent
  /** Data of an event that the decision needs. */
  needs(task: QrsTask, outcome: EventOutcome): readonly Need[]
  /** True when a failure of the task may be followed by a retry. */
  applies(task: QrsTask): boolean
}

interface RetryPlannerDeps {
  readonly clock: Clock
  readonly log: Logger
  /** By the custom property of the task, or a policy; null: it is not started again. */
  readonly policyOf: (task: QrsTask) => RetryPolicy | null
  /** A retry was planned. */
  readonly onPlanned: () => void
}

const TASK_TYPES: readonly EventType[] = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload']
/** A failure that is older than that is left alone. */
const MAX_AGE_MS = 15 * 60_000

export function createRetryPlanner(
  { clock, log, policyOf, onPlanned }: RetryPlannerDeps,
  settings: Breakers,
): RetryPlanner {
  function planFailure(db: Database, event: TaskEvent): RetryState | null {
    const before = store.retryOfExecution(db, event.taskId, event.executionId)
    // It goes on waiting: when its time has come, Qlik Sense says which failure was the last one.
    const waiting = store.openRetriesOf(db, event.taskId).find(({ state }) => state === 'due')
    const policy = event.task && policyOf(event.task)
    if (!policy) return before ? { attempt: before.attempt, max: before.max, nextAt: null, refused: null } : null
    const attempt = before?.attempt ?? (waiting ? waiting.attempt - 1 : 0)
    const state: RetryState = { attempt, max: policy.max, nextAt: null, refused: null }
    if (attempt >= policy.max) return state
    if (!isMeant(policy, event)) return before ? state : null
    const now = clock.now()
    if (now - endOf(event) > MAX_AGE_MS) return before ? state : null
    const nextAt = now + delayBefore(policy, attempt + 1)
    const refused = brokenBy(db, settings, event.taskId, now)
    if (refused !== null) {
      log.warn(`RETRY: Task "${event.taskName}" (${event.taskId}) is not started again: ${refused}`)
      return { ...state, refused }
    }
    const { id: eventId, taskId, executionId } = event
    store.insertRetry(db, {
      id: uuidV7(now),
      taskId,
      eventId,
      executionId,
      attempt: attempt + 1,
      max: policy.max,
      dueAt: nextAt,
      state: 'due',
    })
    log.info(
      `RETRY: Task "${event.taskName}" (${taskId}) failed; try ${attempt + 1} of ${policy.max} in ${Math.round((nextAt - now) / 1000)} s`,
    )
    onPlanned()
    return { ...state, nextAt }
  }

  return {
    plan(db, event) {
      if (event.test || !TASK_TYPES.includes(event.type)) return event
      return event.outcome === 'failed' ? { ...event, retry: planFailure(db, event) } : event
    },
    needs(task, outcome) {
      if (outcome !== 'failed') return []
      return policyOf(task)?.condition ? ['execution', 'scriptLog'] : []
    },
    applies: (task) => policyOf(task) !== null,
  }
}

function isMeant({ condition }: RetryPolicy, event: TaskEvent): boolean {
  if (condition === null) return true
  const details = event.execution?.details.map(({ message }) => message) ?? []
  const texts = [event.logMessage, ...details, ...(event.scriptLog?.lines.filter((line) => /error/i.test(line)) ?? [])]
  return texts.some((text) => text.toLowerCase().includes(condition.toLowerCase()))
}

function endOf({ execution, receivedAt }: TaskEvent): number {
  const stopped = Date.parse(execution?.stopTime ?? '')
  // Clocks differ: an end after the message is as good as its arrival.
  return Number.isNaN(stopped) ? receivedAt : Math.min(stopped, receivedAt)
}

// Limits of the number of retries.

interface Breakers {
  readonly maxPerTaskPerDay: number
  readonly maxPerHour: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Why no further retry of the task is made now, naming the setting; null when nothing holds it. */
function brokenBy(db: Database, settings: Breakers, taskId: string, now: number): string | null {
  const { maxPerTaskPerDay, maxPerHour } = settings
  if (countRetries(db, taskId, now - DAY_MS) >= maxPerTaskPerDay) {
    return `the task was started again ${maxPerTaskPerDay} times within a day (retryPolicy.maxPerTaskPerDay)`
  }
  if (countRetries(db, null, now - HOUR_MS) >= maxPerHour) {
    return `tasks were started again ${maxPerHour} times within an hour (retryPolicy.maxPerHour)`
  }
  return null
}

/** Holds an alert until the last try has failed, for `retryPolicy.alert: last`. */
export const retrySuppression: Hold['suppression'] = (_db, { event: { retry } }) => {
  if (!retry || retry.nextAt === null) return null
  const at = new Date(retry.nextAt).toISOString()
  const attempt = retry.attempt + 1
  const { max } = retry
  return { reason: 'RETRY_PENDING', detail: `try ${attempt} of ${max} at ${at}`, by: { retry: { attempt, max, at } } }
}

// The runner starts due retries. A retry that a crash has cut short goes on at its last step and starts nothing twice.

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
/** Between attempts of one retry, which others do not wait for. */
const AGAIN: BackoffSettings = { firstMs: 1000, maxMs: 10_000, jitter: 0 }
const MAX_TIMER_MS = 2 ** 31 - 1
const UNFINISHED = [1, 2, 3, 4, 5, 10, 13, 14]

interface Ended {
  readonly state: 'refused' | 'superseded'
  readonly reason: string
}
type End = Ended | { readonly state: 'later' }

interface RetryRunnerSettings extends Breakers {
  /** False: what is due from an earlier time is not made. */
  readonly enable: boolean
}

export function createRetryRunner(deps: RetryRunnerDeps, settings: RetryRunnerSettings): RetryRunner {
  const { db, writer, clock, log } = deps
  /** Wait in the start queue. */
  const queued = new Set<string>()
  /** Could not be made when they were due: by id, attempts so far and when the next one follows. */
  const postponed = new Map<string, { readonly attempts: number; readonly until: number }>()
  let timer: ReturnType<typeof setTimeout> | undefined
  let running: Promise<void> | null = null
  let stopped = true

  function wake(): void {
    if (stopped || running) return
    clearTimeout(timer)
    const next = Math.min(...openRetries().map(attemptAt))
    if (next === Number.POSITIVE_INFINITY) return
    timer = setTimeout(turn, Math.min(Math.max(next - clock.now(), 0), MAX_TIMER_MS))
  }

  function attemptAt({ id, state, dueAt }: store.Retry): number {
    return Math.max(state === 'starting' ? 0 : dueAt, postponed.get(id)?.until ?? 0)
  }

  function turn(): void {
    running ??= workOff().finally(() => {
      running = null
      wake()
    })
  }

  async function workOff(): Promise<void> {
    const now = clock.now()
    for (const retry of openRetries().filter((one) => attemptAt(one) <= now)) {
      if (stopped) return
      await settle(retry).catch((error: unknown) =>
        log.error(`RETRY: The outcome of task ${retry.taskId} could not be recorded: ${reasonOf(error)}`),
      )
      if (openRetries().some(({ id }) => id === retry.id)) postpone(retry.id)
      else postponed.delete(retry.id)
    }
  }

  async function settle(retry: store.Retry): Promise<void> {
    const end = await attempt(retry).catch((error: unknown) => giveUpOrLater(retry, reasonOf(error)))
    if (end.state !== 'later') await conclude(retry, end)
  }

  function postpone(id: string): void {
    const attempts = (postponed.get(id)?.attempts ?? 0) + 1
    postponed.set(id, { attempts, until: clock.now() + backoffDelay(attempts, AGAIN) })
  }

  function openRetries(): store.Retry[] {
    return store.openRetries(db).filter(({ id }) => !queued.has(id))
  }

  function giveUpOrLater(retry: store.Retry, reason: string): End {
    if (clock.now() - retry.dueAt <= GIVE_UP_MS) {
      log.verbose(`RETRY: Task ${retry.taskId} cannot be started yet: ${reason}`)
      return { state: 'later' }
    }
    return refused(reason)
  }

  async function attempt(retry: store.Retry): Promise<End> {
    const { id, taskId } = retry
    const broken = () => brokenBy(db, settings, taskId, clock.now())
    const reason = whyRefused(retry, { isEnabled: settings.enable, now: clock.now(), broken })
    if (reason !== null) return refused(reason)
    const verdict = judge(retry, await look(deps.qrs, retry))
    if (verdict === 'was started') return noteStart(retry, null)
    if (verdict !== 'start') return verdict
    if (retry.state === 'due') await writer.write((tx) => store.markStarting(tx, id))
    const outcome = await deps.start({
      id,
      origin: 'retry',
      requestedBy: 'retry',
      actor: 'retry',
      taskIds: [taskId],
      tags: [],
      customProperties: [],
      match: 'any',
      allTaskIdsMustExist: false,
    })
    if (outcome.interrupted) return giveUpOrLater(retry, outcome.failed[0]?.error ?? 'Qlik Sense is unreachable')
    const [waiting] = outcome.queued ?? []
    if (waiting) {
      queued.add(id)
      void waiting.settled.then((result) => afterQueue(retry, result))
      return { state: 'later' }
    }
    const [started] = outcome.started
    return started ? noteStart(retry, started.executionId) : refused(refusalOf(outcome))
  }

  /** Others need not wait for the start queue. */
  async function afterQueue(retry: store.Retry, result: TaskResult): Promise<void> {
    if (stopped) return
    try {
      if ('error' in result) await conclude(retry, { state: 'refused', reason: result.error })
      else await noteStart(retry, result.executionId)
    } catch (error) {
      log.error(`RETRY: The outcome of task ${retry.taskId} could not be recorded: ${reasonOf(error)}`)
    }
    queued.delete(retry.id)
    wake()
  }

  async function noteStart({ id, taskId, attempt, max }: store.Retry, executionId: string | null): Promise<End> {
    await writer.write((tx) => store.markStarted(tx, id, executionId, clock.now()))
    log.info(`RETRY: Task ${taskId} was started again, try ${attempt} of ${max}`)
    deps.onResult?.('started')
    return { state: 'later' }
  }

  async function conclude(retry: store.Retry, end: Ended): Promise<void> {
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
      await running
    },
  }
}

/** Why a retry that is due is not made, before Qlik Sense is asked; one that may have been started already is asked about. */
export function whyRefused(
  { state, dueAt }: store.Retry,
  { isEnabled, now, broken }: { readonly isEnabled: boolean; readonly now: number; broken(): string | null },
): string | null {
  if (!isEnabled) return 'retryPolicy.enable is false'
  if (state !== 'due') return null
  return now - dueAt > GIVE_UP_MS ? 'Footman was away when it was due' : broken()
}

/** The task of a retry as Qlik Sense has it. */
export interface OnSite {
  readonly task: QrsTask | null
  /** Null when unknown. */
  readonly lastExecutionId: string | null
  /** The execution of the retry is not the last one, and has failed. */
  readonly hasFailedBefore: boolean
}

async function look(qrs: RetryRunnerDeps['qrs'], { taskId, executionId }: store.Retry): Promise<OnSite> {
  const task = await qrs.taskById(taskId)
  const last = task?.operational?.lastExecutionResult
  if (obstacleOf(task) || !last) return { task, lastExecutionId: null, hasFailedBefore: false }
  const lastExecutionId = (await qrs.resultsById([last.id]))[0]?.executionID ?? null
  if (!isAnother(executionId, lastExecutionId)) return { task, lastExecutionId, hasFailedBefore: false }
  const own = (await qrs.executionResults(executionId)).at(-1)
  const hasFailed = own !== undefined && meaningOf(own.status).outcome === 'failed'
  return { task, lastExecutionId, hasFailedBefore: hasFailed && isSame(own.taskID ?? taskId, taskId) }
}

/**
 * Whether a retry is started: only when Qlik Sense confirms the failure as the last run of the task, and no old one. The
 * message alone proves nothing, as every program in the network can send one; so do messages about later runs. A start that
 * a crash or silence of Qlik Sense has cut off may have been made: then the task has run since.
 */
export function judge(retry: store.Retry, onSite: OnSite): 'start' | 'was started' | Ended {
  const obstacle = obstacleOf(onSite.task) ?? doubtAbout(retry, onSite)
  if (retry.state === 'due') return obstacle ?? 'start'
  return obstacle?.state === 'superseded' ? 'was started' : 'start'
}

function obstacleOf(task: QrsTask | null): Ended | null {
  if (!task) return refused('the task does not exist any more')
  if (!task.enabled) return refused('the task is disabled')
  const status = task.operational?.lastExecutionResult?.status ?? 0
  return UNFINISHED.includes(status) ? { state: 'superseded', reason: 'the task runs already' } : null
}

/** Null when Qlik Sense confirms the failure. */
function doubtAbout({ executionId, reportedAt }: store.Retry, onSite: OnSite): Ended | null {
  const { task, lastExecutionId, hasFailedBefore } = onSite
  if (isAnother(executionId, lastExecutionId) && hasFailedBefore)
    return { state: 'superseded', reason: 'the task has run again since' }
  const last = task?.operational?.lastExecutionResult
  const isConfirmed = last && !isAnother(executionId, lastExecutionId) && meaningOf(last.status).outcome === 'failed'
  if (!isConfirmed) return refused('Qlik Sense does not know of this failure')
  if (reportedAt !== null && reportedAt - Date.parse(last.stopTime) > MAX_AGE_MS)
    return refused('the task failed long before it was reported')
  return null
}

const refused = (reason: string): Ended => ({ state: 'refused', reason })

/** False as well where one of them is unknown. */
const isAnother = (executionId: string, last: string | null): boolean =>
  executionId !== '' && last !== null && last !== '' && !isSame(last, executionId)

function refusalOf({ failed, denied, notFound }: StartOutcome): string {
  if (denied.taskIds.length > 0) return 'Butler.startTaskFilter does not allow it'
  if (notFound.length > 0) return 'the task does not exist any more'
  return failed[0]?.error ?? 'Qlik Sense did not start it'
}

const isSame = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase()
