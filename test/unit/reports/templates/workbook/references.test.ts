import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
import { unescapeXml } from '../../../../../src/reports/templates/xml.ts'
import { relationships, zipOf } from '../../../../support/office.ts'
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
const [OPEN, CLOSE] = ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}']

type Rows = readonly (readonly CellSource[])[]

const bookOf = (rows: Rows, after = '', options: Parameters<typeof workbook>[1] = {}) =>
  workbook(
    [{ name: 'S', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join(''), after) }],
    options,
  )

const problemsOf = async (parts: Parameters<typeof zipOf>[0]) =>
  (await checkTemplate(await zipOf(parts), 'sales.xlsx', reportWithFew(), { maxTemplateMb: 25 })).problems.map(
    ({ code, place, details }) => `${code} ${place} ${details}`,
  )

/** The formulas of the filled sheet, as `C3==C2+B3`, and the warnings. */
async function filled(parts: ReturnType<typeof workbook>, count = 3) {
  expect(await problemsOf(parts)).toEqual([])
  await using book = await filledWorkbook(parts, { facts: facts(count), report: reportWithFew() })
  const cells = book.cells(SHEET)
  return {
    cells,
    text: book.text,
    warnings: book.warnings,
    formulas: cells.filter((cell) => cell.includes('==')),
    /** Formulas of a column. */
    of: (column: string) =>
      cells.flatMap((cell) => (cell.startsWith(column) && cell.includes('==') ? [cell.replace('=', '')] : [])),
  }
}

test.each([
  ['SUM(A2:B2)', ['SUM(A2:B2)', 'SUM(A2:B2)', 'SUM(A7:B7)', 'SUM(A7:B7)']],
  ['SUM(B2:B4)', ['SUM(B2:B4)', 'SUM(B3:B5)', 'SUM(B7:B9)', 'SUM(B8:B10)']],
])('%s of an outer row behind an empty one, from the inner loop', async (source, expected) => {
  const rows: Rows = [
    [],
    ['{{#detail}}{{Product}}', '{{Sales}}'],
    [],
    ['{{#few}}{{Product}}', '{{Sales}}', { f: source }, '{{/few}}'],
    ['Sum', { f: 'SUM(B4)' }, null, null, '{{/detail}}'],
  ]
  expect((await filled(bookOf(rows), 2)).of('C').map((cell) => cell.replace(/^.*?=/, ''))).toEqual(expected)
})

test('a total below the loop is meant by each row, also with the name of its own sheet', async () => {
  const rows: Rows = [[], [OPEN, '{{Sales}}', { f: 'B2/S!B3' }, '{{/detail}}'], ['Sum', { f: 'SUM(B2)' }]]
  expect((await filled(bookOf(rows))).of('C')).toEqual(['C2=B2/S!B5', 'C3=B3/S!B5', 'C4=B4/S!B5'])
})

