/** Places on the time axis, in percent of the picture, and the lines that cross it. */
import { createOffsets } from '../../../platform/offsets.ts'
import { clockText, dayText, weekdayText } from '../../ui/text.tsx'

export interface Scale {
  readonly from: number
  /** End of the picture: the end of the range, or of the time after now. */
  readonly end: number
  /** Percent of the width, 0 to 100, with two decimals; an instant outside stands at the edge. */
  at(instant: number): number
}

export function scaleOf(from: number, end: number): Scale {
  const at = (instant: number) => Math.round((10_000 * (clamp(instant, from, end) - from)) / (end - from)) / 100
  return { from, end, at }
}

const clamp = (value: number, low: number, high: number) => Math.min(high, Math.max(low, value))

export interface Tick {
  readonly at: number
  readonly text: string
}

const HOUR_MS = 3_600_000
const DAY_HOURS = 24
/** Hours between two lines. */
const STEPS = [0.25, 0.5, 1, 2, 4, 8, DAY_HOURS, 2 * DAY_HOURS, 7 * DAY_HOURS, 14 * DAY_HOURS, 30 * DAY_HOURS]
const MOST_TICKS = 9
/** 5 January 1970: weeks are counted from there. */
const A_MONDAY = 4 * DAY_HOURS * HOUR_MS

/**
 * Round times of the site's clock, about `most` of them; where the day begins, the day. An hour that clocks repeat stands there
 * twice.
 */
export function ticksOf({ from, end }: Pick<Scale, 'from' | 'end'>, timezone: string, most = MOST_TICKS): Tick[] {
  const step = STEPS.find((hours) => end - from <= most * hours * HOUR_MS) ?? 60 * DAY_HOURS
  return step < DAY_HOURS ? hoursOf(from, end, timezone, step) : daysOf(from, end, timezone, step * HOUR_MS)
}

function hoursOf(from: number, end: number, timezone: string, step: number): Tick[] {
  const ticks: Tick[] = []
  const quarter = HOUR_MS / 4
  for (let at = Math.ceil(from / quarter) * quarter; at < end; at += quarter) {
    const clock = clockText(at, timezone)
    const [hour = 0, minute = 0] = clock.split(':').map(Number)
    const minutes = 60 * hour + minute
    if (minutes % (60 * step) !== 0) continue
    ticks.push({ at, text: minutes === 0 ? weekdayText(at, timezone).replace(/ \D+$/, '') : clock })
  }
  return ticks
}

function daysOf(from: number, end: number, timezone: string, step: number): Tick[] {
  const offsets = createOffsets(timezone)
  const ticks: Tick[] = []
  const first = from + offsets.at(from) - A_MONDAY
  for (let wall = A_MONDAY + Math.ceil(first / step) * step; ; wall += step) {
    const at = offsets.instantOf(wall)
    if (at >= end) return ticks
    ticks.push({ at, text: dayText(at, timezone) })
  }
}

/** Spans that lie closer together than `gap` as one; sorted by their begin. */
export function merged(spans: readonly (readonly [from: number, to: number])[], gap: number): [number, number][] {
  const joined: [number, number][] = []
  for (const [from, to] of spans.toSorted((a, b) => a[0] - b[0])) {
    const last = joined.at(-1)
    if (last && from - last[1] <= gap) last[1] = Math.max(last[1], to)
    else joined.push([from, to])
  }
  return joined
}
