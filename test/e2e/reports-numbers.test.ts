/** Numbers and cut tables in documents of the compiled executable: as the app means them, and said where a part is missing. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { unzip, zipOf } from '../support/office.ts'
import { type Named, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { needs, program } from '../support/servers.ts'
import { sheetRow, workbook, worksheet } from '../support/workbook.ts'

needs('soffice')

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

async function rendered(format: string, id = reportId): Promise<Uint8Array> {
  const answer = await reports.product.call('POST', `/v4/report/${id}/render?format=${format}`)
  const bytes = new Uint8Array(await answer.arrayBuffer())
  expect([answer.status, answer.status === 200 ? '' : new TextDecoder().decode(bytes)]).toEqual([200, ''])
  return bytes
}
const textOf = async (format: string, id?: string) => new TextDecoder().decode(await rendered(format, id))

interface Json {
  readonly blocks: readonly {
    readonly rows?: readonly (readonly unknown[])[]
    readonly totalRows?: number
    readonly note?: string
    readonly items?: readonly { readonly value: unknown; readonly text: string }[]
  }[]
}

/** The number format of a cell that is a number. */
function cellFormat(sheet: string, styles: string, place: string): string {
  const [, style] = new RegExp(`<c r="${place}" s="(\\d+)"><v>`).exec(sheet) ?? []
  const cells = /<cellXfs.*?<\/cellXfs>/s.exec(styles)?.[0].match(/<xf [^>]*>/g) ?? []
  const [, id] = /numFmtId="(\d+)"/.exec(cells[Number(style)] ?? '') ?? []
  return new RegExp(`numFmtId="${id}" formatCode="([^"]*)"`).exec(styles)?.[1] ?? `none of ${style}`
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
  const formatOf = (place: string) => cellFormat(sheet, styles, place)
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

/** The same amount in a text, a figure, a table, a chart and the title. */
const amounts = (format?: string) => ({
  locale: 'de-DE',
  page: { title: 'T {expr:=Sum(Sales)}' },
  blocks: [
    { key: 'text', type: 'text', markdown: 'Year {{=Max(Year)}}, sales {{=Sum(Sales)}}.' },
    { key: 'kpi', type: 'kpi', items: [{ label: 'Sales', expr: '=Sum(Sales)', compareExpr: '=Sum(Cost)' }] },
    {
      key: 'table',
      type: 'table',
      maxRows: 2,
      columns: [
        { label: 'Region', expr: 'Region', kind: 'dimension' },
        { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
        { label: 'Cost', expr: '=Sum(Cost)', kind: 'measure', ...(format && { format }) },
      ],
    },
    { key: 'pie', type: 'chart', chart: 'funnel', dimension: 'Region', measures: ['=Sum(Sales)/7'] },
  ],
})

/** Separators of the numbers in a page: `.,` are groups by points and decimals by commas. */
function separators(page: string): string[] {
  const texts = page.replace(/<style.*?<\/style>/s, '').match(/(?<=>)[^<]+(?=<)/g) ?? []
  const numbers = texts
    .flatMap((text) => text.match(/\d+(?:[.,]\d+)+/g) ?? [])
    .filter((one) => !/^\d\d\.\d\d\./.test(one))
  return [
    ...new Set(numbers.flatMap((one) => (/^\d{1,3}(\.\d{3})*,\d+$|^\d{1,3}(\.\d{3})+$/.test(one) ? ['de'] : ['en']))),
  ]
}

test('a page has the separators of its locale, unless the app formats a number: then those of the app everywhere', async () => {
  const plain = await reports.salesReport('Amounts', amounts())
  const formatted = await reports.salesReport('Amounts of the app', amounts('#,##0.00'))
  const [own, app] = [await textOf('html', plain.id), await textOf('html', formatted.id)]
  expect(own).toMatch(/<h1[^>]*>T \d{1,3}(\.\d{3})+(,\d+)?</)
  expect(own).toMatch(/Year 20\d\d, sales \d{1,3}(\.\d{3})+(,\d+)?\./)
  expect(separators(own)).toEqual(['de'])
  expect(app).toMatch(/<h1[^>]*>T \d{1,3}(,\d{3})+(\.\d+)?</)
  expect(app).toMatch(/Year 20\d\d, sales \d{1,3}(,\d{3})+(\.\d+)?\./)
  expect(separators(app)).toEqual(['en'])
}, 60_000)

test('a subject has the amount in the locale, a file name the number of the app', async () => {
  const task = await reports.mailTask('Subject', reportId, {
    reports: [{ key: 'pack', reportId, format: 'json', fileName: 'S {expr:=Count(Sales)} {expr:=Max(Year)}' }],
    email: { enabled: true, subject: '{expr:=Count(Sales)} of {expr:=Max(Year)}' },
  })
  // The table of this report is cut on purpose.
  expect((await reports.run(task.id)).events.map(({ code }) => code)).toEqual(['ROWS_TRUNCATED'])
  const [mail] = reports.mailsTo('subject@acme.example')
  expect(mail?.parsed.subject).toMatch(/^\d{2,3},\d{3} of 20\d\d$/)
  expect(mail?.parsed.attachments[0]?.filename).toMatch(/^S \d{5,6} 20\d\d\.json$/)
}, 60_000)

/** A report by a template of one sheet with one row, in the folder of templates. */
async function sheetReport(name: string, row: string, data: readonly object[]): Promise<Named> {
  const file = `${name}.xlsx`
  writeFileSync(reports.templates.join(file), await zipOf(workbook([{ name, xml: worksheet(row) }])))
  const template = { source: 'file', file }
  return reports.call('POST', '/v4/report', {
    project: 'Sales',
    name: `Template ${name}`,
    type: 'template',
    appId: SALES_APP,
    template,
    data,
  })
}

test('a cell of a template without a format has that of the app, another keeps its own', async () => {
  const values = { share: '0.0%', amount: '0.00' }
  const keys = [...Object.keys(values), 'plain']
  const cells = keys.map((key) => `{{${key}}}`)
  // The last cell has the format #,##0.00 of the template.
  const row = sheetRow(1, [...cells, { s: 2, v: '{{share}}' }])
  const report = await sheetReport('Numbers', row, [
    ...Object.entries(values).map(([key, format]) => ({
      key,
      type: 'value',
      expr: `=Num(1234.5678/10000, '${format}')`,
    })),
    { key: 'plain', type: 'value', expr: '=1234.5678' },
  ])
  const parts = await unzip(await rendered('xlsx', report.id))
  const sheet = parts.get('xl/worksheets/sheet1.xml')?.text ?? ''
  const styles = parts.get('xl/styles.xml')?.text ?? ''
  const formatOf = (place: string) => cellFormat(sheet, styles, place)
  expect(sheet).toContain('<v>0.12345678</v>')
  expect(formatOf('A1')).toBe('0.0%')
  expect(formatOf('B1')).toBe('0.00')
  expect(sheet).toMatch(/<c r="C1"><v>1234.5678<\/v>/)
  expect(sheet).toMatch(/<c r="D1" s="2"><v>0.12345678<\/v>/)
}, 60_000)

test('an amount with its unit stays a number: in a table, a chart of Excel, a template and JSON', async () => {
  const money = ["=Num(Sum(Sales), '#,##0.00 kr')", "=Num(Sum(Sales), 'EUR #,##0')"]
  const report = await reports.salesReport('Units', {
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: [
          { label: 'Region', expr: 'Region', kind: 'dimension' },
          ...money.map((expr, index) => ({ label: `Sales ${index}`, expr, kind: 'measure' })),
        ],
      },
      { key: 'chart', type: 'chart', title: 'Chart', chart: 'bar', dimension: 'Region', measures: [money[0]] },
    ],
  })
  const parts = await unzip(await rendered('xlsx', report.id))
  const styles = parts.get('xl/styles.xml')?.text ?? ''
  const [table = '', chartSheet = ''] = [1, 2].map((at) => parts.get(`xl/worksheets/sheet${at}.xml`)?.text)
  expect(cellFormat(table, styles, 'B2')).toBe('#,##0.00 &quot;kr&quot;')
  expect(cellFormat(table, styles, 'C2')).toBe('&quot;EUR&quot; #,##0')
  expect(chartSheet).toMatch(/<c r="B\d+" s="\d+"><v>\d+/)
  expect(parts.get('xl/charts/chart2.xml')?.text).toContain('<c:formatCode>#,##0.00 &quot;kr&quot;</c:formatCode>')
  const { blocks } = JSON.parse(await textOf('json', report.id)) as Json
  expect(blocks[0]?.rows?.[0]).toEqual([expect.any(String), expect.any(Number), expect.any(Number)])

  const filled = await filledCells('units', { kr: money[0]!, eur: money[1]! })
  expect(filled.formatOf('A1')).toBe('#,##0.00 &quot;kr&quot;')
  expect(filled.formatOf('B1')).toBe('&quot;EUR&quot; #,##0')
}, 60_000)

