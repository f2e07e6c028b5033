/** All pages of the console, and all actions that they offer. */
import type { Operations } from '../forms.tsx'
import type { Page } from '../page.ts'
import { dataOperations, dataPages } from './data/index.ts'
import { eventOperations, eventPages } from './events/index.ts'
import { scheduleOperations, schedulePages } from './schedules/index.ts'

export const PAGES: readonly Page[] = [...eventPages, ...schedulePages, ...dataPages]

export const OPERATIONS: Operations = { ...eventOperations, ...scheduleOperations, ...dataOperations }
