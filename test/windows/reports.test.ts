/** A report task of the Windows build: documents of every library that makes them, in a folder and by mail. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { runBinary } from '../support/binary.ts'
import { unzip, zipOf } from '../support/office.ts'
import { pdfInfo, pdfPages } from '../support/pdf.ts'
import { type Named, REGIONS, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { paragraph, wordPicture, wordTemplate, wordText } from '../support/templates.ts'
import { until } from '../support/wait.ts'
import { windowsHost } from '../support/wine/wine.ts'

needs('pdftotext', 'qpdf')

let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite({}, {}, await windowsHost())
}, 120_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

test('files in a folder below the space, one of them by mail', async () => {
  const report = await reports.salesReport('Pack')
  writeFileSync(
    reports.templates.join('letter.docx'),
    await zipOf(wordTemplate(paragraph('Revenue {{revenue | 0}}') + wordPicture('{{sales}}'))),
  )
  const letter = await reports.call<Named>('POST', '/v4/report', {
    project: 'Sales',
    name: 'Letter',
    type: 'template',
    appId: SALES_APP,
    template: { source: 'file', file: 'letter.docx' },
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(Sales)' },
      { key: 'sales', type: 'chart', chart: 'bar', dimension: 'Year', measures: ['=Sum(Sales)'] },
    ],
  })
  const use = (format: string, more: object = {}) => ({
    key: format,
    reportId: report.id,
    format,
    fileName: 'Sales',
    deliver: { email: 'none', storage: true },
    ...more,
  })
  const task = await reports.mailTask('Windows', report.id, {
    storage: [{ spaceId: 'finance', folder: 'weekly\\north' }],
    reports: [
      use('pdf', { deliver: { email: 'attach', storage: true } }),
      use('xlsx'),
      use('html'),
      use('csv', { block: 'table' }),
      use('png', { block: 'chart' }),
      use('docx', { reportId: letter.id }),
    ],
  })
  const run = await reports.run(task.id)
  expect([run.outcome, run.events]).toEqual(['success', []])
  const folder = reports.space.join('finance', 'weekly', 'north')
  expect(readdirSync(folder).toSorted()).toEqual(
    ['csv', 'docx', 'html', 'pdf', 'png', 'xlsx'].map((extension) => `Sales.${extension}`),
  )
  const file = (extension: string) => `${folder}/Sales.${extension}`
  const bytes = (extension: string) => new Uint8Array(readFileSync(file(extension)))
  expect(readFileSync(file('csv'), 'utf8')).toMatch(/^\ufeffRegion,Sales\r\n/)
  expect((await unzip(bytes('xlsx'))).get('xl/worksheets/sheet2.xml')?.text).toContain('Nordic')
  expect(wordText((await unzip(bytes('docx'))).get('word/document.xml')!.text)[0]).toMatch(/^Revenue \d+$/)
  expect(Buffer.from(bytes('png').subarray(1, 4)).toString()).toBe('PNG')

  const [mail, ...others] = await reports.mailbox.received(1)
  expect([mail!.envelope.to, others]).toEqual([['windows@acme.example'], []])
  const [attachment] = mail!.parsed.attachments
  expect(attachment!.filename).toBe('Sales.pdf')
  expect(Buffer.from(attachment!.content as ArrayBuffer)).toEqual(Buffer.from(bytes('pdf')))

  // The second run replaces the files.
  const again = await reports.run(task.id)
  expect([again.outcome, again.counts.filesWritten]).toEqual(['success', 6])
  expect(readdirSync(folder)).toHaveLength(6)
  const pages = pdfPages(file('pdf'))
  expect(REGIONS.filter((region) => !pages.join().includes(region))).toEqual([])
  expect(pdfInfo(file('pdf')).Pages).toBe(String(pages.length))
}, 120_000)

test('a file that another program has open is replaced when it is closed', async () => {
  const host = await windowsHost()
  const report = await reports.salesReport('Open')
  const task = await reports.mailTask('Open', report.id, {
    email: { enabled: false },
    reports: [{ key: 'pack', reportId: report.id, format: 'csv', block: 'table', fileName: 'open' }],
    storage: [{ spaceId: 'finance' }],
  })
  // The shell of Wine keeps the file open for as long as it waits for input.
  const file = reports.space.join('finance', 'open.csv')
  writeFileSync(reports.space.join('hold.cmd'), '@set /p answer=open > finance\\open.csv\r\n')
  await using other = runBinary(['cmd', '/c', 'hold.cmd'], { ...host, cwd: reports.space.path })
  await until(() => existsSync(file) && readFileSync(file, 'utf8').startsWith('open'))
  const runId = await reports.begin(task.id)
  const delivery = await until(async () => {
    const [found] = await reports.deliveries(runId)
    return found?.state === 'retry' && found
  })
  expect([delivery.attempts, delivery.target, delivery.lastError]).toEqual([
    1,
    'finance:open.csv',
    expect.stringMatching(/another program has the file open$/),
  ])
  await other.kill9()
  const run = await reports.ended(runId)
  expect([run.outcome, run.counts.filesWritten]).toEqual(['success', 1])
  expect(readFileSync(file, 'utf8')).toMatch(/^\ufeffRegion,Sales\r\n/)
  expect(readdirSync(reports.space.join('finance')).filter((name) => name.endsWith('.part'))).toEqual([])
}, 120_000)
