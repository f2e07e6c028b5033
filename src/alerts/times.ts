/**
 * The time formats of the template variables. Every instant is offered as Qlik Sense sent it (`UTC`) and in five local
 * forms, in one time zone and locale that are fixed when the formatter is made.
 */
import { once } from '../platform/once.ts'
import { hostZone } from '../platform/zone.ts'

const LOCAL_FORMS = ['Local1', 'Local2', 'Local3', 'Local4', 'Local5'] as const
const FORMS = ['UTC', ...LOCAL_FORMS] as const
/** QRS writes "never" as a time of the year 1753. */
const NEVER_YEAR = '1753'

type TimeForm = (typeof FORMS)[number]

export interface TimeFormatter {
  /**
   * The six members `<prefix>UTC`, `<prefix>Local1` ... `<prefix>Local5` of an ISO time. "Never" gives `-` in all of
   * them, an unknown (null, empty, unreadable) time gives empty strings; an unreadable text is kept as `UTC`.
   */
  variants<P extends string>(prefix: P, iso: string | null | undefined): Record<`${P}${TimeForm}`, string>
  /** `yyyy-MM-dd HH:mm:ss` of milliseconds since 1970. */
  sortable(ms: number): string
  /** IANA name of the zone of the local forms. */
  readonly zone: string
}

export interface TimeSettings {
  /** IANA name; default: the host's zone. */
  readonly timeZone?: string
  /** BCP 47; default: the host's locale. */
  readonly locale?: string
}

/** Times whose texts are kept at most. */
const REMEMBERED = 500

const NUMERIC = {
  year: 'numeric',
  month: 'numeric',
  day: 'numeric',
  hour: 'numeric',
  minute: '2-digit',
  second: '2-digit',
} as const

/** `yyyy-MM-dd HH:mm:ss`, `10/14/2025, 9:24:31 AM`, `Oct 14, 2025, 9:24:31 AM`, `October 14, 2025 at 9:24:31 AM GMT+2` (twice). */
export function createTimeFormatter(settings: TimeSettings = {}): TimeFormatter {
  const { timeZone, locale } = settings
  // The first date format of the process loads languages and zones: 5 MB and some milliseconds that a start can do without.
  const format = (options: Intl.DateTimeFormatOptions, language = locale) =>
    once(() => new Intl.DateTimeFormat(language, { ...options, ...(timeZone ? { timeZone } : {}) }))
  const parts = format({ ...NUMERIC, month: '2-digit', day: '2-digit', hour: '2-digit', hourCycle: 'h23' }, 'en-US')
  const short = format(NUMERIC)
  const medium = format({ ...NUMERIC, month: 'short' })
  const full = format({ ...NUMERIC, month: 'long', timeZoneName: 'short' })

  const sortable = (ms: number): string => {
    const found: Record<string, string> = {}
    for (const { type, value } of parts().formatToParts(ms)) found[type] = value
    const { year = '', month, day, hour, minute, second } = found
    return `${year.padStart(4, '0')}-${month}-${day} ${hour}:${minute}:${second}`
  }

  const texts = (iso: string | null | undefined): Record<TimeForm, string> => {
    if (!iso) return fill('')
    if (iso.startsWith(NEVER_YEAR)) return fill('-')
    const ms = Date.parse(iso)
    if (Number.isNaN(ms)) return { ...fill(''), UTC: iso }
    const long = full().format(ms)
    return {
      UTC: iso,
      Local1: sortable(ms),
      Local2: short().format(ms),
      Local3: medium().format(ms),
      Local4: long,
      Local5: long,
    }
  }

  // The deliveries of one event ask for the same few times again and again, and so do the events of one task.
  const known = new Map<string, Record<TimeForm, string>>()
  const remembered = (iso: string | null | undefined): Record<TimeForm, string> => {
    const key = iso ?? ''
    const found = known.get(key) ?? texts(iso)
    if (known.size >= REMEMBERED) known.clear()
    known.set(key, found)
    return found
  }

  const zone = once(() => timeZone || hostZone())
  return {
    sortable,
    variants: (prefix, iso) => withPrefix(prefix, remembered(iso)),
    get zone() {
      return zone()
    },
  }
}

/**
 * For trials of templates, whose output is not looked at: every form is the ISO text. `Intl` would load languages and
 * zones: 5 MB that stay in memory when a start tries the templates of its configuration.
 */
export const TRIAL_TIMES: TimeFormatter = {
  sortable: (ms) => new Date(ms).toISOString(),
  zone: 'UTC',
  variants: (prefix, iso) => withPrefix(prefix, fill(iso ?? '')),
}

function withPrefix<P extends string>(prefix: P, texts: Record<TimeForm, string>): Record<`${P}${TimeForm}`, string> {
  const entries = Object.entries(texts).map(([form, text]) => [`${prefix}${form}`, text])
  return Object.fromEntries(entries) as Record<`${P}${TimeForm}`, string>
}

function fill(text: string): Record<TimeForm, string> {
  return Object.fromEntries(FORMS.map((form) => [form, text])) as Record<TimeForm, string>
}

/** Whole hours (may exceed 23), minutes and seconds of a duration in milliseconds; empty strings when it is unknown. */
export function durationParts(ms: number | null | undefined): Record<'hours' | 'minutes' | 'seconds', number | ''> {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return { hours: '', minutes: '', seconds: '' }
  const seconds = Math.max(0, Math.floor(ms / 1000))
  return { hours: Math.floor(seconds / 3600), minutes: Math.floor(seconds / 60) % 60, seconds: seconds % 60 }
}

const UTC_PARTS = ['year', 'month', 'day', 'hour', 'minute', 'second', 'millisecond'] as const

/** `year` ... `millisecond` of an ISO time in UTC (months from 1); empty strings when it is unknown or "never". */
export function utcParts(iso: string | null | undefined): Record<(typeof UTC_PARTS)[number], number | ''> {
  const ms = iso && !iso.startsWith(NEVER_YEAR) ? Date.parse(iso) : Number.NaN
  if (Number.isNaN(ms)) return Object.fromEntries(UTC_PARTS.map((part) => [part, ''])) as ReturnType<typeof utcParts>
  const date = new Date(ms)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
    second: date.getUTCSeconds(),
    millisecond: date.getUTCMilliseconds(),
  }
}
