/** A report with every type of block and the app that it reads. */
import { column, fakeReportData, longTable, table, type Value } from './report-data.ts'

export const HOSTILE = '<script>document.title = "ran"</script><img src="https://example.org/x.png">'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun']
const products = ['Bikes', 'Helmets', 'Locks', HOSTILE, '=cmd|calc', 'Lamps']

const detail = table(
  ['d:Product', 'd:Region', { ...column('d:Date'), type: 'date' as const }, 'm:Sales', 'm:Margin:0.0%'],
  products.map((product, index): Value[] => [
    product,
    index % 2 === 0 ? 'Nord' : 'Süd',
    [45_000 + index, `2023-03-${15 + index}`],
    [12_345.5 * (index + 1), `${(12_345.5 * (index + 1)).toLocaleString('en-GB')} €`],
    [0.2 + index / 50, `${20 + index * 2}.0%`],
  ]),
  {
    totalRows: 12_345,
    totals: [
      { text: '', number: null },
      { text: '', number: null },
      { text: '', number: null },
      { text: '259,255.5 €', number: 259_255.5 },
      { text: '24.8%', number: 0.248 },
    ],
  },
)

export const packData = fakeReportData({
  values: {
    'Max(OrderDate)': [45_982, '21.11.2025'],
    'Sum(Sales)': [1_234_567, '1,234,567 €'],
    'Sum(Last)': [1_100_000, '1,100,000 €'],
    'Count(Orders)': [4_211, '4 211'],
    'Avg(Margin)': [0.248, '24.8%'],
    'Avg(LastMargin)': [0.261, '26.1%'],
    Evil: HOSTILE,
    '{a}': 'balanced',
  },
  tables: {
    'Month|=Sum(Sales)': table(
      ['d:Month', 'm:Sales'],
      MONTHS.map((month, index): Value[] => [month, 40_000 + index * 9_000]),
    ),
    'Month|Region|=Sum(Sales)': table(
      ['d:Month', 'd:Region', 'm:Sales'],
      MONTHS.flatMap((month, one) =>
        ['Nord', 'Süd', 'Öst'].map((region, other): Value[] => [
          month,
          region,
          30_000 + ((one * 7 + other * 5) % 11) * 4_000,
        ]),
      ),
    ),
    'Product|Region|OrderDate|=Sum(Sales)|=Avg(Margin)': detail,
    'Id|=Sum(Amount)': longTable(['d:Id', 'm:Amount'], 100_000, (index) => [
      `Order ${index}`,
      [index * 1.5, `${index * 1.5} €`],
    ]),
  },
  objects: {
    pie1: {
      visualization: 'piechart',
      title: 'Sales by region',
      table: table(
        ['d:Region', 'm:Sales'],
        [
          ['Nord', 60],
          ['Süd', 40],
        ],
      ),
    },
    map1: { visualization: 'map', title: 'Map', table: table(['d:Place', 'm:Sales'], [['Here', 1]]) },
    text1: { visualization: 'text-image', title: 'Text' },
    kpi1: { visualization: 'kpi', title: 'Orders', table: table(['m:Orders'], [[[4_211, '4 211']]]) },
  },
})

export const packBlocks = [
  {
    key: 'intro',
    type: 'text',
    markdown:
      '## Sales {{=Max(OrderDate)}}\n\nThe team sold **more** than last year, see [the app](https://qlik.example.org/app).\n\n- first\n- second `code`\n\n| A | B |\n| --- | ---: |\n| one | 2 |\n\n<b onclick="x()">raw</b> ![alt text](https://example.org/p.png) [bad](javascript:alert(1)) {{=Evil}}',
  },
  {
    key: 'kpis',
    type: 'kpi',
    title: 'Key figures',
    items: [
      { label: 'Revenue', expr: '=Sum(Sales)', compareExpr: '=Sum(Last)' },
      { label: 'Orders', expr: 'Count(Orders)' },
      { label: 'Margin', expr: 'Avg(Margin)', compareExpr: 'Avg(LastMargin)' },
    ],
  },
  {
    key: 'trend',
    type: 'chart',
    title: 'Sales by month and region',
    chart: 'barStacked',
    dimension: 'Month',
    dimension2: 'Region',
    measures: ['=Sum(Sales)'],
  },
  {
    key: 'line',
    type: 'chart',
    title: `Trend ${HOSTILE}`,
    chart: 'line',
    dimension: 'Month',
    measures: ['=Sum(Sales)'],
  },
  { key: 'break', type: 'pageBreak' },
  {
    key: 'detail',
    type: 'table',
    title: 'Detail',
    totals: true,
    columns: [
      { label: 'Product', expr: 'Product', kind: 'dimension' },
      { label: 'Region', expr: 'Region', kind: 'dimension' },
      { label: 'Date', expr: 'OrderDate', kind: 'dimension' },
      { label: 'Sales', expr: '=Sum(Sales)', kind: 'measure' },
      { label: 'Margin', expr: '=Avg(Margin)', kind: 'measure' },
    ],
  },
  { key: 'broken', type: 'kpi', title: 'Broken', items: [{ label: 'x', expr: 'Nope(' }] },
]

export const longBlock = {
  key: 'long',
  type: 'table',
  columns: [
    { label: 'Id', expr: 'Id', kind: 'dimension' },
    { label: 'Amount', expr: '=Sum(Amount)', kind: 'measure' },
  ],
}