describe('one of several rows of a loop', () => {
  const TWO = [[], [OPEN, '{{Sales}}'], ['Sales', CLOSE], []]

  test.each([
    ['SUM(B3)', 'SUM(B3,B5,B7)'],
    ['SUM(B2:B2)', 'SUM(B2,B4,B6)'],
    ['SUM($B$3)', 'SUM($B$3,$B$5,$B$7)'],
    ['SUM(A3:B3)', 'SUM(A3:B3,A5:B5,A7:B7)'],
    ['SUM(B2:B3)', 'SUM(B2:B7)'],
    ['SUM(B2,B3)', 'SUM(B2,B4,B6,B3,B5,B7)'],
    ['SUM(B1:B2)', 'SUM(B1:B2,B4,B6)'],
    ['SUM(B3:B4)', 'SUM(B3,B5,B7:B8)'],
    ['AVERAGE(B3)/MAX(B3)-MIN(B3)', 'AVERAGE(B3,B5,B7)/MAX(B3,B5,B7)-MIN(B3,B5,B7)'],
    ['COUNT(B3)+COUNTA(A3)*PRODUCT(B3)', 'COUNT(B3,B5,B7)+COUNTA(A3,A5,A7)*PRODUCT(B3,B5,B7)'],
    ['SUBTOTAL(9,B3)', 'SUBTOTAL(9,B3,B5,B7)'],
    ['SUMPRODUCT(B2:B3,B2:B3)', 'SUMPRODUCT(B2:B7,B2:B7)'],
    ['COUNTIF(B2:B3,">15")', 'COUNTIF(B2:B7,&quot;&gt;15&quot;)'],
    ['SUM(B:B)', 'SUM(B:B)'],
  ])('below, %s becomes %s', async (source, expected) => {
    const { formulas } = await filled(bookOf([...TWO, [null, null, null, { f: source }]]))
    expect(formulas).toEqual([`D9==${expected}`])
  })

  test.each([
    'SUMPRODUCT(B3,B3)',
    'SUMIF(A3,"Sales",B3)',
    'COUNTIF(B3:B3,1)',
    'VLOOKUP("P1",A2:B2,2,0)',
    'RANK(1,B3:B3)',
    'B3:B3*2',
  ])('%s, which takes no list, is refused', async (source) => {
    const problems = await problemsOf(bookOf([...TWO, [{ f: source }]]))
    expect(problems[0]).toMatch(
      /^TEMPLATE_LOOP S!A5 [AB][23](:B[23])? takes some rows of a loop .*take all rows of the loop/,
    )
  })

  test('a rule and a validation: a list where the function takes one, else refused', async () => {
    const rule = (formula: string) =>
      `<conditionalFormatting sqref="B3"><cfRule type="expression" priority="1"><formula>${formula}</formula></cfRule></conditionalFormatting>`
    const list =
      '<dataValidations count="1"><dataValidation type="list" sqref="D1"><formula1>$B$3:$B$3</formula1></dataValidation></dataValidations>'
    const { text } = await filled(bookOf(TWO, rule('B3=MAX(B$3:B$3)')))
    expect(text(SHEET)).toContain('<formula>B3=MAX(B$3,B$5,B$7)</formula>')
    expect(await problemsOf(bookOf(TWO, rule('RANK(B3,B$3:B$3)=1')))).toEqual([
      expect.stringMatching(/S!B3 B\$3:B\$3 takes some rows/),
    ])
    expect(await problemsOf(bookOf(TWO, list))).toEqual([expect.stringMatching(/S!D1 \$B\$3:\$B\$3 takes some rows/)])
  })

  test('names and series are lists of ranges; a print area stays one area', async () => {
    const parts = workbook(
      [
        {
          name: 'S',
          xml: worksheet(TWO.map((cells, index) => sheetRow(index + 1, cells)).join(''), '<drawing r:id="rId1"/>'),
          related: [['drawing', '../drawings/drawing1.xml']],
        },
        { name: 'Sum', xml: worksheet(sheetRow(1, [{ f: 'SUM(S!B3)+SUM(sold)' }])) },
      ],
      {
        names:
          '<definedName name="_xlnm.Print_Area" localSheetId="0">S!$A$1:$B$2</definedName><definedName name="sold">S!$B$3</definedName>',
        types: {
          'xl/drawings/drawing1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
          'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
        },
        parts: {
          'xl/drawings/drawing1.xml': drawing(
            `<xdr:oneCellAnchor><xdr:from><xdr:col>5</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="1" cy="1"/>${chartFrame('rId1')}<xdr:clientData/></xdr:oneCellAnchor>`,
          ),
          'xl/drawings/_rels/drawing1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
          'xl/charts/chart1.xml': chart('S!$A$2:$A$2', 'S!$B$3:$B$3'),
        },
      },
    )
    expect(await problemsOf(parts)).toEqual([])
    await using book = await filledWorkbook(parts, { facts: facts(3) })
    expect(book.text('xl/charts/chart1.xml').match(/(?<=<c:f>)[^<]*/g)).toEqual([
      '(S!$A$2,S!$A$4,S!$A$6)',
      '(S!$B$3,S!$B$5,S!$B$7)',
    ])
    expect(book.text('xl/workbook.xml').match(/(?<=>)S![^<]*|\(S![^<]*/g)).toEqual([
      'S!$A$1:$B$6',
      '(S!$B$3,S!$B$5,S!$B$7)',
    ])
    expect(book.cells('xl/worksheets/sheet2.xml')).toEqual(['A1==SUM(S!B3,S!B5,S!B7)+SUM(sold)'])
  })

  test('groups: a subtotal takes its own rows, grand totals take the rows or the subtotals', async () => {
    const { formulas } = await filled(
      bookOf([
        ['{{#few}}{{Product}}'],
        [OPEN, CLOSE],
        ['sum', { f: 'SUM(B2)' }, '{{/few}}'],
        [],
        [null, { f: 'SUM(B2)' }, { f: 'SUM(B3)' }, { f: 'SUM(B2:B3)' }, { f: 'SUM(B1:B3)' }],
      ]),
    )
    expect(formulas).toEqual([
      'B5==SUM(B2:B4)',
      'B10==SUM(B7:B9)',
      'B12==SUM(B2:B4,B7:B9)',
      'C12==SUM(B5,B10)',
      'D12==SUM(B2:B5,B7:B10)',
      'E12==SUM(B1:B10)',
    ])
  })

  test('more pieces than arguments are one argument; more than a formula has room for are a condition, or #N/A with a warning', async () => {
    const below: Rows = [
      ...TWO,
      [{ f: 'SUM(B3)' }, { f: 'AVERAGE(B3)' }, { f: 'COUNT(B3)+COUNTA(A2)' }, { f: 'SUM(1,B3)' }, { f: 'MAX(B3)' }],
    ]
    const some = await filled(bookOf(below), 40)
    expect(some.formulas[0]).toMatch(/^A83==SUM\(\(B3,B5,.*,B81\)\)$/)
    const many = await filled(bookOf(below), 2000)
    const chosen = (range: string, first: number) => `(MOD(ROW(${range})-${first},2)&lt;1)`
    expect(many.formulas).toEqual([
      `A4003==(SUMPRODUCT(1*${chosen('B3:B4001', 3)},B3:B4001))`,
      `B4003==(SUMPRODUCT(1*${chosen('B3:B4001', 3)},B3:B4001)/SUMPRODUCT(ISNUMBER(B3:B4001)*${chosen('B3:B4001', 3)}))`,
      `C4003==(SUMPRODUCT(ISNUMBER(B3:B4001)*${chosen('B3:B4001', 3)}))+(SUMPRODUCT((1-ISBLANK(A2:A4000))*${chosen('A2:A4000', 2)}))`,
      'D4003==SUM(1,#N/A)',
      'E4003==MAX(#N/A)',
    ])
    expect(many.warnings).toEqual([
      'TEMPLATE_REFERENCE S!D5, S!E5: the formula has no room for the rows of B3 and shows #N/A',
    ])
  })
})

describe('rows next to one another', () => {
  test.each<[string, readonly string[]]>([
    ['C1+B2', ['C1+B2', 'C2+B3', 'C3+B4']],
    ['B2-B1', ['B2-B1', 'B3-B2', 'B4-B3']],
    ['IFERROR(B2/B1-1,0)', ['IFERROR(B2/B1-1,0)', 'IFERROR(B3/B2-1,0)', 'IFERROR(B4/B3-1,0)']],
    ['IF(A2=A1,0,A2)', ['IF(A2=A1,0,A2)', 'IF(A3=A2,0,A3)', 'IF(A4=A3,0,A4)']],
    ['B3-B2', ['B3-B2', 'B4-B3', 'B5-B4']],
    ['B2-B$1', ['B2-B$1', 'B3-B$1', 'B4-B$1']],
    ['B2*$B$4', ['B2*$B$6', 'B3*$B$6', 'B4*$B$6']],
    ['SUM(B$2:B2)', ['SUM(B$2:B2)', 'SUM(B$2:B3)', 'SUM(B$2:B4)']],
    ['SUM(B2:B$2)', ['SUM(B2:B$2)', 'SUM(B2:B$3)', 'SUM(B2:B$4)']],
    ['SUM(B$1:B1)', ['SUM(B$1:B1)', 'SUM(B$1:B2)', 'SUM(B$1:B3)']],
    ['SUM(B1:B2)', ['SUM(B1:B2)', 'SUM(B2:B3)', 'SUM(B3:B4)']],
    ['SUM(B2:B3)', ['SUM(B2:B3)', 'SUM(B3:B4)', 'SUM(B4:B5)']],
    ['B2/SUM(B$2:B$2)', ['B2/SUM(B$2:B$4)', 'B3/SUM(B$2:B$4)', 'B4/SUM(B$2:B$4)']],
    ['N(OFFSET(C2,-1,0))+B2', ['N(OFFSET(C2,-1,0))+B2', 'N(OFFSET(C3,-1,0))+B3', 'N(OFFSET(C4,-1,0))+B4']],
  ])('%s in a loop of one row', async (source, expected) => {
    const { of, warnings } = await filled(
      bookOf([
        ['Product', 'Sales', 'x'],
        [OPEN, '{{Sales}}', { f: source }, '{{/detail}}'],
      ]),
    )
    expect(of('C')).toEqual(expected.map((formula, index) => `C${index + 2}=${formula}`))
    expect(warnings).toEqual([])
  })

  test('three rows up to this one, from a range that begins two rows above the loop', async () => {
    const { of } = await filled(
      bookOf([['x'], ['Product'], [OPEN, '{{Sales}}', { f: 'AVERAGE(B1:B3)' }, '{{/detail}}']]),
      4,
    )
    expect(of('C')).toEqual(['C3=AVERAGE(B1:B3)', 'C4=AVERAGE(B2:B4)', 'C5=AVERAGE(B3:B5)', 'C6=AVERAGE(B4:B6)'])
  })

  test('loops of two rows: as many rows above as the loop has', async () => {
    const { of } = await filled(
      bookOf([
        ['x'],
        ['x'],
        [OPEN, '{{Sales}}', { f: 'C1+B3' }],
        ['y', '{{Sales}}', { f: 'C2+B4+SUM(B$4:B4)' }, '{{/detail}}'],
        [null, null, { f: 'C3+C4' }],
      ]),
    )
    expect(of('C')).toEqual([
      'C3=C1+B3',
      'C4=C2+B4+SUM(B$4:B4)',
      'C5=C3+B5',
      'C6=C4+B6+SUM(B$4,B$6)',
      'C7=C5+B7',
      'C8=C6+B8+SUM(B$4,B$6,B$8)',
      'C9=C7+C8',
    ])
  })

  test('in groups they begin anew, and the cell below takes the last of its group', async () => {
    const { of } = await filled(
      bookOf([
        ['{{#few}}{{Product}}'],
        [OPEN, '{{Sales}}', { f: 'C1+B2' }, '{{/detail}}'],
        [null, null, { f: 'C2' }, '{{/few}}'],
      ]),
      2,
    )
    expect(of('C')).toEqual(['C2=C1+B2', 'C3=C2+B3', 'C4=C3', 'C6=C5+B6', 'C7=C6+B7', 'C8=C7'])
  })

  const BALANCE: Rows = [
    ['Text', 'Amount', 'Balance'],
    ['Opening', null, 1000],
    [OPEN, '{{Sales}}', { f: 'C2+B3' }, '{{/detail}}'],
    ['Closing', { f: 'SUM(B3)' }, { f: 'C3' }],
  ]
  test.each<[string, Rows, number, string]>([
    ['a balance', BALANCE, 0, 'C4=C2'],
    ['a balance', BALANCE, 2, 'C5=C4'],
    ['a formula above', BALANCE.with(1, [null, 5, { f: 'B2' }]), 0, 'C4=C2'],
    ['a value of the app above', BALANCE.with(1, [null, null, '{{revenue}}']), 0, 'C4=C2'],
    ['a text above', BALANCE.with(1, ['x', 'y', 'Balance']).with(2, [OPEN, CLOSE, { f: 'N(C2)+B3' }]), 0, 'C4=C3'],
    ['no running figure', BALANCE.with(1, [null, null, 2025]).with(2, [OPEN, CLOSE, { f: 'B3*2' }]), 0, 'C4=C3'],
    ['a dollar', BALANCE.with(3, [null, null, { f: 'C$3' }]), 0, 'C4=C$3'],
    [
      'two rows',
      [
        [null, null, 7],
        [null, null, 8],
        [OPEN, '{{Sales}}', { f: 'C1+B3' }],
        ['second', CLOSE, null],
        [null, null, { f: 'C3' }],
      ],
      0,
      'C4=C1',
    ],
    [
      'a group',
      [
        ['{{#few}}{{Product}}', null, 9],
        ['{{#nothing}}{{Product}}', 1, { f: 'C1+B2' }, '{{/nothing}}'],
        ['sum', null, { f: 'C2' }, '{{/few}}'],
      ],
      2,
      'C3=C1 C6=C4',
    ],
  ])('the end of %s is the cell above a loop without rows', async (_what, rows, count, expected) => {
    const { of } = await filled(bookOf(rows), count)
    expect(of('C').join(' ')).toEndWith(expected)
  })

  describe('over a loop without rows', () => {
    const NAMES =
      '<definedName name="sold">S!$B$2:$B$2</definedName><definedName name="mixed">S!$B$1:$B$2</definedName>'
    const orders = (source: string) =>
      workbook(
        [
          {
            name: 'S',
            xml: worksheet(
              [['Product', 'n'], [OPEN, CLOSE], [], [null, null, null, { f: source }]]
                .map((cells, index) => sheetRow(index + 1, cells))
                .join(''),
              '<tableParts count="1"><tablePart r:id="rId1"/></tableParts>',
            ),
            related: [['table', '../tables/table1.xml']],
          },
        ],
        {
          names: NAMES,
          parts: {
            'xl/tables/table1.xml':
              '<table xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" id="1" name="Ord" displayName="Ord" ref="A1:B2"><tableColumns count="2"><tableColumn id="1" name="Product"/><tableColumn id="2" name="n"/></tableColumns></table>',
          },
        },
      )

    test.each([
      'SUM(B2)',
      'MAX(B2:B2)+COUNT(B2)',
      'IFERROR(AVERAGE(B2),0)',
      'AVERAGE(B2,1)',
      'AVERAGE(B1:B2)',
      'AVERAGE(mixed)',
      'SUBTOTAL(109,B2)',
      'COUNTIF(A2:A2,"x")',
      'COUNTIF(A2:A2,"<>")',
      'SUMPRODUCT(A2:A2,B2:B2)',
      'COUNTA(Ord[#Headers])',
      'ROWS(Ord[#All])',
      'SUM(Ord[n])/2',
      '2/B5',
    ])('%s needs no warning', async (source) => {
      expect((await filled(orders(source), 0)).warnings).toEqual([])
      expect((await filled(orders(source), 1)).warnings).toEqual([])
    })

    test.each<readonly [source: string, call?: string]>([
      ['AVERAGE(B2)'],
      ['_xlfn.STDEV.S(B$2:B$2)', 'STDEV.S(B$2:B$2)'],
      ['AVERAGE(sold)'],
      ['AVERAGE(Ord[n])'],
      ['SUBTOTAL(101,Ord[n])'],
      ['SUBTOTAL(1,B2:B2)'],
      ['AVERAGEIF(B2:B2,">0")'],
      ['1+LARGE(B2:B2,1)', 'LARGE(B2:B2,1)'],
      ['CORREL(A2:A2,B2:B2)'],
      ['RANK(7,B2:B2)'],
      ['MATCH("x",A2:A2,0)'],
    ])('%s is an error', async (source: string, call: string = source) => {
      expect((await filled(orders(source), 0)).warnings).toEqual([
        `TEMPLATE_REFERENCE S!D4: ${call} is an error, as the loop has no row; IFERROR(${call},0) avoids it`,
      ])
      expect((await filled(orders(source), 1)).warnings).toEqual([])
    })

    test.each([
      ['ROWS(B2:B2)', 'B2:B2'],
      ['ROWS(Ord[n])', 'Ord[n]'],
      ['COUNTBLANK(sold)', 'sold'],
      ['COUNTIF(A2:A2,"<>x")', 'A2:A2'],
      ['COUNTIFS(A2:A2,"")', 'A2:A2'],
      ['SUMPRODUCT(--(B2:B2<10))', 'B2:B2'],
      ['SUMPRODUCT((A2:A2<>"closed")*1)', 'A2:A2'],
    ])('%s counts the empty row', async (source, cells) => {
      expect((await filled(orders(source), 0)).warnings).toEqual([
        `TEMPLATE_REFERENCE S!D4: ${source} counts the empty row that stays of a loop without rows; IF(COUNTA(${cells})=0,0,${source}) avoids it`,
      ])
    })

    test('a division by a number of rows is an error', async () => {
      expect((await filled(orders('SUM(B2)/COUNT(B2)'), 0)).warnings).toEqual([
        'TEMPLATE_REFERENCE S!D4: the formula divides by COUNT(B2), which is 0, as the loop has no row; IFERROR avoids the error',
      ])
    })
  })

  test.each([
    ['SUM(B$3:B3)', ['SUM(B$3:B3)', 'SUM(B$3:B4)'], ['SUM(B$7:B7)', 'SUM(B$7:B8)']],
    ['SUM(B3:B$3)', ['SUM(B3:B$3)', 'SUM(B3:B$4)'], ['SUM(B7:B$7)', 'SUM(B7:B$8)']],
    ['B3/SUM($B$3:$B3)', ['B3/SUM($B$3:$B3)', 'B4/SUM($B$3:$B4)'], ['B7/SUM($B$7:$B7)', 'B8/SUM($B$7:$B8)']],
    ['COUNT(B$3:B3)', ['COUNT(B$3:B3)', 'COUNT(B$3:B4)'], ['COUNT(B$7:B7)', 'COUNT(B$7:B8)']],
    [
      'AVERAGE(B$3:B3)+MAX(B$3:B3)',
      ['AVERAGE(B$3:B3)+MAX(B$3:B3)', 'AVERAGE(B$3:B4)+MAX(B$3:B4)'],
      ['AVERAGE(B$7:B7)+MAX(B$7:B7)', 'AVERAGE(B$7:B8)+MAX(B$7:B8)'],
    ],
    ['COUNTIF(A$3:A3,A3)', ['COUNTIF(A$3:A3,A3)', 'COUNTIF(A$3:A4,A4)'], ['COUNTIF(A$7:A7,A7)', 'COUNTIF(A$7:A8,A8)']],
    ['SUM(B$2:B3)', ['SUM(B$2:B3)', 'SUM(B$2:B4)'], ['SUM(B$6:B7)', 'SUM(B$6:B8)']],
    ['C2+B3', ['C2+B3', 'C3+B4'], ['C6+B7', 'C7+B8']],
    // The share of all rows of all groups.
    [
      'B3/SUM(B$3:B$3)',
      ['B3/SUM(B$3:B$4,B$7:B$8)', 'B4/SUM(B$3:B$4,B$7:B$8)'],
      ['B7/SUM(B$3:B$4,B$7:B$8)', 'B8/SUM(B$3:B$4,B$7:B$8)'],
    ],
  ])('in groups the running %s begins anew', async (source, first, second) => {
    const rows: Rows = [
      ['head'],
      ['{{#few}}{{Product}}'],
      [OPEN, '{{Sales}}', { f: source }, '{{/detail}}'],
      ['sum', '{{/few}}'],
    ]
    const { of } = await filled(bookOf(rows), 2)
    expect(of('C').map((cell) => cell.replace(/^C\d=/, ''))).toEqual([...first, ...second])
  })

  test('a running total in the row of the group goes over the groups', async () => {
    const { of } = await filled(
      bookOf([
        ['{{#few}}{{Product}}'],
        [OPEN, '{{Sales}}', '{{/detail}}'],
        ['sum', { f: 'SUM(B2)' }, { f: 'SUM(B$3:B3)' }, { f: 'SUM(B$2:B2)' }, '{{/few}}'],
      ]),
      2,
    )
    expect(of('C')).toEqual(['C4=SUM(B$4:B4)', 'C8=SUM(B$4,B$8)'])
    expect(of('D')).toEqual(['D4=SUM(B$2:B3)', 'D8=SUM(B$2:B3,B$6:B7)'])
  })

  test.each<[string, Rows, readonly string[]]>([
    [
      'below',
      [['x'], [OPEN, '{{Sales}}', { f: 'B2/B3' }, '{{/detail}}'], [null, { f: 'SUM(B2)' }]],
      ['B2/B5', 'B3/B5', 'B4/B5'],
    ],
    [
      'above',
      [
        [null, { f: 'SUM(B2)' }],
        [OPEN, '{{Sales}}', { f: 'B2/B1' }, '{{/detail}}'],
      ],
      ['B2/B1', 'B3/B1', 'B4/B1'],
    ],
    [
      'of a total',
      [[], [null, { f: 'SUM(B4)' }], [null, { f: 'B2*1' }], [OPEN, '{{Sales}}', { f: 'B4/B3' }, '{{/detail}}']],
      ['B4/B3', 'B5/B3', 'B6/B3'],
    ],
    [
      'by the engine',
      [
        [null, '{{detail.$total.Sales}}'],
        [OPEN, '{{Sales}}', { f: 'B2/B1' }, '{{/detail}}'],
      ],
      ['B2/B1', 'B3/B1', 'B4/B1'],
    ],
  ])('a total %s is the same cell for all rows', async (_where, rows, expected) => {
    const { of, warnings } = await filled(bookOf(rows))
    expect(of('C').map((cell) => cell.slice(cell.indexOf('=') + 1))).toEqual([...expected])
    expect(warnings).toEqual([])
  })

  test('a figure above in another column: the row before, with a warning that says how to keep it', async () => {
    const { of, warnings } = await filled(
      bookOf([
        [null, '{{revenue}}'],
        [OPEN, '{{Sales}}', { f: 'B2/B1' }, '{{/detail}}'],
      ]),
    )
    expect(of('C')).toEqual(['C2=B2/B1', 'C3=B3/B2', 'C4=B4/B3'])
    expect(warnings).toEqual([
      expect.stringMatching(
        /^TEMPLATE_REFERENCE S!C2: B1 means the row next to each in further rows .* B\$1 keeps the cell/,
      ),
    ])
  })

  test.each<[string, Rows, RegExp]>([
    [
      'several rows above',
      [
        [1, 2],
        [3, 4],
        [OPEN, '{{Sales}}', { f: 'VLOOKUP(B3,A1:B2,2)' }, '{{/detail}}'],
      ],
      /S!C3 A1:B2 ends right above .* write A\$1:B\$2/,
    ],
    [
      'a figure of the outer loop',
      [['{{#few}}{{Product}}', '{{Sales}}'], [OPEN, '{{Sales}}', { f: 'B2/B1' }, '{{/detail}}'], ['{{/few}}']],
      /S!C2 B1 lies right above .* leave an empty row between/,
    ],
  ])('%s may mean two things: refused', async (_what, rows, details) => {
    expect(await problemsOf(bookOf(rows))).toEqual([expect.stringMatching(details)])
  })

  test('a single cell of the loop from below is the last row right there, elsewhere the first with a warning, with $ the first', async () => {
    const rows = [['x'], [OPEN, CLOSE], [null, { f: 'B2' }, { f: 'B2' }], [], [null, { f: 'B2+B$2+$B$2' }]]
    const { formulas, warnings } = await filled(bookOf(rows))
    expect(formulas).toEqual(['B5==B4', 'C5==B4', 'B7==B2+B$2+$B$2'])
    expect(warnings).toEqual([
      'TEMPLATE_REFERENCE S!B5: B2 takes the first of 3 rows of a loop; B$2 says so without a warning',
    ])
    expect((await filled(bookOf(rows), 1)).warnings).toEqual([])
  })

  test.each([
    ['SUM(B2:OFFSET(B3,-1,0))', 'SUM(B2:OFFSET(B5,-1,0))'],
    ['SUM(B2:INDEX(B:B,ROW()-1))', 'SUM(B2:INDEX(B:B,ROW()-1))'],
    ['SUM(B2:INDIRECT("B"&ROW()-1))', 'SUM(B2:INDIRECT("B"&ROW()-1))'],
    ['SUM(INDEX(B:B,2):B2)', 'SUM(INDEX(B:B,2):B4)'],
    ['SUM((A2,B2))', 'SUM((A2:A4,B2:B4))'],
    ['NPV(0.1,B2)', 'NPV(0.1,B2:B4)'],
    ['MATCH("P3",A2,0)', 'MATCH("P3",A2:A4,0)'],
    ['_xlfn.XLOOKUP("P2",A2,B2)', '_xlfn.XLOOKUP("P2",A2:A4,B2:B4)'],
    ['RANK(7,B2)', 'RANK(7,B2:B4)'],
    ['_xlfn.CONCAT(A2)', '_xlfn.CONCAT(A2:A4)'],
    ['ROWS(B2)', 'ROWS(B2:B4)'],
    ['SUMX2MY2(A2,B2)', 'SUMX2MY2(A2:A4,B2:B4)'],
    ['COUNTIF(A2,A1)', 'COUNTIF(A2:A4,A1)'],
    ['SUMIF(A2,"P1",B2)', 'SUMIF(A2:A4,"P1",B2:B4)'],
    ['IF(SUM(B2)>0,B2,ROUND(B2,0))', 'IF(SUM(B2:B4)>0,B4,ROUND(B4,0))'],
    ['ROW(B2)', 'ROW(B4)'],
    ['SUM({1,2},B2)', 'SUM({1,2},B2:B4)'],
  ])('%s in the row below is %s', async (source, expected) => {
    const { of, warnings } = await filled(bookOf([['x'], [OPEN, CLOSE], [null, null, { f: source }]]))
    expect(of('C').map(unescapeXml)).toEqual([`C5=${expected}`])
    expect(warnings).toEqual([])
  })

  test.each(['SUMPRODUCT(A2*B2)', 'SUM(ROUND(B2,0))', 'AND(B2>0)', 'SUM(IF(B2>0,1,0))', 'SUM((B2)*2)'])(
    '%s computes with the last row, with a warning',
    async (source) => {
      const { warnings } = await filled(bookOf([['x'], [OPEN, CLOSE], [null, null, { f: source }]]))
      expect(warnings).toContain(
        'TEMPLATE_REFERENCE S!C3: B2 takes the last of 3 rows of a loop; write B2:B2 for all of them, or take the value of =B2 from a cell of its own',
      )
    },
  )

  test('the address of a link moves with its cells, other addresses in texts get a warning', async () => {
    const rows: Rows = [
      [
        'x',
        { f: 'HYPERLINK("#S!B3","total")' },
        { f: 'HYPERLINK("#B1")' },
        { f: 'INDIRECT("B1")+INDIRECT("R1C1",FALSE)' },
      ],
      [OPEN, CLOSE],
      [null, { f: 'SUM(B2)' }, { f: 'INDIRECT("B3")' }, { f: 'SUM(INDIRECT("S!B2:B2"))' }],
    ]
    const { formulas, warnings } = await filled(bookOf(rows))
    expect(formulas.map(unescapeXml)).toEqual([
      'B1==HYPERLINK("#S!B5","total")',
      'C1==HYPERLINK("#B1")',
      'D1==INDIRECT("B1")+INDIRECT("R1C1",FALSE)',
      'B5==SUM(B2:B4)',
      'C5==INDIRECT("B3")',
      'D5==SUM(INDIRECT("S!B2:B2"))',
    ])
    expect(warnings).toEqual([
      'TEMPLATE_REFERENCE S!C3: INDIRECT("B3") keeps the address of the template, where these cells lie in B5 now; write the cells without INDIRECT',
      'TEMPLATE_REFERENCE S!D3: INDIRECT("S!B2:B2") keeps the address of the template, where these cells lie in S!B2:B4 now; write the cells without INDIRECT',
    ])
  })

  test('a cell of an inner loop is the first of the rows of all rounds', async () => {
    const loop = [['{{#detail}}{{Product}}'], ['{{#few}}{{Product}}', '{{Sales}}{{/few}}'], ['{{/detail}}']] as const
    const { warnings } = await filled(bookOf([...loop, [], [null, { f: 'B2*2' }], [null, { f: 'A1&"x"' }]]))
    expect(warnings.flatMap((warning) => /(?<=: )\w+ takes .* loop/.exec(warning) ?? [])).toEqual([
      'B2 takes the first of 6 rows of a loop',
      'A1 takes the first of 3 rows of a loop',
    ])
  })

  test('one warning names the first formulas that refer to the same cell', async () => {
    const rows = Array.from({ length: 7 }, () => [null, { f: 'B2*2' }] as const)
    const { warnings } = await filled(bookOf([['x'], [OPEN, CLOSE], [], ...rows]))
    expect(warnings).toEqual([
      'TEMPLATE_REFERENCE S!B4, S!B5, S!B6, S!B7, S!B8 and 2 more: B2 takes the first of 3 rows of a loop; B$2 says so without a warning',
    ])
  })
})

describe('beside the tags of a loop', () => {
  test.each<[string, Rows, readonly string[]]>([
    [
      'behind an empty column',
      [[OPEN, CLOSE, null, 'Total', { f: 'SUM(B1:B1)' }]],
      ['A1=P1', 'B1=10', 'D1=Total', 'E1==SUM(B1:B3)', 'A2=P2', 'B2=20', 'A3=P3', 'B3=30'],
    ],
    [
      'right beside',
      [[OPEN, CLOSE, { f: 'SUM(B1)/COUNT(B1)' }]],
      ['A1=P1', 'B1=10', 'C1==SUM(B1:B3)/COUNT(B1:B3)', 'A2=P2', 'B2=20', 'A3=P3', 'B3=30'],
    ],
    [
      'with $',
      [[OPEN, CLOSE, null, { f: 'MAX(B$1:B$1)' }]],
      ['A1=P1', 'B1=10', 'D1==MAX(B$1:B$3)', 'A2=P2', 'B2=20', 'A3=P3', 'B3=30'],
    ],
  ])('a sum over the loop %s stays once', async (_where, rows, expected) => {
    expect((await filled(bookOf(rows))).cells).toEqual([...expected])
  })

  test('a number that a formula of the row uses comes with each row, and so does a formula over cells of the row', async () => {
    const { cells } = await filled(bookOf([[OPEN, CLOSE, 5, { f: 'B1*C1' }, { f: 'SUM(B1:C1)' }]]), 2)
    expect(cells).toEqual([
      'A1=P1',
      'B1=10',
      'C1=5',
      'D1==B1*C1',
      'E1==SUM(B1:C1)',
      'A2=P2',
      'B2=20',
      'C2=5',
      'D2==B2*C2',
      'E2==SUM(B2:C2)',
    ])
  })

  test.each<[string, readonly CellSource[], string]>([
    ['a number', [OPEN, CLOSE, 100], 'C'],
    ['a value', [OPEN, CLOSE, '{{revenue}}'], 'C'],
    ['a formula about neither', [OPEN, CLOSE, { f: 'TODAY()' }], 'C'],
    ['a label with a sum', [OPEN, CLOSE, 'Total', { f: 'SUM(B1)' }], 'D'],
    ['a sum that a formula of the row uses', [OPEN, CLOSE, { f: 'SUM(B1)' }, { f: 'B1/C1' }], 'C'],
    ['a number behind a unit', [OPEN, CLOSE, 'EUR', 7], 'D'],
    ['a number before a formula', [OPEN, CLOSE, 7, { f: 'B1*2' }], 'C'],
  ])('%s is refused', async (_what, row, column) => {
    expect(await problemsOf(bookOf([row]))).toEqual([
      expect.stringMatching(
        new RegExp(
          `column ${column} holds a number, a value or a formula beside the tags of the loop.*put \\{\\{/detail\\}\\} there; to keep it once, leave an empty column`,
        ),
      ),
    ])
  })

  test('what stands between the tags comes with each row, whatever it is', async () => {
    const { cells } = await filled(
      bookOf([
        [OPEN, 100, { f: 'TODAY()' }, CLOSE],
        [null, { f: 'SUM(B1)' }],
      ]),
      2,
    )
    expect(cells).toEqual([
      'A1=P1',
      'B1=100',
      'C1==TODAY()',
      'D1=10',
      'A2=P2',
      'B2=100',
      'C2==TODAY()',
      'D2=20',
      'B3==SUM(B1:B2)',
    ])
  })
})

describe('any sums over any loops', () => {
  const FIRST = 3
  const templates = fc
    .record({
      /** Rows of the loop before its inner loop, of that, and behind; 0 for none. */
      before: fc.integer({ min: 0, max: 2 }),
      inner: fc.integer({ min: 0, max: 2 }),
      behind: fc.integer({ min: 0, max: 2 }),
      count: fc.integer({ min: 0, max: 4 }),
      sums: fc.array(fc.record({ from: fc.nat(), to: fc.nat(), isFixed: fc.boolean() }), {
        minLength: 1,
        maxLength: 8,
      }),
    })
    .filter(({ before, inner, behind }) => before + inner + behind > 0)

  test('take each row of the loop that they name once, and no other', async () => {
    await fc.assert(
      fc.asyncProperty(templates, async ({ before, inner, behind, count, sums }) => {
        const height = before + inner + behind
        const last = FIRST + height - 1
        const isInner = (row: number) => FIRST + before <= row && row < FIRST + before + inner
        const isInLoop = (row: number) => FIRST <= row && row <= last
        const [outerTimes, innerTimes] = [inner > 0 ? Math.min(2, count) : count, count]
        const figureOf = (row: number) => 9 ** row
        const grid: CellSource[][] = Array.from({ length: last + 4 }, (_, index) => [
          null,
          index + 1 <= last + 2 ? figureOf(index + 1) : null,
          null,
        ])
        const outer = inner > 0 ? 'few' : 'detail'
        grid[FIRST - 1]![0] = `{{#${outer}}}`
        grid[last - 1]![2] = `{{/${outer}}}`
        if (inner > 0) {
          const [top, bottom] = [FIRST + before - 1, FIRST + before + inner - 2]
          grid[top]![0] = `${before === 0 ? `{{#${outer}}}` : ''}{{#detail}}`
          grid[bottom]![2] = `{{/detail}}${behind === 0 ? `{{/${outer}}}` : ''}`
        }
        for (const row of grid) while (row.length < 3 + sums.length) row.push(null)
        const expected = new Map<string, number>()
        for (const [index, { from, to, isFixed }] of sums.entries()) {
          const rows = [1 + (from % (last + 2)), 1 + (to % (last + 2))].sort((one, other) => one - other)
          const [top = 1, bottom = 1] = rows
          const sign = isFixed ? '$' : ''
          grid[last + 3]![3 + index] = { f: `SUM(B${sign}${top}:B${sign}${bottom})*1${index}` }
          let sum = 0
          for (let row = top; row <= bottom; row++) {
            const times = !isInLoop(row) ? 1 : outerTimes * (isInner(row) ? innerTimes : 1)
            sum += times * figureOf(row)
          }
          expected.set(`1${index}`, sum)
        }
        await using book = await filledWorkbook(bookOf(grid), { facts: facts(count), report: reportWithFew() })
        const numbers = new Map(
          book.cells(SHEET).map((cell) => [cell.slice(0, cell.indexOf('=')), cell.slice(cell.indexOf('=') + 1)]),
        )
        for (const text of numbers.values()) {
          const [, list = '', id = ''] = /^=SUM\((.*)\)\*(\d+)$/.exec(text) ?? []
          if (id === '') continue
          const sum = list
            .split(',')
            .flatMap((range) => {
              const [top = 0, bottom = top] = Array.from(range.matchAll(/B\$?(\d+)/g), ([, row]) => Number(row))
              return Array.from({ length: bottom - top + 1 }, (_, row) => Number(numbers.get(`B${top + row}`) || 0))
            })
            .reduce((total, one) => total + one, 0)
          expect([id, sum]).toEqual([id, expected.get(id)!])
          expected.delete(id)
        }
        expect([...expected.keys()]).toEqual([])
      }),
      { numRuns: 60 },
    )
  }, 60_000)
})
