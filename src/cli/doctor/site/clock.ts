/** The clock of the Qlik Sense server against the clock here. */
import type { DoctorContext, Finding } from '../types.ts'
import type { Site } from './site.ts'

const GROUP = 'clock'
const WARNING_MS = 60_000
const ERROR_MS = 5 * 60_000
const FIX =
  'let both machines follow the same time server (w32tm /query /status on Windows, chronyc tracking or timedatectl on Linux)'

export async function clockFindings(site: Site, _context: DoctorContext): Promise<readonly Finding[]> {
  const { serverTime, at } = await site.about()
  const common = { target: site.target, key: 'configQRS.host' }
  if (serverTime === null) {
    return [{ ...common, level: 'info', code: `${GROUP}.unknown`, message: 'the server does not tell its time' }]
  }
  // The header counts whole seconds.
  const ahead = serverTime + 500 - at
  const shown = `the server shows ${timeOf(serverTime)}, this machine ${timeOf(at)}`
  const away = Math.abs(ahead)
  if (away <= WARNING_MS) return [{ ...common, level: 'ok', code: `${GROUP}.same`, message: shown }]
  const level = away > ERROR_MS ? 'error' : 'warning'
  const message = `${shown}: ${amount(away)} ${ahead > 0 ? 'ahead' : 'behind'}`
  return [{ ...common, level, code: `${GROUP}.skew`, message, fix: FIX }]
}

const timeOf = (time: number): string => new Date(time).toISOString().slice(0, 19).replace('T', ' ').concat(' UTC')

function amount(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`
}
