/** Writes numbers, dates and intervals in Qlik's formats. */
import type { Dual } from './data.ts'
import { asNumber, asText, type Json } from './json.ts'

/** Qlik counts days from 1899-12-30; the fraction is the time of day. */
const EPOCH_MS = Date.UTC(1899, 11, 30)
const DAY_MS = 86_400_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

export const toSerial = (utcMs: number): number => (utcMs - EPOCH_MS) / DAY_MS
export const fromSerial = (serial: number): number => Math.round(serial * DAY_MS) + EPOCH_MS

const pad = (value: number, width: number) => String(value).padStart(width, '0')

/** Kinds of number formats, by their number on the wire; the engine itself writes the letters. */
const KINDS = ['U', 'A', 'I', 'R', 'F', 'M', 'D', 'T', 'TS', 'IV'] as const
type Kind = (typeof KINDS)[number]

const LONG_NAMES: Readonly<Record<string, Kind>> = {
  UNDEFINED: 'U',
  ASCII: 'A',
  INTEGER: 'I',
  REAL: 'R',
  FIX: 'F',
  MONEY: 'M',
  DATE: 'D',
  TIME: 'T',
  DATETIME: 'TS',
  INTERVAL: 'IV',
}

function formatKind(type: unknown): Kind {
  if (typeof type === 'number') return KINDS[type] ?? 'U'
  const text = asText(type).toUpperCase()
  return KINDS.find((kind) => kind === text) ?? LONG_NAMES[text] ?? 'U'
}

const DATE_PATTERNS: Partial<Record<Kind, string>> = { D: 'YYYY-MM-DD', T: 'hh:mm:ss', TS: 'YYYY-MM-DD hh:mm:ss' }

/** `qText` of a value under a `qNumFormat`; a value without a number keeps its text, null is `-`. */
export function formatValue(value: Dual | null, format: Json): string {
  if (!value) return '-'
  const kind = formatKind(format.qType)
  if (Number.isNaN(value.num)) return value.text
  if (kind === 'U' || kind === 'A') return value.text
  return formatNumber(value.num, format)
}

/** Writes a number as a `qNumFormat` says: pattern first, else by kind and number of decimals. */
export function formatNumber(num: number, format: Json): string {
  const kind = formatKind(format.qType)
  const pattern = asText(format.qFmt)
  const datePattern = DATE_PATTERNS[kind]
  if (datePattern) return formatDate(num, pattern || datePattern)
  if (kind === 'IV') return formatInterval(num, pattern || 'hh:mm:ss')
  const marks = { decimal: asText(format.qDec) || '.', thousands: asText(format.qThou) }
  if (pattern !== '') return formatPattern(num, pattern, { ...marks, thousands: marks.thousands || ',' })
  const decimals = asNumber(format.qnDec)
  const thousands = asNumber(format.qUseThou) === 1 ? marks.thousands || ',' : ''
  if (kind === 'I') return plain(num, 0, 0, { decimal: marks.decimal, thousands })
  if (kind === 'F') return plain(num, decimals, decimals, { decimal: marks.decimal, thousands })
  if (kind === 'M') return plain(num, 2, 2, { decimal: marks.decimal, thousands })
  return numberText(kind === 'R' && decimals > 0 ? Number(num.toPrecision(Math.min(decimals, 15))) : num)
}

/** A number without a format: at most 14 significant digits, no exponent where it can be helped. */
export function numberText(num: number): string {
  if (!Number.isFinite(num)) return '-'
  return String(Number(num.toPrecision(14)))
}

interface Marks {
  readonly decimal: string
  readonly thousands: string
}

