/** Types of task events, from the datagram to the enriched record. */

import type { AppOwner, QrsApp, QrsExecution, QrsTask } from '../qlik/qrs/types.ts'
import type { EVENT_OUTCOMES, EVENT_SOURCES, EVENT_TYPES, OUTCOMES, SEVERITIES, TASK_TYPES } from './kinds.ts'

export type TaskType = (typeof TASK_TYPES)[number]
/** How an execution of a task ends. */
export type Outcome = (typeof OUTCOMES)[number]
export type EventType = (typeof EVENT_TYPES)[number]
export type EventOutcome = (typeof EVENT_OUTCOMES)[number]
export type EventSource = (typeof EVENT_SOURCES)[number]
export type Severity = (typeof SEVERITIES)[number]
export type EventState = 'pending' | 'routed' | 'ignored'
export type IgnoreReason = 'TASK_NOT_FOUND' | 'APP_NOT_FOUND' | 'TASK_TYPE_UNKNOWN' | 'TOO_OLD'

/** Why a datagram never became an event. `TASK_NOT_FOUND`, `APP_NOT_FOUND`: it was one of many of its sender about unknown tasks or apps. */
export const DROP_REASONS = [
  'SOURCE_NOT_ALLOWED',
  'TOO_LARGE',
  'RATE_LIMITED',
  'INVALID',
  'UNKNOWN_TYPE',
  'DUPLICATE',
  'TASK_NOT_FOUND',
  'APP_NOT_FOUND',
  'BACKLOG_FULL',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** The fields of a datagram after sanitising; absent values are empty strings. A message of the engine names no task. */
export interface TaskMessage {
  readonly host: string
  readonly taskName: string
  readonly appName: string
  /** `DIRECTORY\userid` as sent. */
  readonly user: string
  readonly taskId: string
  readonly appId: string
  /** Server-local, `2024-10-10 15:35:25,117`; verbatim, not validated. */
  readonly logTimeStamp: string
  readonly logLevel: string
  /** Lower-cased; empty when the appender sent none. */
  readonly executionId: string
  /** Up to 10,000 characters. */
  readonly logMessage: string
}

/** Data that a rule needs beyond the datagram; nothing else is fetched. */
export type Need = 'app' | 'owner' | 'execution' | 'scriptLog'

/** Data that could not be read from Qlik Sense before the deadline. */
export type MissingPart = 'task' | 'app' | 'owner' | 'execution' | 'scriptLog'

export type MissingReasons = Readonly<Partial<Record<MissingPart, string>>>

export interface ScriptLog {
  /** Split on CR LF or LF; a final line break yields an empty last line that counts. */
  readonly lines: readonly string[]
  /** Length of the whole text in UTF-16 code units. */
  readonly characters: number
  /** Only in a shortened message, whose `lines` are a note and the end of the log. */
  readonly whole?: WholeLog
}

/** The log that was shortened. */
interface WholeLog {
  readonly rows: number
  /** Without the line breaks. */
  readonly characters: number
  /** So many of the last of `lines` are the end of the log; those before are no part of it. */
  readonly shown: number
}

/** A Windows service whose state has changed. */
export interface ServiceDetails {
  readonly kind: 'service'
  /** `QlikSenseEngineService` */
  readonly serviceName: string
  /** `Qlik Sense Engine Service` */
  readonly displayName: string
  /** `Engine` */
  readonly friendlyName: string
  /** `RUNNING`, `STOPPED`, `PAUSED`, ... */
  readonly status: string
  readonly previousStatus: string
  /** `Automatic`, `Manual`, `Disabled` */
  readonly startType: string
  readonly exePath: string
  readonly dependencies: readonly string[]
}

export interface LicenseDetails {
  readonly kind: 'license'
  readonly expired: boolean
  /** ISO; null when the licence never ends. */
  readonly expiryDate: string | null
  readonly daysRemaining: number | null
}

/** A reload in Qlik Cloud: what templates see beyond the shared variables. */
export interface CloudReloadDetails {
  readonly kind: 'cloudReload'
  readonly variables: Readonly<Record<string, unknown>>
}

/** The finding of the watchdog; times in milliseconds. */
export interface WatchdogDetails {
  readonly kind: 'watchdog'
  readonly elapsedMs: number
  readonly limitMs: number
  readonly usualMs: number | null
  /** When the task should have started, milliseconds since 1970. */
  readonly dueAt: number | null
}

export interface SelfDetails {
  readonly kind: 'self'
  /** The problem and what to do, in one or two sentences. */
  readonly text: string
  /** The alert stands already, and more has joined what it is about. */
  readonly joined?: true
}

export type EventDetails = ServiceDetails | LicenseDetails | CloudReloadDetails | WatchdogDetails | SelfDetails

/** The earlier executions of the task, at the time of the event. */
export interface TaskHistory {
  /** Failed or aborted executions in a row, this one included; 0 after a success. */
  readonly consecutiveFailures: number
  /** Milliseconds since 1970; null = never, as far as known. */
  readonly lastSuccessAt: number | null
}

/** Where a series of retries by custom property stands. */
export interface RetryState {
  /** 1 = the first retry; 0 = the scheduled execution itself. */
  readonly attempt: number
  readonly max: number
  /** When the next try starts, milliseconds since 1970; null = there is none. */
  readonly nextAt: number | null
  /** Why no further try is made although one was due; null otherwise. */
  readonly refused: string | null
}

/** One immutable record per event, shared by rules, gates, templates and destinations. */
export interface TaskEvent extends TaskMessage {
  /** UUID v7. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly source: EventSource
  readonly type: EventType
  readonly outcome: EventOutcome
  readonly severity: Severity
  /** Data of events that are not the end of a task. */
  readonly details: EventDetails | null
  /** The code of Footman's own alerts, like `QRS_DOWN`. */
  readonly code: string | null
  readonly history: TaskHistory | null
  readonly retry: RetryState | null
  /** The `task/full` element, unchanged. */
  readonly task: QrsTask | null
  /** The `app/full` element, unchanged. */
  readonly app: QrsApp | null
  readonly owner: AppOwner | null
  /** The result of exactly this execution. */
  readonly execution: QrsExecution | null
  readonly scriptLog: ScriptLog | null
  /** The script log was not asked for, as every message that would show it was held back when the event was decided. */
  readonly logSkipped?: boolean
  readonly missingParts: readonly MissingPart[]
  /** Those of `missingParts` that Qlik Sense says it does not have, like the app that was deleted; absent = none. */
  readonly absentParts?: readonly MissingPart[]
  /** The answer of Qlik Sense instead of a missing part, like `403 Forbidden`; absent = it has not answered about any. */
  readonly missingReasons?: MissingReasons
  /** The executing node when QRS named it and `execution` is null. */
  readonly node?: string
  readonly test: boolean
  /** In a cluster: the name of its message on every node, from which the ids of its deliveries are made. */
  readonly messageKey?: string
}
