/** Whichever clauses come together: the result is what every one of them allows, or the document stops. */
import { afterAll, beforeAll, expect, test } from 'bun:test'
import fc from 'fast-check'
import { ReportError } from '../../../src/reports/codes.ts'
import type { AppliedFilter, OpenData } from '../../../src/reports/data/index.ts'
import { filter, type ReportEngine, startReportEngine, values } from '../../support/report-engine.ts'

const SALES_DASHBOARD = 2
let engine: ReportEngine
let open: OpenData

beforeAll(async () => {
  engine = await startReportEngine()
  open = await engine.openData(SALES_DASHBOARD)
})
afterAll(() => engine.stop())

/** Countries by region, as the data set has them. */
const COUNTRIES: Readonly<Record<string, readonly string[]>> = {
  Nordic: ['Sweden', 'Norway', 'Denmark', 'Finland'],
  DACH: ['Germany', 'Austria', 'Switzerland'],
  'UK & Ireland': ['United Kingdom', 'Ireland'],
  Benelux: ['Netherlands', 'Belgium', 'Luxembourg'],
  Iberia: ['Spain', 'Portugal'],
}
const REGIONS = Object.keys(COUNTRIES)
const ALL = Object.values(COUNTRIES).flat()

interface Case {
  readonly filter: AppliedFilter
  /** Whether the clause lets a country of a region pass. */
  readonly allows: (region: string, country: string) => boolean
}

const some = (list: readonly string[]) => fc.subarray([...list], { minLength: 1, maxLength: 4 })
const clause: fc.Arbitrary<Case> = fc.oneof(
  fc.tuple(some(REGIONS), fc.boolean()).map(([list, exclude]) => ({
    filter: values('Region', list, { exclude }),
    allows: (region: string) => list.includes(region) !== exclude,
  })),
  fc.tuple(some(ALL), fc.boolean()).map(([list, exclude]) => ({
    filter: values('Country', list, { exclude }),
    allows: (_region: string, country: string) => list.includes(country) !== exclude,
  })),
  fc.tuple(fc.constantFrom('a', 'e', 'land', 'ur'), fc.boolean()).map(([part, exclude]) => ({
    filter: filter({ type: 'search', field: 'Country', search: `*${part}*`, exclude }),
    allows: (_region: string, country: string) => country.toLowerCase().includes(part) !== exclude,
  })),
  some(REGIONS).map((list) => ({
    filter: filter({ type: 'expression', field: 'Region', expr: `='${list.join(';')}'` }),
    allows: (region: string) => list.includes(region),
  })),
  fc.constant({
    filter: filter({ type: 'bookmark', bookmarkId: 'bm1' }),
    allows: (region: string) => region === 'Nordic' || region === 'Benelux',
  }),
)

test('countries of the data are those that every clause allows', async () => {
  let stopped = 0
  let made = 0
  await fc.assert(
    fc.asyncProperty(fc.array(clause, { minLength: 1, maxLength: 5 }), async (cases) => {
      const expected = REGIONS.flatMap((region) =>
        (COUNTRIES[region] ?? []).filter((country) => cases.every(({ allows }) => allows(region, country))),
      )
      try {
        const { data } = await open.apply(cases.map((one) => one.filter))
        const { text } = await data.evaluate("=Concat(distinct Country, ';')")
        expect(text.split(';').toSorted()).toEqual(expected.toSorted())
        made += 1
      } catch (error) {
        if (!(error instanceof ReportError)) throw error
        expect(expected).toEqual([])
        expect(['FILTER_EMPTY', 'FILTER_CONTRADICTION']).toContain(error.code)
        stopped += 1
      }
    }),
    { numRuns: 60 },
  )
  expect([made > 5, stopped > 5]).toEqual([true, true])
}, 60_000)
