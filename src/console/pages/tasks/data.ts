/** Members of the answers about tasks and executions that the pages use. */

export type Outcome = 'success' | 'failed' | 'aborted' | 'skipped' | 'unknown'
export type RunState = 'queued' | 'running' | 'finished'

export interface TaskRef {
  readonly taskId: string
  readonly taskName: string
}

export interface TaskRow extends TaskRef {
  readonly taskType: string
  readonly enabled: boolean
  readonly tags: readonly string[]
  readonly customProperties: readonly { readonly name: string; readonly value: string }[]
  readonly appId: string | null
  readonly appName: string | null
  readonly stream: string | null
  readonly nextExecution: string | null
  readonly last: {
    readonly executionId: string | null
    readonly state: RunState
    readonly outcome: Outcome | null
    readonly stoppedAt: string | null
    readonly runMs: number | null
  } | null
}

export interface Running {
  readonly executionId: string | null
  readonly state: 'queued' | 'running'
  readonly startedAt: string
  readonly expectedEnd: string
  readonly pessimisticEnd: string
  readonly over: boolean
  readonly overByMs: number
}

export interface Usual {
  /** Null like the other durations when no successful run is known. */
  readonly usualMs: number | null
  readonly p50Ms: number | null
  readonly p90Ms: number | null
  readonly p95Ms: number | null
  readonly waitP50Ms: number | null
  readonly samples: number
  readonly basis: 'history' | 'guess' | 'none'
}

export interface Trigger {
  readonly id: string
  readonly kind: 'time' | 'gate'
  readonly source: 'qlik' | 'footman' | 'report'
  readonly name: string
  readonly enabled: boolean
  readonly text: string
  readonly timezone: string | null
  readonly next: readonly string[]
  readonly rules: readonly (TaskRef & { readonly on: string })[]
  readonly withinMs: number | null
  readonly broken: boolean
}

export interface TaskDetail extends TaskRow {
  readonly state: Outcome | 'queued' | 'running' | 'finished' | null
  readonly runningExecution: Running | null
  readonly usual: Usual
  readonly triggers: readonly Trigger[]
  readonly followedBy: readonly (TaskRef & { readonly on: string; readonly alsoNeeds: readonly TaskRef[] })[]
  readonly retryPolicy: string | null
  readonly watchPolicy: string | null
  readonly due: { readonly at: string; readonly kind: 'property' | 'usual' } | null
  readonly dueBy: readonly string[]
  readonly consecutiveFailures: number
  readonly lastSuccessAt: string | null
  readonly failingSince: string | null
  readonly stale: boolean
}

export interface Point {
  readonly executionId: string | null
  readonly outcome: Outcome
  readonly stoppedAt: string
  readonly runMs: number | null
}

export interface Durations {
  readonly points: readonly (Point & { readonly queueMs: number | null })[]
  readonly band: readonly { readonly day: string; readonly p50Ms: number; readonly p95Ms: number }[]
  readonly truncated: boolean
}

export interface Strips {
  readonly strips: Readonly<Record<string, readonly Point[]>>
  readonly usual: Readonly<Record<string, { readonly p50Ms: number }>>
  readonly states: Readonly<Record<string, string>>
}

export interface Execution {
  readonly executionId: string | null
  readonly kind: string
  readonly taskId: string | null
  readonly taskName: string | null
  readonly taskType: string | null
  readonly appName: string | null
  readonly state: RunState
  readonly outcome: Outcome | null
  readonly statusText: string
  readonly node: string | null
  readonly actor?: string
  readonly triggeredAt: string | null
  readonly startedAt: string | null
  readonly stoppedAt: string | null
  readonly queueMs: number | null
  readonly runMs: number | null
  readonly attempts: number
  readonly error: string | null
}

export interface Summary {
  readonly summary: readonly {
    readonly key: string | null
    readonly runs: number
    readonly successRate: number
  }[]
}
