/** Firings that nobody was there for. */
import type { Plan } from './types.ts'

export interface Missed {
  /** How many; exact up to `MOST`. */
  readonly count: number
  /** When the last of them was due. */
  readonly last: number
}

export const MOST = 1000
const MAX_STEPS = 5000
const MINUTE_MS = 60_000
/** How far back from now the last one is looked for, when there are too many to walk through. */
const SPANS_MS = [1, 60, 24 * 60, 31 * 24 * 60].map((minutes) => minutes * MINUTE_MS)

/** Those in (after, until] that calendars and windows would have let through; null when there are none. */
export function missedFirings(plan: Plan, after: number, until: number): Missed | null {
  const { count, last, complete } = walk(plan, after, until, MOST)
  if (complete || last === null) return last === null ? null : { count, last }
  for (const span of SPANS_MS) {
    const late = walk(plan, Math.max(until - span, last), until, MAX_STEPS)
    if (late.last !== null) return { count, last: late.last }
  }
  return { count, last }
}

export const missedText = ({ count }: Missed): string =>
  count === 1 ? '1 firing was missed' : `${count >= MOST ? `${MOST} or more` : count} firings were missed`

function walk(plan: Plan, after: number, until: number, steps: number) {
  let [count, left] = [0, steps]
  let last: number | null = null
  let at = plan.next(after)
  for (; at !== null && at <= until && left > 0; at = plan.next(at), left -= 1) {
    if (plan.excluded(at) !== null) continue
    count += 1
    last = at
  }
  return { count, last, complete: at === null || at > until }
}
