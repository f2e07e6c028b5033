/** A report task of the Windows build: documents of every library that makes them, in a folder and by mail. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { unzip, zipOf } from '../support/office.ts'
import { hasPdfTools, pdfInfo, pdfPages } from '../support/pdf.ts'
import { type Named, REGIONS, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { paragraph, wordPicture, wordTemplate, wordText } from '../support/templates.ts'
import { windowsHost } from '../support/wine/wine.ts'

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
    ...{ project: 'Sales', name: 'Letter', type: 'template', appId: SALES_APP },
    template: { source: 'file', file: 'letter.docx' },
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(Sales)' },
      { key: 'sales', type: 'chart', chart: 'bar', dimension: 'Year', measures: ['=Sum(Sales)'] },
    ],
  })
  const use = (format: string, more: object = {}) => ({
    ...{ key: format, reportId: report.id, format, fileName: 'Sales', deliver: { email: 'none', storage: true } },
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
  if (!hasPdfTools) return
  const pages = pdfPages(file('pdf'))
  expect(REGIONS.filter((region) => !pages.join().includes(region))).toEqual([])
  expect(pdfInfo(file('pdf')).Pages).toBe(String(pages.length))
}, 120_000)
