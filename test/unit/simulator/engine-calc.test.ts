import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type CalcContext, evaluate, expandDollars } from '../../../simulator/engine/calc/evaluate.ts'
import { ExpressionError, parseExpression } from '../../../simulator/engine/calc/parse.ts'
import { createDataModel, numberColumn, presentCodes, textColumn } from '../../../simulator/engine/data.ts'
import { calculateCube } from '../../../simulator/engine/layout/cube.ts'
import { straightPages } from '../../../simulator/engine/layout/pages.ts'
import { createSelections } from '../../../simulator/engine/selections.ts'

interface Row {
  /** Index of the region; -1 is null. */
  readonly region: number
  readonly product: number
  readonly amount: number
}

const REGIONS = ['North', 'South', 'East']
const PRODUCTS = ['Apple', 'Pear']

function contextOf(rows: readonly Row[], variables: Readonly<Record<string, string>> = {}): CalcContext {
  const model = createDataModel([
    {
      name: 'Orders',
      rowCount: rows.length,
      columns: [
        textColumn('Region', REGIONS, (row) => rows[row]?.region ?? -1),
        textColumn('Product', PRODUCTS, (row) => rows[row]?.product ?? -1),
        numberColumn('Amount', { cardinal: 1_001 }, (row) => rows[row]?.amount ?? -1),
      ],
    },
    { name: 'Rates', rowCount: 3, columns: [numberColumn('Rate', { cardinal: 3, offset: 1 }, (row) => row)] },
  ])
  return {
    model,
    selections: createSelections(model),
    now: Date.UTC(2026, 2, 2, 6),
    reloadTime: Date.UTC(2026, 2, 1, 6),
    variable: (name) => variables[name] ?? null,
    valueCounts: () => ({ selected: 1, possible: 2 }),
  }
}

const FIXED: readonly Row[] = [
  { region: 0, product: 0, amount: 10 },
  { region: 0, product: 1, amount: 30 },
  { region: 1, product: 0, amount: 5 },
  { region: -1, product: 1, amount: 55 },
]

describe('expressions', () => {
  test.each([
    ['Sum(Amount)', 100],
    ['=Sum(Amount) / Count(Amount)', 25],
    ['Avg(Amount)', 25],
    ['Min(Amount) + Max(Amount)', 60],
    ['Count(Region)', 3],
    ['Count(distinct Region)', 2],
    ['Count(DISTINCT [Product])', 2],
    ['Sum(Amount * 2 + 1)', 204],
    ['-Sum(Amount)', -100],
    ['Sum(Amount) > 0', -1],
    ['Sum(Amount) > 0 and 1 = 2', 0],
    ['not 0', -1],
    ['If(Sum(Amount) > 50, 1, 2)', 1],
    ['Round(Sum(Amount) / 3, 0.1)', 33.3],
    ['2 + 3 * 4 - 6 / 2', 11],
    ["Sum({<Region={'North'}>} Amount)", 40],
    ["Sum({1<Region={'North'}, Product={'Pear'}>} Amount)", 30],
    ["Sum({$<Region-={'North'}>} Amount)", 5],
    ['Sum({<Amount={">=10<50"}>} Amount)', 40],
    ['Sum({<Product={"P*"}>} Amount)', 85],
    ['Sum(Rate)', 6],
    ['Max(Unknown)', null],
    ['Sum(Unknown)', 0],
    ['1 / 0', null],
    ['Year(Today())', 2026],
    ['GetPossibleCount(Region)', 2],
  ])('%s', (source, expected) => {
    expect(evaluate(source, contextOf(FIXED))?.num ?? null).toBe(expected)
  })

  test('texts', () => {
    const context = contextOf(FIXED)
    expect(evaluate("Concat(distinct Region, ';')", context)?.text).toBe('North;South')
    expect(evaluate("'a' & Count(Amount) & 'b'", context)?.text).toBe('a4b')
    expect(evaluate('Only(Region)', context)).toBeNull()
    expect(evaluate('Region', context)).toBeNull()
    expect(evaluate('Date(Today())', context)?.text).toBe('2026-03-02')
    expect(evaluate("Num(Sum(Amount), '#,##0.00')", context)?.text).toBe('100.00')
  })

  test('dollar expansion', () => {
    const context = contextOf(FIXED, { vField: 'Amount', vSum: '=Sum($(vField))', vYear: '2026' })
    expect(evaluate('$(vSum) * 2', context)?.num).toBe(200)
    expect(evaluate('$(vYear) + 1', context)?.num).toBe(2027)
    expect(expandDollars('x $(=Sum(Amount)+1) y $(none)', context)).toBe('x 101 y ')
  })

  test.each(['', 'Sum(', 'Sum(Amount', '1 +', 'Foo(1)', 'a b', '?', 'Sum({<Region>} Amount)', 'Sum(Sum(Amount))'])(
    'refuses %p',
    (source) => {
      expect(() => evaluate(source, contextOf(FIXED))).toThrow(ExpressionError)
    },
  )

  test('never throws anything else, whatever it is given', () => {
    const words = fc.constantFrom(
      'Sum',
      '(',
      ')',
      'Amount',
      '+',
      '-',
      '{',
      '}',
      '<',
      '=',
      "'x'",
      '[',
      ']',
      '1.5',
      ',',
      ' ',
      'é',
    )
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words).map((parts) => parts.join('')),
        ),
        (source) => {
          try {
            parseExpression(source)
          } catch (error) {
            expect(error).toBeInstanceOf(ExpressionError)
          }
        },
      ),
    )
  })
})

