/** Places on the time axis, in percent of the picture, and the lines that cross it. */
import { clockText, weekdayText } from '../../ui/text.tsx'

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
/** Hours between two lines, by the longest range in hours that they suit. */
const STEPS = [
  [8, 1],
  [18, 2],
  [36, 4],
  [72, 8],
] as const

/** Full hours of the site's clock; where the day begins, the day. An hour that clocks repeat stands there twice. */
export function ticksOf({ from, end }: Scale, timezone: string): Tick[] {
  const hours = (end - from) / HOUR_MS
  const step = STEPS.find(([most]) => hours <= most)?.[1] ?? 24
  const ticks: Tick[] = []
  const quarter = HOUR_MS / 4
  for (let at = Math.ceil(from / quarter) * quarter; at < end; at += quarter) {
    const [hour = 0, minute = 0] = clockText(at, timezone).split(':').map(Number)
    if (minute !== 0 || hour % step !== 0) continue
    ticks.push({ at, text: hour === 0 ? weekdayText(at, timezone).replace(/ \D+$/, '') : clockText(at, timezone) })
  }
  return ticks
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
