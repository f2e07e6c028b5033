import { describe, expect, test } from 'bun:test'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
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
const ONE_ROW: Rows = [[], ['Product', 'Sales', 'Goal'], ['{{#detail}}{{Product}}', '{{Sales}}', 'x{{/detail}}'], []]
const TWO_ROWS: Rows = [[], ['{{#detail}}{{Product}}', '{{Sales}}'], ['Goal', '{{Sales}}{{/detail}}'], ['Total']]
const FURTHER: Rows = [[], [], [], ...TWO_ROWS]
const NESTED: Rows = [[], ['{{#detail}}{{Product}}', '{{Sales}}'], ['{{#few}}{{Product}}{{/few}}'], ['{{/detail}}']]

/** A loop of one row with its average above and its sum below, and a limit and a list in other rows. */
const SUMMED: Rows = [
  ['Limit', 15, null, null, null, 'a'],
  [null, null, null, null, null, 'b'],
  ['Average', { f: 'AVERAGE(B4)' }],
  ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}'],
  ['Sum', { f: 'SUM(B4)' }],
  [],
  ['Half', { f: 'SUM(B4)/2' }],
]
/** Outer rows above and, with the sum, below those of an inner loop. */
const ROUNDS: Rows = [
  ['Product', 'Sales'],
  ['{{#detail}}{{Product}}', '{{Sales}}'],
  ['{{#few}}{{Product}}', '{{Sales}}', null, '{{/few}}'],
  ['Sum', { f: 'SUM(B3)' }, null, null, '{{/detail}}'],
]
/** The same with an empty row between. */
const APART: Rows = [...ROUNDS.slice(0, 2), [], ...ROUNDS.slice(2)]

type Rows = readonly (readonly CellSource[])[]

const bookOf = (rows: Rows, after: string) =>
  workbook([
    { name: 'S', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join(''), after) },
    { name: 'Other', xml: worksheet('') },
  ])

const problemsOf = async (rows: Rows, after: string) =>
  (
    await checkTemplate(await zipOf(bookOf(rows, after)), 'sales.xlsx', reportWithFew(), { maxTemplateMb: 25 })
  ).problems.map(({ code, place, details }) => `${code} ${place} ${details}`)

async function filled(rows: Rows, after: string, count = 3): Promise<string> {
  expect(await problemsOf(rows, after)).toEqual([])
  await using book = await filledWorkbook(bookOf(rows, after), { facts: facts(count), report: reportWithFew() })
  return book.text(SHEET)
}

const format = (sqref: string, formula: string, type = 'expression') =>
  `<conditionalFormatting sqref="${sqref}"><cfRule type="${type}" operator="greaterThan" priority="1"><formula>${formula}</formula></cfRule></conditionalFormatting>`
const validation = (sqref: string, formula: string, type: string) =>
  `<dataValidations count="1"><dataValidation type="${type}" sqref="${sqref}"><formula1>${formula}</formula1></dataValidation></dataValidations>`
const link = (ref: string, location: string) =>
  `<hyperlinks><hyperlink ref="${ref}" location="${location}"/></hyperlinks>`
const extended = (sqref: string, formula: string) =>
  `<extLst><ext uri="{78C0D931-6437-407d-A8EE-F0AAD7539E65}"><x14:conditionalFormattings><x14:conditionalFormatting><x14:cfRule type="expression"><xm:f>${formula}</xm:f></x14:cfRule><xm:sqref>${sqref}</xm:sqref></x14:conditionalFormatting></x14:conditionalFormattings></ext></extLst>`

/** Areas and formula of the only rule. */
const ruleOf = (text: string) => [
  /(?:sqref="|<xm:sqref>)([^"<]*)/.exec(text)?.[1],
  /<(?:formula1?|xm:f)>([^<]*)/.exec(text)?.[1],
]

