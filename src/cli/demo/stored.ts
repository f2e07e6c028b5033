/** Schedules and key-value pairs of the demo. */
import { SITE_ZONE } from '../../../simulator/index.ts'

const SALES_RELOAD = '70000000-0000-4000-8000-000000000001'
const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const TIMEOUT_MS = 10_000

const daily = {
  id: 'sales-early',
  name: 'Sales ETL on working days',
  cronSchedule: '30 5 * * 1-5',
  timezone: SITE_ZONE,
  qlikSenseTaskId: SALES_RELOAD,
  startupState: 'started',
  notOn: ['holidays'],
  tags: ['nightly'],
}
const weekly = {
  id: 'dashboard-weekly',
  name: 'Dashboard before the Monday meeting',
  cronSchedule: '45 6 * * 1',
  timezone: 'America/New_York',
  qlikSenseTaskId: DASHBOARD,
  startupState: 'started',
}
const paused = {
  id: 'month-end',
  name: 'Month end',
  cronSchedule: '0 4 1 * *',
  timezone: SITE_ZONE,
  qlikSenseTaskId: SALES_RELOAD,
  startupState: 'stopped',
}

/** JSON is YAML. */
export const SCHEDULES = JSON.stringify({ butlerSchedule: [daily, weekly, paused] })

/** Values that load scripts keep between reloads. */
const PAIRS: readonly (readonly [namespace: string, key: string, value: string, ttlMs?: number])[] = [
  ['Sales ETL', 'last extract', '2026-11-22 04:00:12'],
  ['Sales ETL', 'watermark', '{"orders": 4711232, "lines": 18320045}'],
  ['Sales ETL', 'lock', 'sense2', 900_000],
  ['Finance', 'open period', '2026-11'],
]

export async function storePairs(restUrl: string): Promise<void> {
  for (const [namespace, key, value, ttl = 0] of PAIRS) {
    const answer = await fetch(`${restUrl}/v4/keyvalues/${encodeURIComponent(namespace)}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ key, value, ttl }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    if (!answer.ok) throw new Error(`/v4/keyvalues answers ${answer.status}: ${await answer.text()}`)
  }
}