test('a date, a time and a text in cells of a template are what they are in Qlik', async () => {
  const { sheet, formatOf } = await filledCells('dates', {
    day: '=Date(45000)',
    other: "=Date(45000, 'D/M/YYYY')",
    moment: "=Date(45000.75, 'YYYY-MM-DD hh:mm')",
    clock: "=Date(0.75, 'hh:mm')",
    text: '=Text(20241231)',
  })
  expect(['A1', 'B1', 'C1', 'D1'].map(formatOf)).toEqual([
    'yyyy\\-mm\\-dd',
    'd\\/m\\/yyyy',
    'yyyy\\-mm\\-dd hh:mm',
    '[hh]:mm',
  ])
  expect(sheet).toMatch(/<v>45000<.*<v>45000<.*<v>45000.75<.*<v>0.75</)
  expect(sheet).toMatch(/<c r="E1"[^>]* t="inlineStr"><is><t[^>]*>20241231</)
  // The cell beside has the format #,##0.00 of the template, another text around it.
  expect(sheet).toMatch(/<c r="F1" s="2"><v>45000</)
  expect(sheet).toMatch(/<c r="G1"[^>]*><is><t[^>]*>on 2023-03-15</)
}, 60_000)

test('a year that the app formats, a dash of the data and a text of digits stay as they are', async () => {
  const report = await reports.salesReport('As the app says', {
    blocks: [
      {
        key: 'table',
        type: 'table',
        columns: [
          { label: 'Region', expr: "=If(Region = 'DACH', '-', Region)", kind: 'dimension' },
          { label: 'Last year', expr: "=Num(Max(Year), '0')", kind: 'measure' },
          { label: 'Day', expr: '=Text(20241231)', kind: 'measure' },
        ],
      },
      {
        key: 'kpi',
        type: 'kpi',
        items: [
          { label: 'Last year', expr: "=Num(Max(Year), '0')" },
          { label: 'Day', expr: '=Date(45000)' },
        ],
      },
      {
        key: 'text',
        type: 'text',
        markdown: "{{=Num(10 * Max(Year), '0')}} of {{=Text(20241231)}}{{=Null()}}{{=Text('-')}}",
      },
    ],
  })
  const page = await textOf('html', report.id)
  expect(page).toMatch(/<td[^>]*>-<\/td><td[^>]*>20\d\d<\/td><td[^>]*>20241231<\/td>/)
  expect(page).toMatch(/>20\d\d<\/div>/)
  expect(page).toMatch(/20\d\d0 of 20241231-</)
  const { blocks } = JSON.parse(await textOf('json', report.id)) as Json
  expect(blocks[0]?.rows?.map(([region]) => region)).toContain('-')
  const parts = await unzip(await rendered('xlsx', report.id))
  const [figures = '', styles = ''] = ['xl/worksheets/sheet2.xml', 'xl/styles.xml'].map((name) => parts.get(name)?.text)
  expect([cellFormat(figures, styles, 'B2'), cellFormat(figures, styles, 'B3')]).toEqual(['0', 'yyyy\\-mm\\-dd'])
}, 60_000)

