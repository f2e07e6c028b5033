/** Questions about the history and their answers; they cross into a thread of their own. */
import type { ExecutionOutcome } from '../types.ts'

/** Null = any. A list = any of them. Times in milliseconds since 1970. */
export interface HistoryFilter {
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

export const GROUPINGS = ['task', 'app', 'node', 'type', 'day', 'hour'] as const
export type Grouping = (typeof GROUPINGS)[number]

export const SORTINGS = ['runs', 'failures', 'p95', 'total'] as const
export type Sorting = (typeof SORTINGS)[number]

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
  /** Of days and hours; '' = the zone of this computer. */
  readonly timezone: string
  readonly offset: number
  readonly limit: number
}

/** As told over REST: an execution without its details. Times are ISO 8601. */
export interface HistoryItem {
  readonly executionId: string | null
  readonly kind: 'task'
  readonly taskId: string
  readonly taskName: string
  readonly taskType: string
  readonly appId: string | null
  readonly appName: string | null
  readonly state: 'finished'
  readonly outcome: ExecutionOutcome
  readonly statusNum: number | null
  readonly statusText: string
  readonly node: string | null
  readonly actor?: string
  readonly triggeredAt: string | null
  readonly startedAt: string | null
  readonly stoppedAt: string
  readonly queueMs: number | null
  readonly runMs: number | null
  readonly attempts: number
  readonly error: string | null
}

export interface ListAnswer {
  readonly executions: readonly HistoryItem[]
  readonly next: HistoryPosition | null
}

export interface SummaryGroup {
  readonly key: string | null
  readonly name: string | null
  readonly runs: number
  readonly success: number
  readonly failed: number
  readonly aborted: number
  /** 0 to 1. */
  readonly successRate: number
  /** Milliseconds; null when no run time is known. */
  readonly runMs: {
    readonly min: number
    readonly p50: number
    readonly p95: number
    readonly max: number
    readonly total: number
  } | null
  readonly queueMs: { readonly p50: number; readonly p95: number; readonly max: number } | null
  readonly lastOutcome: ExecutionOutcome
  readonly lastStoppedAt: string
}

export interface SummaryAnswer {
  readonly summary: readonly SummaryGroup[]
  /** Offset of the next page. */
  readonly next: number | null
}

export type HistoryQuery = ListQuery | SummaryQuery
export type AnswerOf<Q extends HistoryQuery> = Q extends ListQuery ? ListAnswer : SummaryAnswer
