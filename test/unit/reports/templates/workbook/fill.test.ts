import { describe, expect, test } from 'bun:test'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
import type { Cell, Column } from '../../../../../src/reports/types.ts'
import { partsOf, relationships, unzip, zipOf } from '../../../../support/office.ts'
import { tableOf, textCell } from '../../../../support/report-documents.ts'
import { appData } from '../../../../support/template-data.ts'
import {
  anchor,
  type CellSource,
  chart,
  chartFrame,
  drawing,
  facts,
  filledWorkbook,
  picture,
  reportWithFew,
  salesWorkbook,
  sheetRow,
  sideBySideWorkbook,
  textBox,
  workbook,
  workbookReport,
  worksheet,
} from '../../../../support/workbook.ts'

const SHEET = 'xl/worksheets/sheet1.xml'
const check = async (parts: Parameters<typeof zipOf>[0]) =>
  checkTemplate(await zipOf(parts), 'sales.xlsx', workbookReport(), { maxTemplateMb: 25 })

describe('a workbook with everything that follows its rows', () => {
  test('12 rows: chart, pivot table, table, data bars, totals, names and formulas of other sheets cover them', async () => {
    await using filled = await filledWorkbook(salesWorkbook())
    const cells = filled.cells('xl/worksheets/sheet2.xml')
    expect(cells).toContain('A1=Sales of Sales pack')
    expect(cells.filter((cell) => /^[A-E](6|17)=/.test(cell))).toEqual([
      'A6=1',
      'B6=P1',
      'C6=45658',
      'D6=10',
      'E6==D6*2',
      'A17=12',
      'B17=P12',
      'C17=45669',
      'D17=120',
      'E17==D17*2',
    ])
    expect(cells).toContain('D18==SUM(D6:D17)')
    expect(cells).toContain('E18==SUM(E6:E17)')
    const detail = filled.text('xl/worksheets/sheet2.xml')
    expect(detail.match(/ht="20"/g)).toHaveLength(12)
    expect(detail).toContain('<mergeCell ref="A20:C20"/>')
    expect(detail).toContain('<conditionalFormatting sqref="D6:D17">')
    expect(detail).toContain('sqref="D6:D17"><formula1>$D$18*-1</formula1>')
    expect(detail).toContain('<oddHeader>&amp;LSales pack&amp;R&amp;12 780</oddHeader>')
    expect(filled.cells('xl/worksheets/sheet1.xml')).toEqual([
      'A1=Revenue',
      'B1=780',
      'A2=Rows',
      'B2=12',
      'C2==COUNTA(Detail!B6:B17)',
      'A3=Total',
      'B3==Detail!D18',
      'C3==SUM(sales_values)',
      'D3==SUM(Sales[Sales])',
    ])
    expect(filled.text('xl/tables/table1.xml')).toContain('ref="A5:E17"><autoFilter ref="A5:E17"/>')
    const book = filled.text('xl/workbook.xml')
    expect(book).toContain('localSheetId="1">Detail!$A$1:$E$18</definedName>')
    expect(book).toContain('>Detail!$D$6:$D$17</definedName>')
    expect(book).toContain('fullCalcOnLoad="1"')
    const series = filled.text('xl/charts/chart1.xml')
    expect(series).toContain('<c:f>Detail!$B$6:$B$17</c:f>')
    expect(series).toContain('<c:f>Detail!$D$6:$D$17</c:f>')
    expect(series.replace(/<[^>]*>/g, '')).toContain('Sales of Sales pack')
    expect(series).not.toContain('Cache>')
    expect(filled.text('xl/drawings/drawing1.xml')).toMatch(/<xdr:row>21<.*<xdr:row>36</)
    const cache = filled.text('xl/pivotCache/pivotCacheDefinition1.xml')
    expect(cache).toContain('<worksheetSource ref="A5:E17" sheet="Detail"/>')
    expect(cache).toContain('refreshOnLoad="1" missingItemsLimit="0"')
    expect(cache).not.toContain('r:id')
    expect([...filled.parts.keys()]).not.toContain('xl/pivotCache/pivotCacheRecords1.xml')
    expect([...filled.parts.keys()]).not.toContain('xl/calcChain.xml')
    expect([...filled.parts.values()].filter(({ text }) => text.includes('{{'))).toEqual([])
  })

  test('parts without tags, formulas and moved references are equal byte for byte; equal data gives equal files', async () => {
    await using filled = await filledWorkbook(salesWorkbook())
    const before = await unzip(await zipOf(salesWorkbook()))
    const same = [...before].filter(
      ([path, { packed }]) => filled.parts.get(path)?.packed.toString() === packed.toString(),
    )
    expect(same.map(([path]) => path).sort()).toEqual([
      '_rels/.rels',
      'xl/drawings/_rels/drawing1.xml.rels',
      'xl/pivotTables/_rels/pivotTable1.xml.rels',
      'xl/pivotTables/pivotTable1.xml',
      'xl/styles.xml',
      'xl/worksheets/_rels/sheet2.xml.rels',
      'xl/worksheets/_rels/sheet3.xml.rels',
      'xl/worksheets/sheet4.xml',
    ])
    await using again = await filledWorkbook(salesWorkbook())
    expect(await Bun.file(again.file).bytes()).toEqual(await Bun.file(filled.file).bytes())
  })

  test('0 rows: one empty row is left, and every range has it', async () => {
    await using filled = await filledWorkbook(salesWorkbook(), { facts: [] })
    expect(filled.cells('xl/worksheets/sheet2.xml').filter((cell) => /^[A-E][67]=/.test(cell))).toEqual([
      'A6=',
      'B6=',
      'C6=',
      'D6=',
      'E6=',
      'A7=Total',
      'D7==SUM(D6:D6)',
      'E7==SUM(E6)',
    ])
    expect(filled.text('xl/worksheets/sheet2.xml')).toContain('<c r="C6" s="1"/>')
    expect(filled.text('xl/tables/table1.xml')).toContain('ref="A5:E6"')
    expect(filled.text('xl/charts/chart1.xml')).toContain('<c:f>Detail!$D$6</c:f>')
  })
})

