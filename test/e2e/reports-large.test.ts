/** Documents of 100,000 rows from the engine to the folder, in the compiled executable: complete, and within 512 MB. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Uint8ArrayReader, ZipReader } from '@zip.js/zip.js'
import { hasPdfTools, pdfInfo, pdfPages } from '../support/pdf.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { until } from '../support/wait.ts'

const ROWS = 100_000
const MOST_MB = 512

let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const dimension = (expr: string) => ({ label: expr, expr, kind: 'dimension' })
const measure = (label: string, expr: string) => ({ label, expr, kind: 'measure' })
const COLUMNS = [
  ...['Order', 'Department', 'OrderDate', 'Item', 'Warehouse', 'Customer'].map(dimension),
  measure('Quantity', '=Sum(Quantity)'),
  measure('Amount', '=Sum(Amount)'),
]

/** A task that makes this one table, cut at 100,000 rows. */
async function define(name: string, format: 'pdf' | 'xlsx', columns: readonly object[]) {
  const report = await reports.salesReport(name, {
    appId: reports.site.simulator.addOrderLines(),
    page: { size: 'A4', orientation: 'landscape', footer: 'Page {page} of {pages}' },
    blocks: [{ key: 'table', type: 'table', columns }],
  })
  const task = await reports.mailTask(name, report.id, {
    ...{ email: { enabled: false }, storage: [{ spaceId: 'finance', folder: name }] },
    reports: [{ key: 'pack', reportId: report.id, format, fileName: 'large' }],
  })
  return { taskId: task.id, file: reports.space.join('finance', name, `large.${format}`) }
}

/** Resolves with the SHA-256 of the file. */
async function made({ taskId, file }: { readonly taskId: string; readonly file: string }): Promise<string> {
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

test.skipIf(!hasPdfTools)(
  'a PDF of 8 columns: its header on every page, the right number of pages, equal bytes in two runs',
  async () => {
    const task = await define('Paper', 'pdf', COLUMNS)
    const first = await made(task)
    const pages = pdfPages(task.file)
    expect(pdfInfo(task.file).Pages).toBe(String(pages.length))
    const rows: string[] = []
    for (const [index, page] of pages.entries()) {
      expect(page).toMatch(/Order\s+Department\s+OrderDate\s+Item\s+Warehouse\s+Customer\s+Quantity\s+Amount/)
      expect(page).toContain(`Page ${index + 1} of ${pages.length}`)
      for (const [, row = ''] of page.matchAll(/^\s*(O\d{6})\b/gm)) rows.push(row)
    }
    expect([rows.length, new Set(rows).size]).toEqual([ROWS, ROWS])
    expect(rows.findIndex((row, index) => index > 0 && row < rows[index - 1]!)).toBe(-1)
    expect(await made(task)).toBe(first)
  },
  300_000,
)

test('a workbook of 20 columns: typed cells, frozen header, filter', async () => {
  const more = Array.from({ length: 12 }, (_, n) => measure(`Amount ${n + 2}`, `=Sum(Amount) * ${n + 2}`))
  const task = await define('Book', 'xlsx', [...COLUMNS, ...more])
  await made(task)
  const reader = new ZipReader(new Uint8ArrayReader(new Uint8Array(readFileSync(task.file))))
  const sheet = (await reader.getEntries()).find(({ filename }) => filename === 'xl/worksheets/sheet1.xml')
  if (!sheet || sheet.directory) throw new Error('no sheet')
  let [rows, numbers, head, text] = [0, 0, '', '']
  const decoder = new TextDecoder()
  await sheet.getData(
    new WritableStream<Uint8Array>({
      write(chunk) {
        text += decoder.decode(chunk, { stream: true })
        if (head === '' && text.includes('<row r="3"')) head = text.slice(0, text.indexOf('<row r="3"'))
        const whole = text.lastIndexOf('<row ')
        if (whole <= 0 || head === '') return
        rows += text.slice(0, whole).split('<row ').length - 1
        numbers += text.slice(0, whole).split('<v>').length - 1
        text = text.slice(whole)
      },
    }),
    { useWebWorkers: false },
  )
  // The last row, and what follows it.
  expect([rows + 1, numbers + text.split('<v>').length - 1]).toEqual([ROWS + 1, ROWS * 15])
  expect(text).toContain(`<autoFilter ref="A1:T${ROWS + 1}"/>`)
  expect(head).toMatch(/<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"\/>/)
  // A text, and a date as its serial number with a format of its own.
  expect(head).toMatch(/<c r="A2" t="inlineStr"><is><t>O000001<\/t>/)
  expect(head).toMatch(/<c r="C2" s="\d+"><v>45\d{3}<\/v>/)
}, 180_000)
