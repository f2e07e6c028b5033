/** Days of date filters: presets, zones, changes of the clock. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { daysOf } from '../../../src/reports/data/dates.ts'

/** Serial number of Qlik as a date, written with the epoch of the engine: day 0 is 1899-12-30. */
const iso = (serial: number) => new Date(Date.UTC(1899, 11, 30) + serial * 86_400_000).toISOString().slice(0, 10)

const range = (preset: Parameters<typeof daysOf>[0]['preset'], now: string, timezone = 'UTC', n?: number) => {
  const { from, to } = daysOf({ preset, ...(n === undefined ? {} : { n }) }, new Date(now), timezone)
  return [iso(from), iso(to)]
}

test('serial numbers are those of Qlik', () => {
  // 45982 is 2025-11-21 in a Qlik date field.
  expect(daysOf({ preset: 'today' }, new Date('2025-11-21T12:00:00Z'), 'UTC')).toEqual({ from: 45_982, to: 45_983 })
})

describe('presets on Friday 2025-11-21', () => {
  test.each([
    ['today', '2025-11-21', '2025-11-22'],
    ['yesterday', '2025-11-20', '2025-11-21'],
    ['thisWeek', '2025-11-17', '2025-11-24'],
    ['lastWeek', '2025-11-10', '2025-11-17'],
    ['thisMonth', '2025-11-01', '2025-12-01'],
    ['lastMonth', '2025-10-01', '2025-11-01'],
    ['thisQuarter', '2025-10-01', '2026-01-01'],
    ['lastQuarter', '2025-07-01', '2025-10-01'],
    ['thisYear', '2025-01-01', '2026-01-01'],
    ['lastYear', '2024-01-01', '2025-01-01'],
    ['monthToDate', '2025-11-01', '2025-11-22'],
    ['yearToDate', '2025-01-01', '2025-11-22'],
  ] as const)('%s is %s until before %s', (preset, from, to) => {
    expect(range(preset, '2025-11-21T12:00:00Z')).toEqual([from, to])
  })

  test.each([
    [1, '2025-11-21'],
    [7, '2025-11-15'],
    [365, '2024-11-22'],
  ])('the last %d days begin on %s and end with today', (n, from) => {
    expect(range('lastNDays', '2025-11-21T12:00:00Z', 'UTC', n)).toEqual([from, '2025-11-22'])
  })
})

describe('edges of the calendar', () => {
  test.each([
    ['thisWeek', '2025-11-17T00:00:00Z', '2025-11-17', '2025-11-24'],
    ['thisWeek', '2025-11-23T23:59:59Z', '2025-11-17', '2025-11-24'],
    ['lastWeek', '2026-01-01T08:00:00Z', '2025-12-22', '2025-12-29'],
    ['lastMonth', '2026-01-15T08:00:00Z', '2025-12-01', '2026-01-01'],
    ['lastMonth', '2024-03-31T08:00:00Z', '2024-02-01', '2024-03-01'],
    ['lastQuarter', '2026-02-10T08:00:00Z', '2025-10-01', '2026-01-01'],
    ['monthToDate', '2026-03-01T08:00:00Z', '2026-03-01', '2026-03-02'],
    ['yearToDate', '2024-02-29T08:00:00Z', '2024-01-01', '2024-03-01'],
    ['yesterday', '2024-03-01T08:00:00Z', '2024-02-29', '2024-03-01'],
  ] as const)('%s at %s is %s until before %s', (preset, now, from, to) => {
    expect(range(preset, now)).toEqual([from, to])
  })
})

describe('time zones', () => {
  test.each([
    ['Europe/Stockholm', '2025-11-20T23:30:00Z', '2025-11-21'],
    ['Europe/Stockholm', '2025-11-20T22:30:00Z', '2025-11-20'],
    // Summer time: two hours.
    ['Europe/Stockholm', '2025-07-20T22:30:00Z', '2025-07-21'],
    ['America/Los_Angeles', '2025-11-21T07:59:00Z', '2025-11-20'],
    ['Pacific/Auckland', '2025-11-20T11:00:00Z', '2025-11-21'],
    ['Asia/Kolkata', '2025-11-20T18:30:00Z', '2025-11-21'],
    ['Pacific/Kiritimati', '2025-12-31T10:00:00Z', '2026-01-01'],
    // The clock goes from 02:00 to 03:00, and back from 03:00 to 02:00.
    ['Europe/Stockholm', '2026-03-29T00:59:59Z', '2026-03-29'],
    ['Europe/Stockholm', '2026-03-28T22:59:59Z', '2026-03-28'],
    ['Europe/Stockholm', '2026-10-24T22:00:00Z', '2026-10-25'],
    ['Europe/Stockholm', '2026-10-25T22:59:59Z', '2026-10-25'],
    ['Europe/Stockholm', '2026-10-25T23:00:00Z', '2026-10-26'],
    // Midnight does not exist on this day.
    ['America/Santiago', '2025-09-07T04:00:00Z', '2025-09-07'],
  ])('today in %s at %s is %s', (timezone, now, day) => {
    expect(range('today', now, timezone)[0]).toBe(day)
  })
})

test('every range holds whole days, in order, next to its neighbour', () => {
  const instants = fc.date({ min: new Date('1990-01-01'), max: new Date('2090-01-01'), noInvalidDate: true })
  const zones = fc.constantFrom('UTC', 'Europe/Stockholm', 'America/Los_Angeles', 'Pacific/Auckland')
  fc.assert(
    fc.property(instants, zones, (now, timezone) => {
      const days = (preset: Parameters<typeof daysOf>[0]['preset']) => daysOf({ preset }, now, timezone)
      for (const [last, current] of [
        ['yesterday', 'today'],
        ['lastWeek', 'thisWeek'],
        ['lastMonth', 'thisMonth'],
        ['lastQuarter', 'thisQuarter'],
        ['lastYear', 'thisYear'],
      ] as const) {
        expect(days(last).to).toBe(days(current).from)
        expect(Number.isInteger(days(last).from)).toBe(true)
        expect(days(current).from).toBeLessThanOrEqual(days('today').from)
        expect(days(current).to).toBeGreaterThanOrEqual(days('today').to)
      }
    }),
    { numRuns: 300 },
  )
})
