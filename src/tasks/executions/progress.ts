/** What the results of an execution in QRS say about it. */
import { NEVER, type QrsExecutionDetail, type QrsExecutionResult } from '../../qlik/qrs/types.ts'
import { FAILED_STATUS, meaningOf, statusTextOf } from './status.ts'
import type { ExecutionDetail, ExecutionSummary } from './types.ts'

/** An execution as far as QRS tells without looking at its task. */
export interface Progress extends ExecutionSummary {
  readonly statusNum: number
  /** Empty when QRS does not tell. */
  readonly taskId: string
  readonly appId: string | null
  readonly node: string
  /** Milliseconds since 1970. */
  readonly triggeredAt: number | null
  readonly startedAt: number | null
  readonly stoppedAt: number | null
  readonly attempts: number
  readonly details: readonly ExecutionDetail[]
  /** The newest attempt. */
  readonly result: QrsExecutionResult
}

/** After a failed attempt the next one begins within this time, if there is one. */
const RETRY_WITHIN_MS = 60_000

/** True when only the execution's session can tell whether the failed attempt was the last. */
export function mayBeRetried(results: readonly QrsExecutionResult[], now: number): boolean {
  const last = results.at(-1)
  if (last?.status !== FAILED_STATUS) return false
  const stoppedAt = timeOf(last.stopTime)
  return stoppedAt === null || now - stoppedAt < RETRY_WITHIN_MS
}

/** `results` are the attempts, oldest first; `goesOn` = another attempt follows the failed last one. Null without any. */
export function progressOf(results: readonly QrsExecutionResult[], goesOn: boolean): Progress | null {
  const [first] = results
  const last = results.at(-1)
  if (!first || !last) return null
  const { state, outcome } = goesOn ? { state: 'running' as const, outcome: null } : meaningOf(last.status)
  const details = results.flatMap((result) => [...result.details].sort(byDate))
  const triggeredAt = timeOf(first.startTime)
  const startedAt = startOf(details)
  const stoppedAt = state === 'finished' ? timeOf(last.stopTime) : null
  return {
    state,
    outcome,
    statusText: statusTextOf(last.status),
    queueMs: span(triggeredAt, startedAt),
    runMs: span(startedAt, stoppedAt) ?? (state === 'finished' ? last.duration : null),
    statusNum: last.status,
    taskId: last.taskID ?? '',
    appId: 'appID' in last && typeof last.appID === 'string' ? last.appID : null,
    node: last.executingNodeName,
    triggeredAt,
    startedAt,
    stoppedAt,
    attempts: results.length,
    details: details.map(detailOf),
    result: last,
  }
}

/** The members that answers to start requests tell. */
export function summaryOf({ state, outcome, statusText, queueMs, runMs }: ExecutionSummary): ExecutionSummary {
  return { state, outcome, statusText, queueMs, runMs }
}

/** QRS has accepted the start and was not asked since. */
export const JUST_TRIGGERED: ExecutionSummary = {
  state: 'queued',
  outcome: null,
  statusText: statusTextOf(1),
  queueMs: null,
  runMs: null,
}

/** Milliseconds since 1970; null for "never" and what is no time. */
export function timeOf(text: string | undefined): number | null {
  if (!text || text.startsWith(NEVER.slice(0, 4))) return null
  const time = Date.parse(text)
  return Number.isNaN(time) ? null : time
}

/** QRS writes the change of state into the details and nowhere else. */
function startOf(details: readonly QrsExecutionDetail[]): number | null {
  return timeOf(details.find(({ message }) => /\bto Started\b/.test(message))?.detailCreatedDate)
}

function span(from: number | null, to: number | null): number | null {
  return from === null || to === null ? null : Math.max(0, to - from)
}

const LEVELS = ['error', 'warn', 'info'] as const

function detailOf({ detailCreatedDate, detailsType, message }: QrsExecutionDetail): ExecutionDetail {
  return { at: detailCreatedDate, level: LEVELS[detailsType] ?? 'info', message }
}

function byDate(a: QrsExecutionDetail, b: QrsExecutionDetail): number {
  return a.detailCreatedDate < b.detailCreatedDate ? -1 : a.detailCreatedDate > b.detailCreatedDate ? 1 : 0
}
