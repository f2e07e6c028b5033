/** The rules of triggers by events of Qlik Sense: which ones an event concerns, and when Qlik Sense is asked again. */
import { OUTCOMES, TASK_TYPES } from '../../events/kinds.ts'
import type { TaskEvent } from '../../events/types.ts'
import type { QrsApp, QrsTask } from '../../qlik/qrs/types.ts'
import type { EndedOnSite } from '../../tasks/executions/types.ts'
import type { TriggerOf } from '../entities/task.ts'
import { type Armed, type Firing, isWithin } from './armed.ts'

type QlikEvent = TriggerOf<'qlikEvent'>
export type ArmedQlikEvent = Armed<QlikEvent>

/** A trigger with an event that makes it fire, or that it waits for. */
export interface Concerned extends Firing {
  readonly one: ArmedQlikEvent
  /** The Qlik task or app. */
  readonly id: string
}

const EVENT_OF = { success: 'taskSucceeded', failed: 'taskFailed', aborted: 'taskAborted' } as const

/** The triggers that the end of an execution concerns. */
export function concernedByEnd(armed: readonly ArmedQlikEvent[], { execution, task }: EndedOnSite): Concerned[] {
  const { outcome, stoppedAt: at, taskName } = execution
  const event = outcome === 'success' || outcome === 'failed' || outcome === 'aborted' ? EVENT_OF[outcome] : null
  const executionId = execution.executionId ?? execution.resultId
  if (event === null || executionId === null) return []
  const id = task.id.toLowerCase()
  return armed
    .filter(({ trigger, since }) => {
      return trigger.event === event && at >= since && isWithin(trigger, at) && matches(trigger, task)
    })
    .map((one) => ({ one, id, key: executionId, at, detail: { event, taskId: id, taskName, executionId } }))
}

/** Any of its conditions; a trigger without conditions matches nothing. */
const matches = ({ match }: QlikEvent, task: QrsTask): boolean =>
  match.taskId.includes(task.id.toLowerCase()) ||
  match.appId.includes(task.app?.id.toLowerCase() ?? '') ||
  matchesLabels(match, task)

/** QRS ignores case and compares the parts of a custom property on their own; these checks are exact. */
export const matchesLabels = (
  { tag, customProperty }: QlikEvent['match'],
  { tags, customProperties }: QrsTask,
): boolean =>
  tags.some(({ name }) => tag.includes(name)) ||
  customProperties.some((has) =>
    customProperty.some((one) => one.name === has.definition.name && one.value === has.value),
  )

/** Whether a message can be about an event of one of the triggers, as far as it says. */
export function mayConcern(armed: readonly ArmedQlikEvent[], message: TaskEvent): boolean {
  const outcome = OUTCOMES.find((one) => one === message.outcome)
  if (message.test || !outcome || !TASK_TYPES.some((one) => one === message.type)) return false
  const taskId = message.taskId.toLowerCase()
  return armed.some(({ trigger: { event, match } }) => {
    const isOfOthers = match.tag.length + match.customProperty.length + match.appId.length > 0
    return event === EVENT_OF[outcome] && (match.taskId.includes(taskId) || isOfOthers)
  })
}

/**
 * The time of the last reload of an app, with the triggers that it concerns; null when it is known. `knownAt`: the time that
 * was recorded before; null = there is none, then this one only is recorded.
 */
export function newReload(
  armed: readonly ArmedQlikEvent[],
  app: Pick<QrsApp, 'id' | 'name' | 'lastReloadTime'>,
  knownAt: number | null,
): { readonly at: number; readonly concerned: readonly Concerned[] } | null {
  const at = Date.parse(app.lastReloadTime ?? '')
  if (!(at > 0) || (knownAt !== null && at <= knownAt)) return null
  if (knownAt === null) return { at, concerned: [] }
  const lastReload = new Date(at).toISOString()
  const { id, name } = app
  const firing = {
    id,
    key: `${id} ${lastReload}`,
    at,
    detail: { event: 'appReloaded', appId: id, appName: name, lastReload },
  }
  const concerned = armed.filter(({ trigger, since }) => at >= since && isWithin(trigger, at))
  return { at, concerned: concerned.map((one) => ({ one, ...firing })) }
}

// Messages that wait for the answer of QRS.

export interface Message {
  readonly executionId: string
  /** Questions whose answer did not have the execution as ended. */
  readonly attempts: number
}

/** Milliseconds. */
export interface Pauses {
  /** Before the second question, the third and so on; then the message is left to the poll. */
  readonly retryMs: readonly number[]
  /** While QRS cannot be reached. */
  readonly downMs: number
}

/** The messages after a question about their executions; `nextAt` is null for one that is done with. */
export function afterAnswer(
  asked: readonly Message[],
  answer: { readonly settled: ReadonlySet<string>; readonly isUnreachable: boolean },
  now: number,
  { retryMs, downMs }: Pauses,
): readonly (Message & { readonly nextAt: number | null })[] {
  const { settled, isUnreachable } = answer
  return asked.map(({ executionId, attempts }) => {
    const pause = isUnreachable ? downMs : retryMs[attempts]
    if (settled.has(executionId) || pause === undefined) return { executionId, attempts, nextAt: null }
    return { executionId, attempts: isUnreachable ? attempts : attempts + 1, nextAt: now + pause }
  })
}

// Times.

/** By how much the clocks of Qlik Sense and of this computer may differ. */
export const CLOCK_DIFFERENCE_MS = 5 * 60_000
/** Events are made up for so long, and messages wait for QRS for so long. */
export const LOOK_BACK_MS = 86_400_000
