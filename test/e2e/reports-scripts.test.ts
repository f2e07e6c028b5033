/** Words of Hebrew and Arabic, and tabs, in a PDF of the compiled executable: each word and space where a reader expects it. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { pdfImages, pdfWords } from '../support/pdf.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'
import { needs } from '../support/servers.ts'
import { tempDirectory } from '../support/temp.ts'

needs('pdftotext')

const directory = tempDirectory()
let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => {
  await reports?.[Symbol.asyncDispose]()
  directory.remove()
})

async function pdf(name: string, block: object): Promise<string> {
  const report = await reports.salesReport(name, { page: { title: 'T', footer: 'F' }, blocks: [block] })
  const task = await reports.mailTask(name, report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: 'pdf' }],
  })
  const run = await reports.run(task.id)
  // A box in place of a character would be a warning.
  expect([run.outcome, run.events]).toEqual(['success', []])
  const [mail] = reports.mailsTo(`${name}@acme.example`)
  const file = directory.join(`${name}.pdf`)
  writeFileSync(file, new Uint8Array(mail!.parsed.attachments[0]!.content as ArrayBuffer))
  return file
}

const HEBREW = 'שלום עולם טוב'
const ARABIC = 'مرحبا بالعالم العربي'
const TAB = 'left\tright'

/** Words of a line from left to right, as they lie on paper. */
const LINES = [
  ['טוב', 'עולם', 'שלום'],
  ['العربي', 'بالعالم', 'مرحبا'],
  ['left', 'right'],
]
const TEXTS = {
  label: 'T',
  expr: `=If(Year = 2024, '${HEBREW}', If(Year = 2025, '${ARABIC}', '${TAB}'))`,
  kind: 'dimension',
}

test('in a table', async () => {
  const year = { label: 'Y', expr: 'Year', kind: 'dimension' }
  const file = await pdf('table', {
    key: 'table',
    type: 'table',
    sort: [{ column: 0, dir: 'asc' }],
    columns: [year, TEXTS],
  })
  const words = pdfWords(file)
  const after = (word: string, count: number) => words.slice(words.indexOf(word) + 1).slice(0, count)
  expect(['2024', '2025', '2026'].map((start, at) => after(start, LINES[at]!.length))).toEqual(LINES)
}, 60_000)

test('in a table that an object of the app, such as a pivot table, becomes', async () => {
  const file = await pdf('pivot', { key: 'pivot', type: 'object', objectId: 'pvRegion', as: 'table', title: HEBREW })
  const words = pdfWords(file)
  const at = words.indexOf('טוב')
  expect(words.slice(at, at + 3)).toEqual(LINES[0]!)
}, 60_000)

test('in a chart, which is then a picture', async () => {
  const chart = (dimension: string) => ({
    key: 'chart',
    type: 'chart',
    chart: 'bar',
    dimension,
    measures: ['=Sum(Sales)'],
  })
  expect(pdfImages(await pdf('latin', chart('Year')))).toEqual([])
  expect(pdfImages(await pdf('chart', chart(TEXTS.expr)))).not.toEqual([])
}, 60_000)
