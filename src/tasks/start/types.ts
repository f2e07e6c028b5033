/** Starting tasks: one request shape and one function for every way in (REST, MQTT, schedules, retries, reloads). */
import type { TaskSelectors } from '../../http/endpoint/caller.ts'
import type { ExecutionSummary, TaskRef } from '../executions/contract.ts'

export interface CustomPropertySelector {
  readonly name: string
  readonly value: string
}

export type StartOrigin = 'rest' | 'mqtt' | 'followUp' | 'cli' | 'console' | 'schedule' | 'retry'

export interface StartRequest {
  readonly origin: StartOrigin
  /** For the log line: client address, topic, ... */
  readonly requestedBy: string
  /** For the audit: `mqtt:<topic>`, `schedule:<id>`; default the origin. REST calls are recorded by the API. */
  readonly actor?: string
  /** Tasks that the caller may start; it binds beside the global filter. Absent = everything that the filter allows. */
  readonly limitedTo?: TaskSelectors
  /** For the audit line: the form in which the request came. */
  readonly dialect?: 'object' | 'array' | 'id'
  /** The one of `taskIds` that stood in the URL. */
  readonly urlTaskId?: string
  /** A text that is not a GUID counts as not found. */
  readonly taskIds: readonly string[]
  readonly tags: readonly string[]
  readonly customProperties: readonly CustomPropertySelector[]
  /** Globs over the names of tasks. */
  readonly taskNames?: readonly string[]
  /** `any` = union of all selectors (default), `all` = intersection. */
  readonly match: 'any' | 'all'
  readonly allTaskIdsMustExist: boolean
  /** Key-value pairs as they came, stored before the first task is started. */
  readonly keyValues?: readonly unknown[]
  /** So many tasks of this request may run at a time, the others wait in the start queue. Absent = no limit. */
  readonly maxConcurrent?: number
  /** Id of this request (UUID); given again, it starts nothing twice. Absent = a fresh one. */
  readonly id?: string
}

export interface KeyValueItem {
  /** None of the three is empty. */
  readonly namespace: string
  readonly key: string
  readonly value: string
  /** Milliseconds; 0 and below = no expiry. */
  readonly ttl: number
}

/** Resolves when the pairs are on disk; a pair that the store refuses is logged and skipped. */
export type StoreKeyValues = (items: readonly KeyValueItem[]) => Promise<void>

export interface QueuedTask extends TaskRef {
  readonly queueId: string
  /** Resolves with the outcome of the task, once that is known. Never rejects. */
  readonly settled: Promise<TaskResult>
}

/** The result of starting one task. */
export type TaskResult =
  | { readonly executionId: string | null }
  /** `passing`: QRS was lost or answered that it is not well; the same start may succeed later. */
  | {
      readonly error: string
      readonly passing?: boolean
      /** QRS was asked and has not answered: it is not known whether the task was started. */
      readonly perhaps?: boolean
    }

/** Which selector found a task; one entry per match, so that the array dialect can list duplicates. */
export interface SelectedTask extends TaskRef {
  readonly by: 'id' | 'tag' | 'customProperty' | 'name'
  readonly selector: string
}

export interface StartOutcome {
  /** Each task once, in order of selection. */
  readonly started: readonly (TaskRef & { readonly executionId: string | null })[]
  readonly failed: readonly (TaskRef & {
    readonly error: string
    readonly passing?: boolean
    readonly perhaps?: boolean
  })[]
  /** Waiting in the start queue: they are started as soon as the limits allow it. */
  readonly queued?: readonly QueuedTask[]
  /** Each id once, as it was written in the request. */
  readonly notFound: readonly string[]
  readonly denied: {
    readonly taskIds: readonly string[]
    readonly tags: readonly string[]
    readonly customProperties: readonly CustomPropertySelector[]
  }
  /** Found but held back by `allTaskIdsMustExist`. */
  readonly heldBack: readonly TaskRef[]
  /** Every match, duplicates included. */
  readonly selected: readonly SelectedTask[]
  /** QRS was lost while tasks were being started; what was not started by then is in `failed`. */
  readonly interrupted?: boolean
}

/** A start request and how far its executions are. */
export interface Followed {
  /** The outcome by now: what was queued may have been started, or not, meanwhile. */
  readonly outcome: StartOutcome
  /** By task id. */
  readonly executions: ReadonlyMap<string, ExecutionSummary>
  readonly allFinal: boolean
}

/**
 * Lets a request that was cut short by a crash go on where it stood, by notes of the caller's own. Without it the start
 * function keeps notes itself of every request that has an id.
 */
export interface StartProgress {
  /** Tasks that this request has started already, with their execution ids; they are not started again. */
  readonly done: ReadonlyMap<string, string | null>
  /**
   * Tasks whose start was noted and whose outcome was not, with the id of their last result before; another one shows that
   * the task was started, and it is not started again.
   */
  readonly perhaps?: ReadonlyMap<string, string>
  /**
   * Called before each start, which waits for it and is left out when it rejects. Absent: nothing is noted before.
   * `resultBefore`: id of the task's last result; '' = none.
   */
  starting?(taskId: string, taskName: string, resultBefore: string): Promise<void>
  /** Called after each start; what it writes is durable when the promise resolves. */
  started(taskId: string, executionId: string | null): Promise<void>
}

export type StartTask = (request: StartRequest, progress?: StartProgress) => Promise<StartOutcome>

/** The selection as far as it is known when the look-ups break off. */
export interface KnownSoFar extends Pick<StartOutcome, 'notFound' | 'denied'> {
  /** Ids of tasks that an earlier attempt of the same request has started, or perhaps has. */
  readonly perhaps?: readonly string[]
}

/** QRS could not be asked which tasks are meant, or answered with an error. Nothing was started by this attempt. */
export class LookupError extends Error {
  override readonly name = 'LookupError'
  constructor(
    /** True when QRS accepted the connection and then stayed silent. */
    readonly timedOut: boolean,
    message: string,
    readonly known: KnownSoFar,
    cause: unknown,
  ) {
    super(message, { cause })
  }
}

/** Footman only watches: it starts nothing. */
export class ShadowModeError extends Error {
  override readonly name = 'ShadowModeError'
  constructor() {
    super('Footman runs in shadow mode, which starts no tasks. Run it without --shadow and Butler.footman.shadow.')
  }
}

/** The start queue has no room for the tasks of the request. Nothing was started. */
export class QueueFullError extends Error {
  override readonly name = 'QueueFullError'
  constructor(waiting: number, capacity: number) {
    super(
      `${waiting} tasks wait in the start queue, which holds at most ${capacity}. Nothing was started; try again later, or remove entries with DELETE /v4/startqueue/{queueId}.`,
    )
  }
}
