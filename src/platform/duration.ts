/** Durations and sizes of the configuration: `250ms`, `24h`, `PT90S`, `100MB`. */

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string }

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR
const WEEK = 7 * DAY

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR, d: DAY, w: WEEK }
const SIMPLE = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w)$/i
const ISO = /^P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i
/** In the order of the groups of `ISO`. */
const ISO_UNITS = [WEEK, DAY, HOUR, MINUTE, SECOND]

const EXAMPLES = 'Write for example 250ms, 30s, 5m, 24h, 7d, 1w or PT90S.'

/** `30s`, `7d`, `PT90S` to milliseconds. A bare number is refused, because its unit is unknown. */
export function parseDuration(text: string): Parsed<number> {
  const trimmed = text.trim()
  const simple = SIMPLE.exec(trimmed)
  if (simple) return finite(Number(simple[1]) * (UNITS[simple[2]!.toLowerCase()] ?? 0), text)
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    return { ok: false, error: `"${text}" has no unit. ${EXAMPLES}` }
  }
  const iso = parseIsoDuration(trimmed)
  if (iso !== null) return finite(iso, text)
  return { ok: false, error: `"${text}" is not a length of time. ${EXAMPLES}` }
}

/**
 * An ISO 8601 duration to milliseconds; null when the text is none. Years and months are not accepted, as their
 * length varies.
 */
export function parseIsoDuration(text: string): number | null {
  const match = ISO.exec(text)
  if (!match) return null
  return ISO_UNITS.reduce((sum, unit, index) => sum + Number(match[index + 1] ?? 0) * unit, 0)
}

/** The shortest exact text: 90000 to `90s`, 86400000 to `1d`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const length = UNITS[unit]!
    if (ms >= length && ms % length === 0) return `${ms / length}${unit}`
  }
  return `${ms}ms`
}

const SIZE_UNITS: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3, tb: 1024 ** 4 }

/** `512KB`, `100MB`, `1GB` to bytes; 1 KB = 1,024 bytes. A bare number is refused. */
export function parseSize(text: string): Parsed<number> {
  const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|tb)$/i.exec(text.trim())
  if (!match) return { ok: false, error: `"${text}" is not a size. Write for example 512KB, 100MB or 1GB.` }
  return finite(Math.round(Number(match[1]) * SIZE_UNITS[match[2]!.toLowerCase()]!), text)
}

function finite(value: number, text: string): Parsed<number> {
  if (Number.isSafeInteger(Math.round(value))) return { ok: true, value: Math.round(value) }
  return { ok: false, error: `"${text}" is too large.` }
}
