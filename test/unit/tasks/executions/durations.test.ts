/** Usual durations and expected ends; the expected values are computed by hand. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { etaOf, plannedEnd, type Sample, usualOf } from '../../../../src/tasks/executions/durations.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const minutes = (...runs: number[]): Sample[] =>
  runs.map((run) => ({ runMs: run * MINUTE, queueMs: 2000, beganAt: null }))
const none = () => []
const TEN = minutes(18, 17, 19, 18, 16, 20, 31, 18, 17, 19)

describe('the usual duration', () => {
  test.each<[string, Sample[], Sample[], object]>([
    // Sorted 16 17 17 18 18 18 19 19 20 31: the 5th, the 9th, the 10th.
    ['of ten', TEN, [], { p50Ms: 18 * MINUTE, p90Ms: 20 * MINUTE, p95Ms: 31 * MINUTE, samples: 10, basis: 'history' }],
    // Sorted 1 2 3 4 9: the 3rd, and the largest.
    ['of five', minutes(4, 3, 2, 9, 1), [], { p50Ms: 3 * MINUTE, p90Ms: 9 * MINUTE, samples: 5, basis: 'history' }],
    // 2 4 and 10 12 14 of others: the 3rd of five, and the largest.
    [
      'of two, with three of others',
      minutes(4, 2),
      minutes(10, 12, 14),
      { p50Ms: 10 * MINUTE, p90Ms: 14 * MINUTE, samples: 2, basis: 'guess' },
    ],
    ['of none', [], [], { p50Ms: MINUTE, p90Ms: 5 * MINUTE, waitP50Ms: 0, samples: 0, basis: 'none' }],
    [
      'of what was not measured',
      [{ runMs: null, queueMs: null, beganAt: null }],
      [],
      { p50Ms: MINUTE, p90Ms: 5 * MINUTE, samples: 0, basis: 'none' },
    ],
  ])('%s', (_, own, others, expected) => {
    expect(usualOf({ own, others: () => others })).toMatchObject(expected)
  })

  test('is that of the task itself at any time of day, whatever estimates are made of', () => {
    expect(usualOf({ own: minutes(4, 2), others: () => minutes(10, 12, 14) }).usualMs).toBe(2 * MINUTE)
    expect(usualOf({ own: [], others: () => minutes(10, 12, 14) }).usualMs).toBeNull()
    expect(usualOf({ own: TEN, others: none }).usualMs).toBe(18 * MINUTE)
    const failedFast: Sample[] = [{ runMs: null, queueMs: null, beganAt: null }, ...minutes(7)]
    expect(usualOf({ own: failedFast, others: none }).usualMs).toBe(7 * MINUTE)
  })

  test.each([
    ['none', [], [], null],
    ['none, with others of its type', [], minutes(10, 12, 14), null],
    ['two, with others of its type', minutes(4, 2), minutes(10, 12, 14), [2, 4, 4, 2000]],
    ['ten', TEN, minutes(90), [18, 20, 31, 2000]],
  ])('and its percentiles are of the same runs: %s', (_, own, others, expected) => {
    const [p50, p90, p95, waitP50Ms] = expected ?? []
    const shown = expected && { p50Ms: p50! * MINUTE, p90Ms: p90! * MINUTE, p95Ms: p95! * MINUTE, waitP50Ms }
    const usual = usualOf({ own, others: () => others })
    expect(usual.usualMs).toBe(shown?.p50Ms ?? null)
    expect(usual.own).toEqual(shown && expect.objectContaining(shown))
  })

  test('counts the newest thirty only', () => {
    const own = [...minutes(...Array.from({ length: 30 }, () => 5)), ...minutes(60, 60, 60, 60, 60, 60)]
    expect(usualOf({ own, others: none })).toMatchObject({ samples: 30, p90Ms: 5 * MINUTE })
  })

  test('waits have percentiles of their own', () => {
    const own = TEN.map((one, n) => ({ ...one, queueMs: (n + 1) * 1000 }))
    expect(usualOf({ own, others: none })).toMatchObject({ waitP50Ms: 5000, waitP90Ms: 9000 })
  })

  describe('at a time of day', () => {
    // 2026-03-02 is a Monday.
    const MONDAY_2 = Date.parse('2026-03-02T02:00:00Z')
    const run = (day: number, hour: number, run: number): Sample => ({
      runMs: run * MINUTE,
      queueMs: 0,
      beganAt: MONDAY_2 - 2 * HOUR + day * 24 * HOUR + hour * HOUR,
    })
    const nights = [-28, -27, -26, -25, -24, -21, -20, -19, -18, -17].map((day) => run(day, 2, 18))
    const noons = [-7, -6, -5, -4, -3].map((day) => run(day, 12, 2))

    test('uses the executions of that time when there are ten', () => {
      const own = [...noons, ...nights]
      expect(usualOf({ own, others: none, plannedWall: MONDAY_2 })).toMatchObject({ samples: 10, p50Ms: 18 * MINUTE })
      expect(usualOf({ own, others: none })).toMatchObject({ samples: 15 })
      const even = [...noons, ...noons, ...nights]
      const atNight = usualOf({ own: even, others: none, plannedWall: MONDAY_2 })
      expect(atNight).toMatchObject({ p50Ms: 18 * MINUTE, usualMs: 2 * MINUTE })
      expect(etaOf(atNight, MONDAY_2, MONDAY_2 + 20 * MINUTE)).toMatchObject({ over: true, overByMs: 18 * MINUTE })
    })

    test('uses all when there are nine', () => {
      const own = [...noons, ...nights.slice(1)]
      expect(usualOf({ own, others: none, plannedWall: MONDAY_2 })).toMatchObject({ samples: 14 })
    })

    test('a weekend is another class of day, and midnight is no border', () => {
      expect(usualOf({ own: nights, others: none, plannedWall: MONDAY_2 - 24 * HOUR }).samples).toBe(10)
      const late = nights.map((one) => ({ ...one, beganAt: one.beganAt! - 3 * HOUR + 24 * HOUR }))
      const mixed = [...noons, ...late]
      // 23:00 is three hours from 02:00; those of Friday are on a working day still.
      expect(usualOf({ own: mixed, others: none, plannedWall: MONDAY_2 }).samples).toBe(10)
    })
  })
})

describe('the expected end', () => {
  const usual = usualOf({ own: TEN, others: none })
  const START = Date.parse('2026-03-02T02:00:00Z')
  test.each<[string, number, object]>([
    ['at the start', 0, { expectedEnd: 18, pessimisticEnd: 20, over: false, overByMs: 0 }],
    // Longer than 18: 19 19 20 31, the 2nd; fewer than ten: the largest.
    ['after 18 minutes', 18, { expectedEnd: 19, pessimisticEnd: 31, over: false, overByMs: 0 }],
    // Longer than 19: 20 31 only, so it is over: 19 + (20 - 18).
    ['with two values left', 19, { expectedEnd: 21, pessimisticEnd: 21, over: true, overByMs: MINUTE }],
    ['beyond the 90th percentile', 41, { expectedEnd: 43, pessimisticEnd: 43, over: true, overByMs: 23 * MINUTE }],
  ])('%s', (_, elapsed, expected) => {
    const { expectedEnd, pessimisticEnd, ...rest } = etaOf(usual, START, START + elapsed * MINUTE)
    expect({
      expectedEnd: (expectedEnd - START) / MINUTE,
      pessimisticEnd: (pessimisticEnd - START) / MINUTE,
      ...rest,
    }).toEqual(expected as never)
  })

  test('of a task that never succeeded is a minute, then five, then unknown', () => {
    const unknown = usualOf({ own: [], others: none })
    expect(etaOf(unknown, START, START)).toMatchObject({ expectedEnd: START + MINUTE, over: false })
    expect(etaOf(unknown, START, START + 2 * MINUTE)).toMatchObject({ expectedEnd: START + 5 * MINUTE, over: false })
    expect(etaOf(unknown, START, START + 6 * MINUTE)).toMatchObject({ expectedEnd: START + 10 * MINUTE, over: true })
  })

  test('of a planned start counts the wait', () => {
    expect(plannedEnd(usual, START)).toEqual({
      expectedEnd: START + 2000 + 18 * MINUTE,
      pessimisticEnd: START + 2000 + 20 * MINUTE,
    })
  })

  test('lies after now, and the pessimistic one never before it', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 10_000_000 }), { maxLength: 40 }),
        fc.integer({ min: 0, max: 20_000_000 }),
        (runs, elapsed) => {
          const own = runs.map((runMs) => ({ runMs, queueMs: 0, beganAt: null }))
          const eta = etaOf(usualOf({ own, others: none }), START, START + elapsed)
          expect(eta.expectedEnd).toBeGreaterThanOrEqual(START + elapsed)
          expect(eta.pessimisticEnd).toBeGreaterThanOrEqual(eta.expectedEnd)
        },
      ),
    )
  })
})
