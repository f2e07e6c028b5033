import { afterAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { Uint8ArrayReader, Uint8ArrayWriter, ZipReader } from '@zip.js/zip.js'
import fc from 'fast-check'
import type { BlockContent } from '../../../../src/reports/documents/blocks.ts'
import { seriesOf } from '../../../../src/reports/documents/charts/content.ts'
import { escapeXml, lettersOf, sheetNames } from '../../../../src/reports/documents/xlsx-parts.ts'
import type { ChartKind } from '../../../../src/reports/entities/report.ts'
import { parseXml } from '../../../../src/reports/templates/xml.ts'
import {
  chartBlock,
  column,
  EMPTY_CELL,
  generatedTable,
  numberCell,
  tableBlock,
  tableOf,
  textCell,
  writeTestWorkbook,
} from '../../../support/report-documents.ts'
import { tempDirectory } from '../../../support/temp.ts'

const directory = tempDirectory()
afterAll(() => directory.remove())
let files = 0
async function partsOf(
  blocks: readonly BlockContent[],
  members: Partial<Parameters<typeof writeTestWorkbook>[0]> = {},
): Promise<Record<string, string>> {
  files += 1
  const file = directory.join(`${files}.xlsx`)
  await writeTestWorkbook({ file, blocks, ...members })
  const parts: Record<string, string> = {}
  for (const entry of await new ZipReader(new Uint8ArrayReader(readFileSync(file))).getEntries()) {
    if (!entry.directory)
      parts[entry.filename] = Buffer.from(await entry.getData(new Uint8ArrayWriter())).toString('utf8')
  }
  return parts
}
const sheetOf = async (...request: Parameters<typeof partsOf>) =>
  (await partsOf(...request))['xl/worksheets/sheet1.xml']!
const cellOf = (sheet: string, place: string) =>
  new RegExp(`<c r="${place}"[^>]*?(?:/>|>.*?</c>)`, 's').exec(sheet)?.[0]

const SALES = tableOf(
  [
    column('Region'),
    column('Order date', { type: 'date', format: 'YYYY-MM-DD', kind: 'dimension' }),
    column('Sales', { type: 'money', format: '# ##0,00 kr' }),
    column('Margin', { type: 'number', format: '0,0%' }),
  ],
  [
    [textCell('Öst'), numberCell(45_292, '2024-01-01'), numberCell(1234.5, '1 234,50 kr'), numberCell(0.125, '12,5%')],
    [textCell('=1+1'), numberCell(45_293, '2024-01-02'), EMPTY_CELL, textCell('n/a')],
  ],
  { totals: [EMPTY_CELL, EMPTY_CELL, numberCell(1234.5, '1 234,50 kr'), numberCell(0.125, '12,5%')] },
)

test('negative times are numbers with their text as format, so that a sum counts them; dates before 1900 are texts', async () => {
  const clock = column('Balance', { type: 'interval', format: 'hh:mm' })
  const day = column('Day', { type: 'date', format: 'YYYY-MM-DD', kind: 'dimension' })
  const rows = Array.from({ length: 150 }, (_, index) => [
    numberCell(-1 - index, '1899-12-29'),
    numberCell(-(index + 1) / 1440, `-0${Math.floor((index + 1) / 60)}:${String((index + 1) % 60).padStart(2, '0')}`),
  ])
  const parts = await partsOf([tableBlock(tableOf([day, clock], rows))])
  const sheet = parts['xl/worksheets/sheet1.xml']!
  expect(sheet.match(/<c r="B\d+" s="\d+"><v>-0\.\d+</g)).toHaveLength(150)
  expect(cellOf(sheet, 'A2')).toContain('<t>1899-12-29</t>')
  expect(parts['xl/styles.xml']).toContain('formatCode="[hh]:mm;&quot;-00:45&quot;"')
  expect(parts['xl/styles.xml']!.match(/<numFmt /g)!.length).toBeLessThan(105)
  expect(parts['xl/styles.xml']).toContain('formatCode="[hh]:mm;-0.0000 &quot;d&quot;"')
})

/** Excel reads 32,767 characters of a cell. */
const LONG = 'x'.repeat(32_768)
const kpiItem = (text: string) => ({ label: 'Figure', value: textCell(text), column: null, compare: null })

function longChart(): BlockContent {
  const block = chartBlock('bar', 'Chart', 'detail')
  if (block.type !== 'chart') throw new Error('not a chart')
  return { ...block, chart: { ...block.chart, rows: [[textCell(LONG), numberCell(1), numberCell(2)]] } }
}

describe('a sheet of rows', () => {
  test('has typed numbers and dates with the formats of Qlik', async () => {
    const parts = await partsOf([tableBlock(SALES)])
    const sheet = parts['xl/worksheets/sheet1.xml']!
    expect(cellOf(sheet, 'B2')).toContain('<v>45292</v>')
    expect(cellOf(sheet, 'C2')).toContain('<v>1234.5</v>')
    expect(cellOf(sheet, 'D2')).toContain('<v>0.125</v>')
    const styles = parts['xl/styles.xml']!
    for (const format of ['yyyy\\-mm\\-dd', '#,##0.00 &quot;kr&quot;', '0.0%']) {
      expect(styles).toContain(`formatCode="${format}"`)
    }
  })

  test('has texts as inline strings, never as formulas, and no cell for an empty value', async () => {
    const sheet = await sheetOf([tableBlock(SALES)])
    expect(cellOf(sheet, 'A3')).toBe('<c r="A3" t="inlineStr"><is><t>=1+1</t></is></c>')
    expect(cellOf(sheet, 'D3')).toBe('<c r="D3" t="inlineStr"><is><t>n/a</t></is></c>')
    expect(cellOf(sheet, 'C3')).toBeUndefined()
    expect(sheet).not.toContain('<f>')
  })

  test('has a frozen header that is printed on every page, and a filter over header and rows, not the totals', async () => {
    const parts = await partsOf([tableBlock(SALES)])
    const sheet = parts['xl/worksheets/sheet1.xml']!
    expect(sheet).toContain('<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>')
    expect(sheet).toContain('<autoFilter ref="A1:D3"/>')
    expect(cellOf(sheet, 'A4')).toContain('<t>Total</t>')
    expect(cellOf(sheet, 'C4')).toContain('<v>1234.5</v>')
    const workbook = parts['xl/workbook.xml']!
    expect(workbook).toContain(
      '<definedName name="_xlnm._FilterDatabase" localSheetId="0" hidden="1">\'Detail\'!$A$1:$D$3</definedName>',
    )
    expect(workbook).toContain('<definedName name="_xlnm.Print_Titles" localSheetId="0">\'Detail\'!$1:$1</definedName>')
  })

  test('has no filter when the options say so', async () => {
    const parts = await partsOf([tableBlock(SALES)], { autofilter: false })
    expect(parts['xl/worksheets/sheet1.xml']).not.toContain('autoFilter')
    expect(parts['xl/workbook.xml']).not.toContain('_FilterDatabase')
  })

  test('has columns as wide as the first 200 rows ask for', async () => {
    const table = generatedTable([column('Name'), column('Text')], 300, (index) => [
      textCell(index === 150 ? 'a name of twenty-six signs' : 'short'),
      textCell(index === 250 ? 'x'.repeat(50) : 'y'),
    ])
    const sheet = await sheetOf([tableBlock(table)])
    const widths = [...sheet.matchAll(/<col [^>]*width="([\d.]+)"/g)].map(([, width]) => Number(width))
    expect(widths[0]).toBeGreaterThan(26)
    expect(widths[0]).toBeLessThan(32)
    expect(widths[1]).toBeLessThan(12)
  })

  test('loses the characters that XML forbids and keeps all others', async () => {
    const text = 'a\u0000b\u000bc\ud800d\uffffe <&> "q" \u{1f600}\r\nnext _x000D_'
    const sheet = await sheetOf([tableBlock(tableOf([column('T')], [[textCell(text)]]))])
    expect(cellOf(sheet, 'A2')).toBe(
      '<c r="A2" t="inlineStr"><is><t xml:space="preserve">abcde &lt;&amp;&gt; &quot;q&quot; \u{1f600}\nnext _x005F_x000D_</t></is></c>',
    )
  })

  test.each<[string, BlockContent, string]>([
    ['a cell', tableBlock(tableOf([column('T')], [[textCell(LONG)]])), 'A2'],
    ['a cell of the totals', tableBlock(tableOf([column('T')], [], { totals: [textCell(LONG)] })), 'A2'],
    ['a label', tableBlock(tableOf([column(LONG)], [])), 'A1'],
    ['a figure', { type: 'kpi', key: 'detail', title: '', items: [kpiItem(LONG)] }, 'B2'],
    ['a line of a text', { type: 'text', key: 'detail', title: '', markdown: `Short\n\n${LONG}` }, 'A3'],
    ['a cell of a table in a text', { type: 'text', key: 'detail', title: '', markdown: `|a|\n|-|\n|${LONG}|` }, 'A2'],
    ['a title', { type: 'text', key: 'detail', title: LONG, markdown: '' }, 'A1'],
    ['a note', { type: 'note', key: 'detail', title: 'Note', text: LONG }, 'A3'],
    ['a category of a chart', longChart(), 'A21'],
  ])('cuts %s that is longer than Excel reads, with a warning', async (_, block, place) => {
    const warnings: unknown[] = []
    const sheet = await sheetOf([block], { warn: (...warning) => void warnings.push(warning) })
    expect(cellOf(sheet, place)?.replace(/x{32766}(?=…)/, 'LONG')).toMatch(/<t>LONG…<\/t>/)
    expect(warnings).toEqual([['TEXT_TRUNCATED', expect.stringMatching(/^no room for "x{60}…"$/), 'detail']])
  })

  test('has dates before March 1900 as texts: Excel counts them otherwise', async () => {
    const dates = [numberCell(60, '1900-02-28'), numberCell(61, '1900-03-01'), numberCell(-5, '1899-12-25')]
    const table = tableOf(
      [column('Date', { type: 'date' })],
      dates.map((cell) => [cell]),
    )
    const sheet = await sheetOf([tableBlock(table)])
    expect(cellOf(sheet, 'A2')).toContain('<t>1900-02-28</t>')
    expect(cellOf(sheet, 'A3')).toContain('<v>61</v>')
    expect(cellOf(sheet, 'A4')).toContain('<t>1899-12-25</t>')
  })

  test('without rows has its header', async () => {
    const sheet = await sheetOf([tableBlock(tableOf([column('Region')], []))])
    expect(cellOf(sheet, 'A1')).toContain('<t>Region</t>')
    expect(sheet).toContain('<autoFilter ref="A1:A1"/>')
  })

  test('keeps codes as texts, and never groups a dimension', async () => {
    const columns = [
      column('Code', { type: 'integer', kind: 'dimension' }),
      column('Year', { type: 'integer', kind: 'dimension' }),
      column('Sales', { type: 'integer' }),
    ]
    const parts = await partsOf([
      tableBlock(tableOf(columns, [[numberCell(7, '007'), numberCell(2024), numberCell(5000)]])),
    ])
    const sheet = parts['xl/worksheets/sheet1.xml']!
    expect(cellOf(sheet, 'A2')).toContain('<t>007</t>')
    expect(cellOf(sheet, 'B2')).toContain('<v>2024</v>')
    const formats = [...parts['xl/styles.xml']!.matchAll(/formatCode="([^"]*)"/g)].map(([, format]) => format)
    expect(formats).toEqual(['0', '#,##0'])
  })

  test('says below the totals that it was cut, outside of the filter', async () => {
    const totals = [EMPTY_CELL, numberCell(9)]
    const cut = tableOf([column('Region'), column('Sales', { type: 'number' })], [[textCell('Nord'), numberCell(1)]], {
      totals,
      totalRows: 134_211,
    })
    const sheet = await sheetOf([tableBlock(cut)])
    expect(cellOf(sheet, 'A3')).toContain('<t>Total of all 134,211 rows</t>')
    expect(cellOf(sheet, 'A4')).toContain('<t>Showing the first 1 of 134,211 rows</t>')
    expect(sheet).toContain('<autoFilter ref="A1:B2"/>')
  })

  test('ends at the last row of Excel, with a warning', async () => {
    const warnings: string[] = []
    const page = Array.from({ length: 10_000 }, () => [numberCell(1)])
    const table = {
      ...tableOf([column('N', { type: 'number' })], []),
      rows: 1_100_000,
      totalRows: 1_100_000,
      async *pages() {
        for (let number = 0; number < 110; number += 1) yield page
      },
    }
    const sheet = await sheetOf([tableBlock(table)], {
      warn: (code, details, block) => warnings.push(`${code} ${block}: ${details}`),
    })
    expect(warnings).toEqual(['ROWS_TRUNCATED detail: 1048574 of 1100000 rows: a sheet has no more'])
    expect(sheet).toMatch(/<row r="1048576"><c r="A1048576"[^>]*><is><t>Showing the first 1,048,574 of 1,100,000 rows</)
    expect(sheet).not.toContain('<row r="1048577">')
  }, 60_000)
})

describe('a workbook', () => {
  test('has a sheet for each block with data, in their order', async () => {
    const kpi: BlockContent = {
      type: 'kpi',
      key: 'kpis',
      title: 'Key figures',
      items: [
        {
          label: 'Revenue',
          value: numberCell(1500.5, '1 500,50 €'),
          column: null,
          compare: { value: numberCell(1000, '1 000 €'), change: 0.5005 },
        },
        { label: 'Status', value: textCell('open'), column: null, compare: null },
      ],
    }
    const parts = await partsOf([
      { type: 'text', key: 'intro', title: 'Intro', markdown: '# Sales' },
      tableBlock(SALES),
      { type: 'pageBreak', key: 'break', title: '' },
      kpi,
      { type: 'note', key: 'broken', title: '', text: 'This block cannot be shown.' },
      chartBlock('radar'),
    ])
    expect([...parts['xl/workbook.xml']!.matchAll(/<sheet name="([^"]+)"/g)].map(([, name]) => name)).toEqual([
      'Intro',
      'Detail',
      'Key figures',
      'broken',
      'Trend',
    ])
    expect(cellOf(parts['xl/worksheets/sheet1.xml']!, 'A3')).toContain('<t>Sales</t>')
    const figures = parts['xl/worksheets/sheet3.xml']!
    expect(cellOf(figures, 'A2')).toContain('<t>Revenue</t>')
    expect(cellOf(figures, 'B2')).toContain('<v>1500.5</v>')
    expect(cellOf(figures, 'D2')).toContain('<v>0.5005</v>')
    expect(cellOf(figures, 'B3')).toContain('<t>open</t>')
    expect(parts['xl/worksheets/sheet4.xml']).toContain('This block cannot be shown.')
    expect(parts['xl/worksheets/sheet5.xml']).toContain('<drawing r:id="rId1"/>')
    expect(parts['xl/drawings/drawing5.xml']).toContain('<xdr:ext cx="7620000" cy="2876550"/>')
    expect(Object.keys(parts)).toContain('xl/media/image5.png')
    expect(parts['[Content_Types].xml']).toContain('/xl/drawings/drawing5.xml')
  })

  test('without data still has a sheet, since none could not be opened', async () => {
    const parts = await partsOf([{ type: 'pageBreak', key: 'break', title: '' }])
    expect(parts['xl/workbook.xml']).toContain('<sheet name="Sales pack"')
  })

  test('has the lines of a text block as plain text; tables keep their columns', async () => {
    const markdown =
      '## To date\n\nRose **by** `12 %`, see [it](https://x.example).\nNext\n\n- first\n- second\n  - inner\n\n3. three\n\n| A | B |\n| --- | --- |\n| one | =2 |\n\n<b>raw</b> ![alt](https://x/p.png)\n\n- [ ] open\n- [x] done\n\nAT&amp;T&nbsp;x &#8364; `&amp;` \\&amp;'
    const sheet = await sheetOf([{ type: 'text', key: 'intro', title: '', markdown }])
    const lines = [...sheet.matchAll(/<row r="\d+">(.*?)<\/row>/gs)].map(([, row]) =>
      [...row!.matchAll(/<t[^>]*>([^<]*)<\/t>/g)].map(([, text]) => text).join(' | '),
    )
    expect(lines.filter((line) => line !== '')).toEqual([
      'To date',
      'Rose by 12 %, see it.',
      'Next',
      '• first',
      '• second',
      '    • inner',
      '3. three',
      'A | B',
      'one | =2',
      '&lt;b&gt;raw&lt;/b&gt; alt',
      '☐ open',
      '☑ done',
      // In XML.
      'AT&amp;T\u00a0x € &amp;amp; &amp;amp;',
    ])
  })

  const KINDS: readonly (readonly [ChartKind, string, number])[] = [
    ['bar', 'barChart', 2],
    ['barHorizontal', 'barChart', 2],
    ['barStacked', 'barChart', 2],
    ['barPercent', 'barChart', 2],
    ['line', 'lineChart', 2],
    ['area', 'areaChart', 2],
    ['areaStacked', 'areaChart', 2],
    ['combo', 'barChart', 2],
    ['pie', 'pieChart', 1],
    ['donut', 'doughnutChart', 1],
    ['scatter', 'scatterChart', 1],
  ]
  test.each(KINDS)('has %s as a chart of Excel over the cells below it', async (kind, element, series) => {
    const parts = await partsOf([chartBlock(kind, "It's a chart")])
    const chart = parts['xl/charts/chart1.xml']!
    const sheet = parts['xl/worksheets/sheet1.xml']!
    await parseXml(chart, 'chart')
    expect(chart).toContain(`<c:${element}>`)
    expect(Object.keys(parts).filter((name) => name.startsWith('xl/media'))).toEqual([])
    expect(parts['xl/drawings/_rels/drawing1.xml.rels']).toContain('Target="../charts/chart1.xml"')
    // Each reference leads to the cells whose content stands beside it.
    const references = [
      ...chart.matchAll(
        /<c:f>'It''s a chart'!\$([A-Z])\$(\d+)(?::\$[A-Z]\$(\d+))?<\/c:f><c:(?:str|num)Cache>(.*?)<\/c:(?:str|num)Cache>/gs,
      ),
    ]
    expect(references).toHaveLength(3 * series)
    for (const [, column, first, last = first, cache] of references) {
      const values = [...cache!.matchAll(/<c:v>([^<]*)<\/c:v>/g)].map(([, value]) => value)
      expect(values).toHaveLength(Number(last) - Number(first) + 1)
      for (const [index, value] of values.entries()) {
        expect(cellOf(sheet, `${column}${Number(first) + index}`)).toContain(`>${value}</`)
      }
    }
  })

  test('has a combination with its second measure as a line on the right axis', async () => {
    const block = chartBlock('combo')
    if (block.type !== 'chart') throw new Error('no chart')
    const measures = block.chart.measures.map((measure, index) => ({ ...measure, ...seriesOf('combo', index) }))
    const { 'xl/charts/chart1.xml': chart } = await partsOf([{ ...block, chart: { ...block.chart, measures } }])
    expect(chart).toMatch(
      /<c:barChart>.*<c:axId val="1"\/><c:axId val="2"\/><\/c:barChart><c:lineChart>.*<c:axId val="3"\/><c:axId val="4"\/><\/c:lineChart>/s,
    )
    expect(chart!.match(/<c:axPos val="r"\/>/g)).toHaveLength(1)
  })

  test.each([
    ['dates', ['2024-03-01', '2024-03-02'], 45352, { type: 'date', format: 'YYYY-MM-DD' }, 'yyyy\\-mm\\-dd'],
    ['years', ['2024', '2025'], 2024, { type: 'number', format: null }, '0'],
  ] as const)(
    'has %s below a combination as numbers, which its axis shows in their format',
    async (_what, texts, first, type, format) => {
      const block = chartBlock('combo')
      if (block.type !== 'chart') throw new Error('no chart')
      const [label] = block.chart.dimensions
      const rows = texts.map((text, at) => [numberCell(first + at, text), numberCell(at), numberCell(2 * at)])
      const content = { ...block.chart, dimensions: [{ ...label!, ...type }], rows }
      const parts = await partsOf([{ ...block, chart: content }])
      const chart = parts['xl/charts/chart1.xml']!
      const [, row] = /<c:cat><c:numRef><c:f>'Trend'!\$A\$(\d+):\$A\$\d+<\/c:f>/.exec(chart)!
      expect(cellOf(parts['xl/worksheets/sheet1.xml']!, `A${row}`)).toContain(`<v>${first}</v>`)
      expect(parts['xl/styles.xml']).toContain(`formatCode="${format}"`)
      expect(chart).toContain(
        `<c:numCache><c:formatCode>${format}</c:formatCode><c:ptCount val="2"/><c:pt idx="0"><c:v>${first}</c:v>`,
      )
      expect(/<c:catAx>.*?<c:numFmt formatCode="([^"]*)"/s.exec(chart)?.[1]).toBe(format)
    },
  )

  const interval = { type: 'interval', format: 'hh:mm' } as const
  const number = { type: 'number', format: null } as const
  test.each([
    // Excel shows no negative time at an axis; its label is a text, the others stay numbers.
    [
      interval,
      [
        [-0.5 / 24, '-00:30'],
        [0.5 / 24, '00:30'],
        [0.25, '06:00'],
      ],
      [1, 2],
      '[hh]:mm',
    ],
    [
      interval,
      [
        [-0.5 / 24, '-00:30'],
        [-0.25, '-06:00'],
      ],
      [],
      'General',
    ],
    [
      number,
      [
        [1, '1'],
        [1.5, '1,5'],
        [-2, '-2'],
      ],
      [0, 1, 2],
      'General',
    ],
    [
      number,
      [
        [1, '1 kg'],
        [2, '2'],
        [3, '3'],
      ],
      [1, 2],
      '0',
    ],
  ] as const)('has categories of %j with the texts %j as numbers at %j', async (type, cells, places, format) => {
    const block = chartBlock('bar')
    if (block.type !== 'chart') throw new Error('no chart')
    const [label] = block.chart.dimensions
    const rows = cells.map(([value, text]) => [numberCell(value, text), numberCell(3), numberCell(4)])
    const dimensions = [{ ...label!, ...type, kind: 'dimension' as const }]
    const parts = await partsOf([{ ...block, chart: { ...block.chart, dimensions, rows } }])
    const chart = parts['xl/charts/chart1.xml']!
    const [, first] = /<c:cat><c:(?:num|str)Ref><c:f>'Trend'!\$A\$(\d+)/.exec(chart)!
    const written = cells.map((_, at) => cellOf(parts['xl/worksheets/sheet1.xml']!, `A${Number(first) + at}`)!)
    expect(written.flatMap((cell, at) => (cell.includes('<v>') ? [at] : []))).toEqual([...places])
    for (const at of places) expect(written[at]).toContain(`<v>${cells[at]![0]}</v>`)
    expect(/<c:catAx>.*?<c:numFmt formatCode="([^"]*)"/s.exec(chart)?.[1]).toBe(format)
    // With a text among them, the labels are the texts of Qlik.
    const names = cells.map(([value, text]) => (places.length === cells.length ? String(value) : text))
    expect([...(/<c:cat>.*?<\/c:cat>/s.exec(chart)![0].match(/(?<=<c:v>)[^<]*/g) ?? [])]).toEqual(names)
  })

  test('has a series of a scatter chart for each value of its second dimension', async () => {
    const block = chartBlock('scatter')
    if (block.type !== 'chart') throw new Error('no chart')
    const { dimensions, measures } = block.chart
    const rows = ['A', 'B', 'A'].map((group, at) => [
      textCell(`point ${at}`),
      textCell(group),
      numberCell(at),
      numberCell(10 * at),
    ])
    const two = { ...block.chart, dimensions: [...dimensions, column('Group')], measures, rows }
    const parts = await partsOf([{ ...block, chart: two }])
    const chart = parts['xl/charts/chart1.xml']!
    const places = [...chart.matchAll(/<c:f>'Trend'!([^<]*)<\/c:f>/g)].map(([, place]) => place)
    const [row] = /\d+/.exec(places[0]!)!
    const at = (offset: number) => Number(row) + offset
    expect(places).toEqual([
      `$B$${at(0)}`,
      `$C$${at(0)}:$C$${at(1)}`,
      `$D$${at(0)}:$D$${at(1)}`,
      `$B$${at(2)}`,
      `$C$${at(2)}`,
      `$D$${at(2)}`,
    ])
    expect(cellOf(parts['xl/worksheets/sheet1.xml']!, `A${at(1)}`)).toContain('point 2')
  })

  test('says above a chart what was left out', async () => {
    const block = chartBlock('bar')
    if (block.type !== 'chart') throw new Error('no chart')
    const chart = { ...block.chart, cut: { shown: 6, of: 1234 } }
    const { 'xl/worksheets/sheet1.xml': sheet } = await partsOf([{ ...block, chart }])
    expect(cellOf(sheet!, 'A2')).toContain('Showing the largest 6 of 1,234 values of Month')
  })

  test.each(['radar', 'bubble', 'treemap', 'waterfall'] as const)('has %s as a picture', async (kind) => {
    const parts = await partsOf([chartBlock(kind)])
    expect(Object.keys(parts)).toContain('xl/media/image1.png')
  })

  test('of equal data has equal bytes', async () => {
    const [first, second] = [directory.join('first.xlsx'), directory.join('second.xlsx')]
    await writeTestWorkbook({ file: first, blocks: [tableBlock(SALES)] })
    await writeTestWorkbook({ file: second, blocks: [tableBlock(SALES)] })
    expect(readFileSync(first).equals(readFileSync(second))).toBe(true)
  })
})

