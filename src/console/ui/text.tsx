/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Names, times and numbers as all pages write them. */
import type { FC } from 'hono/jsx'
import { Name, plainName } from '../../platform/html-page.tsx'

export { Name, plainName }

interface Zoned {
  readonly timezone: string
  /** Milliseconds since 1970. */
  readonly now: number
}

const formats = new Map<string, Intl.DateTimeFormat>()
function formatted(at: number, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  const key = `${timeZone} ${JSON.stringify(options)}`
  let format = formats.get(key)
  if (!format) {
    format = new Intl.DateTimeFormat('en-GB', { timeZone, ...options })
    formats.set(key, format)
  }
  return format.format(at)
}

const DAY_MS = 86_400_000
const CLOCK = { hour: '2-digit', minute: '2-digit' } as const
const CLOCK_SECONDS = { ...CLOCK, second: '2-digit' } as const
const DAY = { day: 'numeric', month: 'short' } as const

export const clockText = (at: number, timezone: string, seconds = false): string =>
  formatted(at, timezone, seconds ? CLOCK_SECONDS : CLOCK)
export const dayText = (at: number, timezone: string): string => formatted(at, timezone, DAY)
/** `Mon 22 Nov`. */
export const weekdayText = (at: number, timezone: string): string =>
  formatted(at, timezone, { weekday: 'short', ...DAY }).replace(',', '')

/** `GMT+2`: by how much clocks there differ from UTC at that time. */
export const offsetText = (at: number, timeZone: string): string =>
  new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'shortOffset' })
    .formatToParts(at)
    .find(({ type }) => type === 'timeZoneName')?.value ?? ''

/** `22 Nov 02:14:07`; the year where it is another one. */
export function timeText(at: number, { timezone, now }: Zoned, seconds = true): string {
  const isNear = Math.abs(now - at) < 180 * DAY_MS
  const day = isNear ? dayText(at, timezone) : formatted(at, timezone, { ...DAY, year: 'numeric' })
  return `${day} ${clockText(at, timezone, seconds)}`
}

/** An instant given as ISO text or milliseconds; nothing for null. `short`: the time alone on the same day. */
export const Time: FC<{ at: string | number | null | undefined; zone: Zoned; short?: boolean; seconds?: boolean }> = ({
  at,
  zone,
  short = false,
  seconds = !short,
}) => {
  if (at === null || at === undefined) return <span class="muted">–</span>
  const instant = typeof at === 'number' ? at : Date.parse(at)
  const utc = new Date(instant).toISOString()
  const isToday = short && dayText(instant, zone.timezone) === dayText(zone.now, zone.timezone)
  const text = isToday ? clockText(instant, zone.timezone, seconds) : timeText(instant, zone, seconds)
  return (
    <time
      datetime={utc}
      title={`${timeText(instant, zone)} ${zone.timezone}, ${utc} UTC`}
      data-short={short || undefined}
    >
      {text}
    </time>
  )
}

/** `5 h 50 min ago`, `in 3 min`. */
export const Ago: FC<{ at: string | number; zone: Zoned }> = ({ at, zone }) => {
  const instant = typeof at === 'number' ? at : Date.parse(at)
  const distance = durationText(Math.abs(zone.now - instant), true)
  return (
    <time datetime={new Date(instant).toISOString()} data-ago title={`${timeText(instant, zone)} ${zone.timezone}`}>
      {instant > zone.now ? `in ${distance}` : `${distance} ago`}
    </time>
  )
}

/** `704 ms`, `1.5 s`, `4 min 10 s`, `2 h 05 min`, `3 d 4 h`; `coarse` leaves milliseconds and small rests out. */
export function durationText(ms: number, coarse = false): string {
  if (ms < 1000) return coarse ? '0 s' : `${Math.round(ms)} ms`
  if (ms < 60_000) return coarse || ms >= 10_000 ? `${Math.floor(ms / 1000)} s` : `${(ms / 1000).toFixed(1)} s`
  const seconds = Math.floor(ms / 1000)
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60]
  if (minutes < 60) return coarse || rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
  const [hours, left] = [Math.floor(minutes / 60), minutes % 60]
  if (hours < 48) return `${hours} h ${String(left).padStart(2, '0')} min`
  return `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** Thousands with a thin space. */
export const numberText = (value: number): string => String(value).replace(/\B(?=(\d{3})+$)/g, '\u2009')

export function bytesText(bytes: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let [value, unit] = [bytes, 0]
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1]
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`
}

/** `1 task`, `3 tasks`. */
export const counted = (count: number, one: string, many = `${one}s`): string =>
  `${numberText(count)} ${count === 1 ? one : many}`

/** A link out of data: only http and https, with its host; text for everything else. */
export const OutsideLink: FC<{ readonly url: string | null | undefined; readonly text?: string }> = ({ url, text }) => {
  if (!url || !URL.canParse(url)) return <Name text={text ?? url} />
  const { protocol, host } = new URL(url)
  if (protocol !== 'http:' && protocol !== 'https:') return <Name text={text ?? url} />
  return (
    <a href={url} rel="noreferrer noopener" title={host}>
      <Name text={text ?? host} />
    </a>
  )
}
