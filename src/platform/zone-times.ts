/** Points in time as people write and read them, on the clock of one zone: that of the site, unless something names another. */
import { createOffsets } from './offsets.ts'
import { once } from './once.ts'
import { hostZone } from './zone.ts'

export interface ZoneTimes {
  /** IANA name. */
  readonly timezone: string
  /**
   * Milliseconds since 1970 of an ISO 8601 day or time. One without a zone is on this clock: the first one where it
   * occurs twice, the end of the gap where it does not occur. Null for other texts.
   */
  instant(text: string): number | null
  /** `2026-03-02 06:03:11` */
  clock(instant: number): string
  /** `2026-03-02 06:03:11 Europe/Stockholm`, for texts that are read by themselves. */
  text(instant: number): string
}

const ISO_TIME = /^(\d{4}-\d\d-\d\d)(?:[T ]((?:[01]\d|2[0-3]):\d\d(?::\d\d(?:\.\d+)?)?)\s?(Z|[+-]\d\d:?\d\d)?)?$/i

/** Not 31 April. */
function isDay(text: string): boolean {
  const date = new Date(`${text}T00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

/** '' = the zone of this computer. */
export function createZoneTimes(timezone: string): ZoneTimes {
  const zone = once(() => timezone || hostZone())
  // The first date format of the process loads languages and zones, which a start can do without.
  const offsets = once(() => createOffsets(zone()))
  const clock = (instant: number): string =>
    new Date(instant + offsets().at(instant)).toISOString().slice(0, 19).replace('T', ' ')
  return {
    get timezone() {
      return zone()
    },
    instant(text) {
      const [, day, time = '00:00', ownZone] = ISO_TIME.exec(text) ?? []
      if (day === undefined || !isDay(day)) return null
      const instant = Date.parse(`${day}T${time}${ownZone ?? 'Z'}`)
      if (Number.isNaN(instant)) return null
      return ownZone === undefined ? offsets().instantOf(instant) : instant
    },
    clock,
    text: (instant) => `${clock(instant)} ${zone()}`,
  }
}

/** A time as Footman writes it into a text. */
const UTC_TIME = /(\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/

/**
 * A text that was stored for readers of any zone, cut at its times: texts at even places, ISO times in UTC at odd ones.
 * Each place that shows it shows the times on its own clock.
 */
export function timesIn(text: string): readonly string[] {
  return text.split(UTC_TIME)
}