test('a measure with a dash for zero is a number in every document, and a total below a loop counts it', async () => {
  const zero = "If(Region = 'DACH', 0, Count(Region))"
  const format = '#,##0.00;(#,##0.00);-'
  const columns = [
    { label: 'Region', key: 'Region', expr: 'Region', kind: 'dimension' },
    { label: 'Declared', key: 'declared', expr: `=${zero}`, kind: 'measure', format },
    { label: 'Written', key: 'written', expr: `=Num(${zero}, '${format}')`, kind: 'measure' },
  ]
  const bare = columns.map(({ key: _, ...column }) => column)
  const report = await reports.salesReport('Accounts', { blocks: [{ key: 'table', type: 'table', columns: bare }] })
  const { blocks } = JSON.parse(await textOf('json', report.id)) as Json
  const rows = blocks[0]?.rows ?? []
  const at = rows.findIndex(([region]) => region === 'DACH')
  expect(rows[at]).toEqual(['DACH', 0, 0])
  expect(await textOf('csv', report.id)).toContain('\r\nDACH,0,0\r\n')
  expect(await textOf('html', report.id)).toMatch(/>DACH<\/td><td[^>]*>-<\/td><td[^>]*>-<\/td>/)
  const parts = await unzip(await rendered('xlsx', report.id))
  const [sheet = '', styles = ''] = ['xl/worksheets/sheet1.xml', 'xl/styles.xml'].map((name) => parts.get(name)?.text)
  expect(cellFormat(sheet, styles, `B${at + 2}`)).toBe(format)
  expect(cellFormat(sheet, styles, `C${at + 2}`)).toBe('General;-General;&quot;-&quot;')

  const row = sheetRow(1, ['{{#t}}{{Region}}', '{{declared}}', '{{written}}{{/t}}'])
  const template = await sheetReport('Accounts', row, [
    { key: 't', type: 'table', columns: columns.map(({ label: _, ...column }) => column) },
  ])
  const filled = (await unzip(await rendered('xlsx', template.id))).get('xl/worksheets/sheet1.xml')?.text ?? ''
  expect(filled.match(/<c r="[BC]\d+"[^>]*><v>/g)).toHaveLength(2 * rows.length)
}, 60_000)

