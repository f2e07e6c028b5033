import { dualColumn, hash, numberColumn, sequenceColumn, textColumn } from '../data.ts'
import { toSerial } from '../format.ts'
import type { AppContent, ObjectNode, TableContent } from './app-content.ts'
import * as make from './app-content.ts'

const ROWS = 50_000

const REGIONS = ['Nordic', 'DACH', 'UK & Ireland', 'Benelux', 'Iberia'] as const
/** Countries with the region that each is in. */
const COUNTRIES = [
  ['Sweden', 0],
  ['Norway', 0],
  ['Denmark', 0],
  ['Finland', 0],
  ['Germany', 1],
  ['Austria', 1],
  ['Switzerland', 1],
  ['United Kingdom', 2],
  ['Ireland', 2],
  ['Netherlands', 3],
  ['Belgium', 3],
  ['Luxembourg', 3],
  ['Spain', 4],
  ['Portugal', 4],
] as const

/** Addresses of the managers, in the order of the regions. */
const MANAGERS = [
  'astrid@acme.example',
  'dieter@acme.example',
  'una@acme.example',
  'bram@acme.example',
  'ines@acme.example',
] as const

const MONTH_COUNT = 24
const FIRST_DAY = Date.UTC(2024, 2, 1)
const DAY_COUNT = 730
const DAY_MS = 86_400_000
/** March 2024 to February 2026; the number of a month is the serial number of its first day. */
const months = () =>
  Array.from({ length: MONTH_COUNT }, (_, index) => {
    const start = Date.UTC(2024, 2 + index, 1)
    return { text: new Date(start).toISOString().slice(0, 7), num: toSerial(start) }
  })

const SALES_STEP = 0.25
const SALES_CARDINAL = 8_000

/** First day of each month and of the one after the last, in days since the first. */
const MONTH_STARTS = Array.from(
  { length: MONTH_COUNT + 1 },
  (_, index) => (Date.UTC(2024, 2 + index, 1) - FIRST_DAY) / DAY_MS,
)

const monthAt = (row: number) => hash(row, 2) % MONTH_COUNT
const dayAt = (row: number) => {
  const [start = 0, end = DAY_COUNT] = MONTH_STARTS.slice(monthAt(row))
  return start + (hash(row, 8) % (end - start))
}
const countryAt = (row: number) => hash(row, 1) % COUNTRIES.length
const salesAt = (row: number) => 40 + (hash(row, 5) % (SALES_CARDINAL - 40))
/** Between 55 and 85 percent of the sales. */
const costAt = (row: number) => Math.floor((salesAt(row) * (55 + (hash(row, 6) % 31))) / 100)

const SALES: TableContent = {
  name: 'Sales',
  prefix: 'none',
  source: 'lib://QVD/sales.qvd',
  build: () => ({
    name: 'Sales',
    rowCount: ROWS,
    columns: [
      textColumn('Region', REGIONS, (row) => COUNTRIES[countryAt(row)]?.[1] ?? 0),
      textColumn(
        'Country',
        COUNTRIES.map(([name]) => name),
        countryAt,
      ),
      dualColumn('Month', months(), monthAt),
      sequenceColumn('Product', 'Product ', 40, (row) => hash(row, 3) % 40),
      sequenceColumn('Customer', 'Customer ', 1_200, (row) => hash(row, 4) % 1_200),
      numberColumn('Sales', { cardinal: SALES_CARDINAL, step: SALES_STEP }, salesAt),
      numberColumn('Cost', { cardinal: SALES_CARDINAL, step: SALES_STEP }, costAt),
      // March 2024 is month 2 of its year.
      numberColumn('Year', { cardinal: 3, offset: 2024 }, (row) => Math.floor((monthAt(row) + 2) / 12)),
      make.dateColumn('OrderDate', toSerial(FIRST_DAY), DAY_COUNT, dayAt),
      textColumn('RegionManagerMail', MANAGERS, (row) => COUNTRIES[countryAt(row)]?.[1] ?? 0),
      numberColumn('Backlog', { cardinal: 4 }, (row) => (hash(row, 9) % 50 === 0 ? hash(row, 10) % 4 : 0)),
    ],
  }),
}

const SCRIPT = [
  '///$tab Main',
  "SET ThousandSep=' ';",
  "SET DecimalSep=',';",
  "SET DateFormat='YYYY-MM-DD';",
  'LET vYear = 2026;',
  "SET vCurrency='EUR';",
  '///$tab Sales',
  'Sales:',
  'LOAD Region, Country, Month, Product, Customer, Sales, Cost, Year, OrderDate, RegionManagerMail, Backlog',
  'FROM [lib://QVD/sales.qvd] (qvd);',
  '',
].join('\r\n')

