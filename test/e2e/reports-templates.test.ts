/** Reports from Office templates, from the upload to the mail, in the compiled executable. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { type Parts, smallDocument, smallWorkbook, unzip, zipOf } from '../support/office.ts'
import { pdfPages } from '../support/pdf.ts'
import { shape, slideChart, slidePicture, slideTable, slideTemplate, slideText } from '../support/presentations.ts'
import { type Named, REGIONS, type ReportSite, SALES_APP, startReportSite } from '../support/report-tasks.ts'
import { needs, program } from '../support/servers.ts'
import { paragraph, table, run as textRun, wordPicture, wordTemplate, wordText } from '../support/templates.ts'
import {
  type CellSource,
  chartOverNames,
  salesWorkbook,
  sheetRow,
  sideBySideWorkbook,
  workbook,
  worksheet,
} from '../support/workbook.ts'

needs('pdftotext', 'qpdf', 'soffice')

const soffice = program('soffice')
let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const TYPES = {
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  pptx: 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
}
type Format = keyof typeof TYPES

/** A template report over the sales app: value `revenue`, table `detail`, chart `salesChart`, level `region`. */
const templateReport = (name: string, changes: object = {}) =>
  reports.call('POST', '/v4/report', {
    project: 'Sales',
    name,
    type: 'template',
    appId: SALES_APP,
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(Sales)' },
      { key: 'formula', type: 'value', expr: `='=1' & '+1'` },
      { key: 'markup', type: 'value', expr: `='<w:p/>'` },
      {
        key: 'detail',
        type: 'table',
        totals: true,
        columns: [
          { key: 'Product', expr: 'Month', kind: 'dimension' },
          { key: 'Date', expr: '=Min(OrderDate)', kind: 'measure' },
          { key: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
        ],
      },
      { key: 'salesChart', type: 'chart', chart: 'bar', dimension: 'Year', measures: ['=Sum(Sales)'] },
    ],
    levels: [{ key: 'region', field: 'Region' }],
    ...changes,
  })

interface CheckAnswer {
  readonly warnings: readonly { readonly code: string; readonly details: string }[]
  readonly ok?: boolean
  readonly code?: string
  readonly details?: string
  readonly issues?: readonly { readonly path: string; readonly message: string; readonly code?: string }[]
  readonly problems?: readonly { readonly code: string; readonly place: string; readonly details: string }[]
}

async function send(method: string, path: string, format: Format, bytes: Uint8Array) {
  const answer = await fetch(`http://127.0.0.1:${reports.product.restPort}${path}`, {
    method,
    headers: { 'content-type': TYPES[format], 'x-file-name': `template.${format}` },
    body: bytes as Uint8Array<ArrayBuffer>,
  })
  return { status: answer.status, body: (await answer.json()) as CheckAnswer }
}
const upload = ({ id }: Named, format: Format, bytes: Uint8Array) =>
  send('PUT', `/v4/report/${id}/template`, format, bytes)

/** Uploads the template, runs a task that makes `format`, and resolves with the file. */
async function filled(
  name: string,
  format: Format,
  parts: Parts,
  clauses: readonly object[] = [],
  output: string = format,
  changes: object = {},
  warnings: readonly string[] = [],
) {
  const report = await templateReport(name, changes)
  const sent = await upload(report, format, await zipOf(parts))
  expect([sent.status, sent.body.problems]).toEqual([200, []])
  // What the file shows is said at the upload, in the words of the run.
  const shown = sent.body.warnings.map(({ code, details }) => `${code} ${details}`)
  expect(warnings).toEqual(expect.arrayContaining(shown))
  const filterIds = clauses.length > 0 ? [(await reports.filter(name, ...clauses)).id] : []
  const task = await reports.mailTask(name, report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: output, fileName: 'filled' }],
    filterIds,
    email: { enabled: false },
    storage: [{ spaceId: 'finance', folder: name }],
  })
  const run = await reports.run(task.id)
  const events = run.events.map(({ code, details }) => `${code} ${details}`)
  expect([run.outcome, ...events]).toEqual([warnings.length > 0 ? 'warning' : 'success', ...warnings])
  return reports.space.join('finance', name, `filled.${output}`)
}

const partsIn = async (file: string) => unzip(new Uint8Array(readFileSync(file)))
const values = (field: string, ...list: readonly (string | number)[]) => ({ type: 'values', field, values: list })

