/**
 * Offsets of a time zone from UTC for frequent lookups: the clock changes of a year are computed once.
 */
import { createZone } from './zone.ts'

export interface Offsets {
  /** Offset from UTC at that instant, in milliseconds. */
  at(instant: number): number
  /** The first clock change in (after, until]; null when there is none. */
  changeIn(after: number, until: number): number | null
  /** The instant of a wall-clock time: the first one when it occurs twice, the end of the gap when it does not occur. */
  instantOf(wall: number): number
}

interface Change {
  readonly at: number
  readonly offset: number
}

const DAY_MS = 86_400_000
/** Changes are looked up for so long at once. */
const SPAN_MS = 400 * DAY_MS
/** No clock is set back further. */
const LONGEST_OVERLAP_MS = 26 * 3_600_000

export function createOffsets(timezone: string): Offsets {
  const zone = createZone(timezone)
  const spans = new Map<number, { readonly offset: number; readonly changes: readonly Change[] }>()
  const offsetOf = (instant: number): number => zone.wall(instant) - instant

  function spanOf(index: number) {
    const known = spans.get(index)
    if (known) return known
    const start = index * SPAN_MS
    const changes: Change[] = []
    let offset = offsetOf(start)
    const span = { offset, changes }
    for (let low = start; low < start + SPAN_MS; low += DAY_MS) {
      const high = Math.min(low + DAY_MS, start + SPAN_MS)
      const after = offsetOf(high)
      if (after === offset) continue
      changes.push({ at: edge(low, high, offset), offset: after })
      offset = after
    }
    spans.set(index, span)
    return span
  }

  /** The first full second with another offset than `before`, which is the one at `from`. */
  function edge(from: number, to: number, before: number): number {
    let low = Math.floor(from / 1000)
    let high = Math.floor(to / 1000)
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2)
      if (offsetOf(middle * 1000) === before) low = middle
      else high = middle
    }
    return high * 1000
  }

  function at(instant: number): number {
    const { offset, changes } = spanOf(Math.floor(instant / SPAN_MS))
    return changes.findLast((change) => change.at <= instant)?.offset ?? offset
  }

  function changeIn(after: number, until: number): number | null {
    for (let index = Math.floor(after / SPAN_MS); index * SPAN_MS <= until; index += 1) {
      const found = spanOf(index).changes.find((change) => change.at > after && change.at <= until)
      if (found) return found.at
    }
    return null
  }

  return {
    at,
    changeIn,
    instantOf(wall) {
      // The earliest offset that may hold; what comes later is another occurrence of the same time.
      const early = wall - at(wall - LONGEST_OVERLAP_MS)
      if (early + at(early) === wall) return early
      const late = wall - at(wall + LONGEST_OVERLAP_MS)
      if (late + at(late) === wall) return late
      return changeIn(Math.min(early, late) - LONGEST_OVERLAP_MS, Math.max(early, late)) ?? late
    },
  }
}
