/** Starting tasks: one request shape and one function for every way in (REST, MQTT, later CLI and console). */

export interface CustomPropertySelector {
  readonly name: string
  readonly value: string
}

export type StartOrigin = 'rest' | 'mqtt' | 'followUp' | 'cli' | 'console' | 'schedule' | 'retry'

export interface StartRequest {
  readonly origin: StartOrigin
  /** For the audit line: client address, topic, ... */
  readonly requestedBy: string
  readonly taskIds: readonly string[]
  readonly tags: readonly string[]
  readonly customProperties: readonly CustomPropertySelector[]
  /** `any` = union of all selectors (default), `all` = intersection. */
  readonly match: 'any' | 'all'
  readonly allTaskIdsMustExist: boolean
}

export interface TaskRef {
  readonly taskId: string
  readonly taskName: string
}

/** Which selector found a task; one entry per match, so that the array dialect can list duplicates. */
export interface SelectedTask extends TaskRef {
  readonly by: 'id' | 'tag' | 'customProperty'
  readonly selector: string
}

export interface StartOutcome {
  /** Each task once, in order of selection. */
  readonly started: readonly (TaskRef & { readonly executionId: string | null })[]
  readonly failed: readonly (TaskRef & { readonly error: string })[]
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
}
