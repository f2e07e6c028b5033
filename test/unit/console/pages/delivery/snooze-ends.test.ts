/** The ends of a snooze that pages offer: weekdays, nights and clock changes of the site's zone. */
import { expect, test } from 'bun:test'
import { endsOf } from '../../../../../src/console/pages/delivery/snooze-ends.ts'

const STOCKHOLM = 'Europe/Stockholm'

/** `word instant` of each end, without its date of this century and its seconds. */
const ends = (at: string, timezone = STOCKHOLM, nightStart = '20:00') =>
  endsOf(Date.parse(at), { timezone, nightStart }).map(({ value }) => value.replace(/ 20(.*):00\.000Z$/, ' $1'))

const CASES: readonly (readonly [at: string, ends: readonly string[], timezone?: string, nightStart?: string])[] = [
  // Thursday
  ['2026-11-26T10:00:00+01:00', ['tonight 26-11-26T19:00', 'tomorrow 26-11-27T06:00', 'monday 26-11-30T06:00']],
  // The night has begun, or begins within a minute.
  ['2026-11-26T20:30:00+01:00', ['tomorrow 26-11-27T06:00', 'monday 26-11-30T06:00']],
  ['2026-11-26T19:59:01+01:00', ['tomorrow 26-11-27T06:00', 'monday 26-11-30T06:00']],
  ['2026-11-26T19:59:00+01:00', ['tonight 26-11-26T19:00', 'tomorrow 26-11-27T06:00', 'monday 26-11-30T06:00']],
  // After midnight tomorrow is the day after the one that has begun.
  ['2026-11-27T00:30:00+01:00', ['tonight 26-11-27T19:00', 'tomorrow 26-11-28T06:00', 'monday 26-11-30T06:00']],
  // Sunday: tomorrow is the Monday.
  ['2026-11-29T12:00:00+01:00', ['tonight 26-11-29T19:00', 'tomorrow 26-11-30T06:00']],
  // Monday, before and after seven.
  ['2026-11-30T06:00:00+01:00', ['tonight 26-11-30T19:00', 'tomorrow 26-12-01T06:00', 'monday 26-11-30T06:00']],
  ['2026-11-30T07:00:00+01:00', ['tonight 26-11-30T19:00', 'tomorrow 26-12-01T06:00', 'monday 26-12-07T06:00']],
  // It is Sunday in UTC, and Monday here.
  ['2026-11-29T23:30:00Z', ['tonight 26-11-30T19:00', 'tomorrow 26-12-01T06:00', 'monday 26-11-30T06:00']],
  // The clocks go forward on 29 March, and back on 25 October.
  ['2026-03-28T12:00:00+01:00', ['tonight 26-03-28T19:00', 'tomorrow 26-03-29T05:00', 'monday 26-03-30T05:00']],
  ['2026-10-24T12:00:00+02:00', ['tonight 26-10-24T18:00', 'tomorrow 26-10-25T06:00', 'monday 26-10-26T06:00']],
  // A night that begins in a gap of the clock begins at its end; one that begins twice, the first time.
  [
    '2026-03-28T12:00:00+01:00',
    ['tonight 26-03-29T01:00', 'tomorrow 26-03-29T05:00', 'monday 26-03-30T05:00'],
    STOCKHOLM,
    '02:30',
  ],
  [
    '2026-10-24T12:00:00+02:00',
    ['tonight 26-10-25T00:30', 'tomorrow 26-10-25T06:00', 'monday 26-10-26T06:00'],
    STOCKHOLM,
    '02:30',
  ],
  // A zone far ahead of UTC: Saturday there, Friday in UTC.
  [
    '2026-11-27T12:00:00Z',
    ['tonight 26-11-28T06:00', 'tomorrow 26-11-28T17:00', 'monday 26-11-29T17:00'],
    'Pacific/Kiritimati',
  ],
]
for (const [at, expected, timezone, nightStart] of CASES) {
  test(`at ${at} ${timezone ?? ''} ${nightStart ?? ''}`, () => {
    expect(ends(at, timezone, nightStart)).toEqual([...expected])
  })
}

test('the chip of the night names its begin', () => {
  const [tonight] = endsOf(Date.parse('2026-11-26T10:00:00Z'), { timezone: 'UTC', nightStart: '22:15' })
  expect(tonight).toEqual({ value: 'tonight 2026-11-26T22:15:00.000Z', text: 'tonight 22:15' })
})
