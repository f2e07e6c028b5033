/** Decides, when a task has failed, whether and when it is started again. */
import type { EventOutcome, EventType, Need, RetryState, TaskEvent } from '../../../events/types.ts'
import type { Database } from '../../../platform/sqlite.ts'
import type { Clock, Logger } from '../../../platform/types.ts'
import { uuidV7 } from '../../../platform/uuid.ts'
import type { QrsTask } from '../../../qlik/qrs/types.ts'
import { brokenBy } from './breakers.ts'
import { delayBefore, parseRetryPolicy, type RetryPolicy } from './policy.ts'
import * as store from './store.ts'

export interface RetrySettings {
  readonly customPropertyName: string
  readonly maxPerTaskPerDay: number
  readonly maxPerHour: number
}

export interface RetryPlanner {
  /** The event with where its series of retries stands; in a transaction of the caller. */
  plan(db: Database, event: TaskEvent): TaskEvent
  /** What has to be known of an event to decide. */
  needs(task: QrsTask, outcome: EventOutcome): readonly Need[]
  /** True when a failure of the task may be followed by a retry. */
  applies(task: QrsTask): boolean
}

export interface RetryPlannerDeps {
  readonly clock: Clock
  readonly log: Logger
  /** A retry was planned. */
  readonly onPlanned: () => void
}

const TASK_TYPES: readonly EventType[] = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload']
/** A failure that is older than that is left alone. */
export const MAX_AGE_MS = 15 * 60_000

export function createRetryPlanner({ clock, log, onPlanned }: RetryPlannerDeps, settings: RetrySettings): RetryPlanner {
  /** Values that make no sense, so that each is told once. */
  const complainedAbout = new Map<string, string>()

  function policyOf(task: QrsTask | null): RetryPolicy | null {
    const property = task?.customProperties.find(({ definition }) => definition.name === settings.customPropertyName)
    if (!task || !property) return null
    const parsed = parseRetryPolicy(property.value)
    if (parsed.ok) return parsed.policy
    if (complainedAbout.get(task.id) !== property.value) {
      log.warn(`RETRY: ${settings.customPropertyName} of task "${task.name}" (${task.id}) is ignored: ${parsed.error}`)
      complainedAbout.set(task.id, property.value)
    }
    return null
  }

  function planFailure(db: Database, event: TaskEvent): RetryState | null {
    const before = store.retryOfExecution(db, event.taskId, event.executionId)
    // It goes on waiting: when its time has come, Qlik Sense says which failure was the last one.
    const waiting = store.openRetriesOf(db, event.taskId).find(({ state }) => state === 'due')
    const policy = policyOf(event.task)
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
      ...{ id: uuidV7(now), taskId, eventId, executionId, attempt: attempt + 1, max: policy.max, dueAt: nextAt },
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
