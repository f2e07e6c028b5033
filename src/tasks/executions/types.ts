/** Executions of tasks and reloads of apps, followed to their end. */
import type { Database } from '../../platform/sqlite.ts'
import type { QrsTask } from '../../qlik/qrs/types.ts'
import type { ExecutionSummary, HistoryItem, SummaryGroup } from './contract.ts'
import type { ExecutionOutcome, Grouping, Sorting } from './kinds.ts'

/** A task that Footman has started, or that its start queue could not start. */
export interface StartRecord {
  /** UUID version 7; for tasks that waited in the start queue the id of their entry. */
  readonly id: string
  /** Id of the start request. */
  readonly request: string
  readonly taskId: string
  readonly taskName: string
  readonly actor: string
  /** Null when the server returns none. */
  readonly executionId: string | null
  /** Milliseconds since 1970. */
  readonly startedAt: number
  /** When Footman learned that it is final. */
  readonly finalAt: number | null
  /** Why it was not started. */
  readonly error: string | null
}

/** Starts that Footman has made. Promises resolve when the change is on disk. */
export interface StartRecords {
  add(record: StartRecord): Promise<void>
  /** The same inside a transaction of the caller, which calls `noted` after the commit. */
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
  /** Null when unknown. */
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
  /** The actor of a start by Footman; null for other starts. */
  readonly actor: string | null
  readonly triggeredAt: number | null
  readonly startedAt: number | null
  readonly stoppedAt: number
  readonly queueMs: number | null
  readonly runMs: number | null
  readonly attempts: number
  readonly error: string | null
  /** The script log was read: it says more than the details of the execution. Not stored. */
  readonly isErrorOfLog?: boolean
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
  /** Results of all attempts. */
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
  /** Those of these executions that have ended; as `between`. */
  ofExecutions(executionIds: readonly string[], signal?: AbortSignal): Promise<readonly EndedOnSite[]>
  /** For a subscriber that reads on from its checkpoint and gets each end once. */
  feed(checkpoint: EndedCheckpoint, settings: EndedFeedSettings): EndedFeed
}

/** Milliseconds since 1970: all ends before were handed over; null = there was no turn yet. */
export interface EndedCheckpoint {
  read(): number | null
  write(at: number): unknown
}

/** Milliseconds. */
export interface EndedFeedSettings {
  /** From one turn to the next. */
  readonly everyMs: number
  /** An end is handed over when it is so old. */
  readonly settleMs: number
  /** By how much the clock of Qlik Sense may be ahead of this computer's. */
  readonly aheadMs: number
}

export interface EndedFeed {
  /**
   * One turn: hands over what has ended since the last one, and not before `since`, in batches, oldest first. A batch that
   * was not taken comes again with the next turn. Rejects with a `QrsError`, or as `take` does.
   */
  read(
    turn: { readonly now: number; readonly since: number; readonly signal: AbortSignal },
    take: (ended: readonly EndedOnSite[]) => Promise<void>,
  ): Promise<void>
}

// Queries of the history and their answers; they cross into a worker thread.

/** Null = any. A list = any of them. Times in milliseconds since 1970. */
export interface HistoryFilter {
  /** Ids of executions, lower case. */
  readonly id: readonly string[] | null
  readonly taskId: readonly string[] | null
  /** Globs. */
  readonly taskName: readonly string[] | null
  readonly appId: readonly string[] | null
  readonly type: readonly string[] | null
  readonly outcome: readonly ExecutionOutcome[] | null
  readonly node: readonly string[] | null
  readonly actor: readonly string[] | null
  /** Inclusive. */
  readonly from: number | null
  /** Exclusive. */
  readonly to: number | null
}

/** End time and sequence number of the last row of a page. */
export type HistoryPosition = readonly [stoppedAt: number, seq: number]

export interface ListQuery {
  readonly kind: 'list'
  readonly filter: HistoryFilter
  readonly after: HistoryPosition | null
  readonly limit: number
}

export interface SummaryQuery {
  readonly kind: 'summary'
  readonly filter: HistoryFilter
  readonly groupBy: Grouping
  /** Null: days and hours newest first, everything else by the number of runs. */
  readonly sort: Sorting | null
  /** Zone of days and hours; '' = that of this computer. */
  readonly timezone: string
  readonly offset: number
  readonly limit: number
}

export interface ListAnswer {
  readonly executions: readonly HistoryItem[]
  readonly next: HistoryPosition | null
  /** The time was over before the page was full. */
  readonly partial: boolean
}

export interface SummaryAnswer {
  readonly summary: readonly SummaryGroup[]
  /** Offset of the next page. */
  readonly next: number | null
}
