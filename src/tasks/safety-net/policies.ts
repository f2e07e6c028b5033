/**
 * Policies in custom properties of tasks: `3x/5m*2 if connection` for retries, `late=30m; stuck=2h` for the watchdog; and
 * the limits of tasks without a policy, learnt from their last successful executions.
 */
import { parseDuration } from '../../platform/duration.ts'
import { usualDuration } from '../../platform/usual.ts'
import type { WatchdogConfig } from './config.ts'

export interface RetryPolicy {
  /** How often it is started again. */
  readonly max: number
  /** From a failure to the first retry, in milliseconds. */
  readonly delayMs: number
  /** By how much each delay is longer than the one before. */
  readonly factor: number
  /** Only errors that hold this text, ignoring case; null = any. */
  readonly condition: string | null
}

type ParsedRetryPolicy =
  | { readonly ok: true; readonly policy: RetryPolicy }
  | { readonly ok: false; readonly error: string }

const FORM = /^(\d+)\s*x\s*\/\s*([^\s*]+?)(?:\s*\*\s*(\d+(?:\.\d+)?))?(?:\s+if\s+(.+))?$/i
const SHORTEST_MS = 10_000
const LONGEST_MS = 86_400_000

export function parseRetryPolicy(text: string): ParsedRetryPolicy {
  const match = FORM.exec(text.trim())
  if (!match) return wrong(`"${text}" is not of the form 3x/5m, 3x/5m*2 or 3x/5m if connection`)
  const [, times = '', delay = '', factorText = '1', condition = ''] = match
  const max = Number(times)
  if (max < 1 || max > 10) return wrong(`${times} is not a number of tries from 1 to 10`)
  const duration = parseDuration(delay)
  if (!duration.ok || duration.value < SHORTEST_MS || duration.value > LONGEST_MS) {
    return wrong(`"${delay}" is not a time from 10s to 24h`)
  }
  const factor = Number(factorText)
  if (factor < 1 || factor > 10) return wrong(`${factorText} is not a factor from 1 to 10`)
  return { ok: true, policy: { max, delayMs: duration.value, factor, condition: condition.trim() || null } }
}

const wrong = (error: string): ParsedRetryPolicy => ({ ok: false, error })

/** From a failure to the `attempt`-th retry (1 = the first), at most a day. */
export function delayBefore({ delayMs, factor }: RetryPolicy, attempt: number): number {
  return Math.min(delayMs * factor ** (attempt - 1), LONGEST_MS)
}

const NAMES = ['late', 'stuck', 'neverStarted'] as const
export type WatchName = (typeof NAMES)[number]

/** Fixed limits in milliseconds; `off` = never; absent = as learnt. */
export type WatchPolicy = Readonly<Partial<Record<WatchName, number | 'off'>>>

type ParsedPolicy = { readonly ok: true; readonly policy: WatchPolicy } | { readonly ok: false; readonly error: string }

const MINUTE_MS = 60_000
const MONTH_MS = 30 * 86_400_000
const ALL_OFF: WatchPolicy = { late: 'off', stuck: 'off', neverStarted: 'off' }

/** Limits go from 1m to 30d. */
export function parseWatchPolicy(text: string): ParsedPolicy {
  if (/^\s*off\s*$/i.test(text)) return { ok: true, policy: ALL_OFF }
  const policy: Partial<Record<WatchName, number | 'off'>> = {}
  for (const part of text.split(';').filter((one) => one.trim() !== '')) {
    const [, word = '', value = ''] = /^\s*(\w+)\s*=\s*(\S+)\s*$/.exec(part) ?? []
    const name = NAMES.find((one) => one.toLowerCase() === word.toLowerCase())
    if (!name) return { ok: false, error: `"${part.trim()}" is none of late=..., stuck=..., neverStarted=...` }
    const limit = limitOf(value)
    if (limit === null) return { ok: false, error: `"${value}" is neither off nor a time from 1m to 30d` }
    policy[name] = limit
  }
  return { ok: true, policy }
}

function limitOf(value: string): number | 'off' | null {
  if (value.toLowerCase() === 'off') return 'off'
  const duration = parseDuration(value)
  return duration.ok && duration.value >= MINUTE_MS && duration.value <= MONTH_MS ? duration.value : null
}

// Usual waits and run times of a task, learnt from its last successful executions, and the limits that follow.

/** Milliseconds; null where it was not measured. */
export interface Run {
  readonly runMs: number | null
  readonly queueMs: number | null
}

interface Limit {
  readonly limitMs: number
  /** The median, of waits or of run times; null when nothing is known. */
  readonly usualMs: number | null
}

const TEN_MINUTES = 600_000
/** Median absolute deviations beyond the median that still count as usual. */
const DEVIATIONS = 6

/** How long a task may wait in the queue. */
export function queueLimit(runs: readonly Run[], { lateAfter }: Pick<WatchdogConfig, 'lateAfter'>): Limit {
  const times = runs.flatMap(({ queueMs }) => queueMs ?? [])
  if (times.length === 0) return { limitMs: lateAfter, usualMs: null }
  const middle = median(times)
  const limitMs = Math.max(lateAfter, middle + DEVIATIONS * deviation(times, middle))
  return { limitMs, usualMs: usualDuration(times) }
}

/** How long a task may run; null while too few of its runs are known. */
export function runLimit(
  runs: readonly Run[],
  { stuckFactor, minRuns }: Pick<WatchdogConfig, 'stuckFactor' | 'minRuns'>,
): Limit | null {
  const times = runs.flatMap(({ runMs }) => runMs ?? [])
  if (times.length < minRuns) return null
  const middle = median(times)
  const unusual = middle + DEVIATIONS * deviation(times, middle)
  const limitMs = Math.max(middle * stuckFactor, unusual, middle + TEN_MINUTES)
  return { limitMs, usualMs: usualDuration(times) }
}

/** The list must not be empty; an even number of values gives the middle of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return (sorted[Math.floor(middle)]! + sorted[Math.ceil(middle) - 1]!) / 2
}

/** The median absolute deviation. */
export function deviation(values: readonly number[], from: number): number {
  return median(values.map((value) => Math.abs(value - from)))
}
