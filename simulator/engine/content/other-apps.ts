/** The apps of the data set other than the sales dashboard, and the content of apps that are created later. */
import { hash, numberColumn, sequenceColumn, textColumn } from '../data.ts'
import { toSerial } from '../format.ts'
import { isServiceAccount, sameUser } from '../users.ts'
import type { AppContent, TableContent } from './app-content.ts'
import * as make from './app-content.ts'

interface SmallApp {
  readonly title: string
  /** Four hex digits in the ids of its objects. */
  readonly key: string
  readonly tables: readonly TableContent[]
  readonly statements: readonly string[]
  readonly dimension: string
  readonly measure: string
  readonly lineage?: AppContent['lineage']
  readonly access?: AppContent['access']
}

/** An app with one sheet, one chart and one master item of each kind. */
function smallApp(app: SmallApp): AppContent {
  const { title, key, tables, statements, dimension, measure } = app
  return {
    script: ['///$tab Main', ...statements, ''].join('\r\n'),
    objects: [
      make.sheet(`b7e1c2d3-${key}-4000-8000-000000000001`, title, 0, [
        {
          node: make.chart(
            `ch${key}`,
            'table',
            title,
            make.cube({
              dimensions: [make.fieldDimension(dimension)],
              measures: [make.expressionMeasure(measure, measure, {})],
            }),
          ),
          at: [0, 0, 24, 12],
        },
      ]),
      make.appProperties(`a7e1c2d3-${key}-4000-8000-000000000001`, title),
    ],
    dimensions: [make.masterDimension(`dim${key}`, dimension, dimension)],
    measures: [make.masterMeasure(`mea${key}`, measure, measure, {})],
    variables: [make.scriptVariable(`va${key}`, 'vSource', title)],
    bookmarks: [],
    snapshots: [],
    media: [],
    lineage:
      app.lineage ??
      tables.map(({ source }) => ({ qDiscriminator: `${source};`, qStatement: `LOAD * FROM [${source}]` })),
    tables,
    ...(app.access ? { access: app.access } : {}),
  }
}

/** A table of `items` things with an amount each. */
const plainTable = (
  name: string,
  key: string,
  amount: string,
  items: number,
  rows: number,
  source: string,
): TableContent => ({
  name,
  prefix: 'none',
  source,
  build: () => ({
    name,
    rowCount: rows,
    columns: [
      sequenceColumn(key, `${key} `, items, (row) => row % items),
      numberColumn(amount, { cardinal: 1_000 }, (row) => hash(row, 7) % 1_000),
    ],
  }),
})

export const salesEtl = () =>
  smallApp({
    title: 'Sales ETL',
    key: '0001',
    tables: [plainTable('OrdersRaw', 'Order', 'Amount', 2_000, 2_000, 'lib://ERP/orders.csv')],
    statements: [
      'OrdersRaw:',
      'LOAD Order, Amount FROM [lib://ERP/orders.csv] (txt, utf8, embedded labels);',
      'STORE OrdersRaw INTO [lib://QVD/orders.qvd] (qvd);',
    ],
    dimension: 'Order',
    measure: 'Sum(Amount)',
    lineage: [
      { qDiscriminator: 'lib://ERP/orders.csv;', qStatement: 'LOAD Order, Amount FROM [lib://ERP/orders.csv]' },
      {
        qDiscriminator: 'STORE - lib://QVD/orders.qvd;',
        qStatement: 'STORE OrdersRaw INTO [lib://QVD/orders.qvd] (qvd)',
      },
    ],
  })

export const financeQvdBuilder = () =>
  smallApp({
    title: 'Finance QVD Builder',
    key: '0003',
    tables: [plainTable('Ledger', 'Account', 'Balance', 300, 3_000, 'lib://ERP/ledger.qvd')],
    statements: [
      'LIB CONNECT TO [Warehouse];',
      'Ledger:',
      'LOAD Account, Balance FROM [lib://ERP/ledger.qvd] (qvd);',
      "Accounts: LOAD * INLINE [Account, Name\r\n1000, 'Cash'];",
      'STORE Ledger INTO [lib://QVD/ledger.qvd] (qvd);',
    ],
    dimension: 'Account',
    measure: 'Sum(Balance)',
    lineage: [
      {
        qDiscriminator: 'lib://ERP/ledger.qvd;',
        qStatement: 'LOAD Account, Balance FROM [lib://ERP/ledger.qvd] (qvd)',
      },
      { qDiscriminator: 'INLINE;', qStatement: 'LOAD * INLINE [Account, Name]' },
      { qDiscriminator: 'RESIDENT Ledger;', qStatement: 'LOAD Account RESIDENT Ledger' },
      { qDiscriminator: 'AUTOGENERATE;', qStatement: 'LOAD RecNo() AS Period AUTOGENERATE 12' },
      { qDiscriminator: 'QvOdbcConnectorPackage.exe;', qStatement: 'SQL SELECT * FROM finance.ledger' },
      { qDiscriminator: 'STORE - lib://QVD/ledger.qvd;', qStatement: 'STORE Ledger INTO [lib://QVD/ledger.qvd] (qvd)' },
    ],
  })

