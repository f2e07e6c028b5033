/** Batches of bars: nothing is lost, and there are never too many. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { type Bar, beginOf, type ExecutionBar, fitBars, mergeClose } from '../../../../src/tasks/overview/shapes.ts'

const bar = (begin: number, end: number, outcome: ExecutionBar['outcome'] = 'success'): ExecutionBar => ({
  kind: 'execution',
  executionId: `e${begin}`,
  outcome,
  triggeredAt: begin,
  startedAt: begin,
  stoppedAt: end,
})
const row = (executions: ExecutionBar[], problem = false) => ({
  executions,
  missing: [],
  running: [],
  forecast: [],
  problem,
})
const countOf = (bars: readonly Bar[]): number =>
  bars.reduce((sum, one) => sum + (one.kind === 'batch' ? one.count : one.kind === 'execution' ? 1 : 0), 0)

test('bars closer than the gap become a batch with the worst outcome', () => {
  const bars = [bar(0, 10), bar(12, 20, 'failed'), bar(21, 30, 'aborted'), bar(40, 50)]
  expect(mergeClose(bars, 5)).toEqual([
    { kind: 'batch', from: 0, to: 30, count: 3, worst: 'failed' },
    bars[3] as ExecutionBar,
  ])
  expect(mergeClose(bars, 0)).toEqual(bars)
})

const HISTORY = fc.array(
  fc.array(
    fc.record({
      begin: fc.integer({ min: 0, max: 100_000 }),
      ms: fc.integer({ min: 0, max: 5000 }),
      outcome: fc.constantFrom('success', 'failed', 'aborted', 'skipped', 'unknown' as const),
    }),
    { maxLength: 60 },
  ),
  { maxLength: 12 },
)

test('every execution is in one bar, and the bars of a row do not overlap in time order', () => {
  fc.assert(
    fc.property(HISTORY, fc.integer({ min: 12, max: 400 }), (history, most) => {
      const rows = history.map((runs) =>
        row(
          runs
            .map(({ begin, ms, outcome }) => bar(begin, begin + ms, outcome as 'success'))
            .sort((a, b) => beginOf(a) - beginOf(b)),
        ),
      )
      const fitted = fitBars(rows, 100_000, most)
      expect(fitted.reduce((sum, bars) => sum + (bars?.length ?? 0), 0)).toBeLessThanOrEqual(most)
      for (const [n, bars] of fitted.entries()) {
        expect(bars).not.toBeNull()
        expect(countOf(bars!)).toBe(rows[n]!.executions.length)
        const failed = rows[n]!.executions.some(({ outcome }) => outcome === 'failed')
        const shown = bars!.some((one) =>
          one.kind === 'batch' ? one.worst === 'failed' : one.kind === 'execution' && one.outcome === 'failed',
        )
        expect(shown).toBe(failed)
      }
    }),
  )
})

describe('too many bars', () => {
  test('20,000 executions of 200 tasks are 2,000 shapes or fewer', () => {
    const range = 48 * 3_600_000
    const rows = Array.from({ length: 200 }, (_, n) =>
      row(Array.from({ length: 100 }, (_, m) => bar(n + m * (range / 100), n + m * (range / 100) + 60_000))),
    )
    const fitted = fitBars(rows, range, 2000)
    expect(fitted.flatMap((bars) => bars ?? []).length).toBeLessThanOrEqual(2000)
    expect(fitted.reduce((sum, bars) => sum + countOf(bars ?? []), 0)).toBe(20_000)
  })

  test('rows without problems are left out first, forecasts before all', () => {
    const forecast = [1, 2, 3].map((plannedAt) => ({
      kind: 'forecast' as const,
      plannedAt,
      expectedEnd: plannedAt,
      trigger: 'Hourly',
    }))
    const rows = [row([bar(0, 1)]), row([bar(0, 1)], true), { ...row([bar(0, 1)], true), forecast }]
    expect(fitBars(rows, 1000, 2).map((bars) => bars?.length ?? null)).toEqual([null, 1, 1])
    expect(fitBars(rows, 1000, 5).map((bars) => bars?.length ?? null)).toEqual([1, 1, 3])
  })
})
