/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Names, times and numbers as all pages write them. */
import type { FC } from 'hono/jsx'
import { durationText } from '../../platform/duration-text.ts'
import { Name, plainName } from '../../platform/html-page.tsx'
import { splitAtIds } from '../../platform/uuid.ts'
import { createZone } from '../../platform/zone.ts'
import { timesIn } from '../../platform/zone-times.ts'

export { durationText, Name, plainName }

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
/** `Mon 22 Nov`; with `now` the year, where it is another one. */
export const weekdayText = (at: number, timezone: string, now = at): string =>
  formatted(at, timezone, { weekday: 'short', ...dayFormat(at, now) }).replace(',', '')
const dayFormat = (at: number, now: number): Intl.DateTimeFormatOptions =>
  Math.abs(now - at) < 180 * DAY_MS ? DAY : { ...DAY, year: 'numeric' }

/** `GMT+2`: by how much clocks there differ from UTC at that time. */
export const offsetText = (at: number, timeZone: string): string =>
  new Intl.DateTimeFormat('en-GB', { timeZone, timeZoneName: 'shortOffset' })
    .formatToParts(at)
    .find(({ type }) => type === 'timeZoneName')?.value ?? ''

/** `22 Nov 02:14:07`; the year where it is another one. */
export const timeText = (at: number, { timezone, now }: Zoned, seconds = true): string =>
  `${formatted(at, timezone, dayFormat(at, now))} ${clockText(at, timezone, seconds)}`

/** The text of an input of the type `datetime-local`: `2026-03-02T20:00`, on the wall clock of the zone. */
export const wallText = (at: number, timezone: string): string =>
  new Date(createZone(timezone).wall(at)).toISOString().slice(0, 16)

/** `22 Nov 02:14 Europe/Stockholm`, for texts that are read outside of a page, and for those without markup. */
export const zonedText = (at: number, zone: Zoned, seconds = false): string =>
  `${timeText(at, zone, seconds)} ${zone.timezone}`

/** The instant in the zone of the page, and in UTC. */
const titleText = (at: number, zone: Zoned): string => `${zonedText(at, zone, true)}, ${new Date(at).toISOString()}`

/** A schedule in words with its zone, which the words may have already. */
export const withZone = (text: string, timezone: string | null): string =>
  timezone === null || text.includes(timezone) ? text : `${text} (${timezone})`

interface TimeProps {
  /** ISO text, or milliseconds since 1970. */
  readonly at: string | number | null | undefined
  readonly zone: Zoned
  /** The time alone on the same day. */
  readonly short?: boolean
  readonly seconds?: boolean
  /** The time alone, on every day. */
  readonly clock?: boolean
  /** Without the long form as its title, for thousands on a page. */
  readonly bare?: boolean
  /** `Mon 22 Nov 02:14`. */
  readonly weekday?: boolean
}

/** An instant in the zone of the page, which the reader may change; nothing for null. */
export const Time: FC<TimeProps> = ({
  at,
  zone,
  short = false,
  seconds = !short,
  clock = false,
  bare = false,
  weekday = false,
}) => {
  if (at === null || at === undefined) return <span class="muted">–</span>
  const instant = typeof at === 'number' ? at : Date.parse(at)
  const { timezone, now } = zone
  const isShort = clock || (short && dayText(instant, timezone) === dayText(now, timezone))
  const time = clockText(instant, timezone, seconds)
  const text = isShort
    ? time
    : weekday
      ? `${weekdayText(instant, timezone, now)} ${time}`
      : timeText(instant, zone, seconds)
  return (
    <time
      datetime={new Date(instant).toISOString()}
      title={bare ? undefined : titleText(instant, zone)}
      data-short={short || clock || undefined}
    >
      {text}
    </time>
  )
}

/**
 * A text that was stored for readers in any zone: its times are on the clock of the page, and ids with a known name are
 * that name.
 */
export const Prose: FC<{
  readonly text: string | null | undefined
  readonly zone: Zoned
  readonly names?: ReadonlyMap<string, { readonly name: string }>
}> = ({ text, zone, names }) => (
  <>
    {timesIn(text ?? '').map((piece, n) =>
      n % 2 === 1 ? (
        <Time at={piece} zone={zone} seconds={!/:00(?:\.0+)?Z$/.test(piece)} />
      ) : (
        splitAtIds(piece).map((part, n) => {
          const named = n % 2 === 1 ? names?.get(part.toLowerCase()) : undefined
          if (!named) return part && <Name text={part} />
          return (
            <span title={part}>
              <Name text={named.name} />
            </span>
          )
        })
      ),
    )}
  </>
)

/** The time that is left, which a script counts down. `ms` from now. */
export const Left: FC<{ readonly ms: number; readonly zone: Zoned }> = ({ ms, zone }) => (
  <time
    datetime={new Date(zone.now + ms).toISOString()}
    title={`until ${titleText(zone.now + ms, zone)}`}
    data-left
    data-ago
  >
    {durationText(ms, true)}
  </time>
)

/** `5 h 50 min ago`, `in 3 min`. */
export const Ago: FC<{ at: string | number; zone: Zoned }> = ({ at, zone }) => {
  const instant = typeof at === 'number' ? at : Date.parse(at)
  const distance = durationText(Math.abs(zone.now - instant), true)
  return (
    <time datetime={new Date(instant).toISOString()} data-ago title={titleText(instant, zone)}>
      {instant > zone.now ? `in ${distance}` : `${distance} ago`}
    </time>
  )
}

/** `usually 7 min 21 s`, after a comma where something stands before it; nothing where it is not known. */
export const usuallyText = (usualMs: number | null, before = ''): string =>
  usualMs === null ? '' : `${before}usually ${durationText(usualMs)}`

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