const CHARTS = {
  sales: make.chart(
    'chSales',
    'barchart',
    'Sales by region',
    make.cube({
      dimensions: [make.fieldDimension('Region')],
      measures: [make.expressionMeasure('Sum(Sales)', 'Sales', make.MONEY, -1)],
      more: { qInterColumnSortOrder: [1, 0], qInitialDataFetch: [{ qLeft: 0, qTop: 0, qWidth: 2, qHeight: 500 }] },
    }),
  ),
  detail: make.chart(
    'tbDetail',
    'table',
    'Sales in detail',
    make.cube({
      dimensions: [make.fieldDimension('Country'), make.libraryColumn('dimMonth'), make.fieldDimension('Product')],
      measures: [make.libraryColumn('meaSales'), make.libraryColumn('meaMargin'), make.libraryColumn('meaOrders')],
    }),
  ),
  pivot: make.chart(
    'pvRegion',
    'pivot-table',
    'Region and month',
    make.cube({
      dimensions: [make.libraryColumn('dimRegion'), make.libraryColumn('dimMonth')],
      measures: [make.libraryColumn('meaSales')],
      more: { qMode: 'P', qNoOfLeftDims: 1, qAlwaysFullyExpanded: true },
    }),
  ),
  kpi: make.chart(
    'kpSales',
    'kpi',
    'Total sales',
    make.cube({
      dimensions: [],
      measures: [make.libraryColumn('meaSales')],
      more: { qInitialDataFetch: [{ qLeft: 0, qTop: 0, qWidth: 1, qHeight: 1 }] },
    }),
  ),
} as const

const region = make.fieldDimension('Region')
const month = make.fieldDimension('Month', { qSortByNumeric: 1 })
const sales = make.libraryColumn('meaSales')

/** One object of each usual kind. */
const REPORT_OBJECTS: readonly ObjectNode[] = [
  make.chart('lnMonth', 'linechart', 'Sales by month', make.cube({ dimensions: [month], measures: [sales] })),
  make.chart('pcRegion', 'piechart', 'Share of the regions', make.cube({ dimensions: [region], measures: [sales] })),
  make.chart(
    'stYear',
    'barchart',
    'Sales by year and region',
    make.cube({ dimensions: [make.fieldDimension('Year', { qSortByNumeric: 1 }), region], measures: [sales] }),
    { barGrouping: { grouping: 'stacked' }, orientation: 'vertical' },
  ),
  make.chart(
    'cbMonth',
    'combochart',
    'Sales and margin',
    make.cube({ dimensions: [month], measures: [sales, make.libraryColumn('meaMargin')] }),
  ),
  make.chart(
    'spCountry',
    'scatterplot',
    'Sales and margin of the countries',
    make.cube({
      dimensions: [make.fieldDimension('Country')],
      measures: [sales, make.libraryColumn('meaMargin'), make.libraryColumn('meaOrders')],
    }),
  ),
  make.chart(
    'tmProduct',
    'treemap',
    'Products',
    make.cube({ dimensions: [region, make.fieldDimension('Product')], measures: [sales] }),
  ),
  make.chart(
    'kpBacklog',
    'kpi',
    'Backlog',
    make.cube({ dimensions: [], measures: [make.expressionMeasure('Sum(Backlog)', 'Backlog', make.WHOLE)] }),
  ),
  make.chart(
    'tbOrders',
    'table',
    '',
    make.cube({
      dimensions: [region, make.fieldDimension('OrderDate', { qSortByNumeric: -1 }), make.fieldDimension('Customer')],
      measures: [
        sales,
        // Shown while the variable says so.
        {
          ...make.expressionMeasure('Sum(Cost)', 'Cost'),
          qCalcCondition: { qCond: { qv: '$(vShowDetail)=1' } },
        },
        make.expressionMeasure('Sum(Backlog)', 'Backlog', make.WHOLE),
      ],
      more: { qInterColumnSortOrder: [1, 0, 2, 3, 4, 5], qColumnOrder: [1, 0, 2, 3, 4, 5] },
    }),
    { title: { qStringExpression: { qExpr: "='Orders of ' & Count(distinct Country) & ' countries'" } } },
  ),
]

const GRID_COLUMNS = 4

const reportSheet = () =>
  make.sheet(
    'b7e1c2d3-0001-4000-8000-000000000003',
    'Charts',
    2,
    REPORT_OBJECTS.map((node, index) => ({
      node,
      at: [(index % GRID_COLUMNS) * 6, Math.floor(index / GRID_COLUMNS) * 6, 6, 6] as const,
    })),
  )

/** Shows the master object and says nothing of its own. */
const linkedChart: ObjectNode = {
  properties: { qInfo: { qId: 'chLinked', qType: 'barchart' }, qExtendsId: 'moSales', title: 'Linked' },
  children: [],
}