const rowsArbitrary = fc.array(
  fc.record({
    region: fc.integer({ min: -1, max: REGIONS.length - 1 }),
    product: fc.integer({ min: 0, max: PRODUCTS.length - 1 }),
    amount: fc.integer({ min: 0, max: 1_000 }),
  }),
  { maxLength: 60 },
)

describe('selections', () => {
  test('aggregations see exactly the rows that fit the selections', () => {
    fc.assert(
      fc.property(
        rowsArbitrary,
        fc.uniqueArray(fc.integer({ min: 0, max: 2 }), { minLength: 1 }),
        fc.uniqueArray(fc.integer({ min: 0, max: 1 }), { minLength: 1 }),
        (rows, regions, products) => {
          const context = contextOf(rows)
          context.selections.select('Region', regions)
          context.selections.select('Product', products)
          const kept = rows.filter((row) => regions.includes(row.region) && products.includes(row.product))
          const amounts = kept.map((row) => row.amount)
          const total = amounts.reduce((sum, amount) => sum + amount, 0)
          expect(evaluate('Sum(Amount)', context)?.num).toBe(total)
          expect(evaluate('Count(Amount)', context)?.num).toBe(kept.length)
          expect(evaluate('Max(Amount)', context)?.num ?? null).toBe(kept.length ? Math.max(...amounts) : null)
          expect(evaluate('Avg(Amount)', context)?.num ?? null).toBe(kept.length ? total / kept.length : null)
          expect(evaluate('Sum({1} Amount)', context)?.num).toBe(rows.reduce((sum, row) => sum + row.amount, 0))
        },
      ),
    )
  })

  test('states: selected, alternative, excluded', () => {
    const { model, selections } = contextOf(FIXED)
    const region = model.field('Region')!
    expect([...presentCodes(region)]).toEqual([1, 1, 0])
    expect(selections.states(region)).toEqual(['O', 'O', null])
    selections.select('Region', [0])
    expect(selections.states(region)).toEqual(['S', 'A', null])
    selections.select('Product', [1])
    expect(selections.states(region)).toEqual(['S', 'X', null])
    selections.clear('Region')
    expect(selections.states(region)).toEqual(['O', 'X', null])
    selections.lock('Product', true)
    expect(selections.select('Product', [0])).toBe(false)
    expect(selections.states(model.field('Product')!)).toEqual(['A', 'L'])
    selections.clearAll(false)
    expect(selections.current().size).toBe(1)
    selections.clearAll(true)
    expect(selections.current().size).toBe(0)
  })

  test('toggling twice changes nothing', () => {
    const { selections } = contextOf(FIXED)
    selections.select('Region', [0, 1], true)
    expect([...selections.current().get('Region')!]).toEqual([0, 1])
    selections.select('Region', [0, 1], true)
    expect(selections.current().has('Region')).toBe(false)
  })
})

const NO_LIBRARY = { dimension: () => null, measure: () => null }
const dimension = (field: string, sort = {}, more = {}) => ({
  qDef: { qFieldDefs: [field], qSortCriterias: [sort] },
  ...more,
})
const measure = (expression: string, sort = 0) => ({
  qDef: { qDef: expression },
  qSortBy: { qSortByNumeric: sort },
})

function tableOf(definition: Record<string, unknown>, context: CalcContext): string[][] {
  const cube = calculateCube(definition, NO_LIBRARY, context)
  const area = { qLeft: 0, qTop: 0, qWidth: 100, qHeight: 100 }
  return straightPages(cube, [area], context)[0]!.qMatrix.map((row) => row.map((cell) => cell.qText))
}