/** Patterns like `# ##0,00`, `0.0%`, `$#,##0;-$#,##0`: sections for positive and negative numbers and zero. */
export function formatPattern(num: number, pattern: string, marks: Marks): string {
  const sections = pattern.split(';')
  const negative = num < 0
  const section = (negative && sections[1]) || (num === 0 && sections[2]) || sections[0] || pattern
  if (section !== sections[0] && !/[#0]/.test(section)) return section
  const parsed = /^([^#0]*)([#0](?:.*[#0])?)([^#0]*)$/s.exec(section)
  if (!parsed) return numberText(num)
  const [, prefix = '', core = '', suffix = ''] = parsed
  const split = core.lastIndexOf(marks.decimal)
  const integers = split < 0 ? core : core.slice(0, split)
  const decimals = split < 0 ? '' : core.slice(split + marks.decimal.length)
  const scaled = Math.abs(num) * (prefix.includes('%') || suffix.includes('%') ? 100 : 1)
  const grouped = marks.thousands !== '' && integers.includes(marks.thousands)
  const body = plain(
    scaled,
    count(decimals, '0'),
    count(decimals, '0') + count(decimals, '#'),
    { decimal: marks.decimal, thousands: grouped ? marks.thousands : '' },
    count(integers, '0'),
  )
  const minus = negative && !sections[1] && /[1-9]/.test(body) ? '-' : ''
  return `${minus}${prefix}${body}${suffix}`
}

const count = (text: string, character: string) => text.split(character).length - 1

function plain(num: number, minDecimals: number, maxDecimals: number, marks: Marks, minIntegers = 1): string {
  const fixed = Math.abs(num).toFixed(Math.min(maxDecimals, 20))
  if (fixed.includes('e')) return numberText(num)
  const [whole = '0', fraction = ''] = fixed.split('.')
  let kept = fraction
  while (kept.length > minDecimals && kept.endsWith('0')) kept = kept.slice(0, -1)
  const digits = minIntegers === 0 && whole === '0' ? '' : whole.padStart(minIntegers, '0')
  const grouped = marks.thousands === '' ? digits : digits.replace(/\B(?=(\d{3})+(?!\d))/g, marks.thousands)
  const text = kept === '' ? grouped : `${grouped}${marks.decimal}${kept}`
  return num < 0 && /[1-9]/.test(text) ? `-${text}` : text
}

const DAYS = ['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun'] as const
const LONG_MONTH = new Intl.DateTimeFormat('en', { month: 'long', timeZone: 'UTC' })
const LONG_DAY = new Intl.DateTimeFormat('en', { weekday: 'long', timeZone: 'UTC' })
/** Monday is 0. */
const weekday = (date: Date): number => (date.getUTCDay() + 6) % 7
const half = (date: Date): string => (date.getUTCHours() < 12 ? 'AM' : 'PM')

type Token = (date: Date) => string
const TOKENS: Readonly<Record<string, Token>> = {
  YYYY: (date) => pad(date.getUTCFullYear(), 4),
  YY: (date) => pad(date.getUTCFullYear() % 100, 2),
  MMMM: (date) => LONG_MONTH.format(date),
  MMM: (date) => MONTHS[date.getUTCMonth()] ?? '',
  MM: (date) => pad(date.getUTCMonth() + 1, 2),
  M: (date) => String(date.getUTCMonth() + 1),
  DD: (date) => pad(date.getUTCDate(), 2),
  D: (date) => String(date.getUTCDate()),
  WWWW: (date) => LONG_DAY.format(date),
  WWW: (date) => DAYS[weekday(date)] ?? '',
  WW: (date) => pad(weekday(date), 2),
  W: (date) => String(weekday(date)),
  hh: (date) => pad(date.getUTCHours(), 2),
  h: (date) => String(date.getUTCHours()),
  mm: (date) => pad(date.getUTCMinutes(), 2),
  m: (date) => String(date.getUTCMinutes()),
  ss: (date) => pad(date.getUTCSeconds(), 2),
  s: (date) => String(date.getUTCSeconds()),
  fff: (date) => pad(date.getUTCMilliseconds(), 3),
  ff: (date) => pad(Math.floor(date.getUTCMilliseconds() / 10), 2),
  f: (date) => String(Math.floor(date.getUTCMilliseconds() / 100)),
  TT: half,
  tt: (date) => half(date).toLowerCase(),
}
/** The hour beside AM and PM. */
const halfHour = (date: Date, width: number): string => pad(date.getUTCHours() % 12 || 12, width)

/** Writes a serial number by a pattern such as `YYYY-MM-DD hh:mm:ss[.fff]`; brackets vanish when the part is zero. */
export function formatDate(serial: number, pattern: string): string {
  const date = new Date(fromSerial(serial))
  if (Number.isNaN(date.getTime())) return String(serial)
  const whole = pattern.replace(/\[\.fff\]/g, date.getUTCMilliseconds() === 0 ? '' : '.fff')
  const isHalfDay = /TT|tt/.test(whole)
  return whole.replace(/YYYY|YY|M{1,4}|DD?|W{1,4}|hh?|mm?|ss?|f{1,3}|TT|tt/g, (token) =>
    isHalfDay && token.startsWith('h') ? halfHour(date, token.length) : (TOKENS[token]?.(date) ?? token),
  )
}

/** Length of time in days as `hh:mm:ss` (hours run on) or by a pattern with `D`. */
export function formatInterval(days: number, pattern: string): string {
  const seconds = Math.round(Math.abs(days) * 86_400)
  const withDays = pattern.includes('D')
  const hours = Math.floor(seconds / 3600) - (withDays ? 24 * Math.floor(seconds / 86_400) : 0)
  const parts: Readonly<Record<string, string>> = {
    D: String(Math.floor(seconds / 86_400)),
    hh: pad(hours, 2),
    h: String(hours),
    mm: pad(Math.floor(seconds / 60) % 60, 2),
    ss: pad(seconds % 60, 2),
  }
  return (days < 0 ? '-' : '') + pattern.replace(/D|hh|h|mm|ss/g, (token) => parts[token] ?? token)
}
