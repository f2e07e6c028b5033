/** All pages of the console, and all actions that they offer. */
import type { Operations } from '../forms.tsx'
import type { Page } from '../page.ts'
import { eventOperations, eventPages } from './events/index.ts'
import { reportOperations, reportPages } from './reports/index.ts'

export const PAGES: readonly Page[] = [...eventPages, ...reportPages]

export const OPERATIONS: Operations = { ...eventOperations, ...reportOperations }
