/** Pages and actions about schedules. */
import type { Page } from '../../page.ts'
import { scheduleCalendar } from './calendar.tsx'
import { newSchedule, scheduleEditor } from './editor.tsx'
import { scheduleList } from './list.tsx'
import { scheduleRun } from './run.tsx'

export { scheduleOperations } from './operations.tsx'

/** Fixed paths before those with an id. */
export const schedulePages: readonly Page[] = [scheduleList, newSchedule, scheduleCalendar, scheduleEditor, scheduleRun]
