/** Local times of the site's Windows servers. The offset is looked up once per quarter of an hour and zone. */

const QUARTER_MS = 900_000

export interface LocalTime {
  /** `2026-03-02 07:03:11,482`: how log4net writes `%date`. */
  logDate(at: number): string
  /** `20260302T070001.902+0100`: how the engine writes script logs. */
  scriptLogDate(at: number): string
  /** Minutes that the zone is ahead of UTC at this moment. */
  offsetMinutes(at: number): number
}

/** Formats times of one IANA zone; throws a RangeError when the zone does not exist. */
export function createLocalTime(timeZone: string): LocalTime {
  const format = new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'longOffset' })
  const offsets = new Map<number, number>()

  function offsetMinutes(at: number): number {
    const quarter = Math.floor(at / QUARTER_MS)
    const known = offsets.get(quarter)
    if (known !== undefined) return known
    if (offsets.size > 1000) offsets.clear()
    const minutes = parseOffset(format.format(at))
    offsets.set(quarter, minutes)
    return minutes
  }

  /** ISO text of the local wall-clock time, with a meaningless Z at the end. */
  const localIso = (at: number) => new Date(at + offsetMinutes(at) * 60_000).toISOString()

  return {
    offsetMinutes,
    logDate: (at) => localIso(at).replace('T', ' ').replace('.', ',').slice(0, 23),
    scriptLogDate(at) {
      const minutes = offsetMinutes(at)
      const sign = minutes < 0 ? '-' : '+'
      const hours = String(Math.floor(Math.abs(minutes) / 60)).padStart(2, '0')
      const rest = String(Math.abs(minutes) % 60).padStart(2, '0')
      return `${localIso(at).replaceAll('-', '').replaceAll(':', '').slice(0, 19)}${sign}${hours}${rest}`
    },
  }
}

function parseOffset(text: string): number {
  const match = /GMT(?:([+-])(\d{2}):(\d{2}))?/.exec(text)
  if (!match?.[1]) return 0
  return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3]))
}
