/** The ends of a snooze that pages offer, on the clock of the site. */
import { createOffsets } from '../../../platform/offsets.ts'
import type { SiteSettings } from '../../page.ts'

export interface SnoozeEnd {
  /** Value of the field `when`: `1h`, `success`, or a word and the time that it stands for, which holds as it was shown. */
  readonly value: string
  readonly text: string
}

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** 07:00 */
const MORNING_MS = 7 * 3_600_000
const NOON_MS = DAY_MS / 2
/** 1 January 1970 was a Thursday. */
const FIRST_DAY = 3

/**
 * The next begin of the night, tomorrow morning and the next Monday morning, as long as they are a minute ahead. Tomorrow stands
 * for a Monday that is the same. A time that a clock change skips is the end of the gap.
 */
export function endsOf(
  now: number,
  { timezone, nightStart }: Pick<SiteSettings, 'timezone' | 'nightStart'>,
): SnoozeEnd[] {
  const offsets = createOffsets(timezone)
  const today = Math.floor((now + offsets.at(now)) / DAY_MS) * DAY_MS
  const [hours = 0, minutes = 0] = nightStart.split(':').map(Number)
  const night = (hours * 60 + minutes) * MINUTE_MS
  // A night that begins in the morning hours is that of the day before.
  const tonight = today + night + (night < NOON_MS ? DAY_MS : 0)
  const toMonday = (7 - ((today / DAY_MS + FIRST_DAY) % 7)) % 7
  const mondays = [toMonday, toMonday + 7].map((days) => today + days * DAY_MS + MORNING_MS)
  const isAhead = (wall: number) => offsets.instantOf(wall) - now >= MINUTE_MS
  const ends = [
    ['tonight', `tonight ${nightStart}`, tonight],
    ['tomorrow', 'tomorrow 07:00', today + DAY_MS + MORNING_MS],
    ['monday', 'Monday 07:00', mondays.find(isAhead)!],
  ] as const
  return ends.flatMap(([word, text, wall], n) => {
    const isSame = ends.slice(0, n).some(([, , other]) => other === wall)
    if (isSame || !isAhead(wall)) return []
    return [{ value: `${word} ${new Date(offsets.instantOf(wall)).toISOString()}`, text }]
  })
}

export const ONE_HOUR: SnoozeEnd = { value: '1h', text: '1 h' }
export const SUCCESS: SnoozeEnd = { value: 'success', text: 'until it succeeds' }
