/** Numbers and cut tables in documents of the compiled executable: as the app means them, and said where a part is missing. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { unzip } from '../support/office.ts'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'

let reports: ReportSite
let reportId = ''

beforeAll(async () => {
  reports = await startReportSite()
  const report = await reports.salesReport('Numbers', {
    blocks: [
      {
        key: 'years',
        type: 'table',
        totals: true,
        maxRows: 2,
        sort: [{ column: 0, dir: 'asc' }],
        columns: [
          { label: 'Year', expr: 'Year', kind: 'dimension' },
          { label: 'Code', expr: '=Year', kind: 'dimension', format: '000000' },
          { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
        ],
      },
      { key: 'kpis', type: 'kpi', items: [{ label: 'Last year', expr: '=Max(Year)', format: '0' }] },
    ],
  })
  reportId = report.id
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

async function rendered(format: string): Promise<Uint8Array> {
  const answer = await reports.product.call('POST', `/v4/report/${reportId}/render?format=${format}`)
  const bytes = new Uint8Array(await answer.arrayBuffer())
  expect([answer.status, answer.status === 200 ? '' : new TextDecoder().decode(bytes)]).toEqual([200, ''])
  return bytes
}
const textOf = async (format: string) => new TextDecoder().decode(await rendered(format))

interface Json {
  readonly blocks: readonly {
    readonly rows?: readonly (readonly unknown[])[]
    readonly totalRows?: number
    readonly note?: string
    readonly items?: readonly { readonly value: unknown; readonly text: string }[]
  }[]
}

test('JSON has years and amounts as numbers, codes as texts, and a note that it was cut', async () => {
  const { blocks } = JSON.parse(await textOf('json')) as Json
  const [table, kpis] = blocks
  expect(table?.rows?.map((row) => row.map((value) => typeof value))).toEqual([
    ['number', 'string', 'number'],
    ['number', 'string', 'number'],
  ])
  const year = table?.rows?.[0]?.[0]
  expect(table?.rows?.[0]?.[1]).toBe(`00${year}`)
  expect(table?.note).toBe(`Showing the first 2 of ${table?.totalRows} rows`)
  expect(kpis?.items?.[0]?.text).toMatch(/^20\d\d$/)
}, 60_000)

test('CSV keeps the code, and its last record says that it was cut', async () => {
  const [head, first, , last, ...more] = (await textOf('csv')).trimEnd().split('\r\n')
  expect(head).toBe('Year,Code,Sales')
  expect(first).toMatch(/^(20\d\d),00\1,\d+(\.\d+)?$/)
  expect(last).toMatch(/^Showing the first 2 of \d rows,,$/)
  expect(more).toEqual([])
}, 60_000)

test('a workbook has the year without separators, the code as text, the amount with separators', async () => {
  const parts = await unzip(await rendered('xlsx'))
  const sheet = parts.get('xl/worksheets/sheet1.xml')?.text ?? ''
  const styles = parts.get('xl/styles.xml')?.text ?? ''
  const formatOf = (place: string): string => {
    const [, style] = new RegExp(`<c r="${place}" s="(\\d+)"><v>`).exec(sheet) ?? []
    const cells = /<cellXfs.*?<\/cellXfs>/s.exec(styles)?.[0].match(/<xf [^>]*>/g) ?? []
    const [, id] = /numFmtId="(\d+)"/.exec(cells[Number(style)] ?? '') ?? []
    return new RegExp(`numFmtId="${id}" formatCode="([^"]*)"`).exec(styles)?.[1] ?? `none of ${style}`
  }
  expect(formatOf('A2')).toBe('0')
  expect(sheet).toMatch(/<c r="B2" t="inlineStr"><is><t>0020\d\d</)
  expect(formatOf('C2')).toMatch(/^#,##0/)
  expect(sheet).toMatch(/<c r="A4"[^>]*><is><t>Total of all \d rows</)
  expect(sheet).toMatch(/<c r="A5"[^>]*><is><t>Showing the first 2 of \d rows</)
}, 60_000)

test('a page has the figure in its format, and the amount in the language of the report', async () => {
  const page = await textOf('html')
  expect(page).toMatch(/>20\d\d<\/div>/)
  expect(page).toMatch(/<td[^>]*>0020\d\d<\/td><td[^>]*>\d{1,3}(,\d{3})+(\.\d+)?<\/td>/)
  expect(page).toMatch(/Showing the first 2 of \d rows/)
}, 60_000)
