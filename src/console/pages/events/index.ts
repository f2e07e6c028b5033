/** Pages and actions about events. */
import type { Operations } from '../../forms.tsx'
import type { Page } from '../../page.ts'
import { eventList } from './list.tsx'

export const eventPages: readonly Page[] = [eventList]

export const eventOperations: Operations = {}
