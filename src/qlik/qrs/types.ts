/**
 * Data that Footman reads from the repository service. Objects keep every field that QRS sent (they are passed through in
 * messages unchanged); only the named members are relied upon, and each of them may be missing on some sites.
 */

/** `1753-01-01T00:00:00.000Z`: how QRS writes "never". */
export const NEVER = '1753-01-01T00:00:00.000Z'
export const ZERO_GUID = '00000000-0000-0000-0000-000000000000'

export interface QrsNamed {
  readonly id: string
  readonly name: string
}

export interface QrsCustomProperty {
  readonly value: string
  readonly definition: QrsNamed
}

export interface QrsExecutionDetail {
  /** 0 error, 1 warning, 2 information. */
  readonly detailsType: number
  readonly message: string
  readonly detailCreatedDate: string
}

export interface QrsExecutionResult {
  readonly id: string
  readonly status: number
  readonly executingNodeName: string
  readonly startTime: string
  readonly stopTime: string
  /** Milliseconds. */
  readonly duration: number
  readonly fileReferenceID: string
  readonly scriptLogAvailable: boolean
  readonly scriptLogSize: number
  /** Below the archived logs of the site; absent or empty = there is none. */
  readonly scriptLogLocation?: string
  readonly details: readonly QrsExecutionDetail[]
  /** Only on `executionresult` entities, not on a task's `lastExecutionResult`. */
  readonly executionID?: string
  readonly taskID?: string
}

/** An execution that has ended: its last result, unchanged, with those of the attempts before. */
export interface QrsExecution extends QrsExecutionResult {
  /** Oldest first; absent = it was tried once. */
  readonly earlierAttempts?: readonly QrsExecutionResult[]
}

export interface QrsTask {
  readonly id: string
  readonly name: string
  /** 0 reload, 1 external program, 2 user sync, 3 distribute, 4 preload. */
  readonly taskType: number
  readonly enabled: boolean
  readonly tags: readonly QrsNamed[]
  readonly customProperties: readonly QrsCustomProperty[]
  /** The stream is null while the app is not published. */
  readonly app?: (QrsNamed & { readonly stream?: QrsNamed | null }) | null
  readonly isManuallyTriggered?: boolean
  readonly isPartialReload?: boolean
  readonly maxRetries?: number
  readonly modifiedByUserName?: string
  readonly modifiedDate?: string
  readonly taskSessionTimeout?: number
  readonly operational?: {
    readonly nextExecution?: string
    readonly lastExecutionResult?: QrsExecutionResult | null
  } | null
}

export interface QrsApp {
  readonly id: string
  readonly name: string
  readonly description?: string
  readonly fileSize?: number
  readonly lastReloadTime?: string
  readonly modifiedDate?: string
  readonly modifiedByUserName?: string
  readonly publishTime?: string
  readonly published?: boolean
  readonly stream?: QrsNamed | null
  readonly owner?: {
    readonly id: string
    readonly userId: string
    readonly userDirectory: string
    readonly name: string
  } | null
  readonly tags: readonly QrsNamed[]
  readonly customProperties: readonly QrsCustomProperty[]
}

/** An app owner with all e-mail attributes (`attributeType` equal to `email`, ignoring case). */
export interface AppOwner {
  readonly id: string
  readonly directory: string
  readonly userId: string
  readonly userName: string
  readonly emails: readonly string[]
}

export type StartResult =
  | { readonly started: true; readonly executionId: string | null }
  | { readonly started: false; readonly reason: string }

/**
 * The repository client. Every call rejects with a `QrsError` (see `errors.ts`) when QRS cannot be asked or answers
 * with an error; "does not exist" is an answer (null or an empty list), never an error.
 */
