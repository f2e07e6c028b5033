/** The event as a message of one route sees it. */
import type { MissingPart, TaskEvent } from '../../events/types.ts'
import type { Route } from '../types.ts'

/** What others wanted of an event and did not get is not missing in a message that never shows it. */
export function ownEvent(event: TaskEvent, { needs }: Pick<Route, 'needs'>): TaskEvent {
  const isOwn = (part: MissingPart) => part === 'task' || needs.includes(part)
  if (event.missingParts.every(isOwn)) return event
  // A copy that still reads its script log only when somebody looks at it.
  return Object.defineProperties({} as TaskEvent, {
    ...Object.getOwnPropertyDescriptors(event),
    missingParts: { value: event.missingParts.filter(isOwn), enumerable: true },
    absentParts: { value: event.absentParts?.filter(isOwn) ?? [], enumerable: true },
  })
}
