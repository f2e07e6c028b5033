/** The hours of a week in a zone. */
import { createOffsets } from '../../../platform/offsets.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** An hour of a day; times in milliseconds since 1970. */
export interface Cell {
  readonly day: number
  /** `07`, or `02 again` where the clock is set back. */
  readonly row: string
  readonly from: number
}

export interface Week {
  /** `2026-W48`. */
  readonly name: string
  readonly from: number
  readonly to: number
  /** Midnight of each day, as a wall-clock time in UTC. */
  readonly days: readonly number[]
  readonly rows: readonly string[]
  /** In the order of time. */
  readonly cells: readonly Cell[]
  readonly before: string
  readonly after: string
}

const NAME = /^(?<year>\d{4})-W(?<week>0[1-9]|[1-4]\d|5[0-3])$/

/** Monday of a week by its ISO name, as a wall-clock time in UTC; null for a text without a week. */
function mondayOf(name: string): number | null {
  const { year, week } = NAME.exec(name)?.groups ?? {}
  if (!year || !week) return null
  return mondayBefore(Date.UTC(Number(year), 0, 4)) + (Number(week) - 1) * 7 * DAY_MS
}

const mondayBefore = (wall: number): number => {
  const day = Math.floor(wall / DAY_MS) * DAY_MS
  return day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS
}

function nameOf(monday: number): string {
  const year = new Date(monday + 3 * DAY_MS).getUTCFullYear()
  const first = mondayBefore(Date.UTC(year, 0, 4))
  return `${year}-W${String(Math.round((monday - first) / (7 * DAY_MS)) + 1).padStart(2, '0')}`
}

/** The week of that name, or else the one of `now`. Days on which clocks change have 23 or 25 hours. */
export function weekOf(name: string, timezone: string, now: number): Week {
  const offsets = createOffsets(timezone)
  const monday = mondayOf(name) ?? mondayBefore(now + offsets.at(now))
  const days = Array.from({ length: 8 }, (_, n) => monday + n * DAY_MS)
  const begins = days.map((day) => offsets.instantOf(day))
  const cells: Cell[] = []
  const rows = new Set(Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0')))
  for (let day = 0; day < 7; day += 1) {
    const seen = new Set<string>()
    for (let from = begins[day]!; from < begins[day + 1]!; from += HOUR_MS) {
      const hour = new Date(from + offsets.at(from)).toISOString().slice(11, 13)
      const row = seen.has(hour) ? `${hour} again` : hour
      seen.add(row)
      rows.add(row)
      cells.push({ day, row, from })
    }
  }
  return {
    name: nameOf(monday),
    from: begins[0]!,
    to: begins[7]!,
    days: days.slice(0, 7),
    rows: [...rows].sort(),
    cells,
    before: nameOf(monday - 7 * DAY_MS),
    after: nameOf(monday + 7 * DAY_MS),
  }
}

/** The cell of an instant; undefined outside of the week. */
export function cellOf({ cells, from, to }: Week, at: number): Cell | undefined {
  return at < from || at >= to ? undefined : cells.findLast((cell) => cell.from <= at)
}
