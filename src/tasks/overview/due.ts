/** Definitions of due and missing: when a run has to have ended, and planned starts to which no execution belongs. */
import { DAY_MS, dayOf } from '../../platform/calendar.ts'
import type { Offsets } from '../../platform/offsets.ts'
import { deviation, median } from '../../platform/usual.ts'
import type { DueRule } from '../safety-net/config-policies.ts'

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
