/** The firings that are due at a time, and what becomes of those that were missed. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { createFiringTimer, madeUp, taken } from '../../../../src/tasks/schedule/firing-timer.ts'
import type { Plan, Schedule } from '../../../../src/tasks/schedule/types.ts'
import { until } from '../../../support/wait.ts'

const HOUR = 3_600_000
const MINUTE = 60_000
/** On the hour, until `last`. */
const hourly = (last = Number.POSITIVE_INFINITY): Pick<Plan, 'next'> => ({
  next(after) {
    const at = (Math.floor(after / HOUR) + 1) * HOUR
    return at > last ? null : at
  },
})
const graceMs = 10 * MINUTE

const TAKEN: readonly (readonly [string, ReturnType<typeof taken>, ReturnType<typeof taken>])[] = [
  [
    'a firing that comes later',
    taken(hourly(), HOUR, { now: HOUR - 1, graceMs }),
    { dueAt: [], isLate: false, nextAt: HOUR },
  ],
  [
    'one at its instant',
    taken(hourly(), HOUR, { now: HOUR, graceMs }),
    { dueAt: [HOUR], isLate: false, nextAt: 2 * HOUR },
  ],
  ['the last one', taken(hourly(HOUR), HOUR, { now: HOUR, graceMs }), { dueAt: [HOUR], isLate: false, nextAt: null }],
  [
    'one within the grace',
    taken(hourly(), HOUR, { now: HOUR + graceMs - 1, graceMs }),
    { dueAt: [HOUR], isLate: false, nextAt: 2 * HOUR },
  ],
  [
    'one beyond the grace, with those behind it',
    taken(hourly(), HOUR, { now: 3 * HOUR + 1, graceMs }),
    { dueAt: [], isLate: true, nextAt: 4 * HOUR },
  ],
  [
    'several within a long grace',
    taken(hourly(), HOUR, { now: 3 * HOUR, graceMs: 5 * HOUR }),
    { dueAt: [HOUR, 2 * HOUR, 3 * HOUR], isLate: false, nextAt: 4 * HOUR },
  ],
]

test.each(TAKEN)('due: %s', (_, found, expected) => {
  expect(found).toEqual(expected)
})

test('whenever the timer wakes, each firing is taken once, in order, or is late', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 5 * HOUR }), { minLength: 1, maxLength: 20 }), (naps) => {
      let [now, nextAt] = [0, HOUR]
      const seen: number[] = []
      for (const nap of naps) {
        now += nap
        const one = taken(hourly(), nextAt, { now, graceMs: 2 * HOUR })
        const missed = one.isLate ? Math.floor(now / HOUR) - nextAt / HOUR + 1 : 0
        seen.push(...Array.from({ length: missed }, (_, index) => nextAt + index * HOUR), ...one.dueAt)
        nextAt = one.nextAt ?? Number.NaN
        expect(nextAt).toBeGreaterThan(now)
      }
      expect(seen).toEqual(Array.from({ length: Math.floor(now / HOUR) }, (_, index) => (index + 1) * HOUR))
    }),
  )
})

const plan = (misfire: Plan['misfire']) => ({ ...hourly(), excluded: () => null, misfire }) as unknown as Plan
const schedule = (misfire: Plan['misfire']): Schedule => ({
  id: 's',
  values: { name: 'Hourly' },
  plan: plan(misfire),
  problem: null,
  running: true,
})

/** Trigger, instant and detail of what is done at `now` about the firings after `since`. */
function done(since: number, now: number, misfire: Plan['misfire'] = 'skip') {
  const made = madeUp(schedule(misfire), plan(misfire), since, { now, graceMs })
  if (!made) return null
  const { trigger, dueAt, detail } = made.firing
  return [made.do, trigger, dueAt / HOUR, made.do === 'skip' ? made.detail : detail]
}

const MISSED: readonly (readonly [string, ReturnType<typeof done>, ReturnType<typeof done>])[] = [
  ['nothing was missed', done(HOUR, 2 * HOUR - 1), null],
  ['one is late and within the grace', done(HOUR, 2 * HOUR + 1), ['fire', 'cron', 2, undefined]],
  ['the last of several is within the grace', done(HOUR, 4 * HOUR + 1), ['fire', 'cron', 4, '2 firings were missed']],
  ['one beyond the grace', done(HOUR, 2 * HOUR + graceMs), ['skip', 'cron', 2, '1 firing was missed']],
  ['several beyond the grace', done(HOUR, 4 * HOUR + graceMs), ['skip', 'cron', 4, '3 firings were missed']],
  [
    'one run stands for all of them',
    done(HOUR, 4 * HOUR + graceMs, 'runOnce'),
    ['fire', 'misfire', 4, '3 firings were missed'],
  ],
]

test.each(MISSED)('missed: %s', (_, found, expected) => {
  expect(found).toEqual(expected)
})

test('a timer that wakes too late reports the first of the late firings once, and goes on with the next', async () => {
  let now = HOUR / 2
  const late: number[] = []
  const due: number[] = []
  const timer = createFiringTimer(
    { clock: { now: () => now }, onDue: ({ dueAt }) => due.push(dueAt), onLate: ({ dueAt }) => late.push(dueAt) },
    graceMs,
  )
  timer.set(schedule('skip'), plan('skip'), now)
  expect(timer.nextAt('s')).toBe(HOUR)
  now = 3 * HOUR + graceMs
  timer.start()
  await until(() => late.length > 0, { what: 'the late firing' })
  expect(timer.nextAt('s')).toBe(4 * HOUR)
  timer.stop()
  now = 4 * HOUR
  timer.start()
  await until(() => due.length > 0, { what: 'the next firing' })
  timer.stop()
  expect(late).toEqual([HOUR])
  expect(due).toEqual([4 * HOUR])
})
