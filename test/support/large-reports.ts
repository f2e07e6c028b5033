/** Tasks that make one table of 100,000 rows. */
import { afterAll, beforeAll, expect } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type ReportSite, startReportSite } from './report-tasks.ts'
import { until } from './wait.ts'

export const ROWS = 100_000
const MOST_MB = 512

let reports: ReportSite

/** Starts the site before the tests of a file. Called once, at the top level. */
export function startLargeReports(): void {
  beforeAll(async () => {
    reports = await startReportSite()
  }, 60_000)
  afterAll(async () => reports?.[Symbol.asyncDispose]())
}

const dimension = (expr: string) => ({ label: expr, expr, kind: 'dimension' })
export const measure = (label: string, expr: string) => ({ label, expr, kind: 'measure' })
export const COLUMNS = [
  ...['Order', 'Department', 'OrderDate', 'Item', 'Warehouse', 'Customer'].map(dimension),
  measure('Quantity', '=Sum(Quantity)'),
  measure('Amount', '=Sum(Amount)'),
]

/** A task that makes this one table, cut at 100,000 rows. */
export async function define(name: string, format: 'pdf' | 'xlsx', columns: readonly object[]) {
  const report = await reports.salesReport(name, {
    appId: reports.site.simulator.addOrderLines(),
    page: { size: 'A4', orientation: 'landscape', footer: 'Page {page} of {pages}' },
    blocks: [{ key: 'table', type: 'table', columns }],
  })
  const task = await reports.mailTask(name, report.id, {
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: name }],
    reports: [{ key: 'pack', reportId: report.id, format, fileName: 'large' }],
  })
  return { taskId: task.id, file: reports.space.join('finance', name, `large.${format}`) }
}

/** Resolves with the SHA-256 of the file. */
export async function made({ taskId, file }: { readonly taskId: string; readonly file: string }): Promise<string> {
  const runId = await reports.begin(taskId)
  const run = await until(
    async () => {
      const found = await reports.call<Run>('GET', `/v4/reportrun/${runId}`)
      return found.state === 'finished' && found
    },
    { timeout: 150_000, what: 'the end of the run' },
  )
  expect([run.outcome, run.reason]).toEqual(['warning', 'ROWS_TRUNCATED'])
  expect(peakMb() ?? 0).toBeLessThan(MOST_MB)
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

interface Run {
  readonly state: string
  readonly outcome: string
  readonly reason: string
}

/** The most memory that the process has used; null where /proc does not exist. */
function peakMb(): number | null {
  if (process.platform !== 'linux') return null
  const status = readFileSync(`/proc/${reports.product.process.pid}/status`, 'utf8')
  return Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