/** A template with a cell for each value, one with a format of its own and one with text around the first value. */
async function filledCells(name: string, values: Readonly<Record<string, string>>) {
  const keys = Object.keys(values)
  const cells = keys.map((key) => `{{${key}}}`)
  const row = sheetRow(1, [...cells, { s: 2, v: `{{${keys[0]}}}` }, `on {{${keys[0]}}}`])
  const report = await sheetReport(
    name,
    row,
    keys.map((key) => ({ key, type: 'value', expr: values[key] })),
  )
  const parts = await unzip(await rendered('xlsx', report.id))
  const sheet = parts.get('xl/worksheets/sheet1.xml')?.text ?? ''
  const styles = parts.get('xl/styles.xml')?.text ?? ''
  return { sheet, formatOf: (place: string) => cellFormat(sheet, styles, place) }
}

test('a workbook has a sheet for each block, named by its title: texts as lines, charts as charts of Excel', async () => {
  const chart = (kind: string, measures: readonly string[]) => ({
    key: kind,
    type: 'chart',
    title: `Chart ${kind}`,
    chart: kind,
    dimension: 'Region',
    measures,
  })
  const report = await reports.salesReport('Workbook', {
    blocks: [
      {
        key: 'intro',
        type: 'text',
        title: 'Read me',
        markdown: 'AT&amp;T &nbsp;x {{=Sum(Sales)}}\n\n- [x] checked\n- [ ] open',
      },
      chart('bar', ['=Sum(Sales)']),
      chart('scatter', ['=Sum(Sales)', '=Sum(Cost)']),
    ],
  })
  const parts = await unzip(await rendered('xlsx', report.id))
  const names = parts.get('xl/workbook.xml')?.text.match(/(?<=<sheet name=")[^"]*/g)
  expect(names).toEqual(['Read me', 'Chart bar', 'Chart scatter'])
  const texts = parts.get('xl/worksheets/sheet1.xml')?.text.match(/(?<=<t[^>]*>)[^<]*/g)
  expect(texts).toEqual([
    'Read me',
    expect.stringMatching(/^AT&amp;T \u00a0x \d{1,3}(,\d{3})+(\.\d+)?$/),
    '☑ checked',
    '☐ open',
  ])
  expect(parts.get('xl/charts/chart2.xml')?.text).toContain('<c:barChart>')
  expect(parts.get('xl/charts/chart3.xml')?.text).toContain('<c:scatterChart>')
  expect([...parts.keys()].filter((name) => name.startsWith('xl/media'))).toEqual([])
}, 60_000)

