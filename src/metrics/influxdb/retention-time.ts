/** How long points are kept: `10d`, `1d12h`, `INF`. */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  u: 1e-6,
  µ: 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
}
const PART = /(\d+)(ns|ms|[uµsmhdw])/gy

/** Whole seconds, 0 = for ever; null when the text is no such time. */
export function retentionSeconds(text: string): number | null {
  const trimmed = text.trim()
  if (/^inf$/i.test(trimmed)) return 0
  let seconds = 0
  let end = 0
  for (const [part, count, unit] of trimmed.matchAll(PART)) {
    seconds += Number(count) * UNITS[unit!]!
    end += part.length
  }
  return end > 0 && end === trimmed.length ? Math.ceil(seconds) : null
}
