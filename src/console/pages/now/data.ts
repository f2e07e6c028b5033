/** Members of `GET /v4/timeline` that the page uses. */

export interface TaskRef {
  readonly taskId: string
  readonly taskName: string
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
