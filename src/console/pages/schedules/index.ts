/** Pages and actions about schedules. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { scheduleCalendar } from './calendar.tsx'
import { newSchedule, scheduleEditor } from './editor.tsx'
import { scheduleList } from './list.tsx'
import { scheduleOperations as ofSchedules } from './operations.tsx'
import { scheduleRun } from './run.tsx'
import { timeOperations } from './time-operations.tsx'
import { timesPage } from './times.tsx'

export const scheduleOperations: Operations = { ...ofSchedules, ...timeOperations }

/** Fixed paths before those with an id. */
export const schedulePages: readonly Page[] = [
  scheduleList,
  newSchedule,
  scheduleCalendar,
  timesPage,
  scheduleEditor,
  scheduleRun,
]