describe('an absolute cell of the own rows is that of each record', () => {
  test.each<[string, Rows, string, readonly [string, string]]>([
    ['a format', ONE_ROW, format('A3:C3', '$B$3&gt;15'), ['A3:C5', '$B3&gt;15']],
    ['a format with a name of the sheet', ONE_ROW, format('A3:C3', 'S!$B$3&gt;15'), ['A3:C5', 'S!$B3&gt;15']],
    ['a format of several areas', ONE_ROW, format('C3 A3', '$B$3&gt;$A$1'), ['C3:C5 A3:A5', '$B3&gt;$A$1']],
    ['a format for cells above another one', ONE_ROW, format('B3', '$C$3', 'cellIs'), ['B3:B5', '$C3']],
    ['a format of newer Office', ONE_ROW, extended('A3:C3', '$B$3&gt;15'), ['A3:C5', '$B3&gt;15']],
    ['a validation', ONE_ROW, validation('C3', '$B$3', 'decimal'), ['C3:C5', '$B3']],
    ['one of two rows', TWO_ROWS, format('A3:B3', '$B$2&gt;15'), ['A3:B3 A5:B5 A7:B7', '$B2&gt;15']],
    ['both of two rows', TWO_ROWS, format('A2:B3', '$B$2&gt;15'), ['A2:B7', 'INDEX($B:$B,ROW()-MOD(ROW()-2,2))&gt;15']],
    [
      'the second of two rows for both',
      TWO_ROWS,
      format('A2:B3', 'B$3&gt;15'),
      ['A2:B7', 'INDEX(B:B,ROW()-MOD(ROW()-2,2)+1)&gt;15'],
    ],
    [
      'the outer row for the rows of an inner loop',
      NESTED,
      format('A3', '$B$2&gt;15'),
      ['A3:A4 A7:A8 A11:A12', 'INDEX($B:$B,ROW()-MOD(ROW()-2,4))&gt;15'],
    ],
    ['a row of an inner loop of one row', NESTED, format('A3', '$A$3=1'), ['A3:A4 A7:A8 A11:A12', '$A3=1']],
    ['all rows where a function takes them', ONE_ROW, format('B3', 'B3=MAX($B$3)'), ['B3:B5', 'B3=MAX($B$3:$B$5)']],
    ['the first row from outside', ONE_ROW, format('A1', '$B$3&gt;15'), ['A1', '$B$3&gt;15']],
    ['all rows in a list to choose from', ONE_ROW, validation('E1', '$A$3', 'list'), ['E1', '$A$3:$A$5']],
    ['all rows of a loop of two in a list', TWO_ROWS, validation('C3', '$A$2:$A$3', 'list'), ['C3 C5 C7', '$A$2:$A$7']],
    ['the same in both rows', TWO_ROWS, validation('C2:C3', 'A$2:A$3', 'list'), ['C2:C7', 'A$2:A$7']],
    ['all rows of both loops', ROUNDS, validation('C3', '$A$2:$A$4', 'list'), ['C3:C4 C7:C8 C11:C12', '$A$2:$A$13']],
    ['the cells of the row in a list', ONE_ROW, validation('C3', '$A$3:$B$3', 'list'), ['C3:C5', '$A3:$B3']],
  ])('%s', async (_what, rows, after, expected) => {
    expect(ruleOf(await filled(rows, after))).toEqual([...expected])
  })

  test.each<[string, string, readonly string[]]>([
    ['a link', link('A3', 'S!$B$3'), ['A3 S!$B3', 'A4 S!$B4', 'A5 S!$B5']],
    ['a link to a range', link('A3', 'S!A3:B3'), ['A3 S!A3:B3', 'A4 S!A4:B4', 'A5 S!A5:B5']],
    ['a link to a cell below', link('A3', 'S!A4'), ['A3 S!A6', 'A4 S!A6', 'A5 S!A6']],
  ])('%s', async (_what, after, expected) => {
    const text = await filled(ONE_ROW, after)
    expect(
      Array.from(text.matchAll(/<hyperlink ref="(\w+)" location="([^"]*)"/g), ([, ref, to]) => `${ref} ${to}`),
    ).toEqual([...expected])
  })
})