/** The sheets of a workbook as LibreOffice computes them, as CSV. */
function computed(file: string): (sheet: string) => string {
  const out = `${file}.out`
  const filter = 'csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,false,false,false,-1'
  const profile = `-env:UserInstallation=${pathToFileURL(reports.space.join('profile'))}`
  spawnSync(soffice, ['--headless', '--norestore', profile, '--convert-to', filter, '--outdir', out, file], {
    timeout: 60_000,
  })
  const names = readdirSync(out)
  return (sheet) => readFileSync(`${out}/${names.find((name) => name.endsWith(`-${sheet}.csv`))}`, 'utf8')
}

test('a workbook: table, chart, pivot table, rules and formulas cover twelve rows; foreign parts stay as they were', async () => {
  const file = await filled('Workbook', 'xlsx', salesWorkbook(), [values('Year', 2025)])
  const [before, after] = [await unzip(await zipOf(salesWorkbook())), await partsIn(file)]
  const text = (path: string) => after.get(path)?.text ?? ''
  expect(text('xl/tables/table1.xml')).toContain('ref="A5:E17"')
  expect(text('xl/charts/chart1.xml')).toContain('Detail!$D$6:$D$17')
  expect(text('xl/pivotCache/pivotCacheDefinition1.xml')).toMatch(/refreshOnLoad="1"/)
  expect(text('xl/worksheets/sheet2.xml')).toMatch(/conditionalFormatting sqref="D6:D17"/)
  expect(text('xl/worksheets/sheet2.xml')).toContain('SUM(D6:D17)')
  expect(text('xl/worksheets/sheet1.xml')).toContain('COUNTA(Detail!B6:B17)')
  for (const path of ['xl/worksheets/sheet4.xml', 'xl/styles.xml', 'xl/pivotTables/_rels/pivotTable1.xml.rels']) {
    expect([path, after.get(path)?.bytes]).toEqual([path, before.get(path)!.bytes])
  }
  const sheet = computed(file)
  const [, revenue = ''] = sheet('Summary').match(/^Revenue,([\d.]+)/) ?? []
  expect(Number(revenue)).toBeGreaterThan(0)
  expect(sheet('Summary')).toContain('Rows,12,12,')
  const [, ...totals] = /^Total,(.*),(.*),(.*)$/m.exec(sheet('Summary')) ?? []
  expect(totals.map(Number).map((total) => Math.abs(total - Number(revenue)) < 0.01)).toEqual([true, true, true])
  expect(sheet('Pivot')).toContain('Total Result')
}, 120_000)

test('split tags, texts that look like formulas and markup, sections per value with their own picture: a document', async () => {
  const parts = wordTemplate(
    `<w:p>${textRun('Revenue: {')}${textRun('{reve', true)}${textRun('nue | 0}')}${textRun('}')}</w:p>` +
      paragraph('{{formula}} and {{markup}}') +
      paragraph('{{@region pageBreak}}') +
      paragraph('Region {{region}}') +
      wordPicture('{{salesChart}}', 7) +
      table(['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']) +
      paragraph('{{/@region}}'),
  )
  const file = await filled('Document', 'docx', parts, [
    values('Region', 'Nordic', 'DACH', 'Iberia'),
    values('Year', 2026),
  ])
  const after = await partsIn(file)
  const lines = wordText(after.get('word/document.xml')!.text)
  expect(lines[0]).toMatch(/^Revenue: \d+$/)
  expect(lines[1]).toBe('=1+1 and <w:p/>')
  expect(lines.map((line) => line.replace('(page)', '')).filter((line) => line.startsWith('Region '))).toEqual([
    'Region Nordic',
    'Region DACH',
    'Region Iberia',
  ])
  const sales = lines.filter((line) => line.startsWith('2026-01 | '))
  expect(new Set(sales).size).toBe(3)
  const pictures = [...after.keys()].filter((path) => /^word\/media\/footman/.test(path))
  expect(new Set(pictures.map((path) => Buffer.from(after.get(path)!.bytes).toString('base64'))).size).toBe(3)
}, 60_000)

