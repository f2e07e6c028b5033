/** The state of an execution from its results in QRS: statuses, times, attempts, error text. */
import { STATUS_TEXTS } from '../../qlik/qrs/status.ts'
import { NEVER, type QrsExecutionDetail, type QrsExecutionResult, type QrsTask } from '../../qlik/qrs/types.ts'
import type { ExecutionDetail, ExecutionOutcome, ExecutionState, ExecutionSummary } from './types.ts'

export const STATES = ['queued', 'running', 'finished'] as const satisfies ExecutionState[]
export const OUTCOMES = ['success', 'failed', 'aborted', 'skipped', 'unknown'] as const satisfies ExecutionOutcome[]

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

/** By the number of QRS. */
export const TASK_TYPES = ['reload', 'externalProgram', 'userSync', 'distribute', 'preload'] as const

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

function byDate(a: QrsExecutionDetail, b: QrsExecutionDetail): number {
  return a.detailCreatedDate < b.detailCreatedDate ? -1 : a.detailCreatedDate > b.detailCreatedDate ? 1 : 0
}

/** Null when the task never ran. */
export function lastResultOf({ operational }: QrsTask): QrsExecutionResult | null {
  const result = operational?.lastExecutionResult
  return result && result.status > 0 ? result : null
}

/** Null stays null. */
export function isoOf(time: number | null): string | null {
  return time === null ? null : new Date(time).toISOString()
}

/** What went wrong, in the words of the script log: the last `Error: ...`; null when there is none. */
export function scriptError(log: string): string | null {
  const lines = log.split(/\r?\n/)
  const line = lines.findLast((candidate) => /(^|\s)Error: /.test(candidate))
  return line === undefined ? null : line.slice(line.search(/(?<=^|\s)Error: /)).trim()
}
