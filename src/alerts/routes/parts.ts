/** The texts of an event that fields of a match are compared with. */
import type { EventType, TaskEvent } from '../../events/types.ts'
import type { QrsCustomProperty, QrsNamed } from '../../qlik/qrs/types.ts'
import { isTaskType } from './subjects.ts'
import type { Texts } from './verdict.ts'

const APP_TYPES: readonly EventType[] = ['reload', 'distribute', 'preload', 'cloudReload']

/** Distinct texts that are not empty; without one it is not known. */
function known(...texts: readonly (string | null | undefined)[]): Texts {
  const found = [...new Set(texts.filter((text): text is string => Boolean(text)))]
  return found.length > 0 ? found : 'unknown'
}

export function taskNames(event: TaskEvent): Texts {
  return isTaskType(event.type) ? known(event.taskName, event.task?.name) : 'none'
}

export function taskIds({ type, taskId }: TaskEvent): Texts {
  return isTaskType(type) ? known(taskId) : 'none'
}

export function appNames(event: TaskEvent): Texts {
  return hasApp(event) ? known(event.appName, event.app?.name, event.task?.app?.name) : 'none'
}

export function appIds(event: TaskEvent): Texts {
  return hasApp(event) ? known(event.appId, event.app?.id, event.task?.app?.id) : 'none'
}

/** '' = the app is not published. */
export function streams(event: TaskEvent): Texts {
  if (!hasApp(event) || event.type === 'cloudReload') return 'none'
  if (event.app) return [event.app.stream?.name ?? '']
  const stream = event.task?.app?.stream
  return stream === undefined ? 'unknown' : [stream?.name ?? '']
}

/** `DIR\id` */
export function owners(event: TaskEvent): Texts {
  if (!hasApp(event) || event.type === 'cloudReload') return 'none'
  if (event.owner) return [`${event.owner.directory}\\${event.owner.userId}`]
  const owner = event.app?.owner
  return owner ? [`${owner.userDirectory}\\${owner.userId}`] : 'unknown'
}

/** `DIR\id`, however the datagram wrote it. */
export function users({ user }: TaskEvent): Texts {
  return user === '' ? 'none' : [withBackslash(user)]
}

export function withBackslash(user: string): string {
  return user.replaceAll('/', '\\').replaceAll('\\\\', '\\')
}

export function services({ details }: TaskEvent): Texts {
  if (details?.kind !== 'service') return 'none'
  return known(details.friendlyName, details.serviceName, details.displayName)
}

export function taskTags(event: TaskEvent): Texts {
  return isTaskType(event.type) ? namesOf(event.task?.tags) : 'none'
}

export function appTags(event: TaskEvent): Texts {
  return hasQlikApp(event) ? namesOf(event.app?.tags) : 'none'
}

function namesOf(tags: readonly QrsNamed[] | undefined): Texts {
  return tags ? tags.map(({ name }) => name) : 'unknown'
}

export type Properties = readonly QrsCustomProperty[] | 'unknown' | 'none'

export function taskProperties(event: TaskEvent): Properties {
  return isTaskType(event.type) ? (event.task?.customProperties ?? 'unknown') : 'none'
}

export function appProperties(event: TaskEvent): Properties {
  return hasQlikApp(event) ? (event.app?.customProperties ?? 'unknown') : 'none'
}

function hasApp({ type }: TaskEvent): boolean {
  return APP_TYPES.includes(type)
}

function hasQlikApp(event: TaskEvent): boolean {
  return hasApp(event) && event.type !== 'cloudReload'
}
