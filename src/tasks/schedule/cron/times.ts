/**
 * The instants at which a schedule fires. On days with a clock change:
 * - times that a gap skips fire once, at its end, unless the expression fires in every hour anyway;
 * - times that come twice fire once, the first time, when hour and minute are plain numbers; others go on through both.
 */
import type { Offsets } from '../../../platform/offsets.ts'
import type { CronFields } from './fields.ts'
import { nextWall } from './next.ts'

export interface Times {
  /** The first instant after `after` (both ms since 1970); null when there is none. */
  next(after: number): number | null
}

/** Where a clock is set back, times of the hours before are looked at. */
const LOOK_BACK_MS = 3 * 3_600_000
/** Each round crosses one clock change; a schedule that fires once in years crosses many. */
const MAX_ROUNDS = 500

export function createTimes(fields: CronFields, offsets: Offsets): Times {
  const fillsGaps = fields.hours.length < 24

  /** Whether the same wall-clock time was there before, on the clock before the change. */
  function isSecond(instant: number): boolean {
    const now = offsets.at(instant)
    const before = offsets.at(instant - LOOK_BACK_MS)
    return before > now && offsets.at(instant - (before - now)) === before
  }

  function next(after: number): number | null {
    let from = after
    for (let round = 0; round < MAX_ROUNDS; round += 1) {
      const offset = offsets.at(from)
      const wall = nextWall(fields, from + offset)
      if (wall === null) return null
      const instant = wall - offset
      const change = offsets.changeIn(from, instant)
      const found = change === null ? instant : atChange(change)
      if (found !== null && !(fields.fixed && isSecond(found))) return found
      from = found ?? change!
    }
    return null
  }

  /** The change itself when something fires there: by the new clock, or instead of what its gap skips. */
  function atChange(change: number): number | null {
    const before = change + offsets.at(change - 1)
    const after = change + offsets.at(change)
    if (nextWall(fields, after - 1) === after) return change
    const skipped = fillsGaps && after > before ? nextWall(fields, before - 1) : null
    return skipped !== null && skipped < after ? change : null
  }

  return { next }
}
