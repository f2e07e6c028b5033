/** Filters on the simulated engine: what they select, and that a filter which cannot be applied stops the document. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { AppliedFilter } from '../../../src/reports/data/index.ts'
import { failureOf, filter, type ReportEngine, startReportEngine, values } from '../../support/report-engine.ts'

const SALES_DASHBOARD = 2
const VARIABLE = 'vShowDetail'
let engine: ReportEngine

beforeAll(async () => {
  engine = await startReportEngine()
})
afterEach(() => engine.faults.clear())
afterAll(() => engine.stop())

async function applied(...filters: readonly AppliedFilter[]) {
  const open = await engine.openData(SALES_DASHBOARD)
  const { data } = await open.apply(filters)
  const regions = (await data.fieldValues('Region')).map(({ text }) => text)
  return { data, regions, warnings: open.warnings, filterText: data.filterText }
}

const refused = async (...filters: readonly AppliedFilter[]) => {
  const open = await engine.openData(SALES_DASHBOARD)
  return failureOf(open.apply(filters))
}

describe('values that clauses allow', () => {
  const cases: readonly { name: string; filters: AppliedFilter[]; regions: string[]; text: string }[] = [
    { name: 'no filter', filters: [], regions: ['Nordic', 'DACH', 'UK & Ireland', 'Benelux', 'Iberia'], text: '' },
    {
      name: 'values',
      filters: [values('Region', ['Iberia', 'Nordic'])],
      regions: ['Nordic', 'Iberia'],
      text: 'Region: Nordic, Iberia',
    },
    {
      name: 'clauses of several filters on one field intersect',
      filters: [values('Region', ['Iberia', 'Nordic']), values('Region', ['Nordic', 'DACH'])],
      regions: ['Nordic'],
      text: 'Region: Nordic',
    },
    {
      name: 'excluded values',
      filters: [values('Region', ['Iberia', 'Nordic'], { exclude: true })],
      regions: ['DACH', 'UK & Ireland', 'Benelux'],
      text: 'Region: DACH, UK & Ireland, Benelux',
    },
    {
      name: 'included without excluded values',
      filters: [values('Region', ['Iberia', 'Nordic']), values('Region', ['Nordic'], { exclude: true })],
      regions: ['Iberia'],
      text: 'Region: Iberia',
    },
    {
      name: 'a search string',
      filters: [filter({ type: 'search', field: 'Region', search: '*ic' })],
      regions: ['Nordic'],
      text: 'Region: Nordic',
    },
    {
      name: 'an excluded search string',
      filters: [filter({ type: 'search', field: 'Region', search: '*i*', exclude: true })],
      regions: ['DACH', 'Benelux'],
      text: 'Region: DACH, Benelux',
    },
    {
      name: 'a search by expression under the bookmark',
      filters: [
        filter(
          { type: 'bookmark', bookmarkId: 'bm1' },
          { type: 'search', field: 'Country', search: "=Region='Benelux'" },
        ),
      ],
      regions: ['Benelux'],
      text: 'Region: Nordic, Benelux; Country: Netherlands, Belgium, Luxembourg',
    },
    {
      name: 'a numeric range',
      filters: [filter({ type: 'search', field: 'Year', search: '>=2025<2026' })],
      regions: ['Nordic', 'DACH', 'UK & Ireland', 'Benelux', 'Iberia'],
      text: 'Year: 2025',
    },
    {
      name: 'an expression with several values',
      filters: [filter({ type: 'expression', field: 'Region', expr: "='Iberia; DACH;'" })],
      regions: ['DACH', 'Iberia'],
      text: 'Region: DACH, Iberia',
    },
    {
      name: 'an expression with a number',
      filters: [filter({ type: 'expression', field: 'Year', expr: '=Max(Year)-1' })],
      regions: ['Nordic', 'DACH', 'UK & Ireland', 'Benelux', 'Iberia'],
      text: 'Year: 2025',
    },
    {
      name: 'a bookmark, narrowed by values',
      filters: [values('Region', ['Nordic', 'DACH'], {}), filter({ type: 'bookmark', bookmarkId: 'bm1' })],
      regions: ['Nordic'],
      text: 'Region: Nordic',
    },
    {
      name: 'days of last month',
      filters: [filter({ type: 'date', field: 'OrderDate', preset: 'lastMonth' })],
      regions: ['Nordic', 'DACH', 'UK & Ireland', 'Benelux', 'Iberia'],
      text: 'OrderDate: 2026-02-01 – 2026-02-28 (28 values)',
    },
    {
      name: 'values of two fields of which some exclude each other',
      filters: [values('Region', ['Nordic']), values('Country', ['Sweden', 'Germany'])],
      regions: ['Nordic'],
      text: 'Region: Nordic; Country: Sweden, Germany',
    },
  ]
  for (const { name, filters, regions, text } of cases) {
    test(name, async () => {
      const result = await applied(...filters)
      expect(result.regions).toEqual(regions)
      expect(result.filterText).toBe(text)
      expect(result.warnings).toEqual([])
    })
  }

  test('numbers select by number, texts by text', async () => {
    const { data } = await applied(values('Year', [2024, '2026']))
    expect((await data.fieldValues('Year')).map(({ number }) => number)).toEqual([2024, 2026])
    const { data: exact } = await applied(values('Country', ['Sweden', 'Germany']), values('Region', ['Nordic']))
    expect((await exact.evaluate("=Concat(distinct Country, ';')")).text).toBe('Sweden')
  })

  test('values that are not required may be missing', async () => {
    const { regions, warnings } = await applied(values('Region', ['Nordic', 'Norrd', 'Sodr'], { required: false }))
    expect(regions).toEqual(['Nordic'])
    expect(warnings).toEqual([{ code: 'FILTER_VALUE_DROPPED', details: 'Region: Norrd, Sodr' }])
  })

  test('variables hold for one document', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const variables = [
      { name: 'vCurrency', value: 'SEK' },
      { name: 'vYear', value: 2024 },
    ]
    const first = await open.apply([{ clauses: [], variables }])
    expect((await first.data.evaluate("='$(vCurrency)' & ($(vYear) + 1)")).text).toBe('SEK2025')
    const second = await open.apply([])
    expect((await second.data.evaluate("='$(vCurrency)' & ($(vYear) + 1)")).text).toBe('EUR2027')
  })
})

describe('filters that stop the document', () => {
  const cases: readonly { name: string; filters: AppliedFilter[]; failure: string }[] = [
    {
      name: 'a misspelt value',
      filters: [values('Region', ['Nordic', 'Norrd'])],
      failure: 'FILTER_VALUE_UNKNOWN: Region: Norrd',
    },
    {
      name: 'a misspelt value to exclude',
      filters: [values('Region', ['Norrd'], { exclude: true })],
      failure: 'FILTER_VALUE_UNKNOWN: Region: Norrd',
    },
    {
      name: 'a number that does not occur',
      filters: [values('Year', [1999])],
      failure: 'FILTER_VALUE_UNKNOWN: Year: 1999',
    },
    {
      name: 'no value left, though none is required',
      filters: [values('Region', ['Norrd'], { required: false })],
      failure: 'FILTER_EMPTY: Region: Norrd',
    },
    {
      name: 'filters without a common value',
      filters: [values('Region', ['Nordic']), values('Region', ['DACH'])],
      failure: 'FILTER_EMPTY: Region: Nordic and DACH',
    },
    {
      name: 'everything excluded',
      filters: [values('Year', [2024, 2025, 2026], { exclude: true })],
      failure: 'FILTER_EMPTY: Year: not 2024, 2025, 2026',
    },
    {
      name: 'a search without a find',
      filters: [filter({ type: 'search', field: 'Region', search: '*xyz*' })],
      failure: 'FILTER_EMPTY: Region: *xyz*',
    },
    {
      name: 'a search that excludes nothing, as one with a mistake does',
      filters: [filter({ type: 'search', field: 'Region', search: '=Sum(Saels)>0', exclude: true })],
      failure: 'FILTER_EMPTY: Region: =Sum(Saels)>0 finds nothing to exclude',
    },
    {
      name: 'days without data',
      filters: [filter({ type: 'date', field: 'OrderDate', preset: 'today' })],
      failure: 'FILTER_EMPTY: OrderDate: today',
    },
    {
      name: 'days without a number of them',
      filters: [filter({ type: 'date', field: 'OrderDate', preset: 'lastNDays' })],
      failure: 'FILTER_FAILED: OrderDate: lastNDays needs n',
    },
    {
      name: 'fields that exclude each other',
      filters: [values('Region', ['Nordic']), values('Country', ['Germany', 'Spain'])],
      failure: 'FILTER_CONTRADICTION: Country: none of its values goes with Region',
    },
    {
      name: 'an unknown field',
      filters: [values('Regoin', ['Nordic'])],
      failure: 'FILTER_FIELD_UNKNOWN: the app "Sales Dashboard" has no field "Regoin"',
    },
    {
      name: 'two bookmarks',
      filters: [filter({ type: 'bookmark', bookmarkId: 'bm1' }), filter({ type: 'bookmark', bookmarkId: 'bm2' })],
      failure: 'FILTER_TWO_BOOKMARKS: bm1, bm2',
    },
    {
      name: 'an unknown bookmark',
      filters: [filter({ type: 'bookmark', bookmarkId: 'bm9' })],
      failure: 'FILTER_FAILED: bookmark "bm9": the app "Sales Dashboard" has no such bookmark',
    },
    {
      name: 'an unknown variable',
      filters: [{ clauses: [], variables: [{ name: 'vNone', value: 1 }] }],
      failure: 'FILTER_FAILED: the app "Sales Dashboard" has no variable "vNone"',
    },
    {
      name: 'an expression with a mistake',
      filters: [filter({ type: 'expression', field: 'Region', expr: '=Max(Regoin)' })],
      failure: 'FILTER_FAILED: =Max(Regoin): unknown field Regoin',
    },
    {
      name: 'an expression without a value',
      filters: [filter({ type: 'expression', field: 'Region', expr: "=''" })],
      failure: "FILTER_EMPTY: Region: =''",
    },
    {
      name: 'an expression with an unknown value',
      filters: [filter({ type: 'expression', field: 'Region', expr: "='Norrd;Nordic'" })],
      failure: 'FILTER_VALUE_UNKNOWN: Region: Norrd',
    },
  ]
  for (const { name, filters, failure } of cases) {
    test(name, async () => {
      expect(await refused(...filters)).toBe(failure)
    })
  }

  test('a call that the engine refuses', async () => {
    engine.faults.add({ listener: 'engine', mode: 'engine-error', args: [7003, 'Too large', 'SelectValues'] })
    expect(await refused(values('Region', ['Nordic']))).toBe('FILTER_FAILED: Too large (engine error 7003)')
  })

  test('after a failure nothing can be read under the former selections', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const { data } = await open.apply([values('Region', ['Nordic'])])
    await failureOf(open.apply([values('Region', ['Norrd'])]))
    await expect(data.evaluate('=Sum(Sales)')).rejects.toThrow('other selections are in force')
  })
})

describe('further selections', () => {
  test('narrow the data and leave it as it was', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const { data } = await open.apply([values('Region', ['Nordic', 'Iberia'])])
    const before = (await data.evaluate('=Sum(Sales)')).number
    const seen: string[] = []
    for (const region of await data.fieldValues('Region')) {
      await data.within([{ field: 'Region', values: [region] }], async (inner) => {
        for (const year of await inner.fieldValues('Year')) {
          const text = await inner.within([{ field: 'Year', values: [year] }], async (deep) => {
            expect(await deep.fieldValues('Region')).toEqual([region])
            return deep.filterText
          })
          seen.push(text)
        }
        expect((await inner.fieldValues('Year')).length).toBe(3)
      })
    }
    expect(seen).toEqual([
      'Region: Nordic; Year: 2024',
      'Region: Nordic; Year: 2025',
      'Region: Nordic; Year: 2026',
      'Region: Iberia; Year: 2024',
      'Region: Iberia; Year: 2025',
      'Region: Iberia; Year: 2026',
    ])
    expect((await data.evaluate('=Sum(Sales)')).number).toBe(before)
    expect(await data.fieldValues('Region')).toHaveLength(2)
  })

  test('never widen', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const { data } = await open.apply([values('Region', ['Nordic'])])
    const other = [{ field: 'Region', values: [{ text: 'Iberia', number: null }] }]
    expect(await failureOf(data.within(other, async () => 'made'))).toBe('FILTER_EMPTY: Region: Iberia')
    const unknown = [{ field: 'Country', values: [{ text: 'Atlantis', number: null }] }]
    expect(await failureOf(data.within(unknown, async () => 'made'))).toBe('FILTER_VALUE_UNKNOWN: Country: Atlantis')
    const foreign = [{ field: 'Country', values: [{ text: 'Spain', number: null }] }]
    expect(await failureOf(data.within(foreign, async () => 'made'))).toStartWith('FILTER_CONTRADICTION: Country')
    expect((await data.fieldValues('Region')).map(({ text }) => text)).toEqual(['Nordic'])
  })

  test('are restored after a failure of the work, and keep other reads out meanwhile', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const { data } = await open.apply([])
    const nordic = [{ field: 'Region', values: [{ text: 'Nordic', number: null }] }]
    const failing = data.within(nordic, async () => {
      await data.evaluate('=Sum(Sales)')
    })
    await expect(failing).rejects.toThrow('other selections are in force')
    expect(await data.fieldValues('Region')).toHaveLength(5)
  })

  test('of a cycle are part of the document', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const cycle = [{ field: 'Region', values: [{ text: 'DACH', number: null }] }]
    const { data } = await open.apply([filter({ type: 'bookmark', bookmarkId: 'bm2' })], cycle)
    expect(data.filterText).toBe('Month: 2026-02; Region: DACH')
    expect((await data.evaluate('=Only(RegionManagerMail)')).text).toBe('dieter@acme.example')
  })
})

describe('documents of one session', () => {
  const callsOf = async (work: () => Promise<unknown>): Promise<Readonly<Record<string, number>>> => {
    const before = new Map(engine.engine.calls)
    await work()
    const changed = [...engine.engine.calls].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)
    return Object.fromEntries(changed.filter(([, count]) => count > 0))
  }
  const region = (text: string) => [{ field: 'Region', values: [{ text, number: null }] }]

  test('look up the values of a filter and of a cycle once', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const filters = [values('Year', [2025]), values('Region', ['Nordic', 'DACH'])]
    const first = await callsOf(() => open.apply(filters, region('Nordic')))
    const second = await callsOf(() => open.apply(filters, region('DACH')))
    expect(first.SelectValues).toBe(2)
    // Each of the two fields is selected and read back.
    expect(second).toEqual({ ClearAll: 1, SelectListObjectValues: 2, GetLayout: 3, GetListObjectData: 3 })
    const { data } = await open.apply(filters, region('DACH'))
    expect(data.filterText).toBe('Year: 2025; Region: DACH')
    expect((await data.fieldValues('Year')).map(({ text }) => text)).toEqual(['2025'])
  })

  test('search anew, because a reload may change what is found, and warn each', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const search = [filter({ type: 'search', field: 'Region', search: '*ic' })]
    await open.apply(search)
    expect((await callsOf(() => open.apply(search))).Select).toBe(1)
    const misspelt = [values('Region', ['Nordic', 'Norrd'], { required: false })]
    for (const _ of [1, 2]) await open.apply(misspelt)
    expect(open.warnings.map(({ code }) => code)).toEqual(['FILTER_VALUE_DROPPED', 'FILTER_VALUE_DROPPED'])
  })

  test('get the variables of a filter set back also when the next filter is known', async () => {
    const open = await engine.openData(SALES_DASHBOARD)
    const plain = [values('Region', ['Nordic'])]
    await open.apply(plain)
    const { variables: _, ...clauses } = plain[0]!
    await open.apply([{ ...clauses, variables: [{ name: VARIABLE, value: 'changed' }] }])
    const { unlimited } = await open.apply(plain)
    expect((await unlimited.variable(VARIABLE)).text).not.toBe('changed')
  })
})
