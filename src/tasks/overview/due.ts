/** Definitions of due and missing: the custom property `dueBy`, and planned starts to which no execution belongs. */
import { DAY_MS, dayOf, WEEKDAYS } from '../../platform/calendar.ts'
import { parseDuration } from '../../platform/duration.ts'
import type { Offsets } from '../../platform/offsets.ts'
import { deviation, median } from '../safety-net/policies.ts'

/** One value of `dueBy`: a time of day, on some days of the week, or a length of time from the planned start. */
type DueRule =
  | { readonly kind: 'after'; readonly ms: number }
  /** Milliseconds of the day; days as numbers, 0 = Monday; null = every day. */
  | { readonly kind: 'clock'; readonly timeOfDay: number; readonly days: ReadonlySet<number> | null }

const CLOCK = /^(?:(\w{3}(?:-\w{3})?(?:\s*,\s*\w{3}(?:-\w{3})?)*)\s+)?([01]?\d|2[0-3]):([0-5]\d)$/i

/** `07:30`, `mon-fri 07:30`, `+45m`; null when it has none of these forms. */
export function parseDue(text: string): DueRule | null {
  const trimmed = text.trim()
  if (trimmed.startsWith('+')) {
    const duration = parseDuration(trimmed.slice(1))
    return duration.ok ? { kind: 'after', ms: duration.value } : null
  }
  const [whole, days, hours, minutes] = CLOCK.exec(trimmed) ?? []
  if (whole === undefined) return null
  const wanted = days === undefined ? null : daysOf(days.toLowerCase())
  if (wanted?.size === 0) return null
  return { kind: 'clock', timeOfDay: (Number(hours) * 60 + Number(minutes)) * 60_000, days: wanted }
}

/** Empty when a name is none. */
function daysOf(text: string): ReadonlySet<number> {
  const found = new Set<number>()
  for (const part of text.split(',')) {
    const [first = '', last = first] = part.trim().split('-')
    const [from, to] = [first, last].map((name) => WEEKDAYS.indexOf(name as (typeof WEEKDAYS)[number]))
    if (from === undefined || to === undefined || from < 0 || to < 0) return new Set()
    for (let day = from; ; day = (day + 1) % 7) {
      found.add(day)
      if (day === to) break
    }
  }
  return found
}

/** When a run that was planned then is due, by the first rule that fits; null without one. */
export function dueAt(rules: readonly DueRule[], plannedAt: number, offsets: Offsets): number | null {
  const planned = dayOf(plannedAt + offsets.at(plannedAt))
  for (const rule of rules) {
    if (rule.kind === 'after') return plannedAt + rule.ms
    const at = [planned, planned + 1]
      .map((day) => ({ day, at: offsets.instantOf(day * DAY_MS + rule.timeOfDay) }))
      .find((one) => one.at > plannedAt)
    // 1970-01-01 was a Thursday.
    if (at && (rule.days === null || rule.days.has((((at.day + 3) % 7) + 7) % 7))) return at.at
  }
  return null
}

const WAVES = 10
const DEVIATIONS = 6
const LEAST_MS = 15 * 60_000

/** How long after its planned start a task has usually ended; null with fewer than ten distances. Milliseconds. */
export function usualDistance(distances: readonly number[]): number | null {
  if (distances.length < WAVES) return null
  const usual = median(distances)
  return usual + Math.max(DEVIATIONS * deviation(distances, usual), LEAST_MS)
}

/** A planned start. */
export interface Planned {
  readonly at: number
  /** Name of the trigger. */
  readonly trigger: string
}

/** An execution with its span; what has not ended has no end. */
export interface Span {
  readonly triggeredAt: number
  readonly stoppedAt: number | null
}

/** A start may be so much earlier than planned, as clocks differ. */
const EARLY_MS = 2 * 60_000

/**
 * The planned starts to which no execution belongs. An execution belongs to the nearest planned start at most two minutes
 * after it was triggered and `limitMs` before; each planned start has one execution at most. A planned start during an
 * execution is none that is missing. Both lists ascending; all planned starts are older than `limitMs`.
 */
export function missingStarts(planned: readonly Planned[], spans: readonly Span[], limitMs: number): Planned[] {
  const taken = new Set<Planned>()
  for (const { triggeredAt } of spans) {
    let nearest: Planned | null = null
    for (const one of planned) {
      if (one.at > triggeredAt + EARLY_MS) break
      if (one.at < triggeredAt - limitMs || taken.has(one)) continue
      if (nearest === null || Math.abs(one.at - triggeredAt) < Math.abs(nearest.at - triggeredAt)) nearest = one
    }
    if (nearest) taken.add(nearest)
  }
  const ranThrough = ({ at }: Planned) =>
    spans.some(({ triggeredAt, stoppedAt }) => triggeredAt <= at && (stoppedAt === null || stoppedAt >= at))
  return planned.filter((one) => !taken.has(one) && !ranThrough(one))
}