test.each([
  [
    ['Sales', 'sales', 'Sales'],
    ['Sales', 'sales~2', 'Sales~3'],
  ],
  [['a/b\\c[d]:e*f?'], ['a_b_c_d__e_f_']],
  [
    ['x'.repeat(40), 'x'.repeat(40)],
    ['x'.repeat(31), `${'x'.repeat(29)}~2`],
  ],
  [
    ["'quoted'", '  ', 'History', 'a\u0000\nb'],
    ['quoted', 'Sheet', 'History_', 'a b'],
  ],
  [[`${'y'.repeat(30)}\u{1f600}`], ['y'.repeat(30)]],
])('sheets of %j are named %j', (titles, names) => {
  expect(sheetNames(titles)).toEqual(names)
})

test('names of sheets are valid and differ, whatever the titles', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 50 }), { maxLength: 30 }), (titles) => {
      const names = sheetNames(titles)
      expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(titles.length)
      for (const name of names) {
        expect(name.length).toBeGreaterThan(0)
        expect(name.length).toBeLessThanOrEqual(31)
        expect(name).not.toMatch(/[[\]:*?/\\]|^'|'$/)
      }
    }),
  )
})

test('escaped texts hold no markup and nothing that XML forbids', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const escaped = escapeXml(text)
      expect(escaped).not.toMatch(/[<>"]|&(?!(?:amp|lt|gt|quot);)/)
      expect(escaped).not.toMatch(/[^\P{Cc}\t\n]|\p{Cs}|[\ufffe\uffff]/u)
    }),
  )
})

test.each([
  [1, 'A'],
  [26, 'Z'],
  [27, 'AA'],
  [702, 'ZZ'],
  [703, 'AAA'],
  [16_384, 'XFD'],
])('column %p is %p', (number, letters) => {
  expect(lettersOf(number)).toBe(letters)
})
