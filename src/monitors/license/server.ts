/** The licence of the Qlik Sense server: its state each time, and alerts while its end is near or past. */
import type { LicenseDetails } from '../../events/types.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { reasonOf } from '../../qlik/qrs/failure.ts'
import type { LicenseClient, ServerLicense } from '../../qlik/qrs/licenses.ts'
import type { QlikSenseLicenseConfig } from '../config.ts'
import { type EmitMonitorEvent, tagsOf, type WritePoints } from '../types.ts'

interface ServerLicenseMonitorDeps {
  readonly licenses: Pick<LicenseClient, 'server'>
  readonly emit: EmitMonitorEvent
  readonly clock: Clock
  readonly log: Logger
  /** Null = not wanted. */
  readonly writePoints: WritePoints | null
  /** The last state that was read. */
  readonly onState: (details: LicenseDetails) => void
}

interface ServerLicenseMonitorSettings
  extends Pick<QlikSenseLicenseConfig['serverLicenseMonitor'], 'alert' | 'destination'> {
  /** Host of the repository service: what the events are about. */
  readonly host: string
}

const LABEL = '[QSEOW] QLIK SENSE SERVER LICENSE'

/** One check; a failing destination does not affect the others. Rejects when the licence cannot be read. */
export function createServerLicenseMonitor(
  deps: ServerLicenseMonitorDeps,
  settings: ServerLicenseMonitorSettings,
): (signal: AbortSignal, isRepeat?: boolean) => Promise<void> {
  const { licenses, emit, clock, log } = deps
  const { influxDb } = settings.destination
  const tags = tagsOf(influxDb.tag.static)

  return async (signal, isRepeat = false) => {
    const license = await licenses.server(signal).catch((error: unknown) => {
      throw new Error(`The licence cannot be read: ${reasonOf(error)}`)
    })
    const details = licenseDetails(license, clock.now())
    deps.onState(details)
    if (isRepeat) return
    const alert = alertOf(details, settings.alert.thresholdDays)
    say(log, details, alert !== null)
    const common = { source: 'monitor', type: 'license', message: { host: settings.host }, details } as const
    await emit({ ...common, outcome: 'status' })
    if (alert) await emit({ ...common, outcome: alert })
    if (influxDb.enable) await deps.writePoints?.([point(details, tags, clock.now())])
  }
}

function alertOf({ expired, daysRemaining }: LicenseDetails, thresholdDays: number): 'expired' | 'expiring' | null {
  if (expired) return 'expired'
  return daysRemaining !== null && daysRemaining <= thresholdDays ? 'expiring' : null
}

function say(log: Logger, { expired, expiryDate, daysRemaining }: LicenseDetails, isNear: boolean): void {
  log.info(`${LABEL}: License expired: ${expired}`)
  const date = expiryDate?.slice(0, 10)
  if (date === undefined) {
    if (expired) log.warn(`${LABEL}: Qlik Sense server license has expired!`)
    else log.info(`${LABEL}: The license names no expiry date`)
    return
  }
  const write = (text: string) => (isNear ? log.warn(`${LABEL}: ${text}`) : log.info(`${LABEL}: ${text}`))
  if (expired) write(`Qlik Sense server license has expired!`)
  else if (isNear) write(`Qlik Sense server license is about to expire in ${daysRemaining} days!`)
  else write(`Qlik Sense server license expiry in ${daysRemaining} days`)
  write(`Expiry date: ${date}`)
}

function point(details: LicenseDetails, tags: Readonly<Record<string, string>>, time: number) {
  return {
    measurement: 'qlik_sense_server_license',
    tags,
    fields: {
      license_expired: details.expired,
      expiry_date: details.expiryDate?.slice(0, 10),
      days_until_expiry: details.daysRemaining,
    },
    time,
  }
}

const DAY_MS = 86_400_000

/**
 * The end of the server licence by the data of QRS. The earliest of the `Valid To:` lines counts; without a readable one
 * the licence has no end, and no alert is sent. `daysRemaining` is 0 during the first day after the end and negative later.
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

/** Milliseconds since 1970; null when the line names no end. Without a zone the time is UTC. */
function endIn(line: string): number | null {
  const text = /Valid To:(.*)$/i.exec(line)?.[1]?.trim()
  if (!text) return null
  const isIso = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(Z|[+-]\d{2}:?\d{2})?)?$/i.exec(text)
  if (isIso) return valid(Date.parse(`${isIso[1]}T${isIso[2] ?? '00:00'}${isIso[3] ?? 'Z'}`))
  const hasZone = /(?:GMT|UTC|Z|[+-]\d{2}:?\d{2})$/i.test(text)
  return valid(Date.parse(hasZone ? text : `${text} UTC`))
}

const valid = (time: number): number | null => (Number.isNaN(time) ? null : time)