test('a combo chart without settings: the first measure are bars, the second is a line on an axis on the right', async () => {
  const measures = ['=Sum(Sales)', '=Count(Sales)']
  const block = { key: 'combo', type: 'chart', chart: 'combo', dimension: 'Region', measures }
  const report = await reports.salesReport('Combo', { blocks: [block] })
  const parts = await unzip(await rendered('xlsx', report.id))
  const chart = parts.get('xl/charts/chart1.xml')?.text ?? ''
  const seriesOf = (kind: string) => [...elements(chart, kind)].flatMap((one) => [...elements(one, 'ser')])
  expect([seriesOf('barChart').length, seriesOf('lineChart').length]).toEqual([1, 1])
  const axes = [...elements(chart, 'valAx')].map((axis) => ({
    id: attributeOf(axis, 'axId'),
    side: attributeOf(axis, 'axPos'),
  }))
  const sideOf = (kind: string) => {
    const [drawn = ''] = elements(chart, kind)
    return axes.filter(({ id }) => drawn.includes(`<c:axId val="${id}"/>`)).map(({ side }) => side)
  }
  expect([sideOf('barChart'), sideOf('lineChart')]).toEqual([['l'], ['r']])
}, 60_000)

const elements = (xml: string, name: string) => xml.match(new RegExp(`<c:${name}>.*?</c:${name}>`, 'gs')) ?? []
const attributeOf = (xml: string, name: string) => new RegExp(`<c:${name} val="([^"]*)"`).exec(xml)?.[1]

/** Formats of dates and times, with their text of Monday, 2 February 2026, 18:05:09.4, and whether a cell is a number. */
const DATE_FORMATS = [
  ['YYYY', '2026', 'number'],
  ['yyyy', '2026', 'number'],
  ['MMM', 'Feb', 'number'],
  ['MMMM yyyy', 'February 2026', 'number'],
  ['yyyy-MM-dd', '2026-02-02', 'number'],
  ['EEE dd', 'Mon 02', 'number'],
  ['WWWW D.M.YY', 'Monday 2.2.26', 'number'],
  ['HH:mm', '18:05', 'number'],
  ['hh:mm TT', '06:05 PM', 'number'],
  ['ss.0', '09.4', 'number'],
  ['h:mm:ss.000', '18:05:09.400', 'number'],
  ['yyyyMMdd', '20260202', 'number'],
  // Excel has no number of a weekday, no minutes alone and no fractions without seconds.
  ['W', '0', 'text'],
  ['mm', '05', 'text'],
  ['fff', '400', 'text'],
] as const

/** The rows of sheets as LibreOffice shows them. */
function shownIn(bytes: Uint8Array): (sheet: string) => readonly (readonly string[])[] {
  const file = reports.space.join('shown.xlsx')
  writeFileSync(file, bytes)
  const profile = `-env:UserInstallation=${pathToFileURL(reports.space.join('profile'))}`
  // Tabs between cells, English, as shown, all sheets.
  const filter = 'csv:Text - txt - csv (StarCalc):9,34,76,1,,1033,false,true,true,false,false,-1'
  const args = ['--headless', '--norestore', profile, '--convert-to', filter, '--outdir', `${file}.out`, file]
  spawnSync(program('soffice'), args, { timeout: 100_000 })
  return (sheet) =>
    readFileSync(`${file}.out/shown-${sheet}.csv`, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => line.split('\t'))
}

