/** The time zone of the Qlik Sense server, as the times in its messages tell it, against that of Footman. */
import { createZone } from '../../../platform/zone.ts'
import type { DoctorContext, Finding, Probe } from '../types.ts'
import { readDatabase } from './running.ts'

const GROUP = 'time-zone'
const QUARTER_MS = 15 * 60_000
/** Messages arrive within moments; what came later, or from a clock that is wrong, says nothing about the zone. */
const LATE_MS = 5 * 60_000
/** Minutes of the offsets that zones have. */
const MINUTES = [0, 30, 45]

export const zoneProbe: Probe = {
  group: GROUP,
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
    return [{ ...common, level: 'ok', code: `${GROUP}.same`, message: `the same as here (${utc(theirs)})` }]
  }
  const message = `the server is at ${utc(theirs)}, Footman at ${utc(ours)} (${zone}): windows, calendars and times in messages follow the latter`
  const fix = 'set Butler.footman.timezone to the zone that people think in, like Europe/Stockholm'
  return [{ ...common, level: 'info', code: `${GROUP}.other`, message, fix }]
}

/** What the clock of the server is ahead of UTC, to the quarter of an hour; null when that cannot be told. */
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
