/** Qlik counts days from 1899-12-30; the fraction is the time of day. */
const EPOCH_MS = Date.UTC(1899, 11, 30)
const DAY_MS = 86_400_000
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const

export const toSerial = (utcMs: number): number => (utcMs - EPOCH_MS) / DAY_MS
export const fromSerial = (serial: number): number => Math.round(serial * DAY_MS) + EPOCH_MS

const pad = (value: number, width: number) => String(value).padStart(width, '0')

type Token = (date: Date) => string
const TOKENS: Readonly<Record<string, Token>> = {
  YYYY: (date) => pad(date.getUTCFullYear(), 4),
  YY: (date) => pad(date.getUTCFullYear() % 100, 2),
  MMM: (date) => MONTHS[date.getUTCMonth()] ?? '',
  MM: (date) => pad(date.getUTCMonth() + 1, 2),
  M: (date) => String(date.getUTCMonth() + 1),
  DD: (date) => pad(date.getUTCDate(), 2),
  D: (date) => String(date.getUTCDate()),
  hh: (date) => pad(date.getUTCHours(), 2),
  h: (date) => String(date.getUTCHours()),
  mm: (date) => pad(date.getUTCMinutes(), 2),
  ss: (date) => pad(date.getUTCSeconds(), 2),
  fff: (date) => pad(date.getUTCMilliseconds(), 3),
}

/** Writes a serial number by a pattern such as `YYYY-MM-DD hh:mm:ss[.fff]`; brackets vanish when the part is zero. */
export function formatDate(serial: number, pattern: string): string {
  const date = new Date(fromSerial(serial))
  if (Number.isNaN(date.getTime())) return String(serial)
  const whole = pattern.replace(/\[\.fff\]/g, date.getUTCMilliseconds() === 0 ? '' : '.fff')
  return whole.replace(/YYYY|YY|MMM|MM|M|DD|D|hh|h|mm|ss|fff/g, (token) => TOKENS[token]?.(date) ?? token)
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
