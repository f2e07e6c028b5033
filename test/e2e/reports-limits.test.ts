/** Large data and the limits of the engine, in the compiled executable. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { attached, type ReportSite, startReportSite } from '../support/report-tasks.ts'

let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

test('an engine that answers 7009 to large pages: smaller pages, and the table is complete', async () => {
  const { simulator } = reports.site
  const report = await reports.salesReport('Customers', {
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: [
          { label: 'Customer', expr: 'Customer', kind: 'dimension' },
          { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
        ],
      },
    ],
  })
  const task = await reports.mailTask('Customers', report.id)
  simulator.fault({ listener: 'engine', mode: 'engine-max-cells', args: [300] })
  const run = await reports.run(task.id)
  simulator.clearFaults()
  expect([run.outcome, run.events]).toEqual(['success', []])
  const lines = attached(reports.mailsTo('customers@acme.example')[0]!).trimEnd().split('\r\n')
  expect(lines).toHaveLength(1201)
  expect(new Set(lines).size).toBe(1201)
}, 60_000)

test('a table of 134,211 rows is cut at the limit with a warning, and memory stays below 512 MB', async () => {
  const appId = reports.site.simulator.addOrderLines()
  const dimension = (expr: string) => ({ label: expr, expr, kind: 'dimension' })
  const report = await reports.salesReport('Orders', {
    appId,
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: [
          ...['Order', 'Department', 'OrderDate', 'Item', 'Warehouse', 'Customer'].map(dimension),
          { label: 'Quantity', expr: '=Sum(Quantity)', kind: 'measure' },
          { label: 'Amount', expr: '=Sum(Amount)', kind: 'measure' },
        ],
      },
    ],
  })
  const task = await reports.mailTask('Orders', report.id, {
    email: { enabled: false },
    storage: [{ spaceId: 'finance' }],
    reports: ['csv', 'xlsx'].map((format) => ({
      key: format,
      reportId: report.id,
      format,
      fileName: 'orders',
      ...(format === 'csv' && { block: 'table' }),
    })),
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason]).toEqual(['warning', 'ROWS_TRUNCATED'])
  expect(
    run.events.map(({ code, report: key, block, details }) => [
      code,
      key,
      block,
      details.match(/\d[\d,. ]*/g)?.map((number) => Number(number.replaceAll(/\D/g, ''))),
    ]),
  ).toEqual(['csv', 'xlsx'].map((format) => ['ROWS_TRUNCATED', format, 'table', [100_000, 134_211]]))
  const lines = readFileSync(reports.space.join('finance', 'orders.csv'), 'utf8').trimEnd().split('\r\n')
  expect(lines).toHaveLength(100_002)
  expect(lines.at(-1)).toMatch(/^"Showing the first 100,000 of 134,211 rows",{7}$/)
  if (process.platform !== 'linux') return
  const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${reports.product.process.pid}/status`, 'utf8')) ?? []
  expect(Number(peak) / 1024).toBeLessThan(512)
}, 120_000)
