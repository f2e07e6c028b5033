import { describe, expect, test } from 'bun:test'
import { checkTemplate } from '../../../../../src/reports/templates/index.ts'
import { zipOf } from '../../../../support/office.ts'
import {
  type CellSource,
  facts,
  filledWorkbook,
  reportWithFew,
  sheetRow,
  workbook,
  worksheet,
} from '../../../../support/workbook.ts'

const SHEET = 'xl/worksheets/sheet1.xml'
/** `sold` and `parts` are B2 and A2:B2, the first of two rows; `goal` is B3, the second of them; `rate` is outside. */
const NAMES =
  '<definedName name="goal">S!$B$3</definedName><definedName name="own" localSheetId="0">S!$B$2</definedName><definedName name="parts">S!$A$2:$B$2</definedName><definedName name="rate">S!$B$1</definedName><definedName name="sold">S!$B$2</definedName>'

type Formula = string

/** A loop of the rows 2 and 3 with these formulas in C2 and C3, one in C4 below, and one on another sheet. */
function bookOf(
  { first, second, below, other }: Partial<Record<'first' | 'second' | 'below' | 'other', Formula>>,
  after = '',
) {
  const cell = (formula: Formula | undefined): CellSource => (formula === undefined ? null : { f: formula })
  const rows: readonly (readonly CellSource[])[] = [
    ['Rate', 2],
    ['{{#detail}}{{Product}}', '{{Sales}}', cell(first) ?? 'x'],
    ['Goal', '{{Sales}}', cell(second) ?? 'x', 'end{{/detail}}'],
    [null, null, cell(below)],
  ]
  return workbook(
    [
      { name: 'S', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join(''), after) },
      { name: 'Other', xml: worksheet(sheetRow(1, [cell(other)])) },
    ],
    { names: NAMES },
  )
}

const problemsOf = async (parts: ReturnType<typeof bookOf>) =>
  (await checkTemplate(await zipOf(parts), 'sales.xlsx', reportWithFew(), { maxTemplateMb: 25 })).problems.map(
    ({ code, place, details }) => `${code} ${place} ${details}`,
  )