describe('a cell without $ means the same as in a formula of the row', () => {
  const ofRound = (offset: string, height = 4) => `INDEX($B:$B,ROW()-MOD(ROW()-2,${height})${offset})`
  const inner = 'A3:B4 A7:B8 A11:B12'
  const apart = 'A4:B5 A9:B10 A14:B15'
  test.each<[string, Rows, string, readonly [string, string]]>([
    ['the total below', SUMMED, format('A4:B4', '$B4&gt;$B5/4'), ['A4:B6', '$B4&gt;$B$7/4']],
    ['the total with the name of the sheet', SUMMED, format('A4', '$B4&gt;S!$B5/4'), ['A4:A6', '$B4&gt;S!$B$7/4']],
    ['the total above', SUMMED, format('A4:B4', '$B4&gt;$B3'), ['A4:B6', '$B4&gt;$B$3']],
    ['a total further below', SUMMED, format('A4:B4', '$B4&gt;$B7'), ['A4:B6', '$B4&gt;$B$9']],
    ['a cell further above', SUMMED, format('A4:B4', '$B4&gt;$B1'), ['A4:B6', '$B4&gt;$B$1']],
    ['a cell that values are compared with', SUMMED, format('B4', 'B1', 'cellIs'), ['B4:B6', 'B$1']],
    ['a limit of a validation', SUMMED, validation('B4', 'B1', 'decimal'), ['B4:B6', 'B$1']],
    ['a list to choose from', SUMMED, validation('A4', 'F1:F2', 'list'), ['A4:A6', 'F$1:F$2']],
    ['a cell of another sheet', SUMMED, format('B4', 'Other!B1', 'cellIs'), ['B4:B6', 'Other!B$1']],
    ['the row before', ONE_ROW, format('A3', '$A3=$A2'), ['A3:A5', '$A3=$A2']],
    ['the rows before', ONE_ROW, format('B3', 'B3&gt;SUM(B$3:B3)/2'), ['B3:B5', 'B3&gt;SUM(B$3:B3)/2']],
    ['the row above of two', TWO_ROWS, format('A2:A3', '$B1&gt;15'), ['A2:A7', '$B1&gt;15']],
    ['a cell for one of two rows', FURTHER, format('A6', '$B1&gt;15'), ['A6 A8 A10', '$B$1&gt;15']],
    ['the row above of all', SUMMED, format('A3:B5', '$A3=$A2'), ['A3:B7', '$A3=$A2']],
    ['the sum of the own round', ROUNDS, format('A3:B3', '$B3&gt;$B4/2'), [inner, `$B3&gt;${ofRound('+3')}/2`]],
    ['the sum of the own round alone', ROUNDS, format('A3:B3', '$B4&gt;2'), [inner, `${ofRound('+3')}&gt;2`]],
    ['the outer row', APART, format('A4:B4', '$B4&lt;$B2*3'), [apart, `$B4&lt;${ofRound('', 5)}*3`]],
    ['the outer row in a validation', APART, validation('A4:B4', '$B2', 'decimal'), [apart, ofRound('', 5)]],
    ['the outer row for itself', ROUNDS, format('A2:B2', '$B2&gt;$B4/4'), ['A2:B2 A6:B6 A10:B10', '$B2&gt;$B5/4']],
    ['all rows of a round', ROUNDS, format('A2:B4', '$B2&gt;$B$1'), ['A2:B13', '$B2&gt;$B$1']],
  ])('%s', async (_what, rows, after, expected) => {
    const text = await filled(rows, after)
    expect(ruleOf(text)).toEqual([...expected])
  })

  test.each<[string, Rows, string, RegExp]>([
    [
      'above an inner loop',
      ROUNDS,
      format('A3:B3', '$B3&lt;$B2*3'),
      /^TEMPLATE_LOOP S!A3:B3 \$B2 lies next to .*a name/,
    ],
    ['alone', ROUNDS, format('A3:B3', '$B2&gt;2'), /\$B2 lies next to the loop in row 3/],
    ['in the own column', ROUNDS, validation('B3', 'B2', 'decimal'), /B2 lies next to the loop in row 3/],
    ['several cells', APART, format('A4:B4', 'SUM($A2:$C2)&gt;1'), /\$A2:\$C2 would move with each row/],
    ['two rows', FURTHER, format('A5:A6', '$B1&gt;15'), /S!A5:A6 \$B1 would move .*, or make a rule for each row/],
    [
      'another sheet in two rows',
      TWO_ROWS,
      format('A2:A3', 'Other!$B1&gt;15'),
      /write Other!\$B\$1 for cells that stay, or/,
    ],
    [
      'an absolute cell beside the own row',
      ROUNDS,
      format('A3:B3', '$B3&gt;$B$2'),
      /\$B\$2 beside \$B3 may mean .* write a name of the cell for the own row, a cell outside of the loop with =\$B\$2 for the first$/,
    ],
  ])('%s is refused where it may mean two things', async (_what, rows, after, expected) => {
    expect(await problemsOf(rows, after)).toEqual([expect.stringMatching(expected)])
  })
})

