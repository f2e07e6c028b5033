/** Tables, objects and values of an app on the simulated engine. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { addOrderLines } from '../../../simulator/acme/load.ts'
import { EvaluationError, type TableRequest } from '../../../src/reports/types.ts'
import {
  failureOf,
  type ReportEngine,
  rowsOf,
  startReportEngine,
  textsOf,
  values,
} from '../../support/report-engine.ts'

const SALES_DASHBOARD = 2
const BIG_NUMBERS = 10
const ORDER_LINES = 11
let engine: ReportEngine

beforeAll(async () => {
  engine = await startReportEngine()
  addOrderLines(engine.site)
})
afterEach(() => engine.faults.clear())
afterAll(() => engine.stop())

const sales = async () => {
  const open = await engine.openData(SALES_DASHBOARD)
  const { data, unlimited } = await open.apply([])
  return { open, data, unlimited, warnings: open.warnings }
}
const dimension = (expr: string, label = '') => ({ label, expr, kind: 'dimension' as const })
const measure = (expr: string, label = '', format?: string) => ({
  label,
  expr,
  kind: 'measure' as const,
  ...(format === undefined ? {} : { format }),
})

describe('a table of its own', () => {
  test('has the columns in the order of the request', async () => {
    const { data } = await sales()
    const table = await data.table({
      columns: [
        measure('=Sum(Sales)', 'Sales', '# ##0,00'),
        dimension('Region', 'Area'),
        { label: '', expr: { libraryId: 'meaOrders' }, kind: 'measure' },
      ],
    })
    expect(table.columns).toEqual([
      { label: 'Sales', kind: 'measure', type: 'number', format: '# ##0,00' },
      { label: 'Area', kind: 'dimension', type: 'text', format: null },
      { label: 'Orders', kind: 'measure', type: 'integer', format: '# ##0' },
    ])
    const rows = await rowsOf(table)
    expect(rows.map((row) => row[1]?.text)).toEqual(['Benelux', 'DACH', 'Iberia', 'Nordic', 'UK & Ireland'])
    const total = (await data.evaluate('=Sum(Sales)')).number
    expect(rows.reduce((sum, row) => sum + (row[0]?.number ?? 0), 0)).toBe(total!)
    expect(rows[0]?.[0]?.text).toMatch(/^\d\d \d{3} \d{3},\d\d$/)
    expect(rows.reduce((sum, row) => sum + (row[2]?.number ?? 0), 0)).toBe(50_000)
  })

  const sorted = async (sort: TableRequest['sort']) => {
    const { data } = await sales()
    const columns = [dimension('Region', 'Region'), dimension('Year', 'Year'), measure('=Sum(Sales)', 'Sales')]
    const rows = await rowsOf(await data.table({ columns, ...(sort ? { sort } : {}) }))
    return rows.map(([region, year, amount]) => ({ region: region?.text, year: year?.number, amount: amount?.number }))
  }

  test('is sorted by number or name of columns', async () => {
    const byYear = await sorted([
      { column: 'Year', dir: 'desc' },
      { column: 0, dir: 'asc' },
    ])
    expect(byYear.slice(0, 2)).toMatchObject([
      { year: 2026, region: 'Benelux' },
      { year: 2026, region: 'DACH' },
    ])
    const bySales = (await sorted([{ column: 2, dir: 'desc' }])).map(({ amount }) => amount!)
    expect(bySales).toEqual(bySales.toSorted((left, right) => right - left))
    await expect(sorted([{ column: 'Profit', dir: 'asc' }])).rejects.toThrow('no column "Profit" to sort by')
  })

  test('knows what the numbers of its columns mean', async () => {
    const { data } = await sales()
    const columns = [
      dimension('OrderDate'),
      dimension('Month'),
      dimension('Year'),
      dimension('Customer'),
      measure('=Sum(Sales)'),
      measure('=Sum(Backlog)'),
      measure('=Date(Max(OrderDate))'),
      measure('=Max(OrderDate)', 'Last', 'DD/MM/YYYY'),
      measure('=Only(Country)'),
      { label: '', expr: { libraryId: 'meaMargin' }, kind: 'measure' as const },
    ]
    const table = await data.table({ columns, maxRows: 50 })
    expect(table.columns.map(({ type, format }) => [type, format])).toEqual([
      ['date', 'YYYY-MM-DD'],
      ['text', null],
      ['integer', null],
      ['text', null],
      ['number', null],
      ['integer', null],
      ['date', 'YYYY-MM-DD'],
      ['date', 'DD/MM/YYYY'],
      ['text', null],
      ['number', '0,0%'],
    ])
  })

  test('has totals of its measures when they are wanted', async () => {
    const { data } = await sales()
    const columns = [measure('=Sum(Sales)', 'Sales'), dimension('Region'), measure('=Count(Sales)', 'Orders')]
    const { totals } = await data.table({ columns, totals: true })
    const total = (await data.evaluate('=Sum(Sales)')).number
    expect(totals?.map(({ number }) => number)).toEqual([total!, null, 50_000])
    expect((await data.table({ columns })).totals).toBeNull()
  })

  test('may have no dimension', async () => {
    const { data } = await sales()
    const table = await data.table({ columns: [measure('=Count(distinct Region)', 'Regions')] })
    expect(await textsOf(table)).toEqual([['5']])
  })

  const mistakes: readonly { name: string; columns: TableRequest['columns']; message: string }[] = [
    { name: 'an unknown field', columns: [dimension('Regoin')], message: 'unknown field Regoin' },
    { name: 'an unknown field in an expression', columns: [measure('=Sum(Saels)')], message: 'unknown field Saels' },
    { name: 'an expression that cannot be parsed', columns: [measure('=Sum(')], message: '=Sum(: Error: ' },
    {
      name: 'an unknown master item',
      columns: [{ label: 'X', expr: { libraryId: 'meaNone' }, kind: 'measure' }],
      message: 'table: Measure meaNone is not in the library (engine error 7001)',
    },
  ]
  for (const { name, columns, message } of mistakes) {
    test(`with ${name} is refused, not empty`, async () => {
      const { data } = await sales()
      const failure = await data.table({ columns }).catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(EvaluationError)
      expect((failure as Error).message).toInclude(message)
      expect((await data.evaluate('=Count(Sales)')).number).toBe(50_000)
    })
  }

  test('can be read only while its selections are in force', async () => {
    const { open, data } = await sales()
    const table = await data.table({ columns: [dimension('Region')] })
    await data.within([{ field: 'Region', values: [{ text: 'Nordic', number: null }] }], async (inner) => {
      expect(await textsOf(await inner.table({ columns: [dimension('Region')] }))).toEqual([['Nordic']])
      await expect(rowsOf(table)).rejects.toThrow('other selections are in force')
    })
    expect(await textsOf(table)).toHaveLength(5)
    await open.apply([values('Region', ['Nordic'])])
    await expect(rowsOf(table)).rejects.toThrow('other selections are in force')
  })
})

describe('an object of the app', () => {
  test('is a table with its title, kind and properties', async () => {
    const { data } = await sales()
    const chart = await data.object('chSales')
    expect(chart).toMatchObject({ objectId: 'chSales', visualization: 'barchart', title: 'Sales by region' })
    expect(chart.table?.columns.map(({ label, type }) => [label, type])).toEqual([
      ['Region', 'text'],
      ['Sales', 'money'],
    ])
    const amounts = (await rowsOf(chart.table!)).map((row) => row[1]?.number ?? 0)
    expect(amounts).toEqual(amounts.toSorted((left, right) => right - left))
    expect((await data.object('chLinked')).title).toBe('Linked')
    expect((await data.object('fpMain')).table).toBeNull()
    const kpi = await data.object('kpBacklog', { totals: true })
    expect(kpi.table?.totals?.[0]?.number).toBe((await data.evaluate('=Sum(Backlog)')).number)
  })

  test('that is a pivot table becomes flat', async () => {
    const { data } = await sales()
    const { table, visualization } = await data.object('pvRegion')
    expect(visualization).toBe('pivot-table')
    expect(table).toMatchObject({ rows: 120, totalRows: 120 })
    expect((await rowsOf(table!))[0]).toHaveLength(3)
  })

  test('shows the columns of its order, without those that a condition hides', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const labels = async (vShowDetail: number) => {
      const variables = { clauses: [], variables: [{ name: 'vShowDetail', value: vShowDetail }] }
      const few = [values('Year', [2026]), values('Country', ['Sweden', 'Spain'])]
      const { data } = await open.apply([variables, ...few])
      const { table, title } = await data.object('tbOrders', { maxRows: 5, totals: true })
      expect(title).toBe('Orders of 2 countries')
      const [row] = await rowsOf(table!)
      expect(row).toHaveLength(table!.columns.length)
      expect(row?.at(0)?.text).toBe('2026-02-28')
      expect(table?.totals?.at(-1)?.number).toBe((await data.evaluate('=Sum(Backlog)')).number)
      return table?.columns.map(({ label }) => label)
    }
    expect(await labels(1)).toEqual(['OrderDate', 'Region', 'Customer', 'Sales', 'Cost', 'Backlog'])
    expect(await labels(0)).toEqual(['OrderDate', 'Region', 'Customer', 'Sales', 'Backlog'])
  })

  test('that does not exist stops the document', async () => {
    const { data } = await sales()
    expect(await failureOf(data.object('none'))).toBe(
      'OBJECT_NOT_FOUND: the app "Sales Dashboard" has no object "none"',
    )
  })

  test('with a calculation condition that is not met gives its message', async () => {
    const { data } = await sales()
    engine.faults.add({ listener: 'engine', mode: 'engine-error', args: [7005, 'Select one region', 'GetLayout'] })
    await expect(data.object('chSales')).rejects.toThrow('Select one region (engine error 7005)')
  })
})

describe('values', () => {
  test('are text and number; null is empty', async () => {
    const { data } = await sales()
    expect(await data.evaluate("='a' & 1")).toEqual({ text: 'a1', number: null })
    expect(await data.evaluate('Max(Year)')).toEqual({ text: '2026', number: 2026 })
    expect(await data.evaluate('=Only(Region)')).toEqual({ text: '', number: null })
    await expect(data.evaluate('=Sum(Saels)')).rejects.toThrow('=Sum(Saels): unknown field Saels')
    await expect(data.evaluate('=Sum(')).rejects.toThrow(EvaluationError)
  })

  test('names of variables are no unknown fields', async () => {
    const { data } = await sales()
    const table = await data
      .table({ columns: [dimension('Region'), measure('=Sum(Sales) * vFactor', 'X')] })
      .catch(String)
    expect(table).toInclude('unknown field vFactor')
    expect(await data.evaluate('=vYear + 1')).toEqual({ text: '2027', number: 2027 })
    expect((await data.evaluate('=vTarget')).number).toBeCloseTo((await data.evaluate('=Sum(Sales)')).number! * 1.1)
  })

  test('labels of fields, expressions and master items', async () => {
    const { data } = await sales()
    expect(await data.labelOf('Region')).toBe('Region')
    expect(await data.labelOf('=Sum(Sales)')).toBe('Sum(Sales)')
    expect(await data.labelOf({ libraryId: 'dimMonth' })).toBe('Month')
    expect(await data.labelOf({ libraryId: 'meaMargin' })).toBe('Margin')
    await expect(data.labelOf({ libraryId: 'none' })).rejects.toThrow('no master item "none"')
  })

  test('of a field beyond one page', async () => {
    const open = await engine.openData(ORDER_LINES)
    const { data } = await open.apply([values('Department', ['IT'])])
    const orders = await data.fieldValues('Order')
    expect(orders.length).toBe((await data.evaluate('=Count(Order)')).number!)
    expect(orders.length).toBeGreaterThan(30_000)
    expect(await failureOf(data.fieldValues('None'))).toStartWith('FILTER_FIELD_UNKNOWN')
  })
})

describe('large tables', () => {
  test('134,211 rows are cut with a warning, page by page', async () => {
    const open = await engine.openData(ORDER_LINES)
    const { data, unlimited } = await open.apply([])
    const { table } = await data.object('tbLines')
    expect(table).toMatchObject({ rows: 100_000, totalRows: 134_211 })
    expect(open.warnings).toEqual([{ code: 'ROWS_TRUNCATED', details: '100000 of 134211 rows' }])
    let rows = 0
    let last = ''
    for await (const page of table!.pages()) {
      expect(page.length).toBeLessThanOrEqual(1250)
      rows += page.length
      last = page.at(-1)?.[0]?.text ?? ''
    }
    expect([rows, last]).toEqual([100_000, 'O100000'])
    const { table: whole } = await unlimited.object('tbLines')
    expect([whole?.rows, open.warnings.length]).toEqual([134_211, 1])
  }, 60_000)

  test('300 columns fit into pages as well', async () => {
    const open = await engine.openData(BIG_NUMBERS)
    const { data } = await open.apply([])
    const { table } = await data.object('tbBig', { maxRows: 100 })
    const rows = await rowsOf(table!)
    expect([rows.length, rows[0]?.length, rows.at(-1)?.[0]?.text]).toEqual([100, 300, 'R00100'])
  })

  test('an engine that allows fewer cells gets smaller pages', async () => {
    const open = await engine.openData(ORDER_LINES)
    const { data } = await open.apply([])
    const columns = [dimension('Order'), measure('=Sum(Amount)', 'Amount')]
    const table = await data.table({ columns, maxRows: 12_000 })
    engine.faults.add({ listener: 'engine', mode: 'engine-max-cells', args: [3000] })
    const sizes: number[] = []
    for await (const page of table.pages()) sizes.push(page.length)
    // 5000 rows are halved until two columns fit into 3000 cells.
    expect(new Set(sizes.slice(0, -1))).toEqual(new Set([1250]))
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(12_000)
  })

  test('a row that is too large for the engine is an error, not a loop', async () => {
    const { data } = await sales()
    const table = await data.table({ columns: [dimension('Region'), dimension('Country')] })
    engine.faults.add({ listener: 'engine', mode: 'engine-max-cells', args: [1] })
    await expect(rowsOf(table)).rejects.toThrow('a single row is too large')
  })
})
