/** What is published about a task event; key order is part of the contract with existing subscribers. */
import type { TaskEvent } from '../../../events/types.ts'
import type { QrsCustomProperty, QrsNamed } from '../../../qlik/qrs/types.ts'

/** The name of the task, plain text. */
export function shortPayload(event: TaskEvent): string {
  return event.taskName
}

/** The whole event as compact JSON. What Qlik Sense could not tell is an empty list or left out. */
export function fullPayload(event: TaskEvent): string {
  return JSON.stringify({
    hostName: event.host,
    user: event.user.replaceAll('\\\\', '\\'),
    taskName: event.taskName,
    taskId: event.taskId,
    appName: event.appName,
    appId: event.appId,
    logTimeStamp: event.logTimeStamp,
    logLevel: event.logLevel,
    executionId: event.executionId,
    logMessage: event.logMessage,
    qs_appTags: names(event.app?.tags),
    qs_appCustomProperties: properties(event.app?.customProperties),
    qs_taskTags: names(event.task?.tags),
    qs_taskCustomProperties: properties(event.task?.customProperties),
    qs_appMetadata: event.app ?? undefined,
    qs_taskMetadata: event.task ?? undefined,
  })
}

const names = (tags: readonly QrsNamed[] = []) => tags.map((tag) => tag.name)
const properties = (list: readonly QrsCustomProperty[] = []) =>
  list.map(({ definition, value }) => ({ name: definition.name, value }))
