import { describe, expect, test } from 'bun:test'
import { ReportError } from '../../../../src/reports/codes.ts'
import { createRunningText } from '../../../../src/reports/display.ts'
import { type BlockContent, expandMarkdown, loadBlocks } from '../../../../src/reports/documents/blocks.ts'
import { formatProblem, singleBlock } from '../../../../src/reports/documents/formats.ts'
import { markdownToHtml } from '../../../../src/reports/documents/markdown.ts'
import type { BlockReport } from '../../../../src/reports/entities/report.ts'
import { report as reportSchema } from '../../../../src/reports/entities/report.ts'
import type { ReportData } from '../../../../src/reports/types.ts'
import { fakeReportData } from '../../../support/report-data.ts'
import { packBlocks, packData } from '../../../support/report-pack.ts'

const reportOf = (blocks: readonly object[]): BlockReport =>
  reportSchema().parse({
    type: 'blocks',
    name: 'R',
    appId: 'ccc1e1c1-6f4e-4a9d-8b3b-8a3d8a0e1c77',
    blocks,
  }) as BlockReport

async function load(
  blocks: readonly object[],
  data: ReportData = packData,
  more: { block?: string; tablesOnly?: boolean } = {},
) {
  const warnings: string[] = []
  const loaded = await loadBlocks({
    report: reportOf(blocks),
    data,
    locale: 'en-GB',
    warn: (code, details, block) => warnings.push(`${code} ${block}: ${details}`),
    maxRowsPerTable: 100,
    ...more,
  })
  return { loaded, warnings }
}

describe('blocks', () => {
  test('a report with every type of block', async () => {
    const { loaded, warnings } = await load(packBlocks)
    expect(loaded.map(({ key, type }) => [key, type])).toEqual([
      ['intro', 'text'],
      ['kpis', 'kpi'],
      ['trend', 'chart'],
      ['line', 'chart'],
      ['break', 'pageBreak'],
      ['detail', 'table'],
      ['broken', 'note'],
    ])
    expect(warnings).toEqual(['BLOCK_ERROR broken: cannot calculate Nope('])
    expect(loaded.at(-1)).toEqual({
      type: 'note',
      key: 'broken',
      title: 'Broken',
      text: 'This part could not be calculated: cannot calculate Nope(',
    })
  })

  test('key figures with the change to a compared value', async () => {
    const { loaded } = await load([packBlocks[1]!])
    const [kpis] = loaded as [Extract<BlockContent, { type: 'kpi' }>]
    expect(kpis.items.map(({ compare }) => compare?.change?.toFixed(4) ?? null)).toEqual(['0.1223', null, '-0.0498'])
  })

  test.each([
    ['dates', [45_000, '2023-03-15'], [44_999, '2023-03-14'], null],
    ['times of a day', [45_000.5, '2023-03-15 12:00:00'], [44_999.5, '2023-03-14 12:00:00'], null],
    ['names with a number', [2, 'Q2'], [1, 'Q1'], null],
    ['lengths of time', [0.5, '12:00:00'], [0.25, '06:00:00'], 1],
    ['amounts', [3, '3 kr'], [2, '2 kr'], 0.5],
  ] as const)('the change of %s', async (_what, value, compared, change) => {
    const data = fakeReportData({ values: { A: value, B: compared } })
    const item = { label: 'L', expr: '=A', compareExpr: '=B' }
    const { loaded } = await load([{ key: 'k', type: 'kpi', items: [item] }], data)
    const [kpis] = loaded as [Extract<BlockContent, { type: 'kpi' }>]
    expect(kpis.items[0]!.compare).toEqual({ value: { text: compared[1], number: compared[0] }, change })
  })

  const object = (objectId: string, as?: string) => ({ key: 'o', type: 'object', objectId, ...(as && { as }) })
  test.each([
    [object('pie1'), 'chart', []],
    [object('pie1', 'table'), 'table', []],
    [object('kpi1'), 'kpi', []],
    [object('map1'), 'table', ['CHART_AS_TABLE o: object map1 (map) is shown as a table']],
    [object('map1', 'table'), 'table', []],
    [object('text1'), 'note', ['BLOCK_NOT_TABULAR o: object text1 (text-image) has no data that could be a table']],
    [object('gone'), 'note', ['BLOCK_ERROR o: cannot calculate gone']],
  ] as const)('%p', async (block, type, expected) => {
    const { loaded, warnings } = await load([block])
    expect([loaded[0]?.type, warnings]).toEqual([type, [...expected]])
  })

  test('the table of an object has as many lines for a text as its block says', async () => {
    const linesOf = async (block: object) => {
      const [table] = (await load([block])).loaded as [Extract<BlockContent, { type: 'table' }>]
      return table.table.columns.map(({ maxLines }) => maxLines)
    }
    expect(await linesOf({ ...object('pie1', 'table'), maxLines: 9 })).toEqual([9, 9])
    expect(await linesOf(object('pie1', 'table'))).toEqual([undefined, undefined])
  })

  test('only the wanted block is loaded, objects as tables when asked', async () => {
    const { loaded } = await load([...packBlocks, object('pie1')], packData, { block: 'o', tablesOnly: true })
    expect(loaded.map(({ key, type, title }) => [key, type, title])).toEqual([['o', 'table', 'Sales by region']])
  })

  test('an error of the document is not hidden in a block', () => {
    const data = {
      ...packData,
      object: () => Promise.reject(new ReportError('OBJECT_NOT_FOUND', 'gone')),
    }
    expect(load([object('gone')], data)).rejects.toThrow('OBJECT_NOT_FOUND')
  })

  test('rows are limited by the node', async () => {
    const asked: unknown[] = []
    const data = {
      ...packData,
      table: (request: Parameters<ReportData['table']>[0]) => {
        asked.push(request.maxRows)
        return packData.table(request)
      },
    }
    const block = packBlocks[5]!
    await load([{ ...block, maxRows: 5_000 }], data)
    await load([{ ...block, maxRows: 7 }], data)
    expect(asked).toEqual([100, 7])
  })
})