test('nested loops over several rows, conditions, and texts in one cell', async () => {
  const rows = [
    sheetRow(1, ['{{#few}}{{Product}}', { f: 'SUM(B2:B2)' }]),
    sheetRow(2, ['{{#detail}}{{Product}}', '{{Sales}}', { f: 'B2/B1+SUM(B$2:B$2)' }, '{{/detail}}']),
    sheetRow(3, ['end {{$index}} of {{$count}}{{/few}}']),
    sheetRow(4, ['{{#revenue}}sold {{revenue | #,##0}}{{/revenue}}{{^detail}}nothing{{/detail}}{{{{x']),
    sheetRow(5, ['{{^detail}}no rows']),
    sheetRow(6, ['really {{/detail}}', 7]),
  ]
  await using filled = await filledWorkbook(workbook([{ name: 'S', xml: worksheet(rows.join('')) }]), {
    facts: facts(2),
    report: reportWithFew(),
  })
  expect(filled.cells(SHEET)).toEqual([
    'A1=P1',
    'B1==SUM(B2:B3)',
    'A2=P1',
    'B2=10',
    'C2==B2/B1+SUM(B$2:B$3,B$6:B$7)',
    'D2=',
    'A3=P2',
    'B3=20',
    'C3==B3/B1+SUM(B$2:B$3,B$6:B$7)',
    'D3=',
    'A4=end 1 of 2',
    'A5=P2',
    'B5==SUM(B6:B7)',
    'A6=P1',
    'B6=10',
    'C6==B6/B5+SUM(B$2:B$3,B$6:B$7)',
    'D6=',
    'A7=P2',
    'B7=20',
    'C7==B7/B5+SUM(B$2:B$3,B$6:B$7)',
    'D7=',
    'A8=end 2 of 2',
    'A9=sold 30{{x',
    'A10=',
    'A11=',
    'B11=',
  ])
  expect(filled.text(SHEET).match(/hidden="1"/g)).toHaveLength(2)
  expect(filled.warnings).toEqual([
    expect.stringMatching(
      /^TEMPLATE_REFERENCE \{\{#detail\}\}: each row of the loop over "few" around it holds all rows of/,
    ),
  ])
})

test('values are data: texts with =, markup, tags, line breaks and escapes; empty values, texts with numbers', async () => {
  const texts = { A: '=1+1', B: '<w:p/> & {{revenue}}', C: 'a\r\nb', D: '_x0041_\u0001', E: '', F: 'Jan' }
  const row = sheetRow(1, ['{{=A}}', '{{=B}}', { v: '{{=C}}', s: 2 }, '{{=D}}', '{{=E}}', 'in {{=F}}'])
  await using filled = await filledWorkbook(workbook([{ name: 'S', xml: worksheet(row) }]), {
    data: appData([], texts),
  })
  expect(filled.cells(SHEET)).toEqual([
    'A1==1+1',
    'B1=&lt;w:p/&gt; &amp; {{revenue}}',
    'C1=a\nb',
    'D1=_x005F_x0041_',
    'E1=',
    'F1=in Jan',
  ])
  expect(filled.text(SHEET)).not.toContain('<f>')
  // Line breaks show in wrapped text only: a copy of format 2.
  expect(filled.text(SHEET)).toContain('<c r="C1" s="3" t="inlineStr">')
  expect(filled.text('xl/styles.xml')).toContain('<cellXfs count="4">')
  expect(filled.text('xl/styles.xml')).toContain('applyAlignment="1"><alignment wrapText="1"/></xf></cellXfs>')
})

describe('values in cells with formats', () => {
  const day = { text: '2023-03-15', number: 45_000 }
  const moment = { text: '2023-03-15 18:00:00', number: 45_000.75 }
  const values: Readonly<Record<string, Cell>> = {
    day,
    moment,
    length: { text: '36:30:00', number: 1.520_833_333_333_33 },
    long: { text: '1.2M', number: 1_234_567 },
    early: { text: '1900-01-01', number: 2 },
    name: { text: '15 Mar 2023', number: 45_000 },
    code: { text: 'Q1', number: 1 },
    dash: { text: '-', number: 0 },
    owed: { text: '-00:45:00', number: -0.031_25 },
  }
  /** The cell of a value, with format 3 of the cell, in a workbook whose format 3 has this number. */
  async function cellOf(name: string, numFmtId: number, options: { numFmts?: string; properties?: string } = {}) {
    const empty = workbook([{ name: 'S', xml: worksheet(sheetRow(1, [{ v: `{{=${name}}}`, s: 3 }])) }])
    const { numFmts = '', properties = '' } = options
    const text = (path: string) => String(empty[path])
    const styles = text('xl/styles.xml')
      .replace('<fonts', `${numFmts && `<numFmts count="1">${numFmts}</numFmts>`}<fonts`)
      .replace('</cellXfs>', `<xf numFmtId="${numFmtId}" fontId="0" fillId="0" borderId="0"/></cellXfs>`)
    const book = text('xl/workbook.xml').replace('<sheets>', `${properties}<sheets>`)
    const parts = { ...empty, 'xl/styles.xml': styles, 'xl/workbook.xml': book }
    const data = { ...appData([]), evaluate: async (expression: string) => values[expression.replace(/^=/, '')]! }
    await using filled = await filledWorkbook(parts, { data })
    const [, style, rest] = /<c r="A1" s="(\d+)"([^/]*<\/)/.exec(filled.text(SHEET)) ?? []
    const xf = [...filled.text('xl/styles.xml').matchAll(/<xf numFmtId="(\d+)"[^>]*>/g)][Number(style) + 1]
    const code = new RegExp(`numFmtId="${xf?.[1]}" formatCode="([^"]*)"`).exec(filled.text('xl/styles.xml'))?.[1]
    return [rest?.replace(/.*>(?=[^<]+<\/$)|<\/$/g, ''), code ?? xf?.[1]]
  }

  test.each([
    ['day', 0, ['45000', 'yyyy\\-mm\\-dd']],
    ['moment', 0, ['45000.75', 'yyyy\\-mm\\-dd hh:mm:ss']],
    ['length', 0, ['1.52083333333333', '[hh]:mm:ss']],
    ['long', 0, ['1234567', '0.0,,&quot;M&quot;']],
    // Names of months are in the language of the reader, and Excel is a day off before March 1900.
    ['name', 0, ['15 Mar 2023', '0']],
    ['early', 0, ['1900-01-01', '0']],
    ['name', 14, ['45000', '14']],
    ['name', 22, ['45000', '22']],
    ['name', 4, ['15 Mar 2023', '4']],
    ['code', 14, ['Q1', '14']],
    ['dash', 0, ['0', 'General;-General;&quot;-&quot;']],
    ['dash', 4, ['0', '4']],
    // Excel shows no negative time, but the text of a format.
    ['owed', 0, ['-0.03125', '[hh]:mm:ss;&quot;-00:45:00&quot;']],
    ['owed', 46, ['-0.03125', '[hh]:mm:ss;&quot;-00:45:00&quot;']],
    ['owed', 4, ['-0.03125', '4']],
    ['owed', 49, ['-00:45:00', '49']],
    ['day', 14, ['45000', '14']],
    ['long', 4, ['1234567', '4']],
    // A cell for texts would show the number of the day.
    ['day', 49, ['2023-03-15', '49']],
  ] as const)('%s in a cell of the format %p', async (name, format, expected) => {
    expect(await cellOf(name, format)).toEqual([...expected])
  })

  test('General of LibreOffice, which has a number of its own, is General', async () => {
    const numFmts = '<numFmt numFmtId="164" formatCode="General"/>'
    expect(await cellOf('day', 164, { numFmts })).toEqual(['45000', 'yyyy\\-mm\\-dd'])
  })

  test.each([
    '<numFmts count="0"/>',
    '<numFmts count="0"></numFmts>',
    '<numFmts><numFmt numFmtId="170" formatCode="0.0"/></numFmts>',
    '',
  ])('a workbook with the formats %p gets one list of them', async (list) => {
    const empty = workbook([{ name: 'S', xml: worksheet(sheetRow(1, ['{{=day}}'])) }])
    const styles = String(empty['xl/styles.xml']).replace('<fonts', `${list}<fonts`)
    const data = { ...appData([]), evaluate: async () => day }
    await using filled = await filledWorkbook({ ...empty, 'xl/styles.xml': styles }, { data })
    const [written, ...others] = filled.text('xl/styles.xml').match(/<numFmts.*?(?:<\/numFmts>|\/>(?=<fonts))/gs) ?? []
    expect(others).toEqual([])
    expect(written).toContain('formatCode="yyyy\\-mm\\-dd"')
    expect(written).toContain(`count="${written?.match(/<numFmt /g)?.length}"`)
  })

  test('a number in a pattern that Excel lacks has the format of its text', async () => {
    const column = { label: 'Sales', kind: 'measure', type: 'number', format: '#,##0.0A' } as const
    const rows = [[textCell('Nord'), textCell(''), { text: '1.2M', number: 1_234_567 }]]
    const region = { label: 'Product', kind: 'dimension', type: 'text', format: null } as const
    const data = { ...appData([]), table: async () => tableOf([region, region, column], rows) }
    const xml = worksheet(sheetRow(1, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']))
    await using filled = await filledWorkbook(workbook([{ name: 'S', xml }]), { data })
    expect(filled.text(SHEET)).toMatch(/<c r="B1" s="3"><v>1234567</)
    expect(filled.text('xl/styles.xml')).toContain('formatCode="0.0,,&quot;M&quot;"')
  })

  test.each([
    ['mmm yyyy', '45000'],
    ['[Red]dd/mm/yyyy', '45000'],
    ['0.0 "days"', '15 Mar 2023'],
    ['hh:mm', '15 Mar 2023'],
  ])('a day with a text of its own is a number in a cell for dates, and %p is one or not', async (code, expected) => {
    const numFmts = `<numFmt numFmtId="164" formatCode="${code.replaceAll('"', '&quot;')}"/>`
    expect((await cellOf('name', 164, { numFmts }))[0]).toBe(expected)
  })

  /** The cells of a loop over a column, with their formats. */
  async function loopOf(
    column: Pick<Column, 'kind' | 'type' | 'format'>,
    cells: readonly (readonly [string, number])[],
  ) {
    const region = { label: 'Product', kind: 'dimension', type: 'text', format: null } as const
    const rows = cells.map(([text, number]) => [textCell('Nord'), textCell(''), { text, number }])
    const data = { ...appData([]), table: async () => tableOf([region, region, { label: 'Sales', ...column }], rows) }
    const xml = worksheet(sheetRow(1, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']))
    await using filled = await filledWorkbook(workbook([{ name: 'S', xml }]), { data })
    const codes = [...filled.text('xl/styles.xml').matchAll(/formatCode="([^"]*)"/g)].map(([, code]) => code)
    return {
      numbers: [...filled.text(SHEET).matchAll(/<c r="B\d+"[^>]*><v>([^<]*)</g)].map(([, one]) => Number(one)),
      codes,
      warnings: filled.warnings,
    }
  }

  test('numbers of a loop are numbers, so that a total below counts them: dashes for zero, negative times, units before a sign', async () => {
    const accounts = { kind: 'measure', type: 'number', format: '#,##0.00;(#,##0.00);-' } as const
    expect(
      await loopOf(accounts, [
        ['100.00', 100],
        ['-', 0],
        ['(5.00)', -5],
      ]),
    ).toEqual({
      numbers: [100, 0, -5],
      codes: ['#,##0.00;(#,##0.00);-'],
      warnings: [],
    })
    const time = { kind: 'measure', type: 'interval', format: 'hh:mm' } as const
    expect(
      await loopOf(time, [
        ['31:30', 1.3125],
        ['-00:45', -0.031_25],
      ]),
    ).toEqual({
      numbers: [1.3125, -0.031_25],
      codes: ['[hh]:mm', '[hh]:mm;&quot;-00:45&quot;'],
      warnings: [],
    })
    const days = { kind: 'measure', type: 'interval', format: 'D hh:mm' } as const
    expect((await loopOf(days, [['1 07:30', 1.3125]])).numbers).toEqual([1.3125])
    const money = { kind: 'dimension', type: 'money', format: 'EUR #,##0' } as const
    expect(
      (
        await loopOf(money, [
          ['EUR 7', 7],
          ['EUR -5', -5],
        ])
      ).numbers,
    ).toEqual([7, -5])
  })

  test('a quoted unit of a pattern is one of the format, also where the text of Qlik has the quotes', async () => {
    const crowns = { kind: 'measure', type: 'money', format: '#,##0 "kr"' } as const
    expect(await loopOf(crowns, [['1,500 "kr"', 1500]])).toEqual({
      numbers: [1500],
      codes: ['#,##0 &quot;kr&quot;'],
      warnings: [],
    })
  })

  test('a measure whose number no format shows is a text, which is said once', async () => {
    const plain = { kind: 'measure', type: 'number', format: null } as const
    const { numbers, warnings } = await loopOf(plain, [
      ['5 ‰', 0.005],
      ['7', 7],
      ['2 crore', 20_000_000],
    ])
    expect(numbers).toEqual([7])
    expect(warnings).toEqual([
      expect.stringMatching(
        /^TEMPLATE_REFERENCE \S+!B\d: "5 ‰" of a measure stays a text, which formulas leave out; give/,
      ),
    ])
    expect((await loopOf({ ...plain, kind: 'dimension' }, [['5 ‰', 0.005]])).warnings).toEqual([])
  })

  test('more negative times than a workbook has room for formats show days', async () => {
    const minutes = Array.from({ length: 150 }, (_, index) => index + 1)
    const clock = (one: number) =>
      `-${String(Math.floor(one / 60)).padStart(2, '0')}:${String(one % 60).padStart(2, '0')}`
    const cells = minutes.map((one) => [clock(one), -one / 1440] as const)
    const { numbers, codes } = await loopOf({ kind: 'measure', type: 'interval', format: 'hh:mm' }, cells)
    expect(numbers).toEqual(cells.map(([, number]) => number))
    expect(codes).toHaveLength(101)
    expect(codes.at(-1)).toBe('[hh]:mm;-0.0000 &quot;d&quot;')
  })

  test('a workbook that counts from 1904 has the same day', async () => {
    const properties = '<workbookPr date1904="1"/>'
    expect(await cellOf('day', 0, { properties })).toEqual(['43538', 'yyyy\\-mm\\-dd'])
    expect(await cellOf('length', 0, { properties })).toEqual(['1.52083333333333', '[hh]:mm:ss'])
    expect(await cellOf('name', 14, { properties })).toEqual(['43538', '14'])
    // It shows negative times.
    expect(await cellOf('owed', 0, { properties })).toEqual(['-0.03125', '[hh]:mm:ss'])
  })
})

test('values in the header of a table of Excel are texts and names of their own', async () => {
  const table =
    '<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="1" name="T" displayName="T" ref="A1:D2"><tableColumns count="4"><tableColumn id="1" name="2024"/><tableColumn id="2" name="{{=year}}"/><tableColumn id="3" name="{{=year}}1"/><tableColumn id="4" name="{{=none}}"/></tableColumns></table>'
  const rows = [sheetRow(1, ['2024', '{{=year}}', '{{=year}}', '{{=none}}']), sheetRow(2, ['{{=year}}'])]
  const parts = workbook([{ name: 'S', xml: worksheet(rows.join('')), related: [['table', '../tables/table1.xml']] }], {
    parts: { 'xl/tables/table1.xml': table },
  })
  const values: Readonly<Record<string, Cell>> = {
    year: { text: '2024', number: 2024 },
    none: { text: '', number: null },
  }
  const data = { ...appData([]), evaluate: async (expression: string) => values[expression.replace(/^=/, '')]! }
  await using filled = await filledWorkbook(parts, { data })
  expect(filled.cells(SHEET)).toEqual(['A1=2024', 'B1=20242', 'C1=20243', 'D1=Column', 'A2=2024'])
  expect(filled.text(SHEET)).toContain('<c r="B1" t="inlineStr">')
  expect(filled.text(SHEET)).toContain('<c r="A2"><v>2024</v>')
  expect(filled.text('xl/tables/table1.xml').match(/(?<=<tableColumn id="\d" name=")[^"]*/g)).toEqual([
    '2024',
    '20242',
    '20243',
    'Column',
  ])
})

test('shared strings and shared formulas: strings with tags leave the file, each cell gets its own formula', async () => {
  const strings =
    '<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si><t>plain</t></si><si><r><rPr><b/></rPr><t>{{rev</t></r><r><t>enue}} x</t></r></si></sst>'
  const rows =
    '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1"><f t="shared" ref="C1:C2" si="0">A1*$B$1</f><v>1</v></c></row><row r="2"><c r="C2"><f t="shared" si="0"/><v>1</v></c></row>'
  const parts = workbook([{ name: 'S', xml: worksheet(rows) }], {
    related: [['sharedStrings', 'sharedStrings.xml']],
    parts: { 'xl/sharedStrings.xml': strings },
  })
  await using filled = await filledWorkbook(parts, { facts: facts(2) })
  expect(filled.cells(SHEET)).toEqual(['A1=0', 'B1=30 x', 'C1==A1*$B$1', 'C2==A2*$B$1'])
  expect(filled.text(SHEET)).toContain('<is><r><rPr><b/></rPr><t xml:space="preserve">30 x</t></r></is>')
  expect(filled.text('xl/sharedStrings.xml')).toContain('<si><t>plain</t></si><si><t></t></si>')
})

test('what belongs to the cells of a loop comes with each row: links, sparklines, merged cells, page breaks, extended rules', async () => {
  const rows = [
    sheetRow(1, ['head']),
    sheetRow(2, ['{{#detail}}{{Product}}', '{{Sales}}']),
    sheetRow(3, ['second row{{/detail}}']),
    sheetRow(4, ['foot']),
  ]
  const after = `<mergeCells count="1"><mergeCell ref="A3:B3"/></mergeCells><conditionalFormatting sqref="A2:B2 A4"><cfRule type="expression" priority="1"><formula>$B2&gt;$A$1</formula></cfRule></conditionalFormatting><hyperlinks><hyperlink ref="A2" location="S!A4"/></hyperlinks><rowBreaks count="1" manualBreakCount="1"><brk id="3" max="16383" man="1"/></rowBreaks><extLst><ext uri="{78C0D931-6437-407d-A8EE-F0AAD7539E65}"><x14:conditionalFormattings><x14:conditionalFormatting><x14:cfRule type="dataBar"/><xm:sqref>B2:B3</xm:sqref></x14:conditionalFormatting></x14:conditionalFormattings></ext><ext uri="{05C60535-1F16-4fd2-B633-F4F36F0B64E0}"><x14:sparklineGroups><x14:sparklineGroup><x14:sparklines><x14:sparkline><xm:f>S!A2:B2</xm:f><xm:sqref>C2</xm:sqref></x14:sparkline></x14:sparklines></x14:sparklineGroup></x14:sparklineGroups></ext></extLst>`
  await using filled = await filledWorkbook(workbook([{ name: 'S', xml: worksheet(rows.join(''), after) }]), {
    facts: facts(2),
  })
  const text = filled.text(SHEET)
  expect(text).toContain('<mergeCells><mergeCell ref="A3:B3"/><mergeCell ref="A5:B5"/></mergeCells>')
  expect(text).toContain('sqref="A2:B2 A4:B4 A6"')
  expect(text).toContain('<formula>$B2&gt;$A$1</formula>')
  expect(text.match(/<hyperlink ref="A\d" location="S!A6"\/>/g)).toEqual([
    '<hyperlink ref="A2" location="S!A6"/>',
    '<hyperlink ref="A4" location="S!A6"/>',
  ])
  expect(text.match(/<brk id="\d"/g)).toEqual(['<brk id="3"', '<brk id="5"'])
  expect(text).toContain('<xm:sqref>B2:B5</xm:sqref>')
  expect(text.match(/<xm:f>[^<]*<\/xm:f><xm:sqref>[^<]*</g)).toEqual([
    '<xm:f>S!A2:B2</xm:f><xm:sqref>C2<',
    '<xm:f>S!A4:B4</xm:f><xm:sqref>C4<',
  ])
})

test('areas to the edge of the sheet stay areas of cells, and end at its last row however many rows a loop adds', async () => {
  const rows = [
    sheetRow(1, ['head']),
    sheetRow(2, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']),
    sheetRow(3, [{ f: 'SUM(B2:B1048576)+COUNT(C:C)+SUM($D$1048576)' }]),
  ]
  const after =
    '<autoFilter ref="A1:XFD3"/><mergeCells count="2"><mergeCell ref="H1:H1048576"/><mergeCell ref="A9:XFD9"/></mergeCells><conditionalFormatting sqref="E1:F1048576 G2:G1048576"><cfRule type="expression" priority="1"><formula>E1&gt;G$1048576</formula></cfRule></conditionalFormatting><dataValidations count="1"><dataValidation type="list" sqref="C2:C1048576"><formula1>"a,b"</formula1></dataValidation></dataValidations>'
  await using filled = await filledWorkbook(
    workbook([{ name: 'S', xml: worksheet(rows.join(''), after, '<dimension ref="A1:XFD1"/>') }]),
    { facts: facts(3) },
  )
  const text = filled.text(SHEET)
  expect(text.match(/(?<= (?:ref|sqref)=")[^"]*/g)).toEqual([
    'A1:XFD1',
    'A1:XFD5',
    'H1:H1048576',
    'A11:XFD11',
    'E1:F1048576 G2:G1048576',
    'C2:C1048576',
  ])
  expect(text).toContain('E1&gt;G$1048576')
  expect(filled.cells(SHEET).at(-1)).toBe('A5==SUM(B2:B1048576)+COUNT(C:C)+SUM($D$1048576)')
})

test.each([
  ['<row r="1048576" ht="30" customHeight="1"/>', false],
  ['<row r="1048575" hidden="1"></row>', false],
  [sheetRow(1_048_576, ['the end']), true],
])('the last rows of a sheet leave room for a loop unless they have cells: %s', async (last, isRefused) => {
  const rows = [sheetRow(2, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']), last]
  const filling = filledWorkbook(workbook([{ name: 'S', xml: worksheet(rows.join('')) }]), { facts: facts(3) })
  if (isRefused) return expect(filling).rejects.toThrow('more than 1048576 rows')
  await using filled = await filling
  expect(filled.text(SHEET)).not.toMatch(/r="10485[78]\d"/)
})

test.each([
  ['drawing', '../drawings/drawing1.xml'],
  ['comments', '../comments1.xml'],
  ['threadedComment', '../threadedComments/threadedComment1.xml'],
  ['vmlDrawing', '../drawings/vmlDrawing1.vml'],
  ['ctrlProp', '../ctrlProps/ctrlProp1.xml'],
  ['printerSettings', '../printerSettings/printerSettings1.bin'],
] as const)('a sheet names a %s that is not in the file: it is filled as it is checked', async (kind, target) => {
  const parts = workbook([{ name: 'S', xml: worksheet(sheetRow(1, ['{{revenue}}'])), related: [[kind, target]] }])
  expect((await check(parts)).problems).toEqual([])
  await using filled = await filledWorkbook(parts, { facts: facts(1) })
  expect(filled.cells(SHEET)[0]).toStartWith('A1=')
})

test('a workbook names styles that are not in the file', async () => {
  const parts = workbook([{ name: 'S', xml: worksheet(sheetRow(1, ['{{revenue}}'])) }], {
    related: [['styles', 'nowhere.xml']],
  })
  expect((await check(parts)).problems).toEqual([])
  await using filled = await filledWorkbook(parts, { facts: facts(1) })
  expect(filled.cells(SHEET)[0]).toStartWith('A1=')
})

const TYPES = {
  'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
  'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
  'xl/tables/table1.xml': 'application/vnd.openxmlformats-officedocument.spreadsheetml.table+xml',
}
const region = worksheet(
  [
    sheetRow(1, ['{{region}}', { f: "SUM('{{@region}}'!B3)+SUM(Sales[Sales])" }]),
    sheetRow(2, ['Product', 'Sales']),
    sheetRow(3, ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']),
    sheetRow(4, [null, { f: 'SUM(B3:B3)' }]),
  ].join(''),
  '<drawing r:id="rId1"/><tableParts count="1"><tablePart r:id="rId2"/></tableParts>',
  '<sheetPr codeName="Sheet1"/><sheetViews><sheetView tabSelected="1" workbookViewId="0"/></sheetViews>',
)
const regions = (...further: readonly CellSource[]) =>
  workbook(
    [
      {
        name: '{{@region}}',
        xml: region,
        related: [
          ['drawing', '../drawings/drawing1.xml'],
          ['table', '../tables/table1.xml'],
        ],
      },
      { name: 'All', xml: worksheet(sheetRow(1, [{ f: "'{{@region}}'!B4" }, ...further])) },
    ],
    {
      names: `<definedName name="_xlnm.Print_Area" localSheetId="0">'{{@region}}'!$A$1:$B$4</definedName>`,
      types: TYPES,
      parts: {
        'xl/drawings/drawing1.xml': drawing(
          anchor(5, 20, chartFrame('rId1')) +
            anchor(21, 30, picture('{{salesChart}}', 'rId2')) +
            anchor(31, 33, textBox('{{re', 'gion}} here')),
        ),
        'xl/drawings/_rels/drawing1.xml.rels': relationships(
          ['chart', '../charts/chart1.xml'],
          ['image', '../media/image1.png'],
        ),
        'xl/media/image1.png': new Uint8Array([1, 2, 3]),
        'xl/charts/chart1.xml': chart("'{{@region}}'!$A$3:$A$3", "'{{@region}}'!$B$3:$B$3", '{{region}}'),
        'xl/tables/table1.xml':
          '<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="1" name="Sales" displayName="Sales" ref="A2:B3"><autoFilter ref="A2:B3"/><tableColumns count="2"><tableColumn id="1" name="Product"/><tableColumn id="2" name="Sales"/></tableColumns></table>',
      },
    },
  )

describe('a sheet for each value', () => {
  test('3 values: sheets with values, pictures, charts, tables and names of their own', async () => {
    await using filled = await filledWorkbook(regions(), { facts: facts(4) })
    const book = filled.text('xl/workbook.xml')
    expect(Array.from(book.matchAll(/<sheet name="([^"]*)" sheetId="(\d)"/g), ([, name, id]) => [name, id])).toEqual([
      ['Nord', '1'],
      ['Süd', '3'],
      ['West', '4'],
      ['All', '2'],
    ])
    expect(Array.from(book.matchAll(/localSheetId="(\d)">([^<]*)</g), ([, id, area]) => [id, area])).toEqual([
      ['0', 'Nord!$A$1:$B$5'],
      ['1', 'Süd!$A$1:$B$4'],
      ['2', 'West!$A$1:$B$4'],
    ])
    expect(filled.cells(SHEET)).toEqual([
      'A1=Nord',
      'B1==SUM(Nord!B3:B4)+SUM(Sales[Sales])',
      'A2=Product',
      'B2=Sales',
      'A3=P1',
      'B3=10',
      'A4=P4',
      'B4=40',
      'B5==SUM(B3:B4)',
    ])
    expect(filled.cells('xl/worksheets/sheet3.xml')).toEqual([
      'A1=Süd',
      'B1==SUM(Süd!B3)+SUM(Sales_2[Sales])',
      'A2=Product',
      'B2=Sales',
      'A3=P2',
      'B3=20',
      'B4==SUM(B3:B3)',
    ])
    expect(filled.cells('xl/worksheets/sheet2.xml')).toEqual(['A1==Nord!B5'])
    expect(filled.text('xl/worksheets/sheet3.xml')).not.toMatch(/tabSelected|codeName/)
    expect(
      [1, 2, 3].map((number) =>
        /displayName="(\w+)" ref="([^"]*)"/.exec(filled.text(`xl/tables/table${number}.xml`))?.slice(1),
      ),
    ).toEqual([
      ['Sales', 'A2:B4'],
      ['Sales_2', 'A2:B3'],
      ['Sales_3', 'A2:B3'],
    ])
    expect(
      [1, 2, 3].map(
        (number) => /<c:val><c:numRef><c:f>([^<]*)</.exec(filled.text(`xl/charts/chart${number}.xml`))?.[1],
      ),
    ).toEqual(['Nord!$B$3:$B$4', 'Süd!$B$3:$B$3', 'West!$B$3:$B$3'])
    for (const [number, name] of [
      [1, 'Nord'],
      [2, 'Süd'],
      [3, 'West'],
    ] as const) {
      const text = filled.text(`xl/drawings/drawing${number}.xml`)
      expect(text.replace(/<[^>]*>/g, ' ')).toContain(`${name}`)
      expect(text).toContain('descr="salesChart"')
      expect(filled.text(`xl/drawings/_rels/drawing${number}.xml.rels`)).toContain(`chart${number}.xml`)
    }
    expect(filled.warnings).toEqual(['TEMPLATE_REFERENCE All!A1: the reference to {{@region}} keeps the first copy'])
    expect([...filled.parts.values()].filter(({ text }) => text.includes('{{'))).toEqual([])
  })

  test('what another sheet takes of a table or sheet with copies is that of the first one, with a warning', async () => {
    const parts = regions({ f: 'SUM(Sales[Sales])' })
    const cache = (source: string) =>
      `<pivotCacheDefinition xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cacheSource type="worksheet"><worksheetSource ${source}/></cacheSource></pivotCacheDefinition>`
    const rels = 'xl/_rels/workbook.xml.rels'
    const caches = [1, 2]
      .map(
        (number) =>
          `<Relationship Id="rId9${number}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/pivotCacheDefinition" Target="pivotCache/c${number}.xml"/>`,
      )
      .join('')
    await using filled = await filledWorkbook(
      {
        ...parts,
        [rels]: String(parts[rels]).replace('</Relationships>', `${caches}</Relationships>`),
        'xl/pivotCache/c1.xml': cache('name="Sales"'),
        'xl/pivotCache/c2.xml': cache('ref="A2:B3" sheet="{{@region}}"'),
      },
      { facts: facts(4) },
    )
    expect(filled.warnings).toEqual([
      'TEMPLATE_REFERENCE pivot table over Sales, All!B1: the reference to the table Sales keeps the first copy',
      'TEMPLATE_REFERENCE pivot table over {{@region}}, All!A1: the reference to {{@region}} keeps the first copy',
    ])
  })

  test('a formula over several sheets, one of which has copies, is refused', async () => {
    const parts = regions({ f: "SUM('{{@region}}:All'!C5)" })
    const { problems } = await checkTemplate(await zipOf(parts), 'a.xlsx', workbookReport(), { maxTemplateMb: 25 })
    expect(problems.map(({ place, details }) => `${place}: ${details}`)).toEqual([
      expect.stringMatching(/^All!B1: '\{\{@region\}\}:All'!C5 is over several sheets, one of which becomes several/),
    ])
  })

  test('formulas name the names of their own copy of a sheet', async () => {
    const parts = workbook([{ name: '{{@region}}', xml: worksheet(sheetRow(1, [2, { f: "'{{@region}}'!rate*3" }])) }], {
      names: `<definedName name="rate" localSheetId="0">'{{@region}}'!$A$1</definedName>`,
    })
    await using filled = await filledWorkbook(parts, { facts: facts(2) })
    expect(filled.cells(SHEET)).toEqual(['A1=2', 'B1==Nord!rate*3'])
    expect(filled.cells('xl/worksheets/sheet2.xml')).toEqual(['A1=2', 'B1==Süd!rate*3'])
  })

  test('no value: the sheet is left out with its parts; without any sheet there is no document', async () => {
    await using filled = await filledWorkbook(regions(), { facts: [] })
    expect(filled.text('xl/workbook.xml').match(/<sheet /g)).toHaveLength(1)
    expect([...filled.parts.keys()].filter((path) => /chart|drawing|table|media|sheet1/.test(path))).toEqual([])
    expect(filled.text('[Content_Types].xml')).not.toMatch(/sheet1|chart1|drawing1|table1/)
    expect(filled.cells('xl/worksheets/sheet2.xml')).toEqual(['A1==#REF!'])
    expect(filled.warnings).toEqual(['TEMPLATE_REFERENCE All!A1: the sheet {{@region}} is left out'])
    const alone = workbook([{ name: '{{@region}}', xml: worksheet(sheetRow(1, ['{{region}}'])) }])
    await expect(filledWorkbook(alone, { facts: [] })).rejects.toMatchObject({ code: 'NO_CYCLE_VALUES' })
  })

  test('names are cleaned and made unique', async () => {
    const names = ['a/b', 'A?B', 'x'.repeat(40), 'Other']
    const parts = workbook([
      { name: '{{@region}}', xml: worksheet(sheetRow(1, ['{{region}}'])) },
      { name: 'Other', xml: worksheet('') },
    ])
    await using filled = await filledWorkbook(parts, { facts: names.map((Region) => ({ Region })) })
    expect(Array.from(filled.text('xl/workbook.xml').matchAll(/<sheet name="([^"]*)"/g), ([, name]) => name)).toEqual([
      'a_b',
      'A_B~2',
      'x'.repeat(31),
      'Other~2',
      'Other',
    ])
  })
})

describe('the check of a template', () => {
  test('lists all problems with their places, and the tags', async () => {
    const rows = [
      sheetRow(1, ['{{margin}}', '{{revenu}}', '{{Product}}', '{{@region}}', '{{revenue | ??}}']),
      sheetRow(2, ['{{#detail}}{{Prodct}}', '{{/detail}}', '{{#top}}x', '{{/top}}']),
      sheetRow(3, ['{{#detail}}', '{{region}}']),
      sheetRow(4, [{ f: '"{{revenue}}"' }, '{{/detail}}', '{{/detail}}']),
    ]
    const parts = workbook(
      [
        { name: '{{@regio}}', xml: worksheet('') },
        {
          name: 'Summary',
          xml: worksheet(rows.join(''), '<headerFooter><oddHeader>{{x}}</oddHeader></headerFooter>'),
          related: [['drawing', '../drawings/drawing1.xml']],
        },
      ],
      {
        types: TYPES,
        parts: {
          'xl/drawings/drawing1.xml': drawing(
            anchor(1, 2, picture('{{revenue}}', 'rId1')) + anchor(1, 2, textBox('{{y}}')),
          ),
        },
      },
    )
    const { ok, problems, format, unused } = await check(parts)
    expect([ok, format]).toEqual([false, 'xlsx'])
    expect(problems.map(({ code, place }) => `${code} ${place}`).sort()).toEqual([
      'TEMPLATE_INVALID Summary!E1',
      'TEMPLATE_LOOP Summary!A3:B4',
      'TEMPLATE_LOOP Summary!C4',
      'TEMPLATE_TAG_UNKNOWN Summary!A1',
      'TEMPLATE_TAG_UNKNOWN Summary!A2',
      'TEMPLATE_TAG_UNKNOWN Summary!B1',
      'TEMPLATE_TAG_UNKNOWN Summary!B3',
      'TEMPLATE_TAG_UNKNOWN Summary!C1',
      'TEMPLATE_TAG_UNKNOWN header of Summary',
      'TEMPLATE_TAG_UNKNOWN picture "Image 1" on Summary',
      'TEMPLATE_TAG_UNKNOWN sheet name 1',
      'TEMPLATE_TAG_UNKNOWN text box "TextBox 1" on Summary',
      'TEMPLATE_UNSUPPORTED Summary!A4',
      'TEMPLATE_UNSUPPORTED Summary!D1',
    ])
    expect(problems.find(({ place }) => place === 'Summary!B1')?.details).toContain('nearest: "revenue"')
    expect(unused).toContain('salesChart')
  })

  const LOOP = ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']
  const tableAt = (ref: string) =>
    `<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="1" name="Rates" displayName="Rates" ref="${ref}"><tableColumns count="1"><tableColumn id="1" name="R"/></tableColumns></table>`

  /** Rows from the first on; the loop stands in row 3. */
  async function problemsBeside(rows: readonly (readonly CellSource[])[], table: string | null = null) {
    const xml = worksheet(
      rows.map((cells, index) => sheetRow(index + 1, cells)).join(''),
      table ? '<tableParts count="1"><tablePart r:id="rId1"/></tableParts>' : '',
    )
    const related = table ? ([['table', '../tables/table1.xml']] as const) : []
    const more = table ? { types: TYPES, parts: { 'xl/tables/table1.xml': tableAt(table) } } : {}
    return (await check(workbook([{ name: 'S', xml, related }], more))).problems.map(
      ({ code, place, details }) => `${code} ${place} ${details}`,
    )
  }
  const [OPEN, CLOSE] = LOOP as [string, string]
  const HEAD = ['Product', 'Sales', null, 'City', 'People']

  test.each<[string, readonly (readonly CellSource[])[]]>([
    ['its own head above', [[], HEAD, [OPEN, CLOSE, null, 'EUR']]],
    [
      'formulas about the loop behind an empty column',
      [[], HEAD, [OPEN, CLOSE, null, { f: 'B3*2' }], [null, null, null, { f: 'SUM(D3:D3)' }]],
    ],
    ['cells that touch it', [[], HEAD, [OPEN, CLOSE, 'EUR'], ['Total', { f: 'SUM(B3:B3)' }, 'EUR']]],
    ['a list above', [[null, null, null, 'Rome'], HEAD, [OPEN, CLOSE]]],
    ['a tag behind an empty column', [[], HEAD, [OPEN, CLOSE, null, '{{Product}}'], ['Total', null, null, 'x']]],
  ])('a loop with %s is taken', async (_what, rows) => {
    expect(await problemsBeside(rows)).toEqual([])
  })

  test('a loop over the header of a table of Excel is refused', async () => {
    const rows = [[], HEAD, [OPEN, CLOSE]]
    expect(await problemsBeside(rows, 'A3:B4')).toEqual([
      expect.stringMatching(/repeats row 3, the header of the table "Rates"; begin it in the row below/),
    ])
    expect(await problemsBeside(rows, 'A2:B3')).toEqual([])
  })

  test.each([
    [
      'an array formula in a loop',
      '<row r="1"><c r="A1" t="inlineStr"><is><t>{{#detail}}{{/detail}}</t></is></c><c r="B1"><f t="array" ref="B1">A1</f></c></row>',
      'S!B1',
    ],
    [
      'a data table (what-if) in a loop',
      '<row r="1"><c r="A1" t="inlineStr"><is><t>{{#detail}}</t></is></c><c r="B1"><f t="dataTable" ref="B1" r1="A1"/></c><c r="C1" t="inlineStr"><is><t>{{/detail}}</t></is></c></row>',
      'S!B1',
    ],
  ])('refuses %s', async (details, rows, place) => {
    const { problems } = await check(workbook([{ name: 'S', xml: worksheet(rows) }]))
    expect(problems).toEqual([{ code: 'TEMPLATE_UNSUPPORTED', place, details }])
  })

  test('refuses a pivot table on a sheet that is repeated, another format and unsafe files', async () => {
    const { '[Content_Types].xml': types = '', 'xl/workbook.xml': book = '', ...rest } = salesWorkbook()
    const repeated = {
      '[Content_Types].xml': types,
      'xl/workbook.xml': String(book).replace('name="Pivot"', 'name="{{@region}}"'),
      ...rest,
    }
    expect((await check(repeated)).problems).toContainEqual({
      code: 'TEMPLATE_UNSUPPORTED',
      place: '{{@region}}',
      details: 'a pivotTable on a sheet that is repeated',
    })
    const bytes = await zipOf(salesWorkbook())
    const named = (name: string) => checkTemplate(bytes, name, workbookReport(), { maxTemplateMb: 25 })
    expect((await named('a.docx')).problems).toMatchObject([{ code: 'TEMPLATE_INVALID' }])
    expect((await named('a.xlsm')).problems).toMatchObject([{ code: 'TEMPLATE_UNSAFE' }])
    expect(await named('a.xltx')).toMatchObject({ ok: true, format: 'xlsx', bytes: bytes.length })
  })
})

test('a text that is too long for a cell is cut with a warning', async () => {
  const name = 'x'.repeat(40_000)
  const long = [{ Region: 'Nord', Product: name, FewProduct: name, Sales: 1, OrderDate: 45_658 }]
  await using filled = await filledWorkbook(sideBySideWorkbook(), { facts: long, report: reportWithFew() })
  expect(filled.warnings).toEqual(
    ['A2', 'D2'].map((cell) => `TEXT_TRUNCATED Sales!${cell}: a cell has room for 32767 of 40000 characters`),
  )
})

test('a template that LibreOffice has saved: shared strings, extended data bars, output of the pivot table', async () => {
  const bytes = await Bun.file('test/fixtures/templates-office/sales.xlsx').bytes()
  await using filled = await filledWorkbook(await partsOf(bytes))
  const detail = filled.text('xl/worksheets/sheet2.xml')
  expect(filled.cells('xl/worksheets/sheet2.xml')).toContain('D18==SUM(D6:D17)')
  expect(detail).toContain('<xm:sqref>D6:D17</xm:sqref>')
  expect(detail).toContain('<conditionalFormatting sqref="D6:D17">')
  expect(filled.cells('xl/worksheets/sheet1.xml')).toContain('B3==Detail!D18')
  expect(filled.text('xl/tables/table1.xml')).toContain('ref="A5:E17"')
  expect(filled.text('xl/pivotCache/pivotCacheDefinition1.xml')).toContain('ref="A5:E17"')
  expect([...filled.parts.values()].filter(({ text }) => text.includes('{{'))).toEqual([])
})
