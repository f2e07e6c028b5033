/** The types and outcomes of events as lists, from the words of the configuration. */
import type { EventOutcome, EventType } from '../events/types.ts'
import { OUTCOMES, TYPES } from './config-routes.ts'

export const EVENT_TYPES: readonly EventType[] = TYPES
export const EVENT_OUTCOMES: readonly EventOutcome[] = OUTCOMES
/** The kinds of tasks. */
export const TASK_TYPES: readonly EventType[] = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload']