const show = createRunningText('en-GB')

describe('expressions in texts', () => {
  const data = fakeReportData({
    values: { a: 'one', 'f({x}, {y})': '*two*', n: [1.5, '- 1. <b>'], 'If(a={1},2)': 'set' },
  })
  test.each([
    ['plain {{ text }}', 'plain {{ text }}'],
    ['{{=a}} and {{=f({x}, {y})}}', 'one and \\*two\\*'],
    ['{{= n }}', '\\- 1. \\<b\\>'],
    ['{{=If(a={1},2)}}', 'set'],
    ['never closed {{=a', 'never closed {{=a'],
  ])('%s', async (markdown, expanded) => {
    expect(await expandMarkdown(markdown, data, show)).toBe(expanded)
  })

  test('a value is never markup', async () => {
    for (const value of [
      '# head',
      '- item',
      '1. item',
      '| a | b |',
      '[x](javascript:y)',
      '`code`',
      '<b>',
      '&lt;',
      '***',
      '===',
      'http://x.example',
      'a\n\nb',
    ]) {
      const markdown = await expandMarkdown('before {{=v}}\n\n{{=v}}', fakeReportData({ values: { v: value } }), show)
      const text = value.replace(/\s+/g, ' ').replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
      expect(await markdownToHtml(markdown)).toBe(`<p>before ${text}</p>\n<p>${text}</p>\n`)
    }
  })
})

describe('Markdown', () => {
  test.each([
    ['raw HTML is text', 'a <b>x</b>', '<p>a &lt;b&gt;x&lt;/b&gt;</p>\n'],
    ['a block of HTML too', '<div>\nx\n</div>', '&lt;div&gt;\nx\n&lt;/div&gt;'],
    ['pictures are their text', '![chart](https://x.example/p.png)', '<p>chart</p>\n'],
    ['links of other kinds are text', '[x](javascript:y) [z](file:///etc)', '<p>x z</p>\n'],
    [
      'links',
      '[x](https://x.example/?a=1&b="2")',
      '<p><a href="https://x.example/?a=1&amp;b=&quot;2&quot;" rel="noopener noreferrer">x</a></p>\n',
    ],
    ['the report alone has a heading of level 1', '# A', '<h2>A</h2>\n'],
  ])('%s', async (_, markdown, html) => {
    expect(await markdownToHtml(markdown)).toBe(html)
  })
})

describe('formats that a report can have', () => {
  const table = { key: 't', type: 'table', columns: [{ label: 'A', expr: 'A', kind: 'dimension' }] }
  const chart = { key: 'c', type: 'chart', chart: 'gauge', measures: ['1'] }
  const text = { key: 'x', type: 'text', markdown: '' }
  test.each([
    [[text], { format: 'pdf' }, null],
    [[text], { format: 'docx' }, 'A report of blocks does not make docx'],
    [[text], { format: 'csv' }, 'The report has no block of type table or object'],
    [[text, table], { format: 'csv' }, null],
    [[table, { ...table, key: 'u' }], { format: 'csv' }, 'Name the block: t, u'],
    [[table, { ...table, key: 'u' }], { format: 'csv', block: 'u' }, null],
    [[table, chart], { format: 'svg' }, null],
    [[table, chart], { format: 'png', block: 't' }, 'png is made of a block of type chart or object'],
    [[table], { format: 'html', block: 'z' }, 'The report has no block z'],
  ] as const)('%j as %j', (blocks, use, problem) => {
    const report = { ...reportOf(blocks), type: 'blocks' as const }
    expect(formatProblem(report, use)?.message ?? null).toBe(problem)
    if (problem === null && use.format !== 'pdf') expect(singleBlock(report, use)).not.toBeNull()
  })
})
