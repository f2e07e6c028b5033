/** Serial numbers as texts: days since 1899-12-30, with the time of day as the fraction, in patterns of Qlik such as `D/M/YYYY hh:mm`. */
import type { Column } from './types.ts'

const DAY_MS = 86_400_000
const EPOCH_MS = Date.UTC(1899, 11, 30)
/** Some workbooks count from the other day. */
export const DAYS_BETWEEN_1900_AND_1904 = 1462

/** A serial number as a date and its hours; hours of an interval go on beyond 24. Null beyond the calendar. */
function momentOf(serial: number, isInterval: boolean): Moment | null {
  const ms = Math.round(serial * DAY_MS)
  const date = new Date(ms + EPOCH_MS)
  if (Number.isNaN(date.getTime())) return null
  return { date, hours: isInterval ? Math.floor(ms / 3_600_000) : date.getUTCHours() }
}

interface Moment {
  readonly date: Date
  readonly hours: number
}

const two = (number: number): string => String(number).padStart(2, '0')
const half = ({ date }: Moment): string => (date.getUTCHours() < 12 ? 'AM' : 'PM')
const TOKENS: Readonly<Record<string, (moment: Moment) => string>> = {
  YYYY: ({ date }) => String(date.getUTCFullYear()).padStart(4, '0'),
  YY: ({ date }) => two(date.getUTCFullYear() % 100),
  M: ({ date }) => String(date.getUTCMonth() + 1),
  MM: ({ date }) => two(date.getUTCMonth() + 1),
  D: ({ date }) => String(date.getUTCDate()),
  DD: ({ date }) => two(date.getUTCDate()),
  h: ({ hours }) => String(hours),
  hh: ({ hours }) => two(hours),
  m: ({ date }) => String(date.getUTCMinutes()),
  mm: ({ date }) => two(date.getUTCMinutes()),
  s: ({ date }) => String(date.getUTCSeconds()),
  ss: ({ date }) => two(date.getUTCSeconds()),
  fff: ({ date }) => String(date.getUTCMilliseconds()).padStart(3, '0'),
  TT: half,
  tt: (moment) => half(moment).toLowerCase(),
  /** The hour beside AM and PM. */
  H: ({ date }) => String(date.getUTCHours() % 12 || 12),
}

/** The texts of all tokens. */
function tokenTexts(serial: number, isInterval: boolean): Readonly<Record<string, string>> | null {
  const moment = momentOf(serial, isInterval)
  return moment && Object.fromEntries(Object.entries(TOKENS).map(([token, write]) => [token, write(moment)]))
}

const TOKEN = /YYYY|YY|MM?|DD?|hh?|mm?|ss?|fff|TT|tt/g

/** Qlik writes the fraction of `hh:mm:ss[.fff]` only where there is one. */
export const OPTIONAL_FRACTION = /\[\.?f+\]/

/** A serial number by a pattern without names of months and days: `YYYY-MM-DD hh:mm:ss`, `D/M/YY`. '' beyond the calendar. */
export function writeSerial(serial: number, pattern: string, type: Column['type'] = 'date'): string {
  if (type === 'interval' && serial < 0) return `-${writeSerial(-serial, pattern, type)}`
  const moment = momentOf(serial, type === 'interval')
  if (moment === null) return ''
  const isHalfDay = /TT|tt/.test(pattern)
  return pattern.replace(OPTIONAL_FRACTION, '').replaceAll(TOKEN, (token) => {
    if (isHalfDay && token.startsWith('h')) return TOKENS.H!(moment).padStart(token.length, '0')
    return TOKENS[token]!(moment)
  })
}

type SerialFormat = Required<Pick<Column, 'type'>> & { readonly format: string }

const PIECE = /\d+|[AP]M|[ap]m|[-./:,\sT]/g
/** The tokens that a token of a time comes after. */
const BEFORE: Readonly<Record<string, string>> = { m: 'h', s: 'm', f: 's' }
const DAYS = ['DD', 'D'] as const
const MONTHS = ['MM', 'M'] as const
const OTHERS = ['YYYY', 'YY', 'hh', 'h', 'mm', 'm', 'ss', 's', 'fff'] as const

/** The formats in which a text shows its serial number: whole dates, times with minutes, or both. */
export function* serialFormats(text: string, serial: number): Generator<SerialFormat> {
  if (serial < 0 && text.startsWith('-')) {
    for (const format of serialFormats(text.slice(1), -serial)) if (format.type === 'interval') yield format
    return
  }
  const pieces = text.match(PIECE) ?? []
  if (serial < 0 || pieces.join('') !== text || !/\d\D+\d/.test(text)) return
  for (const isInterval of [false, true]) {
    const texts = tokenTexts(serial, isInterval)
    if (texts === null) return
    for (const pattern of patterns(pieces, texts, '', '')) {
      const hasDate = pattern.includes('Y')
      const hasTime = pattern.includes('h')
      if (!isInterval && hasDate) yield { type: hasTime ? 'timestamp' : 'date', format: pattern }
      else if (!hasDate) yield { type: isInterval ? 'interval' : 'time', format: pattern }
    }
  }
}

/** The patterns of the remaining pieces; `used`: the kinds of tokens so far, in their order. */
function* patterns(
  [piece, ...rest]: readonly string[],
  texts: Readonly<Record<string, string>>,
  pattern: string,
  used: string,
): Generator<string> {
  if (piece === undefined) {
    if (isWhole(used) && !isMixed(pattern, texts)) yield pattern
    return
  }
  if (/^\D/.test(piece)) {
    const token = /^.[Mm]$/.test(piece) ? (texts.TT === piece ? 'TT' : texts.tt === piece ? 'tt' : null) : piece
    if (token !== null) yield* patterns(rest, texts, pattern + token, used)
    return
  }
  const isHalfDay = rest.some((later) => /^.[Mm]$/.test(later))
  const dates = used.startsWith('Y') ? [...MONTHS, ...DAYS] : [...DAYS, ...MONTHS]
  for (const token of [...dates, ...OTHERS]) {
    const kind = token.charAt(0)
    const before = BEFORE[kind]
    if (used.includes(kind) || (before !== undefined && !used.endsWith(before))) continue
    const shown = isHalfDay && kind === 'h' ? texts.H!.padStart(token.length, '0') : texts[token]
    if (shown === piece) yield* patterns(rest, texts, pattern + token, used + kind)
  }
}

const isWhole = (used: string): boolean =>
  used.includes('h') === used.includes('m') &&
  (used.includes('Y') ? used.includes('M') && used.includes('D') : used.includes('h'))

/** `28/2` is `D/M`: a zero before a number of two digits is not seen. */
function isMixed(pattern: string, texts: Readonly<Record<string, string>>): boolean {
  if (pattern.includes('DD') === pattern.includes('MM')) return false
  return pattern.includes('DD') ? texts.DD === texts.D : texts.MM === texts.M
}