const DEPARTMENTS = ['Finance', 'HR', 'IT', 'Sales'] as const
const MANAGERS = ['Astrid', 'Björn', 'Cecilia', 'David', 'Elin', 'Fredrik'] as const

/** The departments that each user sees; the owner and the service accounts see all, other users none. */
const HR_READERS = [
  { directory: 'LAB', userId: 'anna', departments: ['Finance', 'HR'] },
  { directory: 'LAB', userId: 'bertil', departments: ['IT'] },
] as const

export const hrInsights = () =>
  smallApp({
    title: 'HR Insights',
    key: '0004',
    tables: [
      {
        name: 'Employees',
        prefix: 'none',
        source: 'lib://ERP/employees.qvd',
        build: () => ({
          name: 'Employees',
          rowCount: 800,
          columns: [
            sequenceColumn('Employee', 'E', 800, (row) => row),
            textColumn('Department', DEPARTMENTS, (row) => hash(row, 11) % DEPARTMENTS.length),
            // Every 16th has no manager: the null values of the data set.
            textColumn('Manager', MANAGERS, (row) => (row % 16 === 0 ? -1 : hash(row, 12) % MANAGERS.length)),
            numberColumn('AbsentDays', { cardinal: 30 }, (row) => hash(row, 13) % 30),
          ],
        }),
      },
    ],
    statements: [
      'SECTION ACCESS;',
      'LOAD ACCESS, USERID, DEPARTMENT FROM [lib://ERP/access.qvd] (qvd);',
      'SECTION APPLICATION;',
      'Employees:',
      'LOAD Employee, Department, Manager, AbsentDays FROM [lib://ERP/employees.qvd] (qvd);',
    ],
    dimension: 'Department',
    measure: 'Sum(AbsentDays)',
    access(user) {
      if (isServiceAccount(user) || sameUser(user, 'LAB', 'carla')) return 'all'
      const reader = HR_READERS.find((one) => sameUser(user, one.directory, one.userId))
      return reader ? { field: 'Department', values: reader.departments } : 'none'
    },
  })

export const inventoryLive = () =>
  smallApp({
    title: 'Inventory Live',
    key: '0008',
    tables: [
      {
        name: 'Warehouses',
        prefix: 'none',
        source: 'lib://ERP/warehouses.qvd',
        build: (version) => ({
          name: 'Warehouses',
          rowCount: 12,
          columns: [
            sequenceColumn('Warehouse', 'W', 12, (row) => row),
            numberColumn('WarehouseLoads', { cardinal: 1, offset: version }, () => 0),
          ],
        }),
      },
      {
        name: 'Stock',
        prefix: 'replace',
        source: 'lib://ERP/stock.qvd',
        build: (version) => ({
          name: 'Stock',
          rowCount: 600,
          columns: [
            sequenceColumn('Item', 'Item ', 150, (row) => row % 150),
            numberColumn('OnHand', { cardinal: 500 }, (row) => hash(row, 20 + version) % 500),
            numberColumn('StockLoads', { cardinal: 1, offset: version }, () => 0),
          ],
        }),
      },
      {
        name: 'Movements',
        prefix: 'add',
        source: 'lib://ERP/movements.qvd',
        build: (version) => ({
          name: 'Movements',
          rowCount: 1_000 + 250 * (version - 1),
          columns: [
            sequenceColumn('Movement', 'M', 100_000, (row) => row),
            numberColumn('Moved', { cardinal: 200, offset: -100 }, (row) => hash(row, 21) % 200),
          ],
        }),
      },
    ],
    statements: [
      'Warehouses:',
      'LOAD Warehouse, WarehouseLoads FROM [lib://ERP/warehouses.qvd] (qvd);',
      'Stock:',
      'REPLACE LOAD Item, OnHand, StockLoads FROM [lib://ERP/stock.qvd] (qvd);',
      'Movements:',
      'ADD LOAD Movement, Moved FROM [lib://ERP/movements.qvd] (qvd);',
    ],
    dimension: 'Item',
    measure: 'Sum(OnHand)',
  })