describe('a name of one row of a loop', () => {
  test.each<[Formula, readonly string[]]>([
    ['sold', ['C3==$B2', 'C5==$B4', 'C7==$B6']],
    ['$B3/sold*rate', ['C3==$B3/$B2*rate', 'C5==$B5/$B4*rate', 'C7==$B7/$B6*rate']],
    [
      'ROUND(sold, 0)+IF(sold>1,goal,0)',
      [
        'C3==ROUND($B2, 0)+IF($B2&gt;1,$B3,0)',
        'C5==ROUND($B4, 0)+IF($B4&gt;1,$B5,0)',
        'C7==ROUND($B6, 0)+IF($B6&gt;1,$B7,0)',
      ],
    ],
    ['S!own*2', ['C3==$B2*2', 'C5==$B4*2', 'C7==$B6*2']],
    ['sold/SUM(sold)', ['C3==$B2/SUM(sold)', 'C5==$B4/SUM(sold)', 'C7==$B6/SUM(sold)']],
    [
      'VLOOKUP(sold,$F$1:$G$9,2,0)',
      ['C3==VLOOKUP($B2,$F$1:$G$13,2,0)', 'C5==VLOOKUP($B4,$F$1:$G$13,2,0)', 'C7==VLOOKUP($B6,$F$1:$G$13,2,0)'],
    ],
  ])('=%s in the other row takes the value of its copy', async (second, expected) => {
    const parts = bookOf({ second })
    expect(await problemsOf(parts)).toEqual([])
    await using book = await filledWorkbook(parts, { facts: facts(3), report: reportWithFew() })
    expect(book.cells(SHEET).filter((cell) => cell.includes('=='))).toEqual([...expected])
  })

  /** A loop over two rows within one over two; `outer` and `sub` are column B right above and below the inner rows. */
  const nested = (inner: readonly Formula[], after = '') => {
    const rows: readonly (readonly CellSource[])[] = [
      ['Name', 'Sales'],
      ['{{#detail}}{{Product}}', '{{Sales}}'],
      ...inner.map((formula, index) => [
        index === 0 ? '{{#few}}{{Product}}' : 'Again',
        '{{Sales}}',
        { f: formula },
        index === inner.length - 1 ? '{{/few}}' : null,
      ]),
      ['Sub', { f: 'SUM(B3)' }, null, null, '{{/detail}}'],
    ]
    return workbook(
      [{ name: 'S', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join(''), after) }],
      {
        names: `<definedName name="outer">S!$B$2</definedName><definedName name="row">S!$A$3:$B$3</definedName><definedName name="sub">S!$B$${inner.length + 3}</definedName>`,
      },
    )
  }
  test.each<[readonly Formula[], readonly string[]]>([
    [['B3/outer'], ['B3/$B2', 'B4/$B2', 'B7/$B6', 'B8/$B6']],
    [['outer'], ['$B2', '$B2', '$B6', '$B6']],
    [['IF(B3>outer,1,0)'], ['IF(B3&gt;$B2,1,0)', 'IF(B4&gt;$B2,1,0)', 'IF(B7&gt;$B6,1,0)', 'IF(B8&gt;$B6,1,0)']],
    [['B3/sub'], ['B3/$B5', 'B4/$B5', 'B7/$B9', 'B8/$B9']],
    [
      ['B3/outer', 'outer+1'],
      ['B3/$B2', '$B2+1', 'B5/$B2', '$B2+1', 'B9/$B8', '$B8+1', 'B11/$B8', '$B8+1'],
    ],
  ])('=%p of an inner loop takes the outer row of its round', async (inner, expected) => {
    const parts = nested(inner)
    expect(await problemsOf(parts)).toEqual([])
    await using book = await filledWorkbook(parts, { facts: facts(2), report: reportWithFew() })
    const cells = book.cells(SHEET).flatMap((cell) => /^C\d+==(.*)$/.exec(cell)?.[1] ?? [])
    expect(cells).toEqual([...expected])
  })

  test.each<[string, readonly string[]]>([
    ['outer', ['S!$B2', 'S!$B2', 'S!$B6', 'S!$B6']],
    ['S!row', ['S!$A3:$B3', 'S!$A4:$B4', 'S!$A7:$B7', 'S!$A8:$B8']],
    ['S!$B$4', ['S!$B5', 'S!$B5', 'S!$B9', 'S!$B9']],
  ])('in a link of a loop leads to the cells of the own copy: %s', async (location, expected) => {
    const parts = nested(['1'], `<hyperlinks><hyperlink ref="A3" location="${location}"/></hyperlinks>`)
    await using book = await filledWorkbook(parts, { facts: facts(2), report: reportWithFew() })
    const links = Array.from(book.text(SHEET).matchAll(/ location="([^"]*)"/g), ([, to]) => to)
    expect(links).toEqual([...expected])
  })

  test('of several columns is the cell in the column of the formula', async () => {
    const parts = bookOf({})
    const xml = `${parts[SHEET]}`.replace(/<c r="B3".*?<\/c>/, '<c r="B3"><f>parts*2</f></c>')
    await using book = await filledWorkbook({ ...parts, [SHEET]: xml }, { facts: facts(2), report: reportWithFew() })
    expect(book.cells(SHEET).filter((cell) => cell.includes('=='))).toEqual(['B3==B2*2', 'B5==B4*2'])
  })

  test('in a list of a function is all rows, from everywhere', async () => {
    const parts = bookOf({ below: 'SUM(sold)', other: 'AVERAGE(sold,goal)+rate' })
    expect(await problemsOf(parts)).toEqual([])
    await using book = await filledWorkbook(parts, { facts: facts(2), report: reportWithFew() })
    expect(book.cells(SHEET)).toContain('C6==SUM(sold)')
    expect(book.text('xl/workbook.xml')).toContain('name="sold">(S!$B$2,S!$B$4)<')
  })

  test.each<[Parameters<typeof bookOf>[0], string, RegExp]>([
    [{ below: 'sold*2' }, 'S!C4', /the name sold is all rows of the loop in row 2 here.*SUM\(sold\).*S!\$B\$2 for/],
    [{ other: 'IF(goal>1,1,0)' }, 'Other!A1', /the name goal is all rows/],
    [{ second: 'MATCH(1,sold,0)' }, 'S!C3', /the name sold takes some rows of a loop/],
    [{ below: 'COUNTIF(sold,">1")' }, 'S!C4', /the name sold takes some rows/],
  ])('%o is refused with the name', async (formulas, place, details) => {
    expect(await problemsOf(bookOf(formulas))).toEqual([
      expect.stringMatching(new RegExp(`^TEMPLATE_LOOP ${place} ${details.source}`)),
    ])
  })

  test('in a rule is the row of each record', async () => {
    const rule = (sqref: string) =>
      `<conditionalFormatting sqref="${sqref}"><cfRule type="expression" priority="1"><formula>sold&gt;15</formula></cfRule></conditionalFormatting>`
    const formulaFor = async (sqref: string) => {
      await using book = await filledWorkbook(bookOf({}, rule(sqref)), { facts: facts(2), report: reportWithFew() })
      return /<formula>([^<]*)/.exec(book.text(SHEET))?.[1]
    }
    expect(await formulaFor('A3:B3')).toBe('$B2&gt;15')
    expect(await formulaFor('A2:B3')).toBe('INDEX($B:$B,ROW()-MOD(ROW()-2,2))&gt;15')
    expect(await problemsOf(bookOf({}, rule('F1')))).toEqual([
      expect.stringMatching(/S!F1 the name sold is all rows of the loop/),
    ])
  })

  test('of a loop of one row stays, as Excel takes the value in the row of the formula', async () => {
    const rows = [
      ['Rate', 2],
      ['{{#detail}}{{Product}}', '{{Sales}}', { f: 'sold*2' }, 'x{{/detail}}'],
    ] as const
    const parts = workbook(
      [{ name: 'S', xml: worksheet(rows.map((cells, index) => sheetRow(index + 1, cells)).join('')) }],
      { names: NAMES },
    )
    expect(await problemsOf(parts)).toEqual([])
    await using book = await filledWorkbook(parts, { facts: facts(2), report: reportWithFew() })
    expect(book.cells(SHEET).filter((cell) => cell.includes('=='))).toEqual(['C2==sold*2', 'C3==sold*2'])
  })
})
