/** Labels of messages: titles, names and ids from any part of an event, and the key of its subject. */
import type { TaskEvent } from '../../events/types.ts'
import { isOfApp } from '../rules/subjects.ts'
import { eventTitle, subjectName } from '../title.ts'
import type { DeliveryKind, DeliveryNote } from '../types.ts'

/** The title, with `[TEST] ` before it in test messages. */
export function marked(title: string, event: TaskEvent, kind: DeliveryKind): string {
  return event.test || kind === 'test' ? `[TEST] ${title}` : title
}

/** `<label> <outcome>: <subject>`, without mark. */
export function builtinTitle(event: TaskEvent, kind: DeliveryKind, note: DeliveryNote | null): string {
  const outcome = kind === 'recovery' ? 'recovered' : event.outcome
  const named = { ...event, taskName: taskNameOf(event) || event.taskId, appName: appNameOf(event), test: false }
  return (kind === 'summary' && note?.summary?.title) || eventTitle(named, outcome)
}

/** The name of the task, service or app that the event is about. */
export function nameOfSubject(event: TaskEvent): string {
  return subjectName({ ...event, taskName: taskNameOf(event) || event.taskId, appName: appNameOf(event) })
}

/** Messages about one subject have the same key, recoveries too: `footman:reload:<task id>`. */
export function correlationKey(event: TaskEvent): string {
  return `footman:${event.type}:${subjectId(event)}`
}

function subjectId(event: TaskEvent): string {
  const { details } = event
  if (details?.kind === 'service') return `${event.host}/${details.serviceName}`
  if (event.type === 'license') return 'server'
  if (event.type === 'self') return event.code ?? ''
  if (isOfApp(event.type)) return event.appId
  return event.taskId
}

export function taskNameOf(event: TaskEvent): string {
  return event.taskName || event.task?.name || ''
}

export function appIdOf(event: TaskEvent): string {
  return event.appId || event.app?.id || event.task?.app?.id || ''
}

export function appNameOf(event: TaskEvent): string {
  return event.appName || event.app?.name || event.task?.app?.name || ''
}
