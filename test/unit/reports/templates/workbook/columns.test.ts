import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
import { relationships, SPREADSHEET, zipOf } from '../../../../support/office.ts'
import {
  type CellSource,
  chart,
  chartFrame,
  drawing,
  facts,
  filledWorkbook,
  reportWithFew,
  sheetRow,
  workbook,
  worksheet,
} from '../../../../support/workbook.ts'

const SHEET = 'xl/worksheets/sheet1.xml'
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'
const [OPEN, CLOSE] = ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']

const check = async (parts: Parameters<typeof zipOf>[0]) =>
  (await checkTemplate(await zipOf(parts), 'sales.xlsx', reportWithFew(), { maxTemplateMb: 25 })).problems

const rowsOf = (rows: readonly (readonly CellSource[])[]): string =>
  rows.map((cells, index) => sheetRow(index + 1, cells)).join('')

/** The filled cells of a sheet with these rows. */
async function filledRows(rows: readonly (readonly CellSource[])[], count: number): Promise<string[]> {
  const parts = workbook([{ name: 'S', xml: worksheet(rowsOf(rows)) }])
  expect(await check(parts)).toEqual([])
  await using filled = await filledWorkbook(parts, { facts: facts(count), report: reportWithFew() })
  return filled.cells(SHEET)
}

const HEAD = ['Product', 'Sales', null, 'City', 'People']