export interface QrsClient {
  /** `task/full?filter=id eq <id>`; null when QRS knows no such task. */
  taskById(taskId: string, signal?: AbortSignal): Promise<QrsTask | null>
  /** `task/full?filter=<filter>`; the filter is a QRS expression built with `filter.ts`, not yet percent-encoded. */
  tasks(filter: string, signal?: AbortSignal): Promise<readonly QrsTask[]>
  /** Those of these tasks that exist, by `task?filter=id eq <id> or ...` of 50 ids each; lower case. */
  existingTasks(taskIds: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>>
  /** Those of these apps that exist, by `app?filter=...` in the same way. */
  existingApps(appIds: readonly string[], signal?: AbortSignal): Promise<ReadonlySet<string>>
  /** Ids of all tasks, lower case, complete. Rejects with kind `status` or `shape` on a server that cannot list them. */
  allTaskIds(signal?: AbortSignal): Promise<ReadonlySet<string>>
  /** `app/full?filter=id eq <id>`. */
  appById(appId: string, signal?: AbortSignal): Promise<QrsApp | null>
  /** `user/<id>` reduced to what alerts need; null when the user is gone. */
  owner(userId: string, signal?: AbortSignal): Promise<AppOwner | null>
  /** `user/full?filter=<filter>`: active users that match. */
  users(filter: string, signal?: AbortSignal): Promise<readonly AppOwner[]>
  /** `executionresult/full?filter=executionID eq <id>`, oldest first; one element per retry. */
  executionResults(executionId: string, signal?: AbortSignal): Promise<readonly QrsExecutionResult[]>
  /**
   * The script log of one execution result, whichever of the two API forms the site has (the form that worked last is
   * tried first). Empty when the file is, null when it is not there yet; rejects with the status when QRS says that its reference leads nowhere.
   */
  scriptLog(
    taskId: string,
    result: Pick<QrsExecutionResult, 'id' | 'fileReferenceID' | 'scriptLogLocation'>,
    signal?: AbortSignal,
  ): Promise<string | null>
  /** `task/<id>/start/synchronous`, falling back to `task/<id>/start` where a server lacks it. Never retried. */
  startTask(taskId: string, signal?: AbortSignal): Promise<StartResult>
  /** `about`: the cheapest proof that QRS answers. */
  ping(signal?: AbortSignal): Promise<void>
  /** Closes the connection pool. */
  close(): void
}

/** A run that has not ended. */
export interface QrsExecutionSession {
  readonly id: string
  /** Null when the session does not name its task. */
  readonly task: Pick<QrsTask, 'id' | 'name' | 'taskType'> | null
  /** The attempt that runs. */
  readonly result: QrsExecutionResult | null
}

export interface QrsTaskKey {
  readonly id: string
  readonly name: string
  /** Absent when not asked for; '' when there is none. */
  readonly app?: string
  readonly stream?: string
}

/** Questions about the site's executions as a whole; errors and "does not exist" as in `QrsClient`. */
export interface ExecutionReader {
  /** `task/full`, complete. */
  allTasks(signal?: AbortSignal): Promise<readonly QrsTask[]>
  /**
   * The same in batches, so that a large site does not have to fit into memory. Of a large site those that are not wanted
   * are not read; `isWanted` is asked right before the request.
   */
  taskBatches(signal?: AbortSignal, isWanted?: (taskId: string) => boolean): AsyncIterable<readonly QrsTask[]>
  /** How many tasks there are; null from a server that cannot count. */
  taskCount(signal?: AbortSignal): Promise<number | null>
  /** Ids and names of tasks, read in pages, in no order; `withApp`: only tasks of an app, with its name. */
  taskKeys(filter: string | null, withApp: boolean, signal?: AbortSignal): Promise<readonly QrsTaskKey[]>
  /** `executionresult/full` of all these executions with few requests, oldest first; `executionID` says whose. */
  resultsOfExecutions(executionIds: readonly string[], signal?: AbortSignal): Promise<readonly QrsExecutionResult[]>
  /** `executionresult/full` by the ids of the results themselves. */
  resultsById(resultIds: readonly string[], signal?: AbortSignal): Promise<readonly QrsExecutionResult[]>
  /** `executionsession/<id>`; null once the run has ended. */
  executionSession(executionId: string, signal?: AbortSignal): Promise<QrsExecutionSession | null>
}

/** Recent results and tasks of the whole site. */
export interface SiteReader {
  /** Results whose `stopTime` lies in [from, to), milliseconds since 1970; complete, in no order. */
  resultsEndedBetween(from: number, to: number, signal?: AbortSignal): Promise<readonly QrsExecutionResult[]>
  /** `task/full?filter=...` of these tasks. */
  tasksById(taskIds: readonly string[], signal?: AbortSignal): Promise<readonly QrsTask[]>
  /** `app/full?filter=...` of these apps. */
  appsById(appIds: readonly string[], signal?: AbortSignal): Promise<readonly QrsApp[]>
}

/** A task that starts after another one has succeeded. */
export interface ChainLink {
  readonly after: QrsNamed
  readonly task: QrsNamed
}

export interface ChainReader {
  /** All links of the site; ids are lower case, names may be ''. Rejects as the calls of `QrsClient` do. */
  chainLinks(signal?: AbortSignal): Promise<readonly ChainLink[]>
}

export interface CustomPropertyDefinition {
  readonly name: string
  /** The values to choose from. */
  readonly values: readonly string[]
  /** Kinds of entities that can have it, like `ReloadTask`. */
  readonly objectTypes: readonly string[]
}

export interface CustomPropertyReader {
  /** `custompropertydefinition/full` of these names; QRS ignores upper and lower case. Rejects as `QrsClient` does. */
  customProperties(names: readonly string[], signal?: AbortSignal): Promise<readonly CustomPropertyDefinition[]>
}
