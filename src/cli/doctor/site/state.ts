/** The state of a site: licence, clock, time zone, script logs. */

import { licenseDetails } from '../../../monitors/license/server.ts'
import { createZone } from '../../../platform/zone.ts'
import { nullWhenAbsent } from '../../../qlik/qrs/failure.ts'
import { createLicenseClient } from '../../../qlik/qrs/licenses.ts'
import { ZERO_GUID } from '../../../qlik/qrs/types.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { plural, type Site } from './site.ts'
import { readDatabase } from './udp.ts'

const WARN_DAYS = 30
const LICENCE_FIX = 'enter the renewed licence in the QMC (License management)'

export async function licenceFindings(site: Site, { clock, timeout }: DoctorContext): Promise<readonly Finding[]> {
  const client = createLicenseClient(await site.transport())
  const licence = licenseDetails(await client.server(AbortSignal.timeout(timeout)), clock.now())
  const { expired, expiryDate, daysRemaining } = licence
  const common = { target: site.target }
  const date = expiryDate?.slice(0, 10)
  if (expired) {
    const message = date ? `the Qlik Sense licence has ended on ${date}` : 'the Qlik Sense licence has ended'
    return [{ ...common, level: 'error', code: 'licence.expired', message, fix: LICENCE_FIX }]
  }
  if (daysRemaining === null) {
    return [{ ...common, level: 'ok', code: 'licence.valid', message: 'valid, without a known end' }]
  }
  const message = `valid until ${date}, ${plural(daysRemaining, 'day')}`
  if (daysRemaining <= WARN_DAYS)
    return [{ ...common, level: 'warning', code: 'licence.ends-soon', message, fix: LICENCE_FIX }]
  return [{ ...common, level: 'ok', code: 'licence.valid', message }]
}

const WARNING_MS = 60_000
const ERROR_MS = 5 * 60_000
const CLOCK_FIX =
  'let both machines follow the same time server (w32tm /query /status on Windows, chronyc tracking or timedatectl on Linux)'

export async function clockFindings(site: Site, _context: DoctorContext): Promise<readonly Finding[]> {
  const { serverTime, at } = await site.about()
  const common = { target: site.target, key: 'configQRS.host' }
  if (serverTime === null) {
    return [{ ...common, level: 'info', code: 'clock.unknown', message: 'the answers of the server have no time' }]
  }
  // The header counts whole seconds.
  const ahead = serverTime + 500 - at
  const shown = `the server shows ${timeOf(serverTime)}, this machine ${timeOf(at)}`
  const away = Math.abs(ahead)
  if (away <= WARNING_MS) return [{ ...common, level: 'ok', code: 'clock.same', message: shown }]
  const level = away > ERROR_MS ? 'error' : 'warning'
  const message = `${shown}: ${amount(away)} ${ahead > 0 ? 'ahead' : 'behind'}`
  return [{ ...common, level, code: 'clock.skew', message, fix: CLOCK_FIX }]
}

const timeOf = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ').concat(' UTC')

function amount(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`
}

const QUARTER_MS = 15 * 60_000
/** Messages arrive within moments; what came later, or from a clock that is wrong, says nothing about the zone. */
const LATE_MS = 5 * 60_000
/** Minutes of the offsets that zones have. */
const MINUTES = [0, 30, 45]

export const zoneProbe: Probe = {
  group: 'time-zone',
  title: 'Time zone',
  applies: ({ config, loaded }) => loaded.qlikConnection && config.udpServerConfig.enable,
  async run(context) {
    const last = readDatabase(context, (db) =>
      db.get<{ receivedAt: number; logTime: string; host: string }>(
        `SELECT received_at AS receivedAt, log_time AS logTime, host FROM event
           WHERE source = 'udp' AND test = 0 ORDER BY seq DESC LIMIT 1`,
      ),
    )
    return last ? judge(last.receivedAt, last.logTime, last.host, context) : []
  },
}

function judge(receivedAt: number, logTime: string, host: string, { config }: DoctorContext): readonly Finding[] {
  const theirs = offsetOf(logTime, receivedAt)
  if (theirs === null) return []
  const { timezone } = config.footman
  const zone = timezone || Intl.DateTimeFormat().resolvedOptions().timeZone
  const ours = createZone(zone).wall(receivedAt) - receivedAt
  const common = { target: host, key: 'footman.timezone' }
  if (Math.abs(ours - theirs) < QUARTER_MS) {
    return [{ ...common, level: 'ok', code: 'time-zone.same', message: `the same as here (${utc(theirs)})` }]
  }
  const message = `the server is at ${utc(theirs)}, Footman at ${utc(ours)} (${zone}): windows, calendars and times in messages follow the latter`
  const fix = 'set Butler.footman.timezone to the zone that people think in, like Europe/Stockholm'
  return [{ ...common, level: 'info', code: 'time-zone.other', message, fix }]
}

/** Milliseconds that the clock of the server is ahead of UTC, to the quarter of an hour; null when unknown. */
function offsetOf(logTime: string, receivedAt: number): number | null {
  const wall = Date.parse(`${logTime.slice(0, 19).replace(' ', 'T')}Z`)
  if (Number.isNaN(wall)) return null
  const difference = wall - receivedAt
  const offset = Math.round(difference / QUARTER_MS) * QUARTER_MS
  const isZone = MINUTES.includes((Math.abs(offset) / 60_000) % 60) && Math.abs(offset) <= 14 * 3_600_000
  return isZone && Math.abs(difference - offset) <= LATE_MS ? offset : null
}

function utc(offset: number): string {
  const minutes = Math.abs(Math.round(offset / 60_000))
  const two = (value: number) => String(value).padStart(2, '0')
  return `UTC${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`
}

export async function scriptLogFindings(site: Site, _context: DoctorContext): Promise<readonly Finding[]> {
  const tasks = await site.tasks()
  const [latest] = tasks
    .flatMap((task) => {
      const result = task.operational?.lastExecutionResult
      const has = task.taskType === 0 && result && (result.scriptLogAvailable || result.fileReferenceID !== ZERO_GUID)
      return has ? [{ task, result }] : []
    })
    .sort((a, b) => b.result.stopTime.localeCompare(a.result.stopTime))
  if (!latest) {
    const message = 'no reload has left a script log yet, so fetching one could not be tried'
    return [{ level: 'info', code: 'script-log.none', target: site.target, message }]
  }
  const { task, result } = latest
  const text = await (await site.client()).scriptLog(task.id, result).catch(nullWhenAbsent)
  if (!text) {
    const message = 'Qlik Sense has no script log for the last reload, although it says so; alerts come without one'
    const fix =
      'see whether the archived logs on the file share of the site (ArchivedLogs) can be read by the Qlik Sense service account'
    return [{ level: 'warning', code: 'script-log.missing', target: task.name, message, fix }]
  }
  return [
    { level: 'ok', code: 'script-log.read', target: task.name, message: `can be fetched (${text.length} characters)` },
  ]
}
