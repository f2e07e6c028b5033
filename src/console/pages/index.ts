/** All pages of the console, and all actions that they offer. */
import type { Operations } from '../forms.tsx'
import type { Page } from '../page.ts'
import { deliveryOperations, deliveryPages } from './delivery/index.ts'
import { eventOperations, eventPages } from './events/index.ts'

export const PAGES: readonly Page[] = [...eventPages, ...deliveryPages]

export const OPERATIONS: Operations = { ...eventOperations, ...deliveryOperations }
