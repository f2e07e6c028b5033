import { describe, expect, test } from 'bun:test'
import { chartOfObject, isKpi, isTable, kpisOfObject } from '../../../../src/reports/documents/charts/objects.ts'
import type { AppObject, Table } from '../../../../src/reports/types.ts'
import { column, table } from '../../../support/report-data.ts'

const one = table(
  ['d:Region', 'm:Sales'],
  [
    ['Nord', 60],
    ['Süd', 40],
  ],
)
const two = table(
  ['d:Year', 'd:Region', 'm:Sales'],
  [
    ['2024', 'Nord', 60],
    ['2025', 'Süd', 40],
  ],
)
const several = table(['d:Year', 'm:Sales', 'm:Margin'], [['2024', 60, 0.2]])
const three = table(['d:City', 'm:A', 'm:B', 'm:C'], [['Nord', 1, 2, 3]])
const none = table(['m:Sales'], [[60]])

const object = (visualization: string, content: Table | null, properties: Record<string, unknown> = {}): AppObject => ({
  objectId: 'o',
  visualization,
  title: 'T',
  properties,
  table: content,
})
const chartOf = (asked: AppObject) => chartOfObject(asked, () => undefined)

describe('objects of an app as charts', () => {
  test.each([
    ['barchart', one, {}, 'bar', false],
    ['barchart', one, { orientation: 'horizontal' }, 'bar', true],
    ['barchart', two, { barGrouping: { grouping: 'stacked' } }, 'barStacked', false],
    ['barchart', two, { barGrouping: { grouping: 'grouped' } }, 'barGrouped', false],
    ['barchart', two, { barGrouping: { grouping: 'stacked' }, orientation: 'horizontal' }, 'barStacked', true],
    ['linechart', one, {}, 'line', undefined],
    ['linechart', one, { lineType: 'area' }, 'area', undefined],
    ['linechart', two, { lineType: 'area' }, 'areaStacked', undefined],
    ['combochart', several, {}, 'combo', undefined],
    ['piechart', one, {}, 'pie', undefined],
    ['piechart', one, { donut: { showAsDonut: true } }, 'donut', undefined],
    ['scatterplot', several, {}, 'scatter', undefined],
    ['scatterplot', three, {}, 'bubble', undefined],
    ['gauge', none, {}, 'gauge', undefined],
    ['treemap', two, {}, 'treemap', undefined],
    ['waterfallchart', several, {}, null, undefined],
    ['boxplot', two, {}, 'boxplot', undefined],
    ['qlik-heatmap-chart', two, {}, 'heatmap', undefined],
    ['qlik-funnel-chart', one, {}, 'funnel', undefined],
    ['qlik-funnel-chart-ext', one, {}, 'funnel', undefined],
    ['map', one, {}, null, undefined],
    ['histogram', one, {}, null, undefined],
    ['mekkochart', two, {}, null, undefined],
    ['constructor', one, {}, null, undefined],
    // A measure is missing.
    ['combochart', one, {}, null, undefined],
    ['barchart', null, {}, null, undefined],
  ] as const)('%s', async (visualization, content, properties, kind, horizontal) => {
    const chart = await chartOf(object(visualization, content, properties))
    expect(chart && [chart.kind, chart.horizontal]).toEqual(kind && [kind, horizontal])
  })

  test('a combination without settings has bars, and lines on the right axis; other kinds have one axis', async () => {
    const series = async (visualization: string) =>
      (await chartOf(object(visualization, several, {})))?.measures.map(({ as, axis }) => `${as} ${axis}`)
    expect((await series('combochart'))?.slice(0, 2)).toEqual(['bar left', 'line right'])
    expect(new Set(await series('barchart'))).toEqual(new Set(['bar left']))
  })

  test('a combination takes bars, lines and axes from its measures', async () => {
    const properties = {
      qHyperCubeDef: {
        qMeasures: [{ qDef: { series: { type: 'bar', axis: 0 } } }, { qDef: { series: { type: 'line', axis: 1 } } }],
      },
    }
    const chart = await chartOf(object('combochart', several, properties))
    expect(chart?.measures.map(({ as, axis }) => [as, axis])).toEqual([
      ['bar', 'left'],
      ['line', 'right'],
    ])
  })

  test('a waterfall has a step for each measure: added, subtracted, subtotal', async () => {
    const content = table(['m:Revenue', 'm:Costs', 'm:Result'], [[100, 30, 70]])
    const properties = {
      qHyperCubeDef: {
        qMeasures: [
          { qDef: { valueType: 'NORMAL' } },
          { qDef: { valueType: 'INVERSE' } },
          { qDef: { valueType: 'SUBTOTAL' } },
        ],
      },
    }
    const chart = await chartOf(object('waterfallchart', content, properties))
    expect(chart?.rows.map(([name, value]) => [name?.text, value?.number])).toEqual([
      ['Revenue', 100],
      ['Costs', -30],
      ['Result', 70],
    ])
    expect(chart?.totalRows).toEqual([2])
  })

  test('a gauge takes its scale from the properties', async () => {
    const chart = await chartOf(object('gauge', none, { measureAxis: { min: 10, max: 80 } }))
    expect(chart?.rows[0]?.map(({ number }) => number)).toEqual([60, 10, 80])
  })

  test('legend and labels follow the properties', async () => {
    const chart = await chartOf(object('piechart', one, { legend: { show: false }, dataPoint: { showLabels: true } }))
    expect(chart && [chart.legend, chart.labels]).toEqual(['none', true])
  })

  test('more than 200 values are cut with a warning of the block', async () => {
    const rows = Array.from({ length: 300 }, (_, index) => [`City ${index}`, index])
    const warnings: unknown[] = []
    const chart = await chartOfObject(
      object('barchart', table(['d:City', 'm:Sales'], rows)),
      (...all) => warnings.push(all),
      'b',
    )
    expect(chart?.rows).toHaveLength(200)
    expect(warnings).toEqual([['POINTS_TRUNCATED', '200 of 300 values of City', 'b']])
  })
})

test('KPIs and tables are no charts', async () => {
  expect(isKpi(object('kpi', none))).toBeTrue()
  expect(isTable(object('sn-pivot-table', one))).toBeTrue()
  expect(isTable(object('map', one))).toBeFalse()
  expect(await kpisOfObject(object('kpi', table(['m:Sales', 'm:Orders'], [[60, [7, '7 pcs']]])))).toEqual([
    { label: 'Sales', value: { text: '60', number: 60 }, column: column('m:Sales'), compare: null },
    { label: 'Orders', value: { text: '7 pcs', number: 7 }, column: column('m:Orders'), compare: null },
  ])
})