describe('hypercubes', () => {
  test('group by every dimension, nulls included or not', () => {
    const context = contextOf(FIXED)
    const definition = { qDimensions: [dimension('Region')], qMeasures: [measure('Sum(Amount)')] }
    expect(tableOf(definition, context)).toEqual([
      ['North', '40'],
      ['South', '5'],
      ['-', '55'],
    ])
    const suppressed = { ...definition, qDimensions: [dimension('Region', {}, { qNullSuppression: true })] }
    expect(tableOf(suppressed, context)).toEqual([
      ['North', '40'],
      ['South', '5'],
    ])
  })

  test('the sums of the groups make the total', () => {
    fc.assert(
      fc.property(rowsArbitrary, (rows) => {
        const context = contextOf(rows)
        const cube = calculateCube(
          { qDimensions: [dimension('Region'), dimension('Product')], qMeasures: [measure('Sum(Amount)')] },
          NO_LIBRARY,
          context,
        )
        let sum = 0
        for (let row = 0; row < cube.rowCount; row++) sum += cube.value(row, 0)?.num ?? 0
        expect(sum).toBe(cube.total(0)?.num ?? Number.NaN)
        expect(cube.rowCount).toBe(new Set(rows.map((row) => `${row.region},${row.product}`)).size)
      }),
    )
  })

  test('sorts by measures and by text, as the order of the columns says', () => {
    const context = contextOf(FIXED)
    const byAmount = {
      qDimensions: [dimension('Region')],
      qMeasures: [measure('Sum(Amount)', 1)],
      qInterColumnSortOrder: [1, 0],
    }
    expect(tableOf(byAmount, context).map(([name]) => name)).toEqual(['South', 'North', '-'])
    const byName = { qDimensions: [dimension('Product', { qSortByAscii: -1 })], qMeasures: [] }
    expect(tableOf(byName, context)).toEqual([['Pear'], ['Apple']])
  })

  test('leaves out zero and missing rows when asked', () => {
    const context = contextOf([...FIXED, { region: 2, product: 0, amount: 0 }])
    const base = {
      qDimensions: [dimension('Region', {}, { qNullSuppression: true })],
      qMeasures: [measure('Sum(Amount)')],
    }
    expect(tableOf(base, context).length).toBe(3)
    expect(tableOf({ ...base, qSuppressZero: true }, context).length).toBe(2)
    const missing = { ...base, qMeasures: [measure('Only(Product)')] }
    expect(tableOf(missing, context).length).toBe(3)
    expect(tableOf({ ...missing, qSuppressMissing: true }, context).map(([name]) => name)).toEqual(['South', 'East'])
  })

  test('total ignores the dimension, a set ignores the selection', () => {
    const context = contextOf(FIXED)
    context.selections.select('Region', [0])
    const definition = {
      qDimensions: [dimension('Product')],
      qMeasures: [measure('Sum(total Amount)'), measure('Sum({1} Amount)')],
    }
    expect(tableOf(definition, context)).toEqual([
      ['Apple', '40', '15'],
      ['Pear', '40', '85'],
    ])
  })

  test('calculated dimensions and column order', () => {
    const context = contextOf(FIXED)
    const definition = {
      qDimensions: [dimension("=If(Amount >= 30, 'big', 'small')")],
      qMeasures: [measure('Count(Amount)')],
      qColumnOrder: [1, 0],
    }
    expect(tableOf(definition, context)).toEqual([
      ['2', 'small'],
      ['2', 'big'],
    ])
  })

  test('errors stay inside of the cube', () => {
    const context = contextOf(FIXED)
    const bad = calculateCube({ qDimensions: [dimension('Nowhere')], qMeasures: [] }, NO_LIBRARY, context)
    expect(bad.error?.qErrorCode).toBe(7000)
    const missing = calculateCube({ qDimensions: [{ qLibraryId: 'x' }], qMeasures: [] }, NO_LIBRARY, context)
    expect(missing.error?.qErrorCode).toBe(7001)
    const condition = { qCalcCondition: { qCond: { qv: 'Sum(Amount) > 1000' }, qMsg: { qv: 'Select less' } } }
    const refused = calculateCube({ qDimensions: [dimension('Region')], ...condition }, NO_LIBRARY, context)
    expect(refused.error).toEqual({ qErrorCode: 7005, qExtendedMessage: 'Select less' })
    expect(refused.conditionMessage).toBe('Select less')
    const hidden = {
      qDimensions: [dimension('Region'), dimension('Product', {}, { qCalcCondition: { qCond: { qv: '1=2' } } })],
      qMeasures: [measure('Sum(Amount)')],
    }
    expect(tableOf(hidden, context)[0]).toEqual(['North', '40'])
  })
})
