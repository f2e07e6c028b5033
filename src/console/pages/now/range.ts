/** The time that the page shows: the last hours, or the last night on the clock of the site. */
import { createOffsets } from '../../../platform/offsets.ts'
import type { PageContext } from '../../page.ts'

export const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NOON_MS = DAY_MS / 2

export const LENGTHS = ['night', '12h', '24h', '48h'] as const
type Length = (typeof LENGTHS)[number]

/** Times in milliseconds since 1970. */
export interface Range {
  readonly length: Length
  readonly from: number
  readonly end: number
  /** The range goes up to now. */
  readonly isOpen: boolean
  /** `to` of the ranges before and after; null = the range that goes up to now. */
  readonly earlier: number
  readonly later: number | null
}

/** By `w` and `to` in the address. */
export function rangeOf({ query, now, settings }: Pick<PageContext, 'query' | 'now' | 'settings'>): Range {
  const length = LENGTHS.find((one) => one === query.get('w')) ?? '12h'
  const parsed = Date.parse(query.get('to') ?? '')
  const to = Number.isNaN(parsed) ? now : parsed
  const isNow = to === now
  if (length === 'night') {
    const { from, end } = lastNight(to, settings)
    const later = to + DAY_MS
    // The begin of a night belongs to the day whose last night is the one before.
    return {
      length,
      from,
      end,
      isOpen: isNow && end === now,
      earlier: from,
      later: isNow || later >= now ? null : later,
    }
  }
  const span = Number.parseInt(length, 10) * HOUR_MS
  const later = to + span
  return { length, from: to - span, end: to, isOpen: isNow, earlier: to - span, later: later >= now ? null : later }
}

/**
 * The night before the day of an instant: from `nightStart` on the clock of the site to noon, at most to the instant. A begin in
 * the afternoon is one of the day before. Milliseconds since 1970.
 */
export function lastNight(
  at: number,
  { nightStart, timezone }: Pick<PageContext['settings'], 'nightStart' | 'timezone'>,
): { readonly from: number; readonly end: number } {
  const offsets = createOffsets(timezone)
  const wall = at + offsets.at(at)
  const today = Math.floor(wall / DAY_MS) * DAY_MS
  const [hours = 0, minutes = 0] = nightStart.split(':').map(Number)
  const timeOfDay = (hours * 60 + minutes) * 60_000
  const isBefore = timeOfDay >= NOON_MS || today + timeOfDay >= wall
  const day = isBefore ? today - DAY_MS : today
  const noon = (timeOfDay >= NOON_MS ? day + DAY_MS : day) + NOON_MS
  return { from: offsets.instantOf(day + timeOfDay), end: Math.min(at, offsets.instantOf(noon)) }
}