/** Apps without a content of their own. */
export function genericApp(title: string, key: string): AppContent {
  const table = title.replace(/[^\p{L}\p{N}]+/gu, '') || 'Data'
  const source = `lib://ERP/${table.toLowerCase()}.qvd`
  return smallApp({
    title,
    key,
    tables: [plainTable(table, 'Item', 'Value', 100, 1_000, source)],
    statements: [`[${table}]:`, `LOAD Item, Value FROM [${source}] (qvd);`],
    dimension: 'Item',
    measure: 'Sum(Value)',
  })
}

const BIG_ROWS = 40_000
const BIG_COLUMNS = 300
const BIG_VALUES = 100_000

const columnName = (index: number) => `C${String(index).padStart(3, '0')}`

/** A cube of 300 x 40,000 cells: one dimension and 299 measures. */
export function bigNumbers(): AppContent {
  const measures = Array.from({ length: BIG_COLUMNS - 1 }, (_, index) => columnName(index + 1))
  return {
    script: `///$tab Main\r\nNumbers:\r\nLOAD Row, ${measures.join(', ')}\r\nFROM [lib://QVD/numbers.qvd] (qvd);\r\n`,
    objects: [
      make.sheet('b7e1c2d3-0010-4000-8000-000000000001', 'All numbers', 0, [
        {
          node: make.chart(
            'tbBig',
            'table',
            'Big table',
            make.cube({
              dimensions: [make.fieldDimension('Row', { qSortByLoadOrder: 1 })],
              measures: measures.map((field) => make.expressionMeasure(`Sum(${field})`, field, {})),
              more: { qSuppressMissing: false },
            }),
          ),
          at: [0, 0, 24, 12],
        },
      ]),
      make.appProperties('a7e1c2d3-0010-4000-8000-000000000001', 'Big Numbers'),
    ],
    dimensions: [],
    measures: [],
    variables: [],
    bookmarks: [],
    snapshots: [],
    media: [],
    lineage: [{ qDiscriminator: 'lib://QVD/numbers.qvd;', qStatement: 'LOAD * FROM [lib://QVD/numbers.qvd] (qvd)' }],
    tables: [
      {
        name: 'Numbers',
        prefix: 'none',
        source: 'lib://QVD/numbers.qvd',
        build: () => ({
          name: 'Numbers',
          rowCount: BIG_ROWS,
          columns: [
            sequenceColumn('Row', 'R', BIG_ROWS, (row) => row),
            ...measures.map((field, index) =>
              numberColumn(field, { cardinal: BIG_VALUES }, (row) => hash(row, 100 + index) % BIG_VALUES),
            ),
          ],
        }),
      },
    ],
  }
}

const ORDER_LINES = 134_211

/** A table of 134,211 rows and eight columns, every row another order. */
export function orderLines(): AppContent {
  const fields = ['Order', 'Department', 'OrderDate', 'Item', 'Warehouse', 'Customer'] as const
  const content = smallApp({
    title: 'Order Lines',
    key: '0011',
    tables: [
      {
        name: 'OrderLines',
        prefix: 'none',
        source: 'lib://ERP/orderlines.qvd',
        build: () => ({
          name: 'OrderLines',
          rowCount: ORDER_LINES,
          columns: [
            sequenceColumn('Order', 'O', ORDER_LINES, (row) => row),
            textColumn('Department', DEPARTMENTS, (row) => hash(row, 31) % DEPARTMENTS.length),
            make.dateColumn('OrderDate', toSerial(Date.UTC(2025, 0, 1)), 365, (row) => hash(row, 32) % 365),
            sequenceColumn('Item', 'Item ', 150, (row) => hash(row, 33) % 150),
            sequenceColumn('Warehouse', 'W', 12, (row) => hash(row, 34) % 12),
            sequenceColumn('Customer', 'Customer ', 1_200, (row) => hash(row, 35) % 1_200),
            numberColumn('Quantity', { cardinal: 90, offset: 1 }, (row) => hash(row, 36) % 90),
            numberColumn('Amount', { cardinal: 40_000, step: 0.25 }, (row) => hash(row, 37) % 40_000),
          ],
        }),
      },
    ],
    statements: ['OrderLines:', 'LOAD * FROM [lib://ERP/orderlines.qvd] (qvd);'],
    dimension: 'Department',
    measure: 'Sum(Amount)',
  })
  const lines = make.chart(
    'tbLines',
    'table',
    'Order lines',
    make.cube({
      dimensions: fields.map((field) => make.fieldDimension(field, { qSortByLoadOrder: 1 })),
      measures: ['Quantity', 'Amount'].map((field) => make.expressionMeasure(`Sum(${field})`, field, make.WHOLE)),
    }),
  )
  return { ...content, objects: [...content.objects, lines] }
}
