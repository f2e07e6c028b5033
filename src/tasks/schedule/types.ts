/** Schedules and their runs. */

import type { CronExpression } from '../../platform/cron.ts'
import type { ExecutionOutcome } from '../executions/kinds.ts'
import type { StartRequest } from '../start/types.ts'
import type { EXCLUSIONS, RUN_STATES, RUN_TRIGGERS, SKIP_REASONS } from './contract.ts'

/** A schedule as it stands in the file, members in order. */
export type ScheduleValues = Readonly<Record<string, unknown>>

/** The tasks that a schedule starts. */
export type StartSelection = Pick<
  StartRequest,
  'taskIds' | 'tags' | 'customProperties' | 'taskNames' | 'match' | 'keyValues'
>

export interface AppDumpAction {
  readonly type: 'appDump'
  /** Below the folder of all dumps. */
  readonly folder: string
  /** Globs; null = not limited. */
  readonly apps: {
    readonly appId: readonly string[] | null
    readonly stream: readonly string[] | null
    readonly name: readonly string[] | null
  }
  /** Snapshots that are kept. */
  readonly keep: number
  /** Milliseconds; null = no limit. */
  readonly maxAgeMs: number | null
}

export interface WebhookAction {
  readonly type: 'webhook'
  /** Name of a destination. */
  readonly destination: string
  /** Template; '' = the destination's own. */
  readonly body: string
}

export type ScheduleAction = { readonly type: 'startTask' } | AppDumpAction | WebhookAction

/** The scope that a caller needs to create a schedule with that action. */
export const ACTION_SCOPES: Readonly<Record<ScheduleAction['type'], string>> = {
  startTask: 'task:run',
  appDump: 'app:read',
  webhook: 'event:run',
}

/** Why a firing does not happen. */
export type Exclusion = (typeof EXCLUSIONS)[number]

export type SkipReason = (typeof SKIP_REASONS)[number]

/** A schedule that can run, read from its values. */
export interface Plan {
  readonly cron: CronExpression
  /** IANA name of the clock that counts. */
  readonly timezone: string
  readonly selection: StartSelection
  readonly action: ScheduleAction
  readonly overlap: 'allow' | 'skip' | 'queue'
  readonly misfire: 'skip' | 'runOnce'
  readonly jitterMs: number
  /** The first firing after an instant (ms since 1970), whether it is excluded or not; null when there is none. */
  next(after: number): number | null
  /** Why a firing at that instant is skipped; null when it isn't. */
  excluded(instant: number): Exclusion | null
  /** The calendars or windows behind `excluded`, by name; null for a window without one. */
  excludedBy(instant: number): string | null
  /** Files of calendars that cannot be used now; without their days the exclusions are doubtful. */
  troubles(): readonly string[]
  /** The next firings that are not excluded. */
  coming(after: number, count: number): number[]
}

/** A problem of a schedule, with the message that the API returns. */
export interface PlanProblem {
  /** `Invalid cronSchedule: minute 60 is out of range, minutes are 0-59`. */
  readonly message: string
  /** More, where there is more to say. */
  readonly details?: string
  readonly field: string
}

export interface Schedule {
  readonly id: string
  readonly values: ScheduleValues
  /** Null when the schedule is not valid. */
  readonly plan: Plan | null
  readonly problem: PlanProblem | null
  /** Whether it is to fire. */
  readonly running: boolean
}

export type RunTrigger = (typeof RUN_TRIGGERS)[number]
export type RunOutcome = ExecutionOutcome

export interface RunTask {
  readonly taskId: string
  readonly taskName: string
  readonly executionId: string | null
  /** Null until it is known. */
  readonly outcome: RunOutcome | null
  /** Why it was not started. */
  readonly error?: string
  /** Qlik Sense was about to be asked; whether it has started the task is not known yet. */
  readonly starting?: true
}

export interface Run {
  /** UUID version 7. */
  readonly id: string
  readonly scheduleId: string
  /** Milliseconds since 1970, as all times. */
  readonly dueAt: number
  /** Null while it waits, and when it was skipped. */
  readonly firedAt: number | null
  readonly trigger: RunTrigger
  readonly state: (typeof RUN_STATES)[number]
  /** Null until it has finished. */
  readonly outcome: RunOutcome | null
  readonly reason: SkipReason | null
  readonly tasks: readonly RunTask[]
  readonly detail: string | null
}

/** The result of an action. */
export interface ActionResult {
  readonly outcome: RunOutcome
  readonly tasks?: readonly RunTask[]
  readonly detail?: string
}
