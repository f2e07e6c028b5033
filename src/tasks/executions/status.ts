/** The state of an execution from its results in QRS: statuses, times, attempts, error text; and the cache of such states. */

import type { Clock } from '../../platform/types.ts'
import { failureReason, inOrder } from '../../qlik/qrs/execution.ts'
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import {
  type ExecutionReader,
  NEVER,
  type QrsExecutionDetail,
  type QrsExecutionResult,
  type QrsTask,
} from '../../qlik/qrs/types.ts'
import type { ExecutionDetail, ExecutionSummary } from './contract.ts'
import { type ExecutionOutcome, type ExecutionState, TASK_TYPES } from './kinds.ts'

interface StatusMeaning {
  readonly state: ExecutionState
  readonly outcome: ExecutionOutcome | null
}

/** Failed; another attempt may follow while the session lives. */
const FAILED_STATUS = 8

const QUEUED: StatusMeaning = { state: 'queued', outcome: null }
const RUNNING: StatusMeaning = { state: 'running', outcome: null }
const finished = (outcome: ExecutionOutcome): StatusMeaning => ({ state: 'finished', outcome })

/** By status number. */
const MEANINGS: readonly StatusMeaning[] = [
  QUEUED,
  QUEUED,
  RUNNING,
  QUEUED,
  RUNNING,
  RUNNING,
  finished('aborted'),
  finished('success'),
  finished('failed'),
  finished('skipped'),
  RUNNING,
  finished('failed'),
  finished('aborted'),
  RUNNING,
  RUNNING,
]

/** The numbers that are known. */
export const STATUSES: readonly number[] = MEANINGS.map((_, status) => status)

/** Statuses that later servers may add count as running: nothing is called final by mistake. */
export function meaningOf(status: number): StatusMeaning {
  return MEANINGS[status] ?? RUNNING
}

export function statusTextOf(status: number): string {
  return STATUS_TEXTS[status] ?? `Status ${status}`
}

export function taskTypeText(taskType: number): string {
  return TASK_TYPES[taskType] ?? `type ${taskType}`
}

/** An execution as far as its results show it, without its task. */
export interface Progress extends ExecutionSummary {
  readonly statusNum: number
  /** Empty when unknown. */
  readonly taskId: string
  readonly appId: string | null
  readonly node: string
  /** Milliseconds since 1970. */
  readonly triggeredAt: number | null
  readonly startedAt: number | null
  readonly stoppedAt: number | null
  readonly attempts: number
  readonly details: readonly ExecutionDetail[]
  /** Why it failed, as far as its details say. */
  readonly errorDetail: string | null
  /** The newest attempt. */
  readonly result: QrsExecutionResult
}

/** After a failed attempt the next one begins within this time, if there is one. */
const RETRY_WITHIN_MS = 60_000

/** True when only the execution's session shows whether the failed attempt was the last. */
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
  const details = results.flatMap((result) => inOrder(result.details))
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
    errorDetail: outcome && failureReason({ outcome, log: [], details }),
    result: last,
  }
}

/** False: one result is the whole execution. */
export const mayHaveAttempts = ({ maxRetries = 0 }: QrsTask): boolean => maxRetries > 0

/** The members that answers to start requests contain. */
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

/** Null when the task never ran. */
export function lastResultOf({ operational }: QrsTask): QrsExecutionResult | null {
  const result = operational?.lastExecutionResult
  return result && result.status > 0 ? result : null
}

/** Null stays null. */
export const isoOf = <Time extends number | null>(time: Time) =>
  (time === null ? null : new Date(time).toISOString()) as Time extends null ? null : string

// The execution-status cache.

export interface KnownStatus {
  /** Null when QRS does not know the execution. */
  readonly progress: Progress | null
  /** When it was asked. */
  readonly at: number
}

/** Asks QRS for the states of many executions with one request, and keeps the answers. */
export interface StatusCache {
  /** The states in QRS now; rejects with a `QrsError` when it cannot be asked. */
  ask(executionIds: readonly string[]): Promise<ReadonlyMap<string, KnownStatus>>
  /** The last answer, however old. */
  last(executionId: string): KnownStatus | undefined
  /** The last answer if it is final or at most `maxAgeMs` old, else a new one. */
  recent(executionId: string, maxAgeMs: number): Promise<KnownStatus>
  /** Something has happened: the next question goes to QRS again. */
  outdate(executionId: string): void
}

/** Answers that are kept; the oldest go first. */
const KEEP = 2000

export function createStatusCache({ qrs, clock }: { qrs: ExecutionReader; clock: Clock }): StatusCache {
  const known = new Map<string, KnownStatus>()
  const asked = new Map<string, Promise<ReadonlyMap<string, KnownStatus>>>()

  async function ask(executionIds: readonly string[]): Promise<ReadonlyMap<string, KnownStatus>> {
    const ids = [...new Set(executionIds.map((id) => id.toLowerCase()))]
    const results = Map.groupBy(await qrs.resultsOfExecutions(ids), ({ executionID }) => executionID?.toLowerCase())
    const looks = new Map<string, KnownStatus>()
    await Promise.all(
      ids.map(async (id) => {
        const seen = { progress: await judge(id, results.get(id) ?? []), at: clock.now() }
        looks.set(id, seen)
        remember(id, seen)
      }),
    )
    return looks
  }

  async function judge(id: string, results: readonly QrsExecutionResult[]): Promise<Progress | null> {
    if (results.length > 0 && !mayBeRetried(results, clock.now())) return progressOf(results, false)
    const session = await qrs.executionSession(id)
    if (results.length > 0) return progressOf(results, session !== null)
    // A run that has just begun may have no result of its own yet.
    return session?.result ? progressOf([{ ...session.result, taskID: session.task?.id }], false) : null
  }

  function remember(id: string, seen: KnownStatus): void {
    known.delete(id)
    known.set(id, seen)
    const oldest = known.size > KEEP ? known.keys().next().value : undefined
    if (oldest !== undefined) known.delete(oldest)
  }

  return {
    ask,
    last: (executionId) => known.get(executionId.toLowerCase()),
    async recent(executionId, maxAgeMs) {
      const id = executionId.toLowerCase()
      const before = known.get(id)
      if (before?.progress?.state === 'finished') return before
      if (before?.progress && clock.now() - before.at <= maxAgeMs) return before
      // Questions that come at the same time share one request.
      const pending = asked.get(id) ?? ask([id]).finally(() => asked.delete(id))
      asked.set(id, pending)
      return (await pending).get(id)!
    },
    outdate(executionId) {
      const id = executionId.toLowerCase()
      const before = known.get(id)
      if (before && before.progress?.state !== 'finished') known.set(id, { ...before, at: 0 })
    },
  }
}
