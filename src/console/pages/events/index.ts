/** Pages and actions about events. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { eventPage } from './event.tsx'
import { droppedList, eventList } from './list.tsx'
import { logFile } from './log.tsx'
import { fire, replay } from './operations.tsx'

export const eventPages: readonly Page[] = [eventList, droppedList, eventPage, logFile]

export const eventOperations: Operations = { 'event.replay': replay, 'event.fire': fire }