test('a format of date letters shows the same in a page and in a workbook', async () => {
  const expr = '=Sum(0) + 46055 + 65109.4/86400'
  const columns = DATE_FORMATS.map(([format]) => ({ label: format, expr, kind: 'measure', format }))
  const blocks = [
    { key: 'table', type: 'table', columns: [{ label: 'Region', expr: 'Region', kind: 'dimension' }, ...columns] },
    { key: 'kpi', type: 'kpi', items: columns.slice(0, 24).map(({ label, format }) => ({ label, expr, format })) },
  ]
  const report = await reports.salesReport('Date letters', { blocks })
  const texts = DATE_FORMATS.map(([, text]) => text)
  const page = await textOf('html', report.id)
  const cells = /<tbody>.*?<tr>(.*?)<\/tr>/s.exec(page)?.[1]?.match(/(?<=>)[^<>]+(?=<)/g)
  expect(cells).toEqual(['Benelux', ...texts])
  const bytes = await rendered('xlsx', report.id)
  const rows = shownIn(bytes)
  expect(rows('table')[1]).toEqual(['Benelux', ...texts])
  expect(rows('kpi').map(([, text]) => text)).toEqual(['Value', ...texts])
  const sheet = (await unzip(bytes)).get('xl/worksheets/sheet1.xml')?.text ?? ''
  const [, row = ''] = /<row r="2"[^>]*>(.*?)<\/row>/s.exec(sheet) ?? []
  const kinds = row.match(/<c [^>]*>/g)?.map((cell) => (cell.includes('inlineStr') ? 'text' : 'number'))
  expect(kinds).toEqual(['text', ...DATE_FORMATS.map(([, , kind]) => kind)])
}, 120_000)

test('cells of a template show such formats, too, and quarters and weeks by the format of a tag', async () => {
  const expr = '=Sum(0) + 46055 + 65109.4/86400'
  const columns = DATE_FORMATS.map(([format], index) => ({ key: `C${index}`, expr, kind: 'measure', format }))
  const tags = columns.map(({ key }) => `{{${key}}}`)
  const loop = sheetRow(1, [`{{#list}}${tags[0]}`, ...tags.slice(1), '{{C0|QQ}}', '{{C0|ww}}{{/list}}'])
  const report = await sheetReport('Letters', loop, [{ key: 'list', type: 'table', columns }])
  const [row] = shownIn(await rendered('xlsx', report.id))('Letters')
  expect(row).toEqual([...DATE_FORMATS.map(([, text]) => text), '01', '06'])
}, 120_000)

test('a format that Qlik Sense does not have is refused, with the remedy, wherever it stands', async () => {
  const formats = { QQ: 'quarters', ww: 'weeks', 'HH:MM': 'minutes', 'dd.mm.yyyy': 'months', n: 'digits' }
  const named = Object.keys(formats).map((format) => ({ label: format, expr: '=Sum(Sales)', format }))
  const columns = named.map((one) => ({ ...one, kind: 'measure' }))
  const blocks = [
    { key: 'table', type: 'table', columns },
    { key: 'kpi', type: 'kpi', items: named },
    { key: 'chart', type: 'chart', chart: 'bar', dimension: 'Region', measures: named },
  ]
  const refused = (body: object) =>
    reports.call<{ issues: { path: string; message: string }[] }>('POST', '/v4/report', body, 400)
  const head = { project: 'Sales', name: 'Refused', appId: SALES_APP }
  const { issues } = await refused({ ...head, blocks })
  expect(issues.map(({ path }) => path)).toEqual(
    ['blocks.0.columns', 'blocks.1.items', 'blocks.2.measures'].flatMap((path) =>
      columns.map((_, index) => `${path}.${index}.format`),
    ),
  )
  for (const [index, [format, word]] of Object.entries(formats).entries()) {
    expect(issues[index]?.message).toStartWith(`"${format}" cannot be the format: Qlik Sense `)
    expect(issues[index]?.message).toContain(word)
  }
  const data = [{ key: 't', type: 'table', columns: [{ key: 'A', expr: 'Year', kind: 'dimension', format: 'Q' }] }]
  const template = await refused({ ...head, type: 'template', data })
  expect(template.issues.map(({ path }) => path)).toEqual(['data.0.columns.0.format'])
}, 60_000)
