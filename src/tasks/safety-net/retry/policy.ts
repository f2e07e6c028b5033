/** The custom property of a task that says how it is started again: `3x/5m*2 if connection`. */
import { parseDuration } from '../../../platform/duration.ts'

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

export type ParsedRetryPolicy =
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
