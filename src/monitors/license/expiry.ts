/** When the server licence ends, out of what QRS says about it. */
import type { LicenseDetails } from '../../events/types.ts'
import type { ServerLicense } from '../../qlik/qrs/licenses.ts'

const DAY_MS = 86_400_000

/**
 * The earliest of the `Valid To:` lines counts; without one that can be read the licence has no end, and nobody is
 * alerted. `daysRemaining` is 0 during the first day after the end and negative later.
 */
export function licenseDetails({ isExpired, keyDetails }: ServerLicense, now: number): LicenseDetails {
  const ends = keyDetails.split(/[\r\n]+/).flatMap((line) => endIn(line) ?? [])
  if (ends.length === 0) return { kind: 'license', expired: isExpired, expiryDate: null, daysRemaining: null }
  const end = Math.min(...ends)
  return {
    kind: 'license',
    expired: isExpired || end < now,
    expiryDate: new Date(end).toISOString(),
    // Never -0.
    daysRemaining: Math.ceil((end - now) / DAY_MS) || 0,
  }
}

/** Milliseconds since 1970; null when the line tells no end. Without a zone the time is UTC. */
function endIn(line: string): number | null {
  const text = /Valid To:(.*)$/i.exec(line)?.[1]?.trim()
  if (!text) return null
  const isIso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text)
  if (isIso) return valid(Date.parse(`${isIso[1]}T${isIso[2] ?? '00:00'}${isIso[3] ?? 'Z'}`))
  const hasZone = /(?:GMT|UTC|Z|[+-]\d{2}:?\d{2})$/i.test(text)
  return valid(Date.parse(hasZone ? text : `${text} UTC`))
}

const valid = (time: number): number | null => (Number.isNaN(time) ? null : time)