describe('a loop beside other content takes its own columns', () => {
  test.each<[string, readonly (readonly CellSource[])[], readonly string[]]>([
    [
      'a list that goes on below',
      [[], HEAD, [OPEN, CLOSE, null, 'Rome', 3], ['Total', { f: 'SUM(B3:B3)' }, null, 'Oslo', 1]],
      [
        'A3=P1',
        'B3=10',
        'D3=Rome',
        'E3=3',
        'A4=P2',
        'B4=20',
        'D4=Oslo',
        'E4=1',
        'A5=P3',
        'B5=30',
        'A6=Total',
        'B6==SUM(B3:B5)',
      ],
    ],
    [
      'a list that ends there',
      [[null, null, null, 'Rome'], HEAD, [OPEN, CLOSE, null, 'Oslo', 1]],
      ['A3=P1', 'B3=10', 'D3=Oslo', 'E3=1', 'A4=P2', 'B4=20', 'A5=P3', 'B5=30'],
    ],
    [
      'formulas about themselves',
      [[], HEAD, [OPEN, CLOSE, null, { f: 'E3*2' }, 3], [null, null, null, { f: 'E4*2+B3' }, 1]],
      ['A3=P1', 'B3=10', 'D3==E3*2', 'E3=3', 'A4=P2', 'B4=20', 'D4==E4*2+B3', 'E4=1', 'A5=P3', 'B5=30'],
    ],
    [
      'texts and figures with tags of values',
      [[], HEAD, [OPEN, CLOSE, null, 'Revenue', '{{revenue}}'], [null, null, null, 'Rows', '{{detail.$count}}']],
      ['A3=P1', 'B3=10', 'D3=Revenue', 'E3=60', 'A4=P2', 'B4=20', 'D4=Rows', 'E4=3', 'A5=P3', 'B5=30'],
    ],
    [
      'a second loop',
      [
        [],
        HEAD,
        [OPEN, CLOSE, null, '{{#few}}{{Product}}', '{{Sales}}{{/few}}'],
        ['x', { f: 'SUM(B3)' }, null, 'y', { f: 'SUM(E3)' }],
      ],
      [
        'A3=P1',
        'B3=10',
        'D3=P1',
        'E3=10',
        'A4=P2',
        'B4=20',
        'D4=P2',
        'E4=20',
        'A5=P3',
        'B5=30',
        'D5=y',
        'E5==SUM(E3:E4)',
        'A6=x',
        'B6==SUM(B3:B5)',
      ],
    ],
    [
      'a second loop that touches it, with a condition behind',
      [[], HEAD, [OPEN, CLOSE, '{{#few}}{{Product}}', '{{Sales}}{{/few}}', '{{^detail}}no', 'rows{{/detail}}']],
      ['A3=P1', 'B3=10', 'C3=P1', 'D3=10', 'E3=', 'F3=', 'A4=P2', 'B4=20', 'C4=P2', 'D4=20', 'A5=P3', 'B5=30'],
    ],
  ])('%s', async (_what, rows, expected) => {
    const cells = await filledRows(rows, 3)
    expect(cells.filter((cell) => !/^[A-Z][12]=/.test(cell))).toEqual([...expected])
  })

  test('a list at the left, and a loop that stands below in the same columns', async () => {
    const cells = await filledRows(
      [
        [],
        ['City', null, 'Product', 'Sales'],
        ['Rome', null, OPEN, CLOSE],
        ['Oslo'],
        [null, null, '{{#few}}{{Product}}', '{{Sales}}{{/few}}'],
        ['Bonn', null, 'end', { f: 'D3+SUM(D5)' }],
      ],
      3,
    )
    expect(cells.slice(3)).toEqual([
      'A3=Rome',
      'C3=P1',
      'D3=10',
      'A4=Oslo',
      'C4=P2',
      'D4=20',
      'C5=P3',
      'D5=30',
      'A6=Bonn',
      'C7=P1',
      'D7=10',
      'C8=P2',
      'D8=20',
      'C9=end',
      'D9==D3+SUM(D7:D8)',
    ])
  })

  test('two loops of several rows that begin in the same row', async () => {
    const cells = await filledRows(
      [
        ['{{#detail}}{{Product}}', '{{Sales}}', null, '{{#few}}{{Product}}', '{{Sales}}'],
        ['second', '{{$index}}{{/detail}}', null, 'other', '{{$index}}{{/few}}'],
        ['below', null, null, 'below'],
      ],
      3,
    )
    expect(cells).toEqual([
      'A1=P1',
      'B1=10',
      'D1=P1',
      'E1=10',
      'A2=second',
      'B2=1',
      'D2=other',
      'E2=1',
      'A3=P2',
      'B3=20',
      'D3=P2',
      'E3=20',
      'A4=second',
      'B4=2',
      'D4=other',
      'E4=2',
      'A5=P3',
      'B5=30',
      'D5=below',
      'A6=second',
      'B6=3',
      'A7=below',
    ])
  })

  test('without rows one empty row stays in its columns', async () => {
    const cells = await filledRows(
      [[], HEAD, [OPEN, CLOSE, null, 'Rome', 3], ['Total', { f: 'SUM(B3)' }, null, 'Oslo']],
      0,
    )
    expect(cells.slice(4)).toEqual(['A3=', 'B3=', 'D3=Rome', 'E3=3', 'A4=Total', 'B4==SUM(B3)', 'D4=Oslo'])
  })

  test('two loops side by side in a loop: each round is as high as the longer one', async () => {
    const cells = await filledRows(
      [
        ['{{#groups}}{{Product}}'],
        ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}', null, '{{#few}}{{Product}}', '{{Sales}}{{/few}}'],
        ['sum', { f: 'SUM(B2:B2)' }, null, { f: 'SUM(E2:E2)' }, 'end{{/groups}}'],
        ['below', null, null, null, 'below'],
      ],
      3,
    )
    expect(cells).toEqual([
      'A1=P1',
      'A2=P1',
      'B2=10',
      'D2=P1',
      'E2=10',
      'A3=P2',
      'B3=20',
      'D3=P2',
      'E3=20',
      'A4=P3',
      'B4=30',
      'D4==SUM(E2:E3)',
      'E4=end',
      'A5=sum',
      'B5==SUM(B2:B4)',
      'A6=P2',
      'A7=P1',
      'B7=10',
      'D7=P1',
      'E7=10',
      'A8=P2',
      'B8=20',
      'D8=P2',
      'E8=20',
      'A9=P3',
      'B9=30',
      'D9==SUM(E7:E8)',
      'E9=end',
      'A10=sum',
      'B10==SUM(B7:B9)',
      'A11=below',
      'E11=below',
    ])
  })

  test('a row is as high as the highest of its cells, and hidden when all of them are', async () => {
    const rows = [
      sheetRow(1, [OPEN, CLOSE, null, 'Rome', 3], ' ht="30" customHeight="1"'),
      sheetRow(2, [null, null, null, 'Oslo', 1], ' ht="10" customHeight="1" hidden="1"'),
      sheetRow(3, ['foot', null, null, null, null], ' hidden="1"'),
      sheetRow(4, [null, null, null, 'Bonn', 1], ' ht="50" customHeight="1"'),
    ]
    await using filled = await filledWorkbook(workbook([{ name: 'S', xml: worksheet(rows.join('')) }]), {
      facts: facts(3),
    })
    expect(filled.text(SHEET).match(/<row [^>]*>/g)).toEqual([
      '<row r="1" ht="30" customHeight="1">',
      '<row r="2" ht="30" customHeight="1">',
      '<row r="3" ht="30" customHeight="1">',
      '<row r="4" ht="50" customHeight="1">',
      '<row r="5" hidden="1">',
    ])
  })
})

/** The loop in A5:C5 with a static list in E4:F9; `after` behind the rows of the sheet. */
function besideList(
  after: string,
  options: Parameters<typeof workbook>[1] & {
    related?: never
    sheetRelated?: readonly (readonly [string, string])[]
  } = {},
  formulas: readonly CellSource[] = [],
) {
  const shared = '<c r="C5"><f t="shared" ref="C5:C6" si="0">B5*2</f></c>'
  const rows = [
    sheetRow(1, formulas),
    sheetRow(4, ['Product', 'Sales', 'Twice', null, 'City', 'People']),
    sheetRow(5, [OPEN, CLOSE, null, null, 'Rome', 3]).replace('<c r="E5"', `${shared}<c r="E5"`),
    sheetRow(6, ['Total', { f: 'SUM(B5:B5)' }, null, null, 'Oslo', { f: 'F5+1' }]).replace(
      '<c r="E6"',
      '<c r="C6"><f t="shared" si="0"/></c><c r="E6"',
    ),
    sheetRow(7, ['note', null, null, null, 'Bonn', { f: 'SUM(F5:F6)+B6' }]),
  ]
  const { sheetRelated = [], ...more } = options
  return workbook([{ name: 'S', xml: worksheet(rows.join(''), after), related: sheetRelated }], more)
}

test('what belongs to the columns of the loop moves with them, and the rest stays', async () => {
  const table = (id: number, name: string, ref: string, columns: readonly string[]) =>
    `<table xmlns="${MAIN}" id="${id}" name="${name}" displayName="${name}" ref="${ref}"><autoFilter ref="${ref}"/><tableColumns count="${columns.length}">${columns.map((one, index) => `<tableColumn id="${index + 1}" name="${one}"/>`).join('')}</tableColumns></table>`
  const comment = (ref: string) => `<comment ref="${ref}" authorId="0"><text><t>x</t></text></comment>`
  const at = (row: number, column: number) =>
    `<xdr:oneCellAnchor><xdr:from><xdr:col>${column}</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>${row}</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="1" cy="1"/>${chartFrame('rId1')}<xdr:clientData/></xdr:oneCellAnchor>`
  const note = (row: number, column: number) =>
    `<x:ClientData ObjectType="Note"><x:Anchor>${column + 1}, 0, ${row}, 0, ${column + 3}, 0, ${row + 2}, 0</x:Anchor><x:Row>${row}</x:Row><x:Column>${column}</x:Column></x:ClientData>`
  const parts = besideList(
    '<mergeCells count="3"><mergeCell ref="A7:B7"/><mergeCell ref="E8:F9"/><mergeCell ref="A2:F2"/></mergeCells>' +
      '<conditionalFormatting sqref="A4:F6"><cfRule type="duplicateValues" dxfId="0" priority="1"/></conditionalFormatting>' +
      '<conditionalFormatting sqref="F5:F7"><cfRule type="expression" priority="2"><formula>$E5="Rome"</formula></cfRule></conditionalFormatting>' +
      '<dataValidations count="2"><dataValidation type="decimal" sqref="B5"><formula1>$B$6*-1</formula1></dataValidation><dataValidation type="list" sqref="E6"><formula1>$E$5:$E$7</formula1></dataValidation></dataValidations>' +
      '<hyperlinks><hyperlink ref="A7" location="S!F7"/><hyperlink ref="E7" location="S!A7"/><hyperlink ref="A5" location="S!E5"/></hyperlinks>' +
      '<rowBreaks count="1" manualBreakCount="1"><brk id="7" max="16383" man="1"/></rowBreaks><drawing r:id="rId1"/><legacyDrawing r:id="rId2"/><tableParts count="2"><tablePart r:id="rId4"/><tablePart r:id="rId5"/></tableParts>',
    {
      names:
        '<definedName name="_xlnm.Print_Area" localSheetId="0">S!$A$1:$F$9</definedName><definedName name="cities">S!$E$5:$F$7</definedName><definedName name="products">S!$A$5:$A$5</definedName><definedName name="total">S!$B$6</definedName>',
      sheetRelated: [
        ['drawing', '../drawings/drawing1.xml'],
        ['vmlDrawing', '../drawings/vmlDrawing1.vml'],
        ['comments', '../comments1.xml'],
        ['table', '../tables/table1.xml'],
        ['table', '../tables/table2.xml'],
      ],
      types: {
        'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
        'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
        'xl/comments1.xml': `${SPREADSHEET}.comments+xml`,
        'xl/tables/table1.xml': `${SPREADSHEET}.table+xml`,
        'xl/tables/table2.xml': `${SPREADSHEET}.table+xml`,
      },
      parts: {
        'xl/drawings/drawing1.xml': drawing(at(9, 0) + at(9, 4)),
        'xl/drawings/_rels/drawing1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
        'xl/charts/chart1.xml': chart('S!$A$5:$A$5', 'S!$F$5:$F$7'),
        'xl/drawings/vmlDrawing1.vml': `<xml xmlns:x="urn:schemas-microsoft-com:office:excel">${note(6, 0)}${note(6, 4)}</xml>`,
        'xl/comments1.xml': `<comments xmlns="${MAIN}"><authors><author/></authors><commentList>${comment('A7')}${comment('E7')}</commentList></comments>`,
        'xl/tables/table1.xml': table(1, 'Sales', 'A4:C5', ['Product', 'Sales', 'Twice']),
        'xl/tables/table2.xml': table(2, 'Cities', 'E4:F7', ['City', 'People']),
      },
    },
    [{ f: 'SUM(B5)+F7+B6' }, { f: 'COUNTA(A:F)+SUM(F5:F7)' }, { f: 'SUM(E2:F1048576)' }],
  )
  expect(await check(parts)).toEqual([])
  await using filled = await filledWorkbook(parts, { facts: facts(4) })
  expect(filled.cells(SHEET)).toEqual([
    'A1==SUM(B5:B8)+F7+B9',
    'B1==COUNTA(A:F)+SUM(F5:F7)',
    'C1==SUM(E2:F1048576)',
    'A4=Product',
    'B4=Sales',
    'C4=Twice',
    'E4=City',
    'F4=People',
    'A5=P1',
    'B5=10',
    'C5==B5*2',
    'E5=Rome',
    'F5=3',
    'A6=P2',
    'B6=20',
    'C6==B6*2',
    'E6=Oslo',
    'F6==F5+1',
    'A7=P3',
    'B7=30',
    'C7==B7*2',
    'E7=Bonn',
    'F7==SUM(F5:F6)+B9',
    'A8=P4',
    'B8=40',
    'C8==B8*2',
    'A9=Total',
    'B9==SUM(B5:B8)',
    'C9==B9*2',
    'A10=note',
  ])
  const text = filled.text(SHEET)
  expect(text.match(/(?<=<mergeCell ref=")[^"]*/g)).toEqual(['A10:B10', 'E8:F9', 'A2:F2'])
  expect(text.match(/(?<= sqref=")[^"]*/g)).toEqual(['A4:D9 E4:F6', 'F5:F7', 'B5:B8', 'E6'])
  expect(text.match(/<formula1?>[^<]*/g)).toEqual(['<formula>$E5="Rome"', '<formula1>$B$9*-1', '<formula1>$E$5:$E$7'])
  expect(
    Array.from(text.matchAll(/<hyperlink ref="(\w+)" location="([^"]*)"/g), ([, ref, to]) => `${ref} ${to}`),
  ).toEqual(['A10 S!F7', 'E7 S!A10', 'A5 S!E5', 'A6 S!E5', 'A7 S!E5', 'A8 S!E5'])
  expect(text).toContain('<brk id="10"')
  const names = Array.from(
    filled.text('xl/workbook.xml').matchAll(/name="([\w.]+)"[^>]*>([^<]*)<\/definedName>/g),
    ([, name, area]) => `${name} ${area}`,
  )
  expect(names).toEqual(['_xlnm.Print_Area S!$A$1:$F$12', 'cities S!$E$5:$F$7', 'products S!$A$5:$A$8', 'total S!$B$9'])
  expect([1, 2].map((number) => filled.text(`xl/tables/table${number}.xml`).match(/(?<= ref=")[^"]*/g))).toEqual([
    ['A4:C8', 'A4:C8'],
    ['E4:F7', 'E4:F7'],
  ])
  expect(filled.text('xl/charts/chart1.xml').match(/(?<=<c:f>)[^<]*/g)).toEqual(['S!$A$5:$A$8', 'S!$F$5:$F$7'])
  expect(filled.text('xl/drawings/drawing1.xml').match(/(?<=<xdr:row>)\d+/g)).toEqual(['12', '9'])
  expect(filled.text('xl/comments1.xml').match(/(?<= ref=")\w+/g)).toEqual(['A10', 'E7'])
  expect(filled.text('xl/drawings/vmlDrawing1.vml').match(/(?<=<x:Row>)\d+/g)).toEqual(['9', '6'])
})

test('a table of Excel that touches the loop is no part of it', async () => {
  const rows = [
    ['Product', 'Sales', 'R'],
    [OPEN, CLOSE, 1],
    [null, null, { f: 'C2+1' }],
  ]
  const parts = workbook(
    [
      {
        name: 'S',
        xml: worksheet(rowsOf(rows), '<tableParts count="1"><tablePart r:id="rId1"/></tableParts>'),
        related: [['table', '../tables/table1.xml']],
      },
    ],
    {
      types: { 'xl/tables/table1.xml': `${SPREADSHEET}.table+xml` },
      parts: {
        'xl/tables/table1.xml': `<table xmlns="${MAIN}" id="1" name="T" displayName="T" ref="C1:C3"><tableColumns count="1"><tableColumn id="1" name="R"/></tableColumns></table>`,
      },
    },
  )
  expect(await check(parts)).toEqual([])
  await using filled = await filledWorkbook(parts, { facts: facts(3) })
  expect(filled.cells(SHEET).slice(3)).toEqual([
    'A2=P1',
    'B2=10',
    'C2=1',
    'A3=P2',
    'B3=20',
    'C3==C2+1',
    'A4=P3',
    'B4=30',
  ])
  expect(filled.text('xl/tables/table1.xml')).toContain('ref="C1:C3"')
})

describe('what would be pulled apart is refused with its place', () => {
  const MERGE = '<mergeCells count="1"><mergeCell ref="A9:F9"/></mergeCells>'
  const rule = (sqref: string, formula: string) =>
    `<conditionalFormatting sqref="${sqref}"><cfRule type="expression" priority="1"><formula>${formula}</formula></cfRule></conditionalFormatting>`
  const filterOver = (ref: string) => `<autoFilter ref="${ref}"/>`

  test.each<[string, ReturnType<typeof besideList>, string, RegExp]>([
    [
      'merged cells',
      besideList(MERGE),
      'S!A9:F9',
      /the merged cells A9:F9 reaches over columns A to D of the loop \{\{#detail\}\}/,
    ],
    ['a filter', besideList(filterOver('A4:F7')), 'S!A4:F7', /the filter/],
    ['a formula', besideList('', {}, [{ f: 'SUM(A5:F7)' }]), 'S!A1', /the reference A5:F7/],
    ['a formula over whole rows', besideList('', {}, [{ f: 'SUM(6:7)' }]), 'S!A1', /the reference 6:7/],
    [
      'a name',
      besideList('', { names: '<definedName name="all">S!$A$4:$F$7</definedName>' }),
      'name "all"',
      /the reference S!\$A\$4:\$F\$7/,
    ],
    [
      'a rule about columns that move otherwise',
      besideList(rule('F5:F7', '$B5&gt;1')),
      'S!F5:F7',
      /the rule of F5:F7 with \$B5/,
    ],
    [
      'a table',
      besideList('<tableParts count="1"><tablePart r:id="rId1"/></tableParts>', {
        sheetRelated: [['table', '../tables/table1.xml']],
        types: { 'xl/tables/table1.xml': `${SPREADSHEET}.table+xml` },
        parts: {
          'xl/tables/table1.xml': `<table xmlns="${MAIN}" id="1" name="T" displayName="T" ref="C8:F9"><tableColumns count="1"><tableColumn id="1" name="R"/></tableColumns></table>`,
        },
      }),
      'S!C8:F9',
      /the table C8:F9/,
    ],
  ])('%s', async (_what, parts, place, details) => {
    expect(await check(parts)).toEqual([{ code: 'TEMPLATE_LOOP', place, details: expect.stringMatching(details) }])
  })

  test('a formula of another sheet, and a loop below that reaches over both', async () => {
    const rows = [
      [OPEN, CLOSE, null, 'Rome', 3],
      [null, null, null, 'Oslo', 1],
      [],
      ['{{#few}}{{Product}}', 1, 2, 3, '{{Sales}}{{/few}}'],
    ]
    const parts = workbook([
      { name: 'S', xml: worksheet(rowsOf(rows)) },
      { name: 'Sum', xml: worksheet(sheetRow(1, [{ f: 'SUM(S!A1:E2)' }, { f: 'SUM(S!A1:B2)' }])) },
    ])
    expect(await check(parts)).toEqual([
      {
        code: 'TEMPLATE_LOOP',
        place: 'S!A4:E4',
        details: expect.stringMatching(/stands below a loop with other content beside it/),
      },
      { code: 'TEMPLATE_LOOP', place: 'Sum!A1', details: expect.stringMatching(/the reference S!A1:E2/) },
    ])
  })

  test('loops that overlap, where no columns part them or the rows leave open which holds the other', async () => {
    const problems = async (...rows: readonly (readonly CellSource[])[]) =>
      (await check(workbook([{ name: 'S', xml: worksheet(rowsOf(rows)) }]))).map(
        ({ code, place }) => `${code} ${place}`,
      )
    expect(await problems(['{{#detail}}x', '{{#few}}y'], ['{{/few}}', '{{/detail}}'])).toEqual([])
    for (const rows of [
      [['{{#detail}}x', '{{#few}}y'], ['{{/detail}}', 'z'], ['{{/few}}']],
      [['{{#detail}}x'], [null, '{{#few}}y'], ['{{/detail}}'], [null, '{{/few}}']],
    ]) {
      expect(await problems(...rows)).toEqual([
        expect.stringMatching(/^TEMPLATE_LOOP S!B\d$/),
        expect.stringMatching(/^TEMPLATE_LOOP S!\w\d$/),
      ])
    }
  })

  test('nothing above the loop, and no whole columns', async () => {
    const parts = besideList(
      '<mergeCells count="1"><mergeCell ref="A3:F3"/></mergeCells><conditionalFormatting sqref="A1:F1048576"><cfRule type="duplicateValues" dxfId="0" priority="1"/></conditionalFormatting>',
      {},
      [{ f: 'SUM(A2:F4)+COUNTA(A:F)+VLOOKUP(1,$A:$F,2)' }],
    )
    expect(await check(parts)).toEqual([])
  })
})

/** The cells of `B2:B4` or `B2`. */
function cellsOfRange(range: string): string[] {
  const [, column = '', top, bottom = top] = /^\$?([A-Z])\$?(\d+)(?::\$?[A-Z]\$?(\d+))?$/.exec(range) ?? []
  return Array.from({ length: Number(bottom) - Number(top) + 1 }, (_, row) => column + (Number(top) + row))
}

describe('any grid with a loop in some columns', () => {
  const ROWS = 9
  const cell = fc.record({ row: fc.integer({ min: 1, max: ROWS }), column: fc.constantFrom('A', 'B', 'D', 'E') })
  const grids = fc.record({
    first: fc.integer({ min: 1, max: ROWS - 2 }),
    height: fc.integer({ min: 1, max: 2 }),
    isLeft: fc.boolean(),
    count: fc.integer({ min: 0, max: 5 }),
    references: fc.array(fc.record({ at: cell, to: cell, rows: fc.integer({ min: 0, max: 4 }) }), { maxLength: 12 }),
  })

  test('values beside stay, and formulas point at the same content', async () => {
    await fc.assert(
      fc.asyncProperty(grids, async ({ first, height, isLeft, count, references }) => {
        const [one, other] = isLeft ? ['A', 'B'] : ['D', 'E']
        const last = first + height - 1
        const inLoop = (row: number, column: string) =>
          first <= row && row <= last && (column === one || column === other)
        const grid = new Map<string, CellSource>()
        for (let row = 1; row <= ROWS; row++) {
          for (const column of ['A', 'B', 'D', 'E']) {
            if (!inLoop(row, column)) grid.set(column + row, row * 100 + column.charCodeAt(0))
          }
        }
        grid.set(one + first, '{{#detail}}{{Product}}').set(other + last, '{{Sales}}{{/detail}}')
        const numbers = new Map([...grid].filter(([, value]) => typeof value === 'number'))
        const formulas = references.filter(({ at }) => !inLoop(at.row, at.column))
        const expected = new Map<string, { readonly values: readonly number[]; readonly inSheet: boolean }>()
        for (const [index, { at, to, rows }] of formulas.entries()) {
          const end = Math.min(ROWS, to.row + rows)
          const area = Array.from({ length: end - to.row + 1 }, (_, row) => to.column + (to.row + row))
          // A formula of its row about the loop belongs to the loop.
          if (first <= at.row && at.row <= last && at.row === to.row && (to.column === one || to.column === other))
            continue
          grid.set(at.column + at.row, { f: `SUM(${area[0]}:${area.at(-1)})*1${index}` })
          for (const [id] of expected) if (id.startsWith(`${at.column}${at.row} `)) expected.delete(id)
          const values = area.map((name) => numbers.get(name)).filter((value) => typeof value === 'number')
          expected.set(`${at.column}${at.row} 1${index}`, { values, inSheet: values.length === area.length })
        }
        const rows = Array.from({ length: ROWS }, (_, row) =>
          sheetRow(
            row + 1,
            ['A', 'B', 'C', 'D', 'E'].map((column) => grid.get(column + (row + 1)) ?? null),
          ),
        )
        await using filled = await filledWorkbook(workbook([{ name: 'S', xml: worksheet(rows.join('')) }]), {
          facts: facts(count),
        })
        const after = new Map(
          filled.cells(SHEET).map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
        )
        const written = Math.max(1, count * height)
        const moved = (name: string) => {
          const [column = '', row] = [name[0], Number(name.slice(1))]
          const isBelow = (column === one || column === other) && row > last
          return column + (isBelow ? row + (count === 0 ? 1 : count * height) - height : row)
        }
        for (const [name, value] of grid)
          if (typeof value === 'number') expect([name, after.get(moved(name))]).toEqual([name, String(value)])
        expect([...after.values()].filter((text) => /^P\d/.test(text))).toHaveLength(count)
        for (const [id, { values, inSheet }] of expected) {
          const [name = '', factor = ''] = id.split(' ')
          const [, list = '', seen] = /^=SUM\(([^)]*)\)\*(\d+)$/.exec(after.get(moved(name)) ?? '') ?? []
          expect(seen).toBe(factor)
          const names = list.split(',').flatMap(cellsOfRange)
          const isFormula = (cell: string) => after.get(cell)?.startsWith('=')
          const original = new Map([...numbers].map(([from, value]) => [moved(from), value]))
          const covered = names.flatMap((cell) => {
            const value = original.get(cell)
            return typeof value === 'number' && (isFormula(cell) || after.get(cell) === String(value)) ? [value] : []
          })
          expect([id, covered]).toEqual([id, [...values]])
          if (!inSheet) expect(names.length - values.length).toBeWithin(1, written + 1)
        }
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})

/** The cells of the rows below the heads, as `filledRows` gives them. */
const belowHead = (cells: readonly string[]) => cells.filter((cell) => !/^[A-Z]1=/.test(cell))

describe('cells beside the tags of a loop', () => {
  const TITLES = ['Product', 'Sales', 'City', 'People']

  test.each<[string, readonly (readonly CellSource[])[], readonly string[]]>([
    [
      'a list that touches it and goes on below stays',
      [
        TITLES,
        [OPEN, CLOSE, 'Rome', 3],
        [null, null, 'Oslo', 1],
        [null, null, 'Bonn', 2],
        [null, null, null, { f: 'SUM(D2:D4)' }],
      ],
      [
        'A2=P1',
        'B2=10',
        'C2=Rome',
        'D2=3',
        'A3=P2',
        'B3=20',
        'C3=Oslo',
        'D3=1',
        'A4=P3',
        'B4=30',
        'C4=Bonn',
        'D4=2',
        'D5==SUM(D2:D4)',
      ],
    ],
    [
      'a list of one row behind an empty column stays',
      [
        ['Product', 'Sales', null, 'City', 'People'],
        [OPEN, CLOSE, null, 'Rome', 3],
        ['Total', { f: 'SUM(B2)' }],
      ],
      ['A2=P1', 'B2=10', 'D2=Rome', 'E2=3', 'A3=P2', 'B3=20', 'A4=P3', 'B4=30', 'A5=Total', 'B5==SUM(B2:B4)'],
    ],
    [
      'a list at the left that touches it stays',
      [
        ['City', 'Product', 'Sales'],
        ['Rome', OPEN, CLOSE],
        ['Oslo', null, null],
      ],
      ['A2=Rome', 'B2=P1', 'C2=10', 'A3=Oslo', 'B3=P2', 'C3=20', 'B4=P3', 'C4=30'],
    ],
    [
      'a constant and a formula of the row repeat',
      [TITLES, [OPEN, CLOSE, 'EUR', { f: 'B2*2' }], ['Total', { f: 'SUM(B2)' }, null, { f: 'SUM(D2)' }]],
      [
        'A2=P1',
        'B2=10',
        'C2=EUR',
        'D2==B2*2',
        'A3=P2',
        'B3=20',
        'C3=EUR',
        'D3==B3*2',
        'A4=P3',
        'B4=30',
        'C4=EUR',
        'D4==B4*2',
        'A5=Total',
        'B5==SUM(B2:B4)',
        'D5==SUM(D2:D4)',
      ],
    ],
    [
      'a label at the left, with that of the total below',
      [
        [null, 'Product', 'Sales'],
        ['Part', OPEN, CLOSE],
        ['Total', null, { f: 'SUM(C2)' }],
        ['Mean', { f: 'COUNTA(B2)' }, { f: 'C3/B4' }],
        [],
        ['note'],
      ],
      [
        ...['A2=Part', 'B2=P1', 'C2=10', 'A3=Part', 'B3=P2', 'C3=20', 'A4=Part', 'B4=P3', 'C4=30'],
        ...['A5=Total', 'C5==SUM(C2:C4)', 'A6=Mean', 'B6==COUNTA(B2:B4)', 'C6==C5/B6', 'A8=note'],
      ],
    ],
    [
      'a unit with a formula in the row of the total',
      [TITLES, [OPEN, CLOSE, 'EUR'], ['Total', { f: 'SUM(B2)' }, { f: 'B3/1000' }], ['x', 'y', 'z']],
      [
        ...['A2=P1', 'B2=10', 'C2=EUR', 'A3=P2', 'B3=20', 'C3=EUR', 'A4=P3', 'B4=30', 'C4=EUR'],
        ...['A5=Total', 'B5==SUM(B2:B4)', 'C5==B5/1000', 'A6=x', 'B6=y', 'C6=z'],
      ],
    ],
    [
      'a unit that the row of the total shows again, between the loop and its formula',
      [TITLES, [OPEN, CLOSE, 'EUR', { f: 'B2*2' }], ['Total', { f: 'SUM(B2)' }, { f: 'C2' }, { f: 'SUM(D2)' }]],
      [
        ...['A2=P1', 'B2=10', 'C2=EUR', 'D2==B2*2', 'A3=P2', 'B3=20', 'C3=EUR', 'D3==B3*2'],
        ...['A4=P3', 'B4=30', 'C4=EUR', 'D4==B4*2', 'A5=Total', 'B5==SUM(B2:B4)', 'C5==C4', 'D5==SUM(D2:D4)'],
      ],
    ],
    [
      'a constant behind an empty column, beside a loop of two rows, stays',
      [TITLES, ['{{#detail}}{{Product}}', '{{Sales}}', null, 'note'], ['twice', { f: 'B2*$D$1' }], ['{{/detail}}']],
      [
        ...['A2=P1', 'B2=10', 'D2=note', 'A3=twice', 'B3==B2*$D$1', 'A4=', 'A5=P2', 'B5=20', 'A6=twice'],
        ...['B6==B5*$D$1', 'A7=', 'A8=P3', 'B8=30', 'A9=twice', 'B9==B8*$D$1', 'A10='],
      ],
    ],
    [
      'a list behind a formula of the row stays',
      [TITLES, [OPEN, CLOSE, { f: 'B2*2' }, 'Rome'], [null, null, null, 'Oslo']],
      ['A2=P1', 'B2=10', 'C2==B2*2', 'D2=Rome', 'A3=P2', 'B3=20', 'C3==B3*2', 'D3=Oslo', 'A4=P3', 'B4=30', 'C4==B4*2'],
    ],
    [
      'what stands between the tags repeats, whatever is below',
      [TITLES, [OPEN, '{{Sales}}', 'EUR{{/detail}}'], ['Total', { f: 'SUM(B2)' }, 'in EUR']],
      [
        'A2=P1',
        'B2=10',
        'C2=EUR',
        'A3=P2',
        'B3=20',
        'C3=EUR',
        'A4=P3',
        'B4=30',
        'C4=EUR',
        'A5=Total',
        'B5==SUM(B2:B4)',
        'C5=in EUR',
      ],
    ],
  ])('%s', async (_what, rows, expected) => {
    expect(belowHead(await filledRows(rows, 3))).toEqual([...expected])
  })

  test.each<[string, readonly (readonly CellSource[])[], string, RegExp]>([
    [
      'a list below which the loop has a total',
      [
        TITLES,
        [OPEN, CLOSE, 'Rome', 3],
        ['Total', { f: 'SUM(B2)' }, 'Oslo', 1],
        [null, null, 'Bonn', { f: 'SUM(D2:D3)' }],
      ],
      'S!A2:B2',
      /column C is filled beside the loop and below it.*to repeat it, put \{\{\/detail\}\} there; to keep it once, leave an empty column/,
    ],
    [
      'a list at the left',
      [
        ['City', 'Product', 'Sales'],
        ['Rome', OPEN, CLOSE],
        ['Oslo', 'Total', { f: 'SUM(C2)' }],
      ],
      'S!B2:C2',
      /column A .*put \{\{#detail\}\} there/,
    ],
    [
      'a list at the left beside a number below',
      [
        ['City', 'Product', 'Sales'],
        ['Rome', OPEN, CLOSE],
        ['Oslo', null, 7],
      ],
      'S!B2:C2',
      /column A /,
    ],
    [
      'a label at the left, and a list that goes on below the total',
      [
        ['City', 'Product', 'Sales'],
        ['Rome', OPEN, CLOSE],
        ['Oslo', null, { f: 'SUM(C2)' }],
        ['Bonn', null, null],
      ],
      'S!B2:C2',
      /column A /,
    ],
    [
      'a text that is counted below',
      [TITLES, [OPEN, CLOSE, 'Rome'], ['Total', { f: 'SUM(B2)' }, { f: 'COUNTA(C2)' }]],
      'S!A2:B2',
      /column C /,
    ],
    [
      'a list that ends there',
      [
        [null, null, 'City'],
        ['Product', 'Sales', 'Rome'],
        [OPEN, CLOSE, 'Oslo'],
      ],
      'S!A3:B3',
      /above it/,
    ],
    [
      'a list whose first column has a gap',
      [[], [OPEN, CLOSE, 'Rome', 1], [null, null, null, 2]],
      'S!A2:B2',
      /column D/,
    ],
    [
      'a list before a formula of the row',
      [[], [OPEN, CLOSE, 7, { f: 'B2*2' }], [null, null, 8]],
      'S!A2:B2',
      /column C/,
    ],
    [
      'a cell between two loops',
      [[], [OPEN, CLOSE, 7, '{{#few}}{{Product}}', '{{Sales}}{{/few}}']],
      'S!A2:B2',
      /column C touches this loop and another one/,
    ],
    [
      'a list in the rows of a loop of several rows',
      [[], ['{{#detail}}{{Product}}', null, 'Rome'], ['{{Sales}}{{/detail}}', null, 'Oslo']],
      'S!A2:A3',
      /column C is filled in the rows of the loop, behind an empty column; to repeat it, put \{\{\/detail\}\} there; .* make it a table/,
    ],
    [
      'a row below that would be torn apart',
      [[], [OPEN, CLOSE, null, 'Rome'], [null, null, null, 'Oslo'], [], ['a', 'b', 'c', 'd']],
      'S!C5:D5',
      /lie side by side below the loop, which moves one of them only/,
    ],
    [
      'a range over a cell that would repeat and others below',
      [[{ f: 'COUNTA(C2:C9)' }], [OPEN, CLOSE, 'Rome'], [], [null, null, 'Oslo']],
      'S!A1',
      /the reference C2:C9 takes C2, which touches the loop/,
    ],
  ])('%s is refused', async (_what, rows, place, details) => {
    const problems = await check(workbook([{ name: 'S', xml: worksheet(rowsOf(rows)) }]))
    expect(problems.filter((problem) => problem.place === place)).toEqual([
      { code: 'TEMPLATE_LOOP', place, details: expect.stringMatching(details) },
      ...problems.slice(1).filter((problem) => problem.place === place),
    ])
  })

  const series = (ref: string) => ({
    sheetRelated: [['drawing', '../drawings/drawing1.xml']] as const,
    types: {
      'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
      'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
    },
    parts: {
      'xl/drawings/drawing1.xml': drawing(
        `<xdr:oneCellAnchor><xdr:from><xdr:col>5</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="1" cy="1"/>${chartFrame('rId1')}<xdr:clientData/></xdr:oneCellAnchor>`,
      ),
      'xl/drawings/_rels/drawing1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
      'xl/charts/chart1.xml': chart(ref, ref),
    },
  })
  // C2 touches the loop; C4 shows that a list with a gap is meant, where something takes both.
  const GAPPED = [[], [OPEN, CLOSE, 'Rome'], [], [null, null, 'Bonn']]

  test.each<
    [
      string,
      string,
      Parameters<typeof workbook>[1] & { readonly sheetRelated?: readonly (readonly [string, string])[] },
    ]
  >([
    ['a name', '', { names: '<definedName name="cities">S!$C$2:$C$4</definedName>' }],
    [
      'a validation',
      '<dataValidations count="1"><dataValidation type="list" sqref="H1"><formula1>$C$2:$C$4</formula1></dataValidation></dataValidations>',
      {},
    ],
    [
      'a rule',
      '<conditionalFormatting sqref="H1"><cfRule type="expression" priority="1"><formula>COUNTA($C$2:$C$4)=2</formula></cfRule></conditionalFormatting>',
      {},
    ],
    ['a chart', '<drawing r:id="rId1"/>', series('S!$C$2:$C$4')],
    ['merged cells', '<mergeCells count="1"><mergeCell ref="C2:C3"/></mergeCells>', {}],
  ])('%s over a list with a gap: it is not repeated', async (what, after, { sheetRelated = [], ...more }) => {
    const parts = workbook([{ name: 'S', xml: worksheet(rowsOf(GAPPED), after), related: sheetRelated }], more)
    const problems = await check(parts)
    if (what !== 'merged cells') {
      expect([...new Set(problems.map(({ code, details }) => `${code} ${/takes C2/.exec(details)?.[0]}`))]).toEqual([
        'TEMPLATE_LOOP takes C2',
      ])
      return
    }
    expect(problems).toEqual([])
    await using filled = await filledWorkbook(parts, { facts: facts(3) })
    expect(filled.cells(SHEET)).toEqual(['A2=P1', 'B2=10', 'C2=Rome', 'A3=P2', 'B3=20', 'A4=P3', 'B4=30', 'C4=Bonn'])
    expect(filled.text(SHEET)).toContain('<mergeCell ref="C2:C3"/>')
  })
})

test.each(['ranges', 'tables of Excel'])(
  'two tables of cities side by side, as %s: the left one is filled, the right one stays',
  async (kind) => {
    const CITIES = ['Rome', 'Oslo', 'Bonn', 'Nice']
    const rows: (readonly CellSource[])[] = [
      ['City', 'Country', 'People', null, 'City', 'Area'],
      ['{{#detail}}{{Product}}', '{{Date}}', '{{Sales}}{{/detail}}', null, 'Rome', 100],
      ...CITIES.slice(1).map((city, index) => [null, null, null, null, city, 101 + index]),
      [null, null, null, null, 'Sum', { f: `SUM(F2:F${CITIES.length + 1})` }],
    ]
    const table = (id: number, ref: string, names: readonly string[]) =>
      `<table xmlns="${MAIN}" id="${id}" name="T${id}" displayName="T${id}" ref="${ref}"><tableColumns count="${names.length}">${names.map((name, index) => `<tableColumn id="${index + 1}" name="${name}"/>`).join('')}</tableColumns></table>`
    const isTables = kind !== 'ranges'
    const paths = ['xl/tables/table1.xml', 'xl/tables/table2.xml'] as const
    const parts = workbook(
      [
        {
          name: 'S',
          xml: worksheet(
            rowsOf(rows),
            isTables ? '<tableParts count="2"><tablePart r:id="rId1"/><tablePart r:id="rId2"/></tableParts>' : '',
          ),
          related: isTables ? paths.map((path) => ['table', `..${path.slice(2)}`] as const) : [],
        },
      ],
      isTables
        ? {
            types: Object.fromEntries(paths.map((path) => [path, `${SPREADSHEET}.table+xml`])),
            parts: {
              [paths[0]]: table(1, 'A1:C2', ['City', 'Country', 'People']),
              [paths[1]]: table(2, 'E1:F5', ['City', 'Area']),
            },
          }
        : {},
    )
    expect(await check(parts)).toEqual([])
    await using filled = await filledWorkbook(parts, { facts: facts(40) })
    const cells = filled.cells(SHEET)
    expect(cells.filter((cell) => /^[EF]\d+=./.test(cell)).slice(2)).toEqual([
      ...CITIES.flatMap((city, index) => [`E${index + 2}=${city}`, `F${index + 2}=${100 + index}`]),
      'E6=Sum',
      'F6==SUM(F2:F5)',
    ])
    expect(cells.filter((cell) => /^A\d+=P/.test(cell))).toHaveLength(40)
  },
)

describe('any lists around one or two loops', () => {
  const LAST = 12
  const list = fc.record({
    top: fc.integer({ min: 1, max: LAST - 3 }),
    height: fc.integer({ min: 1, max: 4 }),
    width: fc.integer({ min: 1, max: 2 }),
    gap: fc.integer({ min: 0, max: 1 }),
    hasSum: fc.boolean(),
  })
  const sheets = fc.record({
    row: fc.integer({ min: 2, max: 6 }),
    left: fc.option(list),
    middle: fc.option(list),
    right: fc.option(list),
    hasSecond: fc.boolean(),
    /** Lists in the columns of the loops. */
    above: fc.boolean(),
    below: fc.option(fc.integer({ min: 1, max: 3 })),
    hasTotal: fc.boolean(),
    count: fc.integer({ min: 1, max: 5 }),
  })
  /** A list of the loop's row and its head that touches the loop: a constant of the loop, which repeats. */
  const isConstant = (
    { gap, top, height, hasSum }: { gap: number; top: number; height: number; hasSum: boolean },
    row: number,
  ) => gap === 0 && top >= row - 1 && top + height - 1 === row && !hasSum

  test('are refused, or each cell stands once, sums keep their values and loops have their rows', async () => {
    let taken = 0
    await fc.assert(
      fc.asyncProperty(sheets, async ({ row, left, middle, right, hasSecond, above, below, hasTotal, count }) => {
        fc.pre([left, middle, right].every((one) => one === null || !isConstant(one, row)))
        const grid = new Map<string, CellSource>()
        const sums = new Map<number, number>()
        let next = 1000
        const set = (column: number, at: number, value: CellSource) => grid.set(`${column} ${at}`, value)
        const letter = (column: number) => String.fromCharCode(64 + column)
        let column = 1
        function place(one: typeof left, isBefore: boolean) {
          if (!one) return
          if (!isBefore) column += one.gap
          for (let index = 0; index < one.width; index++, column++) {
            let sum = 0
            for (let at = one.top; at < one.top + one.height; at++) {
              sum += next
              set(column, at, next++)
            }
            if (!one.hasSum) continue
            const id = 7000 + sums.size
            sums.set(id, sum)
            set(column, one.top + one.height, {
              f: `SUM(${letter(column)}${one.top}:${letter(column)}${one.top + one.height - 1})*${id}`,
            })
          }
          if (isBefore) column += one.gap
        }
        function loop(name: string) {
          set(column, row, `{{#${name}}}${name}-{{Product}}`)
          set(column + 1, row, `{{Sales}}{{/${name}}}`)
          if (above) set(column, row - 1, next++)
          if (hasTotal) set(column + 1, row + 1, { f: `SUM(${letter(column + 1)}${row})` })
          if (below !== null) for (let at = 0; at < 2; at++) set(column + at, row + 1 + below, next++)
          column += 2
        }
        place(left, true)
        loop('detail')
        place(middle, false)
        if (hasSecond) {
          if (middle === null || middle.gap === 0 || isConstant({ ...middle, gap: 0 }, row)) column++
          loop('few')
        }
        place(right, false)
        const rows = Array.from({ length: LAST + 4 }, (_, index) =>
          Array.from({ length: column }, (_, at) => grid.get(`${at + 1} ${index + 1}`) ?? null),
        )
        const parts = workbook([{ name: 'S', xml: worksheet(rowsOf(rows)) }])
        const problems = await check(parts)
        if (problems.length > 0) {
          expect(problems.map(({ code }) => code)).toEqual(problems.map(() => 'TEMPLATE_LOOP'))
          return
        }
        taken++
        await using filled = await filledWorkbook(parts, { facts: facts(count), report: reportWithFew() })
        const cells = new Map(
          filled.cells(SHEET).map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
        )
        const values = [...cells.values()]
        for (let value = 1000; value < next; value++) {
          expect([value, values.filter((text) => text === String(value)).length]).toEqual([value, 1])
        }
        for (const [id, sum] of sums) {
          const formulas = values.filter((text) => text.endsWith(`)*${id}`))
          expect(formulas).toHaveLength(1)
          const [, at = '', from, to] = /^=SUM\(([A-Z]+)(\d+):[A-Z]+(\d+)\)/.exec(formulas[0] ?? '') ?? []
          let seen = 0
          for (let line = Number(from); line <= Number(to); line++) seen += Number(cells.get(at + line) || 0)
          expect([id, seen]).toEqual([id, sum])
        }
        expect(values.filter((text) => text.startsWith('detail-'))).toHaveLength(count)
        if (hasSecond) expect(values.filter((text) => text.startsWith('few-'))).toHaveLength(Math.min(2, count))
      }),
      { numRuns: 250 },
    )
    expect(taken).toBeGreaterThan(40)
  }, 60_000)
})

describe('a condition that is not met', () => {
  const hidden = async (rows: readonly (readonly CellSource[])[], count: number) => {
    const parts = workbook([
      { name: 'S', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join('')) },
    ])
    await using book = await filledWorkbook(parts, { facts: facts(count), report: reportWithFew() })
    const text = book.text('xl/worksheets/sheet1.xml')
    return {
      cells: book.cells('xl/worksheets/sheet1.xml').filter((cell) => !cell.endsWith('=')),
      hidden: Array.from(text.matchAll(/<row r="(\d+)"[^>]*hidden="1"/g), ([, row]) => Number(row)),
    }
  }

  test.each<[string, readonly (readonly CellSource[])[], string[], number[]]>([
    ['over two cells', [['{{^detail}}no', 'rows{{/detail}}', null, null, 'limit', 77]], ['E1=limit', 'F1=77'], []],
    ['over all cells of the row', [['{{^detail}}no', 1, 'rows{{/detail}}']], [], [1]],
    ['with cells right beside', [['a', '{{^detail}}no', 'rows{{/detail}}', { f: 'A1' }]], ['A1=a', 'D1==A1'], []],
    [
      'over two rows, with a list behind an empty column',
      [['{{^detail}}no', 7, null, 'limit'], ['rows{{/detail}}', null, null, 77], [{ f: 'SUM(D1:D2)' }]],
      ['D1=limit', 'D2=77', 'A3==SUM(D1:D2)'],
      [],
    ],
    [
      'over two rows, one of them with a list beside',
      [
        ['{{^detail}}no', 7],
        ['rows{{/detail}}', null, null, 77],
      ],
      ['D2=77'],
      [1],
    ],
    [
      'in the rows of a list',
      [
        ['{{#detail}}{{Product}}', '{{Sales}}', '{{^few}}a', 'b{{/few}}', { f: 'B1*2' }, '{{/detail}}'],
        [null, { f: 'SUM(B1)' }],
      ],
      ['A1=P1', 'B1=10', 'E1==B1*2', 'A2=P2', 'B2=20', 'E2==B2*2', 'B3==SUM(B1:B2)'],
      [],
    ],
    [
      'with a loop behind an empty column',
      [['{{^detail}}no', null, '{{#few}}{{Product}}', '{{Sales}}{{/few}}'], ['rows{{/detail}}']],
      ['C1=P1', 'D1=10', 'C2=P2', 'D2=20'],
      [],
    ],
    [
      'of a list without rows in the rows of a list',
      [
        [
          '{{#detail}}{{Product}}',
          '{{#nothing}}{{Product}}',
          '{{Sales}}{{/nothing}}',
          '{{Sales}}',
          { f: 'C1*2' },
          '{{/detail}}',
        ],
        ['T', null, null, { f: 'SUM(D1)' }],
      ],
      ['A1=P1', 'D1=10', 'A2=P2', 'D2=20', 'A3=T', 'D3==SUM(D1:D2)'],
      [],
    ],
    ['within another one', [['{{^detail}}x', '{{#revenue}}y', 'z{{/revenue}}', '{{/detail}}', null, 5]], ['F1=5'], []],
  ])('%s empties its own cells alone', async (_what, rows, cells, rowsHidden) => {
    expect(await hidden(rows, 2)).toEqual({ cells, hidden: rowsHidden })
  })
})