test('split tags and a slide for each value with its own picture: a presentation', async () => {
  const parts = await slideTemplate(
    {
      content:
        shape('A', 0, ['Sum {', '{revenue | 0', '}}']) +
        slideTable(2_000_000, ['{{#detail}}{{Product}}', '{{formula}}{{/detail}}']),
    },
    { content: shape('A', 0, '{{@region}}{{region}}: {{revenue}}') + slidePicture('{{salesChart}}') + slideChart },
  )
  const file = await filled('Slides', 'pptx', parts, [
    values('Region', 'Nordic', 'DACH', 'Iberia'),
    values('Year', 2026),
  ])
  const after = await partsIn(file)
  const slides = [...after.keys()].filter((path) => /^ppt\/slides\/slide\d+\.xml$/.test(path))
  const texts = slides.map((path) => slideText(after.get(path)!.text))
  expect(texts.flat().filter((line) => /^Sum \d+$/.test(line))).toHaveLength(1)
  expect(texts.flat()).toContain('2026-01 | =1+1')
  const titles = texts.flat().filter((line) => /^(Nordic|DACH|Iberia): /.test(line))
  expect(new Set(titles).size).toBe(3)
  expect(slides).toHaveLength(4)
}, 60_000)

test('a sheet for each value, each with its own figures', async () => {
  const parts = workbook([
    { name: 'Front', xml: worksheet(sheetRow(1, ['All', '{{revenue}}', '{{formula}}'])) },
    { name: '{{@region}}', xml: worksheet(sheetRow(1, ['{{region}}', '{{revenue}}'])) },
  ])
  const file = await filled('Sheets', 'xlsx', parts)
  const after = await partsIn(file)
  const names = [...after.get('xl/workbook.xml')!.text.matchAll(/<sheet [^>]*name="([^"]*)"/g)].map(([, name]) => name!)
  expect(names.map((name) => name.replace('&amp;', '&')).toSorted()).toEqual(['Front', ...REGIONS].toSorted())
  const sheet = computed(file)
  const amounts = REGIONS.map((region) => Number(sheet(region).trim().split(',')[1]))
  const [, all, text] = sheet('Front').trim().split(',')
  expect(amounts.every((amount) => amount > 0)).toBe(true)
  expect(Math.abs(amounts.reduce((sum, amount) => sum + amount, 0) - Number(all))).toBeLessThan(0.01)
  expect(text).toBe('=1+1')
}, 120_000)

