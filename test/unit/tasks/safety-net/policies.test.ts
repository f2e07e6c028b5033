/** The texts in custom properties, and the arithmetic behind them. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { deviation, median } from '../../../../src/platform/usual.ts'
import {
  parseRetryPolicy,
  parseWatchPolicy,
  type RetryPolicy,
} from '../../../../src/tasks/safety-net/config-policies.ts'
import { createLogTime } from '../../../../src/tasks/safety-net/events.ts'
import { delayBefore, queueLimit, runLimit } from '../../../../src/tasks/safety-net/policies.ts'

const MINUTE = 60_000

describe('a retry policy', () => {
  test.each<[string, RetryPolicy | null]>([
    ['none', null],
    [' None ', null],
    ['3x/5m', { max: 3, delayMs: 300_000, factor: 1, condition: null }],
    [' 10X / 24h ', { max: 10, delayMs: 86_400_000, factor: 1, condition: null }],
    ['3x/5m*2', { max: 3, delayMs: 300_000, factor: 2, condition: null }],
    ['1x/10s*1.5', { max: 1, delayMs: 10_000, factor: 1.5, condition: null }],
    ['3x/5m*2 if connection', { max: 3, delayMs: 300_000, factor: 2, condition: 'connection' }],
    ['3x/5m if connection was lost', { max: 3, delayMs: 300_000, factor: 1, condition: 'connection was lost' }],
  ])('%s', (text, policy) => {
    expect(parseRetryPolicy(text)).toEqual({ ok: true, policy })
  })

  test.each([
    '',
    '3',
    '3x',
    '0x/5m',
    '11x/5m',
    '3x/9s',
    '3x/25h',
    '3x/5',
    '3x/5m*0',
    '3x/5m*11',
    'x/5m',
    '3x/5m iff a',
  ])('"%s" is none, and says why', (text) => {
    const parsed = parseRetryPolicy(text)
    expect(parsed.ok).toBe(false)
    if (!parsed.ok) expect(parsed.error.length).toBeGreaterThan(10)
  })

  test('delays grow by the factor, to a day at most', () => {
    const parsed = parseRetryPolicy('10x/5m*2')
    if (!parsed.ok || parsed.policy === null) throw new Error('no policy')
    const { policy } = parsed
    const delays = [1, 2, 3, 10].map((attempt) => delayBefore(policy, attempt) / MINUTE)
    expect(delays).toEqual([5, 10, 20, 1440])
  })

  test('property: no text breaks it', () => {
    fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => void parseRetryPolicy(text)))
  })
})

describe('a watch policy', () => {
  test.each([
    ['', {}],
    ['off', { late: 'off', stuck: 'off', neverStarted: 'off' }],
    ['late=30m; stuck=2h; neverStarted=off', { late: 30 * MINUTE, stuck: 120 * MINUTE, neverStarted: 'off' }],
    ['STUCK = 1m;', { stuck: MINUTE }],
    ['neverstarted=30d', { neverStarted: 43_200 * MINUTE }],
  ] as const)('%s', (text, policy) => {
    expect(parseWatchPolicy(text)).toEqual({ ok: true, policy })
  })

  test.each(['on', 'late', 'late=', 'late=30', 'late=59s', 'late=31d', 'slow=2h', 'late=1h stuck=2h'])(
    '"%s" is none',
    (text) => {
      expect(parseWatchPolicy(text).ok).toBe(false)
    },
  )
})

describe('what is usual', () => {
  test('median and deviation', () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2]), median([7])]).toEqual([2, 2.5, 7])
    expect(deviation([1, 1, 2, 2, 4, 6, 9], 2)).toBe(1)
  })

  const settings = { lateAfter: 15 * MINUTE, stuckFactor: 3, minRuns: 5 }
  const runs = (times: readonly number[]) =>
    times.map((minutes) => ({ runMs: minutes * MINUTE, queueMs: minutes * MINUTE }))

  test.each([
    ['ten minutes longer for short runs', [1, 1, 1, 1, 1], 11],
    ['the factor for long runs', [60, 60, 60, 60, 60], 180],
    ['the deviation for unsteady runs', [10, 60, 110, 160, 210], 110 + 6 * 50],
  ])('a run is stuck beyond %s', (_what, minutes, limit) => {
    expect(runLimit(runs(minutes), settings)?.limitMs).toBe(limit * MINUTE)
  })

  test('too few runs say nothing', () => {
    expect(runLimit(runs([1, 1, 1, 1]), settings)).toBeNull()
    expect(runLimit([...runs([1, 1, 1, 1]), { runMs: null, queueMs: null }], settings)).toBeNull()
  })

  test.each([
    [[], 15, null],
    [[1, 1, 1], 15, 1],
    [[10, 20, 30], 20 + 6 * 10, 20],
  ] as const)('after queue times of %p minutes a task is late after %i', (minutes, limit, usual) => {
    expect(queueLimit(runs(minutes), settings)).toEqual({
      limitMs: limit * MINUTE,
      usualMs: usual === null ? null : usual * MINUTE,
    })
  })
})

describe('times in messages', () => {
  test('are those of the zone, as the scheduler writes them', () => {
    const at = Date.parse('2026-03-02T06:03:11.482Z')
    expect(createLogTime('Europe/Stockholm')(at)).toBe('2026-03-02 07:03:11,482')
    expect(createLogTime('UTC')(at)).toBe('2026-03-02 06:03:11,482')
  })
})