const filterPane: ObjectNode = {
  properties: {
    qInfo: { qId: 'fpMain', qType: 'filterpane' },
    qMetaDef: {},
    visualization: 'filterpane',
    qChildListDef: { qData: { title: '/title' } },
  },
  children: ['Region', 'Month'].map((field) => ({
    properties: {
      qInfo: { qId: `lb${field}`, qType: 'listbox' },
      title: field,
      visualization: 'listbox',
      qListObjectDef: {
        qDef: { qFieldDefs: [field], qFieldLabels: [field], qSortCriterias: [{ qSortByState: 1, qSortByAscii: 1 }] },
        qShowAlternatives: true,
        qInitialDataFetch: [{ qLeft: 0, qTop: 0, qWidth: 1, qHeight: 500 }],
      },
    },
    children: [],
  })),
}

const SNAPSHOT_ID = 'c9e1c2d3-0001-4000-8000-000000000001'

const story: ObjectNode = {
  properties: {
    qInfo: { qId: 'd8e1c2d3-0001-4000-8000-000000000001', qType: 'story' },
    qMetaDef: { title: 'Quarterly review', description: '' },
    rank: 0,
  },
  children: [
    {
      properties: { qInfo: { qId: 'slQ1', qType: 'slide' }, title: 'Slide 1' },
      children: [
        {
          properties: {
            qInfo: { qId: 'siQ1', qType: 'slideitem' },
            qEmbeddedSnapshotDef: {},
            visualizationType: 'snapshot',
            sourceObject: 'chSales',
            snapshotId: SNAPSHOT_ID,
          },
          children: [],
        },
      ],
    },
  ],
}

/** The app that most demonstrations and tests look at. */
export function salesDashboard(): AppContent {
  return {
    script: SCRIPT,
    objects: [
      make.sheet('b7e1c2d3-0001-4000-8000-000000000001', 'Overview', 0, [
        { node: CHARTS.sales, at: [0, 0, 12, 6] },
        { node: CHARTS.kpi, at: [12, 0, 6, 3] },
        { node: filterPane, at: [18, 0, 6, 12] },
      ]),
      make.sheet('b7e1c2d3-0001-4000-8000-000000000002', 'Details', 1, [
        { node: CHARTS.detail, at: [0, 0, 18, 6] },
        { node: linkedChart, at: [18, 0, 6, 6] },
        { node: CHARTS.pivot, at: [0, 6, 24, 6] },
      ]),
      reportSheet(),
      story,
      {
        properties: {
          ...CHARTS.sales.properties,
          qInfo: { qId: 'moSales', qType: 'masterobject' },
          qMetaDef: { title: 'Sales by region', description: '' },
        },
        children: [],
      },
      make.appProperties('a7e1c2d3-0001-4000-8000-000000000001', 'Sales Dashboard'),
    ],
    dimensions: [
      make.masterDimension('dimRegion', 'Region', 'Region'),
      make.masterDimension('dimMonth', 'Month', 'Month'),
    ],
    measures: [
      make.masterMeasure('meaSales', 'Sales', 'Sum(Sales)'),
      make.masterMeasure('meaMargin', 'Margin', '(Sum(Sales)-Sum(Cost))/Sum(Sales)', make.PERCENT),
      make.masterMeasure('meaOrders', 'Orders', 'Count(Sales)', make.WHOLE),
    ],
    variables: [
      make.scriptVariable('vaYear', 'vYear', '2026'),
      make.scriptVariable('vaCurrency', 'vCurrency', 'EUR'),
      { properties: make.variable('vaTarget', 'vTarget', '=Sum(Sales)*1.1', 'Target of the year') },
      { properties: make.variable('vaShowDetail', 'vShowDetail', '1') },
      { properties: make.variable('vaThousandSep', 'ThousandSep', ' '), scriptCreated: true, reserved: true },
    ],
    bookmarks: [
      make.bookmark('bm1', 'Nordic and Benelux', { Region: ['Nordic', 'Benelux'] }),
      make.bookmark('bm2', 'Latest month', { Month: ['2026-02'] }),
    ],
    snapshots: [
      {
        qInfo: { qId: SNAPSHOT_ID, qType: 'snapshot' },
        qMetaDef: { title: 'Sales by region', description: '' },
        creationDate: '2026-02-12T10:15:00.000Z',
        sourceObjectId: 'chSales',
        sheetId: 'b7e1c2d3-0001-4000-8000-000000000001',
        visualizationType: 'barchart',
      },
    ],
    media: [
      { qUrlDef: '/media/logo.png', qUrl: '/media/logo.png' },
      { qUrlDef: '/content/Default/qlik-logo.png', qUrl: '/content/Default/qlik-logo.png' },
    ],
    lineage: [
      {
        qDiscriminator: 'lib://QVD/sales.qvd;',
        qStatement: 'LOAD Region, Country, Month, Product, Customer, Sales, Cost FROM [lib://QVD/sales.qvd] (qvd)',
      },
    ],
    tables: [SALES],
  }
}