describe('a rule that may mean two things is refused', () => {
  test.each<[string, Rows, string, RegExp]>([
    ['cells outside of the loop', ONE_ROW, format('A2:C3', '$B$3&gt;15'), /S!A2:C3 \$B\$3 may mean .* write \$B2 for/],
    ['one of several areas', ONE_ROW, format('A3 A1', '$B$3&gt;15'), /S!A3 A1 \$B\$3 may mean/],
    ['a whole column', ONE_ROW, format('A1:A1048576', '$B$3&gt;15'), /\$B\$3 may mean/],
    ['beside the own row', ONE_ROW, format('B3', 'B3&gt;$B$3'), /\$B\$3 beside B3 .* INDEX\(\$B\$3:\$B\$3,1\)/],
    ['compared with itself', ONE_ROW, format('B3', '$B$3', 'cellIs'), /\$B\$3 in a rule of the cell itself/],
    ['cells of all rows', ONE_ROW, format('A3:C3', 'SUM($A$3:$C$3)&gt;15'), /would be judged alike; write \$A3:\$C3/],
    [
      'the limit of a scale',
      ONE_ROW,
      '<conditionalFormatting sqref="B3"><cfRule type="dataBar" priority="1"><dataBar><cfvo type="min"/><cfvo type="formula" val="$C$3"/><color rgb="FF638EC6"/></dataBar></cfRule></conditionalFormatting>',
      /a scale is one for all rows .* MAX\(\$C\$3\)/,
    ],
    ['a row of an inner loop for the outer one', NESTED, format('A2', '$A$3=1'), /\$A\$3 may mean the first row/],
  ])('%s', async (_what, rows, after, expected) => {
    expect(await problemsOf(rows, after)).toEqual([expect.stringMatching(expected)])
  })
})

describe('a series of a chart', () => {
  const chartOf = (categories: string, values: string) =>
    workbook(
      [
        {
          name: 'S',
          xml: worksheet(ONE_ROW.map((cells, index) => sheetRow(index + 1, cells)).join('')),
        },
        { name: 'Chart', xml: worksheet('', '<drawing r:id="rId1"/>'), related: [['drawing', '../drawings/d1.xml']] },
      ],
      {
        types: {
          'xl/drawings/d1.xml': 'application/vnd.openxmlformats-officedocument.drawing+xml',
          'xl/charts/chart1.xml': 'application/vnd.openxmlformats-officedocument.drawingml.chart+xml',
        },
        parts: {
          'xl/drawings/d1.xml': drawing(
            `<xdr:oneCellAnchor><xdr:from><xdr:col>5</xdr:col><xdr:colOff>0</xdr:colOff><xdr:row>1</xdr:row><xdr:rowOff>0</xdr:rowOff></xdr:from><xdr:ext cx="1" cy="1"/>${chartFrame('rId1')}<xdr:clientData/></xdr:oneCellAnchor>`,
          ),
          'xl/drawings/_rels/d1.xml.rels': relationships(['chart', '../charts/chart1.xml']),
          'xl/charts/chart1.xml': chart(categories, values),
        },
      },
    )
  const problems = async (parts: ReturnType<typeof chartOf>) =>
    (await checkTemplate(await zipOf(parts), 'sales.xlsx', reportWithFew(), { maxTemplateMb: 25 })).problems

  test('over a column takes all rows, also with categories of two columns', async () => {
    expect(await problems(chartOf('S!$A$3:$B$3', 'S!$B$3'))).toEqual([])
    await using book = await filledWorkbook(chartOf('S!$A$3:$B$3', 'S!$B$3'), { facts: facts(3) })
    expect(book.text('xl/charts/chart1.xml').match(/(?<=<c:f>)[^<]*/g)).toEqual(['S!$A$3:$B$5', 'S!$B$3:$B$5'])
  })

  test('over cells of one row would be one for each record: refused', async () => {
    expect(await problems(chartOf('S!$B$2:$C$2', 'S!$B$3:$C$3'))).toEqual([
      {
        code: 'TEMPLATE_LOOP',
        place: 'chart on Chart',
        details: expect.stringMatching(/^the series S!\$B\$3:\$C\$3 takes several cells .*"Switch Row\/Column"/),
      },
    ])
  })
})

