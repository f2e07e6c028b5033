/** States, outcomes and types of executions, and the orders of the history, as API and database name them. */

export const STATES = ['queued', 'running', 'finished'] as const
export type ExecutionState = (typeof STATES)[number]

/** `unknown`: Footman stopped while it reloaded the app. */
export const OUTCOMES = ['success', 'failed', 'aborted', 'skipped', 'unknown'] as const
export type ExecutionOutcome = (typeof OUTCOMES)[number]

/** By the number of QRS. */
export const TASK_TYPES = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const

export const GROUPINGS = ['task', 'app', 'node', 'type', 'day', 'hour'] as const
export type Grouping = (typeof GROUPINGS)[number]

export const SORTINGS = ['runs', 'failures', 'p95', 'total'] as const
export type Sorting = (typeof SORTINGS)[number]
