/** All pages of the console, and all actions that they offer. */
import type { Operations } from '../forms.tsx'
import type { Page } from '../page.ts'
import { dataOperations, dataPages } from './data/index.ts'
import { deliveryOperations, deliveryPages } from './delivery/index.ts'
import { eventOperations, eventPages } from './events/index.ts'
import { nowOperations, nowPages } from './now/index.ts'
import { reportOperations, reportPages } from './reports/index.ts'
import { scheduleOperations, schedulePages } from './schedules/index.ts'
import { systemOperations, systemPages } from './system/index.ts'
import { taskOperations, taskPages } from './tasks/index.ts'

export const PAGES: readonly Page[] = [
  ...nowPages,
  ...eventPages,
  ...taskPages,
  ...deliveryPages,
  ...schedulePages,
  ...reportPages,
  ...dataPages,
  ...systemPages,
]

export const OPERATIONS: Operations = {
  ...nowOperations,
  ...eventOperations,
  ...taskOperations,
  ...deliveryOperations,
  ...scheduleOperations,
  ...reportOperations,
  ...dataOperations,
  ...systemOperations,
}
