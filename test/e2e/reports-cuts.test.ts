/** Texts without room in documents of the compiled executable: shown as far as they fit, and each of them a warning of the run. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { type ReportSite, startReportSite } from '../support/report-tasks.ts'

let reports: ReportSite

beforeAll(async () => {
  reports = await startReportSite()
}, 60_000)
afterAll(async () => reports?.[Symbol.asyncDispose]())

const WORDS = 'very long words without any end '.repeat(6).trim()
const REGION = { label: 'Region', expr: 'Region', kind: 'dimension' }

/** The cuts of a run, as block and details. */
async function cutsOf(name: string, format: string, ...blocks: readonly object[]) {
  const page = { orientation: 'portrait', marginMm: 50 }
  const report = await reports.salesReport(name, { page, blocks })
  const task = await reports.mailTask(name, report.id, { reports: [{ key: 'pack', reportId: report.id, format }] })
  const { outcome, events } = await reports.run(task.id)
  expect(events.map(({ code }) => code)).toEqual(events.map(() => 'TEXT_TRUNCATED'))
  expect(outcome).toBe(events.length > 0 ? 'warning' : 'success')
  return events.map(({ block, details }) => [block, details])
}

const chart = (more: object) => ({
  key: 'chart',
  type: 'chart',
  chart: 'barHorizontal',
  dimension: `=Region & ' ${WORDS}'`,
  measures: ['=Sum(Sales)'],
  ...more,
})

test.each([
  [
    'a cell and the label of a table',
    'pdf',
    [
      {
        key: 'cells',
        type: 'table',
        columns: [REGION, { label: WORDS, expr: `=Region & ' ${WORDS}'`, kind: 'dimension', maxLines: 1 }],
      },
    ],
    [
      ['cells', expect.stringMatching(/^column "very long .*": the label is longer than 3 lines$/)],
      ['cells', expect.stringMatching(/^column "very long .*": 5 texts are longer than 1 lines$/)],
    ],
  ],
  [
    'a title',
    'pdf',
    [{ key: 'text', type: 'text', title: WORDS, markdown: 'x' }],
    [['text', /^no room for "very long/]],
  ],
  [
    'a figure and its label',
    'pdf',
    [{ key: 'kpi', type: 'kpi', items: [{ label: WORDS, expr: `='${WORDS} ${WORDS}'` }] }],
    [['kpi', /^no room for 2 texts: "very long .*", "very long/]],
  ],
  [
    'a number that is drawn smaller',
    'pdf',
    [{ key: 'kpi', type: 'kpi', items: [{ label: 'a', expr: '=1e300+1' }] }],
    [],
  ],
  [
    'the categories of a chart in a PDF',
    'pdf',
    [chart({})],
    [['chart', /^no room for 5 texts: "\S.* very long .*", …$/]],
  ],
  ['the categories of a chart in a picture', 'png', [chart({})], [['chart', /^no room for 5 texts/]]],
  ['the categories of a chart in a page', 'html', [chart({})], [['chart', /^no room for 5 texts/]]],
  ['a picture in a workbook', 'xlsx', [chart({ chart: 'funnel' })], [['chart', /^no room for 5 texts/]]],
  ['the names in a treemap', 'svg', [chart({ chart: 'treemap' })], [['chart', /^no room for 5 texts/]]],
  [
    'the legend of a chart',
    'svg',
    [chart({ chart: 'bar', dimension: 'Year', dimension2: `=Region & ' ${WORDS}'` })],
    [['chart', /^no room for 5 texts/]],
  ],
] as const)(
  '%s',
  async (name, format, blocks, expected) => {
    const cuts = await cutsOf(name, format, ...blocks)
    expect<unknown>(cuts).toEqual(
      expected.map(([block, details]): unknown[] => [
        block,
        details instanceof RegExp ? expect.stringMatching(details) : details,
      ]),
    )
  },
  60_000,
)
