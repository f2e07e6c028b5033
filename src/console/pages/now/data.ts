/** Members of `GET /v4/attention` and `GET /v4/timeline` that the page uses. */

export interface TaskRef {
  readonly taskId: string
  readonly taskName: string
}

export type Kind =
  | 'taskFailed'
  | 'neverStarted'
  | 'stuck'
  | 'late'
  | 'overdue'
  | 'overUsual'
  | 'deadDeliveries'
  | 'destinationDown'
  | 'self'
  | 'service'
  | 'licence'
  | 'reportFailed'
  | 'reportHeld'
  | 'scheduleInvalid'
  | 'dropped'

export interface Item {
  readonly key: string
  readonly kind: Kind
  readonly severity: 'error' | 'warning' | 'info'
  readonly since: string
  readonly title: string
  readonly cause: string | null
  readonly task: TaskRef | null
  readonly eventId: string | null
  readonly executionId: string | null
  readonly count: number
  readonly outcome: 'failed' | 'aborted' | null
  readonly dueAt: string | null
  readonly alerted: readonly { readonly destination: string; readonly target: string; readonly at: string }[]
  readonly heldBack: readonly { readonly reason: string; readonly count: number; readonly snoozeId: string | null }[]
  readonly quiet: {
    readonly reason: 'SNOOZED' | 'MAINTENANCE'
    readonly detail: string
    readonly until: string | null
  } | null
  readonly behind: readonly TaskRef[]
  readonly parent: string | null
  readonly runningAgain: {
    readonly executionId: string | null
    readonly state: 'queued' | 'running'
    readonly startedAt: string
    readonly expectedEnd: string
    readonly over: boolean
    readonly overByMs: number
  } | null
  readonly usualMs: number | null
  readonly retry: { readonly attempt: number; readonly max: number; readonly at: string } | null
  readonly taken: { readonly by: string; readonly at: string; readonly note: string } | null
  readonly recovered: {
    readonly at: string
    readonly how: 'itself' | 'retry' | 'start'
    readonly by: string | null
  } | null
}

export interface Attention {
  readonly items: readonly Item[]
  readonly hidden: readonly string[]
  readonly count: number
}

export type Outcome = 'success' | 'failed' | 'aborted' | 'skipped' | 'unknown'

export type Bar =
  | {
      readonly kind: 'execution'
      readonly executionId: string | null
      readonly outcome: Outcome
      readonly triggeredAt: string | null
      readonly startedAt: string | null
      readonly stoppedAt: string
      readonly usualMs: number | null
    }
  | {
      readonly kind: 'batch'
      readonly from: string
      readonly to: string
      readonly count: number
      readonly worst: Outcome
    }
  | { readonly kind: 'missing'; readonly dueAt: string; readonly trigger: string }
  | {
      readonly kind: 'running'
      readonly executionId: string | null
      readonly state: 'queued' | 'running'
      readonly startedAt: string
      readonly expectedEnd: string
      readonly pessimisticEnd: string
      readonly over: boolean
      readonly overByMs: number
    }
  | { readonly kind: 'forecast'; readonly plannedAt: string; readonly expectedEnd: string; readonly trigger: string }

export interface Row extends TaskRef {
  readonly taskType: string | null
  readonly state: Outcome | 'queued' | 'running' | 'finished' | null
  readonly failingSince: string | null
  readonly runs: number
  readonly problem: boolean
  readonly usualMs: number | null
  readonly bars: readonly Bar[]
}

export interface Group {
  readonly key: string | null
  readonly problems: number
  readonly rows: readonly Row[]
}

export interface Timeline {
  readonly from: string
  readonly to: string
  readonly now: string
  readonly future: string
  readonly summary: {
    readonly runs: number
    readonly success: number
    readonly failed: number
    readonly aborted: number
    readonly recovered: number
    readonly stillFailing: number
    readonly neverStarted: number
  }
  readonly groups: readonly Group[]
  readonly properties: readonly string[]
  readonly maintenance: readonly { readonly name: string; readonly from: string; readonly to: string }[]
  readonly rowsLeftOut: number
  readonly stale: boolean
  readonly partial: boolean
}