describe('an upload is refused', () => {
  const withCell = (text: string, others: readonly string[] = []) =>
    workbook([{ name: 'Summary', xml: worksheet(sheetRow(3, [null, text, ...others])) }])

  test('for unknown tags, all of them, each with its place', async () => {
    const report = await templateReport('Unknown tags')
    const files: readonly [Format, Parts, readonly string[]][] = [
      ['xlsx', withCell('{{margin}}', ['{{nothing}}']), ['Summary!B3', 'Summary!C3']],
      ['docx', wordTemplate(paragraph('a') + paragraph('b') + paragraph('{{margin}}')), ['document, paragraph 3']],
      [
        'pptx',
        await slideTemplate({ content: shape('Title 0', 0, 'x') }, { content: shape('Title 1', 0, '{{margin}}') }),
        ['slide 2, "Title 1", paragraph 1'],
      ],
    ]
    for (const [format, parts, places] of files) {
      const bytes = await zipOf(parts)
      const refused = await upload(report, format, bytes)
      expect([refused.status, refused.body.code]).toEqual([400, 'TEMPLATE_TAG_UNKNOWN'])
      expect(refused.body.issues?.map(({ path }) => path)).toEqual([...places])
      const checked = await send('POST', `/v4/report/${report.id}/template/check`, format, bytes)
      expect([checked.status, checked.body.ok]).toEqual([200, false])
      expect(checked.body.problems?.map(({ code, place }) => [code, place])).toEqual(
        places.map((place) => ['TEMPLATE_TAG_UNKNOWN', place]),
      )
    }
    const task = { project: 'Sales', name: 'Without template', enabled: true }
    const use = { key: 'pack', reportId: report.id, format: 'xlsx' }
    const answer = await reports.product.call('POST', '/v4/reporttask', { ...task, reports: [use] })
    expect([answer.status, ((await answer.json()) as CheckAnswer).code]).toEqual([409, 'TASK_INCOMPLETE'])
  }, 60_000)

  test('for archives and contents that are unsafe, with memory as before', async () => {
    const report = await templateReport('Unsafe')
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`xl/media/${n}.bin`, 'x']))
    const link = (target: string, mode = '') =>
      `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/image" Target="${target}"${mode}/></Relationships>`
    const files: readonly [name: string, Parts, RegExp][] = [
      [
        'bomb',
        { ...smallWorkbook(), 'xl/media/zeros.bin': new Uint8Array(250_000_000) },
        /TEMPLATE_(UNSAFE|TOO_LARGE)/,
      ],
      ['3,000 entries', { ...smallWorkbook(), ...many }, /TEMPLATE_(UNSAFE|TOO_LARGE)/],
      ['path upwards', { ...smallWorkbook(), '../evil.xml': '<x/>' }, /TEMPLATE_(UNSAFE|INVALID)/],
      [
        'DOCTYPE',
        smallWorkbook({ 'xl/worksheets/sheet1.xml': '<!DOCTYPE x [<!ENTITY a "b">]><worksheet/>' }),
        /TEMPLATE_(UNSAFE|INVALID)/,
      ],
      ['macro', { ...smallWorkbook(), 'xl/vbaProject.bin': 'x' }, /TEMPLATE_UNSAFE/],
      [
        'external picture',
        {
          ...smallWorkbook(),
          'xl/worksheets/_rels/sheet1.xml.rels': link('http://evil.example/x.png', ' TargetMode="External"'),
        },
        /TEMPLATE_UNSAFE/,
      ],
      [
        'WEBSERVICE',
        workbook([{ name: 'S', xml: worksheet(sheetRow(1, [{ f: 'WEBSERVICE("http://evil.example")' }])) }]),
        /TEMPLATE_UNSAFE/,
      ],
    ]
    const memory = () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${reports.product.process.pid}/status`, 'utf8'))?.[1] ?? 0) /
      1024
    const before = memory()
    for (const [name, parts, code] of files) {
      const refused = await upload(report, 'xlsx', await zipOf(parts, false))
      expect([name, refused.status]).toEqual([name, 400])
      expect(`${name} ${refused.body.code}`).toMatch(code)
    }
    expect(memory() - before).toBeLessThan(150)
    const field = '<w:p><w:r><w:instrText>INCLUDEPICTURE "http://evil.example/x.png"</w:instrText></w:r></w:p>'
    expect((await upload(report, 'docx', await zipOf(smallDocument(field)))).body.code).toBe('TEMPLATE_UNSAFE')
  }, 60_000)
})

describe('a filled template as PDF', () => {
  test('two at once do not disturb each other', async () => {
    const parts = (name: string) => wordTemplate(paragraph(`${name}: {{revenue | 0}}`))
    const year = [values('Year', 2025)]
    const files = await Promise.all(
      ['First', 'Second'].map((name) => filled(`${name} paper`, 'docx', parts(name), year, 'pdf')),
    )
    expect(files.map((file) => pdfPages(file).join('').trim().replace(/\d+/, 'n'))).toEqual(['First: n', 'Second: n'])
  }, 120_000)

  test('a native chart over defined names shows the filled rows', async () => {
    const parts = chartOverNames('[0]!products', '[0]!sales')
    const file = await filled('Named chart', 'xlsx', parts, [values('Year', 2025)], 'pdf')
    const amounts = pdfPages(file)
      .join(' ')
      .split(/\s+/)
      .filter((word) => /^\d{7}$/.test(word))
    // Twelve cells, and the numbers on the axis of the chart, which ends at 12 when its values are missing.
    expect(amounts.length).toBeGreaterThan(15)
  }, 60_000)
})

test('a template that was changed badly after it was saved fails with its code', async () => {
  writeFileSync(reports.templates.join('later.xlsx'), await zipOf(salesWorkbook()))
  const report = await templateReport('Later', { template: { source: 'file', file: 'later.xlsx' } })
  const task = await reports.mailTask('Later', report.id, {
    reports: [{ key: 'pack', reportId: report.id, format: 'xlsx' }],
  })
  writeFileSync(reports.templates.join('later.xlsx'), 'no archive')
  const run = await reports.run(task.id)
  expect([run.outcome, run.reason, run.counts.documents]).toEqual(['error', 'TEMPLATE_INVALID', 0])
  expect(reports.mailsTo('later@acme.example')).toEqual([])
}, 60_000)

test('two loops side by side beside a list: only their own columns grow, and each total is right', async () => {
  const column = (expr: string) => ({ key: 'Product', expr, kind: 'dimension' })
  const sales = { key: 'Sales', expr: '=Sum(Sales)', kind: 'measure' }
  const tables = {
    data: [
      { key: 'detail', type: 'table', columns: [column('Month'), sales] },
      { key: 'few', type: 'table', columns: [column('Region'), sales] },
    ],
  }
  const clauses = [values('Year', 2025), values('Region', 'Nordic', 'DACH')]
  const file = await filled('Beside', 'xlsx', sideBySideWorkbook(), clauses, 'xlsx', tables)
  const rows = computed(file)('Sales')
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','))
  const numbers = (index: number, first: number, last: number) =>
    rows.slice(first - 1, last).map((cells) => Number(cells[index]))
  const sum = (list: readonly number[]) => list.reduce((total, one) => total + one, 0)
  expect(rows).toHaveLength(15)
  expect(rows.slice(1, 5).map((cells) => cells.slice(6))).toEqual([
    ['Rome', '3'],
    ['Oslo', '1'],
    ['Bonn', '2'],
    ['Total', '6'],
  ])
  expect([rows[3]?.[3], rows[13]?.[0]]).toEqual(['Total', 'Total'])
  const [total, ofTwo] = [sum(numbers(1, 2, 13)), sum(numbers(4, 2, 3))]
  expect(numbers(1, 14, 14)[0]).toBeCloseTo(total, 2)
  expect(numbers(4, 4, 4)[0]).toBeCloseTo(ofTwo, 2)
  expect(numbers(1, 15, 15)[0]).toBeCloseTo(total + ofTwo + 6, 2)
}, 60_000)

test('formulas over loops as LibreOffice computes them: rows of several, groups, running totals, sums beside', async () => {
  const sheet = (name: string, ...rows: readonly (readonly CellSource[])[]) => ({
    name,
    xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join('')),
  })
  const parts = workbook([
    sheet(
      'Two',
      ['{{#detail}}{{Product}}', '{{$index}}'],
      ['ten', '{{$index}}', 10, '{{/detail}}'],
      [],
      [
        { f: 'SUM(B1)' },
        { f: 'SUM(C2)' },
        { f: 'SUM(C1:C2)' },
        { f: 'AVERAGE(B2)' },
        { f: 'COUNT(B1:B1)' },
        { f: 'MAX(B2)' },
      ],
    ),
    sheet(
      'Groups',
      ['{{#few}}{{Product}}'],
      ['{{#detail}}{{Product}}', '{{$index}}', { f: 'SUM(B$2:B2)' }, '{{/detail}}'],
      ['subtotal', { f: 'SUM(B2)' }, { f: 'C2' }, '{{/few}}'],
      ['total', { f: 'SUM(B2)' }, { f: 'SUM(B3)' }, { f: 'COUNT(B2)' }],
    ),
    sheet(
      'Running',
      ['Month', 'No', 'So far', 'More', 'Share'],
      ['{{#detail}}{{Product}}', '{{$index}}', { f: 'N(C1)+B2' }, { f: 'B2-N(B1)' }, { f: 'B2/B3' }, '{{/detail}}'],
      ['end', { f: 'SUM(B2)' }, { f: 'C2' }, { f: 'SUM(D2)' }, { f: 'SUM(E2)' }],
    ),
    sheet('Beside', ['{{#detail}}{{Product}}', '{{$index}}{{/detail}}', null, 'Total', { f: 'SUM(B1:B1)' }]),
    sheet('Sum', [{ f: 'SUM(Two!C2)' }, { f: 'SUM(Groups!B3)' }, { f: 'Running!C3' }]),
  ])
  const column = (expr: string) => ({ key: 'Product', expr, kind: 'dimension' })
  const data = [
    { key: 'detail', type: 'table', columns: [column('Month')] },
    { key: 'few', type: 'table', columns: [column('Region')] },
  ]
  const clauses = [values('Year', 2025), values('Region', 'Nordic', 'DACH')]
  const file = await filled('Formulas', 'xlsx', parts, clauses, 'xlsx', { data }, [
    'TEMPLATE_REFERENCE {{#detail}}: each row of the loop over "few" around it holds all rows of "detail"; where only those of a group are meant, make groups with a level of the field of the group, or from one table that is sorted by it',
  ])
  const sheetOf = computed(file)
  const rowsIn = (name: string) =>
    sheetOf(name)
      .trimEnd()
      .split('\n')
      .map((line) => line.split(','))
  const months = 12
  const all = (months * (months + 1)) / 2
  expect(rowsIn('Two').at(-1)?.map(Number)).toEqual([all, months * 10, months * 10, all / months, months, months])
  const groups = rowsIn('Groups')
  expect(groups.filter(([head]) => head === 'subtotal').map((cells) => cells.slice(1, 3).map(Number))).toEqual([
    [all, all],
    [all, all],
  ])
  expect(groups.at(-1)?.slice(1, 4).map(Number)).toEqual([2 * all, 2 * all, 2 * months])
  const running = rowsIn('Running')
  expect(running.slice(1, -1).map((cells) => cells.slice(1, 4).map(Number))).toEqual(
    Array.from({ length: months }, (_, index) => [index + 1, ((index + 1) * (index + 2)) / 2, 1]),
  )
  expect(running.at(-1)?.slice(1, 5).map(Number)).toEqual([all, all, months, 1])
  expect(
    rowsIn('Beside')
      .flatMap((cells) => cells.slice(3))
      .filter(Boolean),
  ).toEqual(['Total', String(all)])
  expect(rowsIn('Sum')[0]?.map(Number)).toEqual([months * 10, 2 * all, all])
}, 60_000)

test.each<[string, readonly CellSource[], RegExp]>([
  [
    'a number beside its tags',
    ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}', 100],
    /^S!A1:B1 .*column C holds a number/,
  ],
  [
    'a lookup right below',
    ['{{#detail}}{{Product}}', { f: 'VLOOKUP(A1,A2:B4,2)' }, '{{/detail}}'],
    /^S!B1 A2:B4 .*write A\$2:B\$4/,
  ],
  [
    'a loop of the same dimension',
    ['{{#detail}}{{#detail}}{{Product}}', '{{Sales}}{{/detail}}{{/detail}}'],
    /^S!A1:B1 .*has the dimension Month too/,
  ],
])('a loop with %s is refused with what to do', async (name, cells, details) => {
  const report = await templateReport(name)
  const { status, body } = await upload(
    report,
    'xlsx',
    await zipOf(workbook([{ name: 'S', xml: worksheet(sheetRow(1, cells)) }])),
  )
  expect([status, body.code]).toEqual([400, 'TEMPLATE_LOOP'])
  expect(body.issues?.map(({ path, message }) => `${path} ${message}`)).toEqual([expect.stringMatching(details)])
})

test('a table without rows leaves one empty row, the chart stays whole and formulas give 0', async () => {
  const nothing = {
    data: [
      { key: 'revenue', type: 'value', expr: '=Sum(0)' },
      {
        key: 'detail',
        type: 'table',
        columns: [
          { key: 'Product', expr: 'Month', kind: 'dimension' },
          { key: 'Date', expr: '=Null()', kind: 'measure' },
          { key: 'Sales', expr: '=Null()', kind: 'measure' },
        ],
      },
    ],
  }
  const file = await filled('Nothing', 'xlsx', salesWorkbook(), [], 'xlsx', nothing)
  const after = await partsIn(file)
  expect(after.get('xl/tables/table1.xml')!.text).toContain('ref="A5:E6"')
  expect(after.get('xl/charts/chart1.xml')!.text).toMatch(/Detail!\$D\$6(:\$D\$6)?</)
  const sheet = computed(file)
  expect(sheet('Summary')).toBe('Revenue,0,,\nRows,0,0,\nTotal,0,0,0\n')
  const balance = [
    ['Opening', null, 1000],
    ['{{#detail}}{{Product}}', '{{Sales}}', { f: 'C1+B2' }, '{{/detail}}'],
    ['Closing', { f: 'SUM(B2)' }, { f: 'C2' }, { f: 'AVERAGE(B2)' }],
  ]
  const xml = worksheet(balance.map((cells, index) => sheetRow(index + 1, cells)).join(''))
  const closed = await filled('Balance', 'xlsx', workbook([{ name: 'S', xml }]), [], 'xlsx', nothing, [
    'TEMPLATE_REFERENCE S!D3: AVERAGE(B2) is an error, as the loop has no row; IFERROR(AVERAGE(B2),0) avoids it',
  ])
  expect(computed(closed)('S')).toContain('Closing,0,1000,')
}, 60_000)
