/** The subject of an event: the key of rate limits, of recoveries and of counts. */

import { TASK_TYPES } from '../../events/kinds.ts'
import type { EventOutcome, EventType, TaskEvent } from '../../events/types.ts'

/** True for the five kinds of tasks. */
export function isTaskType(type: EventType): boolean {
  return TASK_TYPES.some((one) => one === type)
}

/** True for reloads without a task. */
export function isOfApp(type: EventType): boolean {
  return type === 'cloudReload' || type === 'appReload'
}

/** The parts of an event that its subject is made from. */
export type SubjectParts = Pick<
  TaskEvent,
  'type' | 'taskId' | 'taskName' | 'appId' | 'appName' | 'host' | 'code' | 'details'
>

/** Task, app, host and service, licence, or code of an own alert. A task keeps its key when its type is corrected. */
export function subjectOf(event: SubjectParts): string {
  if (isTaskType(event.type)) return `task:${event.taskId.toLowerCase()}`
  if (event.type === 'service') {
    const service = event.details?.kind === 'service' ? event.details.serviceName : event.taskName
    return `service:${event.host.toLowerCase()}/${service.toLowerCase()}`
  }
  if (isOfApp(event.type)) return `${event.type}:${event.appId.toLowerCase()}`
  return event.type === 'self' ? `self:${event.code ?? ''}` : 'license'
}

/** The subject that limits count by: the message that more has joined an own alert has a slot beside that of the alert. */
export function limitedSubjectOf(event: SubjectParts): string {
  const { details } = event
  return details?.kind === 'self' && details.joined ? `${subjectOf(event)} joined` : subjectOf(event)
}

/** The name that people use for the subject. */
export function subjectName(event: SubjectParts): string {
  if (isTaskType(event.type)) return event.taskName || event.taskId
  if (isOfApp(event.type)) return event.appName || event.appId
  if (event.details?.kind === 'service') return `${event.details.friendlyName} on ${event.host}`
  return event.type === 'self' ? (event.code ?? 'Footman') : 'License'
}

/** Outcomes that say that something works (again). */
const GOOD_OUTCOMES: readonly EventOutcome[] = ['success', 'started', 'status', 'cleared']

export function isGood(outcome: EventOutcome): boolean {
  return GOOD_OUTCOMES.includes(outcome)
}
