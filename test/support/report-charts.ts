/** One chart of each kind with data that is easy to check, for the tests of charts and documents. */
import type { ChartContent, MeasureColumn } from '../../src/reports/documents/charts/content.ts'
import { CHART_KINDS, type ChartKind } from '../../src/reports/entities/report.ts'
import { column, rowsOf, type Value } from './report-data.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const REGIONS = ['Nord', 'Süd', 'Αθήνα', 'Москва']
const money = (value: number): Value => [value, `${value.toLocaleString('en-GB')} €`]
const amount = (one: number, other: number): number =>
  40_000 + ((one * 37 + other * 61 + one * other * 13) % 47) * 1_250

const months = MONTHS.map((month, index): Value[] => [month, money(amount(index, 1))])
const monthsAndRegions = MONTHS.flatMap((month, one) =>
  REGIONS.map((region, other): Value[] => [month, region, money(amount(one, other))]),
)
const regions = REGIONS.map((region, index): Value[] => [region, money(amount(index, 3) * (index + 1))])

interface Sample {
  readonly columns: readonly string[]
  readonly rows: readonly (readonly Value[])[]
  readonly as?: readonly Partial<MeasureColumn>[]
  readonly more?: Partial<ChartContent>
}

const twoDimensions: Sample = { columns: ['d:Month', 'd:Region', 'm:Sales'], rows: monthsAndRegions }
const oneDimension: Sample = { columns: ['d:Month', 'm:Sales'], rows: months }
const parts: Sample = { columns: ['d:Region', 'm:Sales'], rows: regions }

const SAMPLES: Readonly<Record<ChartKind, Sample>> = {
  bar: oneDimension,
  barHorizontal: { columns: ['d:Region', 'm:Sales'], rows: regions, more: { labels: true } },
  barStacked: twoDimensions,
  barGrouped: { ...twoDimensions, rows: monthsAndRegions.slice(0, 24) },
  barPercent: twoDimensions,
  line: twoDimensions,
  area: oneDimension,
  areaStacked: twoDimensions,
  combo: {
    columns: ['d:Month', 'm:Sales', 'm:Budget', 'm:Margin:0.0%'],
    rows: MONTHS.map((month, index) => [
      month,
      money(amount(index, 1)),
      money(amount(index, 2)),
      0.2 + (index % 5) * 0.03,
    ]),
    as: [{}, {}, { as: 'line', axis: 'right' }],
  },
  pie: parts,
  donut: { ...parts, more: { labels: true } },
  scatter: {
    columns: ['d:Product', 'd:Region', 'm:Sales', 'm:Margin:0.0%'],
    rows: Array.from({ length: 40 }, (_, index) => [
      `P${index}`,
      REGIONS[index % 3]!,
      amount(index, 2),
      ((index * 17) % 40) / 100,
    ]),
  },
  bubble: {
    columns: ['d:Product', 'm:Sales', 'm:Price', 'm:Quantity'],
    rows: Array.from({ length: 14 }, (_, index) => [`P${index}`, amount(index, 2), (index * 7) % 11, index * 30]),
    more: { labels: true },
  },
  gauge: { columns: ['m:Target reached:0%'], rows: [[[0.734, '73.4 %'] as const]] },
  treemap: {
    columns: ['d:Region', 'd:Month', 'm:Sales'],
    rows: REGIONS.flatMap((region, one) =>
      MONTHS.slice(0, 5).map((month, other) => [region, month, money(amount(one, other))]),
    ),
  },
  heatmap: { columns: ['d:Month', 'd:Region', 'm:Sales'], rows: monthsAndRegions },
  waterfall: {
    columns: ['d:Step', 'm:Result'],
    rows: [
      ['Revenue ▲', 900_000],
      ['Material', -520_000],
      ['Wages', -450_000],
      ['Other ✓', 130_000],
      ['Total', 60_000],
    ],
    more: { totalRows: [4] },
  },
  boxplot: {
    columns: ['d:Region', 'd:Order', 'm:Days'],
    rows: REGIONS.flatMap((region, one) =>
      Array.from({ length: 15 }, (_, index): Value[] => [
        region,
        `O${index}`,
        index === 14 ? 40 : ((index * 7) % 13) + one * 2,
      ]),
    ),
  },
  funnel: {
    columns: ['d:Stage', 'm:Leads'],
    rows: [
      ['Leads', 1200],
      ['Offers → sent', 640],
      ['Talks', 310],
      ['Orders', 95],
    ],
  },
  radar: {
    columns: ['d:Skill', 'm:Team', 'm:Market'],
    rows: [
      ['Speed', 70, 55],
      ['Quality', 82, 64],
      ['Price', 45, 75],
      ['Service', 90, 60],
      ['Range', 58, 66],
    ],
  },
  sankey: {
    columns: ['d:From', 'd:To', 'm:Orders'],
    rows: [
      ['Web', 'Nord', 120],
      ['Web', 'Süd', 80],
      ['Shop', 'Nord', 60],
      ['Shop', 'Shop', 20],
      ['Partner', 'Süd', 90],
    ],
  },
}

export function sampleChart(kind: ChartKind, more: Partial<ChartContent> = {}): ChartContent {
  const sample = SAMPLES[kind]
  const columns = sample.columns.map(column)
  return {
    kind,
    legend: 'top',
    labels: false,
    dimensions: columns.filter((own) => own.kind === 'dimension'),
    measures: columns
      .filter((own) => own.kind === 'measure')
      .map((own, index) => ({ as: 'bar', axis: 'left', ...own, ...sample.as?.[index] })),
    rows: rowsOf(sample.rows),
    ...sample.more,
    ...more,
  }
}

export const sampleCharts = (): readonly ChartContent[] => CHART_KINDS.map((kind) => sampleChart(kind))
