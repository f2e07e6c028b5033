/** The words of a task event, from the datagram to the enriched record. */
import type { AppOwner, QrsApp, QrsExecutionResult, QrsTask } from '../qlik/qrs/types.ts'

/** In the order of the QRS `taskType` numbers 0-4. */
export const TASK_TYPES = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const
export type TaskType = (typeof TASK_TYPES)[number]

export const OUTCOMES = ['failed', 'aborted', 'success'] as const
export type Outcome = (typeof OUTCOMES)[number]

export type EventSource = 'udp' | 'cloud' | 'monitor' | 'reconciler' | 'watchdog' | 'self' | 'test'
export type Severity = 'critical' | 'error' | 'warning' | 'info'
export type EventState = 'pending' | 'routed' | 'ignored'
export type IgnoreReason = 'TASK_NOT_FOUND' | 'TASK_TYPE_UNKNOWN' | 'TOO_OLD'

/** Why a datagram never became an event. */
export const DROP_REASONS = [
  'SOURCE_NOT_ALLOWED',
  'TOO_LARGE',
  'RATE_LIMITED',
  'INVALID',
  'UNKNOWN_TYPE',
  'DUPLICATE',
  'BACKLOG_FULL',
] as const
export type DropReason = (typeof DROP_REASONS)[number]

/** The fields of a scheduler datagram after sanitising; absent values are empty strings. */
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

/** What could not be read from Qlik Sense before the deadline. */
export type MissingPart = 'task' | 'app' | 'owner' | 'execution' | 'scriptLog'

export interface ScriptLog {
  /** Split on CR LF or LF; a final line break yields an empty last line that counts. */
  readonly lines: readonly string[]
  /** Length of the whole text in UTF-16 code units. */
  readonly characters: number
}

/** One immutable record per event, shared by routes, gates, templates and destinations. */
export interface TaskEvent extends TaskMessage {
  /** UUID v7. */
  readonly id: string
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  readonly source: EventSource
  readonly type: TaskType
  readonly outcome: Outcome
  readonly severity: Severity
  /** The `task/full` element, unchanged. */
  readonly task: QrsTask | null
  /** The `app/full` element, unchanged. */
  readonly app: QrsApp | null
  readonly owner: AppOwner | null
  /** The result of exactly this execution. */
  readonly execution: QrsExecutionResult | null
  readonly scriptLog: ScriptLog | null
  readonly missingParts: readonly MissingPart[]
  readonly test: boolean
}
