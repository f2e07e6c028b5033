/** Due times and missing starts; expected values by hand. 2026-03-02 is a Monday; Stockholm is UTC+1, from 29 March UTC+2. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createOffsets } from '../../../../src/platform/offsets.ts'
import { dueAt, missingStarts, usualDistance } from '../../../../src/tasks/overview/due.ts'
import { parseDue } from '../../../../src/tasks/safety-net/config-policies.ts'

const STOCKHOLM = createOffsets('Europe/Stockholm')
const at = (text: string) => Date.parse(text)
const MINUTE = 60_000

describe('dueBy', () => {
  test.each<[string[], string, string | null]>([
    [['07:30'], '2026-03-02T01:00:00Z', '2026-03-02T06:30:00Z'],
    // Planned on Monday at 22:00: the next 07:30 is on Tuesday.
    [['07:30'], '2026-03-02T21:00:00Z', '2026-03-03T06:30:00Z'],
    [['mon-fri 07:30'], '2026-03-02T01:00:00Z', '2026-03-02T06:30:00Z'],
    // Planned on Friday at 22:00: due on a Saturday, on which the first value does not hold.
    [['mon-fri 07:30'], '2026-03-06T21:00:00Z', null],
    [['mon-fri 07:30', 'sat,sun 10:00'], '2026-03-06T21:00:00Z', '2026-03-07T09:00:00Z'],
    [['fri-mon 7:05'], '2026-03-01T01:00:00Z', '2026-03-01T06:05:00Z'],
    [['+45m'], '2026-03-02T01:00:00Z', '2026-03-02T01:45:00Z'],
    // The clocks go forward in that night: 06:30 is 04:30 UTC.
    [['06:30'], '2026-03-28T23:00:00Z', '2026-03-29T04:30:00Z'],
    [[], '2026-03-02T01:00:00Z', null],
  ])('%p, planned %p, is due %p', (values, planned, expected) => {
    const rules = values.map((value) => parseDue(value)!)
    expect(dueAt(rules, at(planned), STOCKHOLM)).toBe(expected === null ? null : at(expected))
  })

  test.each(['', 'soon', '25:00', '7', 'xyz 07:30', 'mon- 07:30', '+', '+x', '07:60'])('%p is no due time', (text) => {
    expect(parseDue(text)).toBeNull()
  })

  test('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseDue(text)))
  })
})

test('the usual distance is the median and six deviations, at least 15 minutes', () => {
  expect(usualDistance(Array.from({ length: 9 }, () => 60 * MINUTE))).toBeNull()
  expect(usualDistance(Array.from({ length: 10 }, () => 60 * MINUTE))).toBe(75 * MINUTE)
  // Median 60, deviations of 10: 60 + 60.
  const swinging = Array.from({ length: 10 }, (_, n) => (n % 2 === 0 ? 50 : 70) * MINUTE)
  expect(usualDistance(swinging)).toBe(120 * MINUTE)
})

describe('missing starts', () => {
  const NIGHT = at('2026-03-02T02:00:00Z')
  const planned = (...minutes: number[]) =>
    minutes.map((minute) => ({ at: NIGHT + minute * MINUTE, trigger: 'Nightly' }))
  const run = (from: number, to: number | null) => ({
    triggeredAt: NIGHT + from * MINUTE,
    stoppedAt: to === null ? null : NIGHT + to * MINUTE,
  })
  const missing = (...args: Parameters<typeof missingStarts>) =>
    missingStarts(...args).map((one) => (one.at - NIGHT) / MINUTE)

  test.each<[string, number[], [number, number | null][], number[]]>([
    ['nothing ran', [0, 60], [], [0, 60]],
    [
      'each has its run',
      [0, 60],
      [
        [0, 10],
        [61, 70],
      ],
      [],
    ],
    ['two minutes early is the same start', [60], [[58, 59]], []],
    ['three minutes early is another start', [60], [[57, 59]], [60]],
    ['30 minutes late is the same start', [0], [[30, 40]], []],
    ['31 minutes late is another start', [0], [[31, 40]], [0]],
    ['one run belongs to one start, the nearest', [0, 20], [[21, 30]], [0]],
    ['a run that goes on through the instant', [0, 60], [[0, 75]], []],
    ['a run that has not ended', [0, 60], [[0, null]], []],
  ])('%s', (_, plan, runs, expected) => {
    expect(
      missing(
        planned(...plan),
        runs.map(([from, to]) => run(from, to)),
        30 * MINUTE,
      ),
    ).toEqual(expected)
  })
})
