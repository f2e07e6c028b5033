/** Executions of tasks and reloads of apps, followed to their end. */
import type { Database } from '../../platform/sqlite.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'

export type ExecutionState = 'queued' | 'running' | 'finished'

/** `unknown`: Footman stopped while it reloaded the app. */
export type ExecutionOutcome = 'success' | 'failed' | 'aborted' | 'skipped' | 'unknown'

/** How far an execution is; what answers to start requests tell about it. */
export interface ExecutionSummary {
  readonly state: ExecutionState
  /** Null until it is finished. */
  readonly outcome: ExecutionOutcome | null
  /** The word of Qlik Sense: `FinishedFail`. */
  readonly statusText: string
  /** Milliseconds from the start request to the start; null until then. */
  readonly queueMs: number | null
  /** Milliseconds from the start to the end, retries included; null until then. */
  readonly runMs: number | null
}

export interface ExecutionDetail {
  readonly at: string
  readonly level: 'error' | 'warn' | 'info'
  readonly message: string
}

/** Everything that is told about one execution. Times are ISO 8601 in UTC. */
export interface Execution extends ExecutionSummary {
  readonly executionId: string
  readonly kind: 'task' | 'appReload'
  readonly taskId: string | null
  readonly taskName: string | null
  readonly taskType: string | null
  readonly appId: string | null
  readonly appName: string | null
  /** Number of the status in Qlik Sense; null where there is none. */
  readonly statusNum: number | null
  readonly node: string | null
  /** Who had Footman start it; absent when somebody else did. */
  readonly actor?: string
  readonly triggeredAt: string | null
  readonly startedAt: string | null
  readonly stoppedAt: string | null
  readonly attempts: number
  readonly error: string | null
  readonly details: readonly ExecutionDetail[]
}

/** A task that Footman has started, or that its start queue could not start. */
export interface StartRecord {
  /** UUID version 7; for tasks that waited in the start queue the id of their entry. */
  readonly id: string
  /** Id of the start request. */
  readonly request: string
  readonly taskId: string
  readonly taskName: string
  readonly actor: string
  /** Null where the server tells none. */
  readonly executionId: string | null
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** When Footman learned that it is final. */
  readonly finalAt: number | null
  /** Why it was not started. */
  readonly error: string | null
}

/** What Footman has started. Promises resolve when the change is on disk. */
export interface StartRecords {
  add(record: StartRecord): Promise<void>
  /** The same inside a transaction of the caller, who calls `noted` when it is committed. */
  insert(db: Database, record: StartRecord): void
  noted(record: StartRecord): void
  byId(id: string): StartRecord | undefined
  byExecution(executionId: string): StartRecord | undefined
  ofRequest(request: string): readonly StartRecord[]
  /** Not final yet as far as is known, oldest first. */
  open(): readonly StartRecord[]
  close(id: string, finalAt: number): Promise<void>
  /** Forgets what was started before. */
  prune(before: number): Promise<void>
}

/** A task that waits in the start queue. */
export interface QueuedStart {
  readonly id: string
  readonly taskId: string
  readonly taskName: string
  readonly actor: string
  /** Milliseconds since 1970. */
  readonly queuedAt: number
  /** Resolves when it has left the queue. */
  readonly settled: Promise<unknown>
}

/** Following executions, as the start endpoint and the start queue need it. */
export interface ExecutionFollower {
  /** The latest that is known when the execution is final, or when the signal aborts. Never rejects. */
  untilFinal(executionId: string, signal: AbortSignal): Promise<ExecutionSummary>
}

/** The tasks that Footman has started and that are not final. */
export interface RunningStarts {
  open(): readonly StartRecord[]
  /** Asks QRS about all of them whose state was last asked longer than `maxAgeMs` ago; what is final is closed. */
  refresh(maxAgeMs: number): Promise<void>
  /** Follows one, or all of them, until it is final; nothing happens for executions of others. */
  follow(executionId?: string): void
  /** Called whenever one has become final. */
  onClosed(listener: () => void): void
}

/** A final execution of a task as the history keeps it. Times in milliseconds since 1970, in UTC. */
export interface EndedExecution {
  /** Null where nobody tells it. */
  readonly executionId: string | null
  /** Id of its newest result in Qlik Sense; null while that has not been read. */
  readonly resultId: string | null
  readonly taskId: string
  readonly taskName: string
  readonly taskType: string
  readonly appId: string | null
  readonly appName: string | null
  /** Null while the result has not been read. */
  readonly statusNum: number | null
  readonly outcome: ExecutionOutcome
  readonly node: string | null
  /** Who had Footman start it; null when somebody else did. */
  readonly actor: string | null
  readonly triggeredAt: number | null
  readonly startedAt: number | null
  readonly stoppedAt: number
  readonly queueMs: number | null
  readonly runMs: number | null
  readonly attempts: number
  readonly error: string | null
}

/** How the executions of a task stand. */
export interface TaskState {
  readonly taskId: string
  readonly taskName: string
  readonly lastOutcome: ExecutionOutcome
  readonly lastStoppedAt: number
  readonly lastRunMs: number | null
  readonly lastSuccessAt: number | null
  readonly consecutiveFailures: number
}

export interface EndedOnSite {
  readonly execution: EndedExecution
  readonly task: QrsTask
  /** Of all attempts. */
  readonly resultIds: readonly string[]
}

export interface EndedReader {
  /**
   * Executions that ended in [from, to), oldest first; those of tasks that are gone are left out, and results that the
   * caller has handled are not looked at again. Rejects with a `QrsError`.
   */
  between(
    from: number,
    to: number,
    isHandled: (resultId: string) => boolean,
    signal?: AbortSignal,
  ): Promise<readonly EndedOnSite[]>
}