describe('one rule over two loops side by side', () => {
  const BESIDE: Rows = [
    ['Sales', null, null, 'First two'],
    ['{{#detail}}{{Product}}', '{{Sales}}{{/detail}}', null, '{{#few}}{{Product}}', '{{Sales}}{{/few}}'],
    ['Total', { f: 'SUM(B2:B2)' }, null, 'Total', { f: 'SUM(E2:E2)' }],
  ]
  const compared = (sqref: string, formula: string) => format(sqref, formula, 'cellIs')
  const decimal = (sqref: string, formula: string) => validation(sqref, formula, 'decimal')

  test.each([
    ['each cell by itself', format('A2:E2', 'A2=1'), 'A2:C5 D2:E3', 'A2=1'],
    ['the cell before', format('B2 E2', 'A2=1'), 'B2:B5 E2:E3', 'A2=1'],
    ['all rows of one of them', compared('B2 E2', 'AVERAGE($B$2:$B$2)'), 'B2:B5 E2:E3', 'AVERAGE($B$2:$B$5)'],
    ['the total of one of them', compared('B2 E2', '$B$3'), 'B2:B5 E2:E3', '$B$6'],
    ['a figure above', compared('B2 E2', 'A$1'), 'B2:B5 E2:E3', 'A$1'],
    ['a number', decimal('B2 E2', '15'), 'B2:B5 E2:E3', '15'],
    ['the totals by themselves', format('B3 E3', 'B3=1'), 'B6 E4', 'B6=1'],
  ])('judges %s', async (_what, rule, sqref, formula) => {
    const text = await filled(BESIDE, rule, 4)
    expect(text).toContain(`sqref="${sqref}"`)
    expect(/<formula1?>([^<]*)</.exec(text)?.[1]).toBe(formula)
    await using book = await filledWorkbook(bookOf(BESIDE, rule), { facts: facts(4), report: reportWithFew() })
    expect(book.warnings).toEqual([])
  })

  test.each([
    ['a column of one of them', format('A2:E2', '$B2=1'), 'S!A2:E2', '$B2'],
    ['the total below each', compared('B2 E2', 'B3'), 'S!B2 E2', 'B3'],
    ['the total below each with $', compared('B2 E2', 'B$3'), 'S!B2 E2', 'B$3'],
    ['all rows of each', compared('B3 E3', 'AVERAGE(B2:B2)'), 'S!B3 E3', 'B2:B2'],
    ['all rows of each with $', compared('B3 E3', 'AVERAGE(B$2:B$2)'), 'S!B3 E3', 'B$2:B$2'],
    ['a validation by the total below', decimal('B2 E2', 'B$3'), 'S!B2 E2', 'B$3'],
  ])('is refused where it takes %s, which no formula says for both', async (_what, rule, place, reference) => {
    expect(await problemsOf(BESIDE, rule)).toContain(
      `TEMPLATE_LOOP ${place} ${reference} means other cells than in the template in some columns of the rule, as these move apart; make a rule for the columns of each loop and one for those beside it`,
    )
  })

  test('is refused with one remedy where it may mean the first row or the own one', async () => {
    const [problem, ...others] = await problemsOf(BESIDE, format('A2:B2 D2:E2', '$B$2=1'))
    expect(problem).toEndWith('as the rule takes cells outside of the loop too; keep it to the loop')
    expect(others).toEqual([])
  })
})

describe('a rule about one of two rows of many records', () => {
  const of = (rule: string) => `<conditionalFormatting sqref="B2">${rule}</conditionalFormatting>`
  const validation =
    '<dataValidations count="1"><dataValidation type="whole" sqref="B3"><formula1>1</formula1></dataValidation></dataValidations>'
  const areasOf = (sheet: string) =>
    /sqref="([^"]*)"/.exec(sheet.slice(sheet.indexOf('</sheetData>')))?.[1]?.split(' ') ?? []

  test.each([
    [
      'a condition',
      of('<cfRule type="cellIs" priority="1" operator="greaterThan"><formula>6</formula></cfRule>'),
      'B2',
      'B2400',
    ],
    ['a validation', validation, 'B3', 'B2401'],
  ])('%s reaches these rows alone', async (_what, after, first, last) => {
    await using book = await filledWorkbook(bookOf(TWO_ROWS, after), { facts: facts(1200), report: reportWithFew() })
    const areas = areasOf(book.text(SHEET))
    expect([areas[0], areas.at(-1), areas.length]).toEqual([first, last, 1200])
    expect(book.warnings).toEqual([])
  })

  test.each([
    ['colours', '<cfRule type="colorScale" priority="1"><colorScale><cfvo type="min"/></colorScale></cfRule>'],
    ['bars', '<cfRule type="dataBar" priority="1"><dataBar><cfvo type="min"/></dataBar></cfRule>'],
    ['the highest', '<cfRule type="top10" priority="1" rank="3"/>'],
  ])('%s are compared over 253 areas by Excel, over more with the rows between and a warning', async (_what, rule) => {
    await using few = await filledWorkbook(bookOf(TWO_ROWS, of(rule)), { facts: facts(253), report: reportWithFew() })
    expect(areasOf(few.text(SHEET))).toHaveLength(253)
    expect(few.warnings).toEqual([])
    await using many = await filledWorkbook(bookOf(TWO_ROWS, of(rule)), { facts: facts(254), report: reportWithFew() })
    expect(areasOf(many.text(SHEET))).toEqual(['B2:B508'])
    expect(many.warnings).toEqual([
      expect.stringMatching(
        /^TEMPLATE_REFERENCE S!B2: the rule covers the other rows of the loop between its cells, too, as Excel compares no more than 253 areas/,
      ),
    ])
  })
})
