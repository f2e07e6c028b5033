/** Times on an axis: round ones of the site's clock. */
import { expect, test } from 'bun:test'
import { ticksOf } from '../../../../../src/console/pages/now/scale.ts'

const STOCKHOLM = 'Europe/Stockholm'

test.each([
  [
    'an hour and a half',
    '2026-11-25T07:05:00Z',
    '2026-11-25T08:35:00Z',
    ['08:15', '08:30', '08:45', '09:00', '09:15', '09:30'],
  ],
  [
    'half a day',
    '2026-11-25T06:10:00Z',
    '2026-11-25T18:10:00Z',
    ['08:00', '10:00', '12:00', '14:00', '16:00', '18:00'],
  ],
  ['a night', '2026-11-25T19:00:00Z', '2026-11-26T06:00:00Z', ['20:00', '22:00', 'Thu 26', '02:00', '04:00', '06:00']],
  [
    'the hour that comes twice',
    '2026-10-25T00:00:00Z',
    '2026-10-25T02:30:00Z',
    ['02:00', '02:30', '02:00', '02:30', '03:00'],
  ],
  ['a change of clocks between days', '2026-03-28T00:00:00Z', '2026-03-31T12:00:00Z', ['29 Mar', '30 Mar', '31 Mar']],
  [
    'a quarter of a year',
    '2026-08-27T19:00:00Z',
    '2026-11-25T19:00:00Z',
    ['31 Aug', '14 Sept', '28 Sept', '12 Oct', '26 Oct', '9 Nov', '23 Nov'],
  ],
] as const)('%s', (_, from, end, texts) => {
  const ticks = ticksOf({ from: Date.parse(from), end: Date.parse(end) }, STOCKHOLM)
  expect(ticks.map(({ text }) => text)).toEqual([...texts])
  for (const { at } of ticks) expect(at >= Date.parse(from) && at < Date.parse(end)).toBe(true)
})

test.each([4, 8])('a chart with room for %i has about so many, for every range', (most) => {
  const end = Date.parse('2026-11-25T19:00:00Z')
  for (let hours = 1; hours < 400 * 24; hours = Math.ceil(hours * 1.3)) {
    const { length } = ticksOf({ from: end - hours * 3_600_000, end }, STOCKHOLM, most)
    expect([hours, length >= 1 && length <= most + 2]).toEqual([hours, true])
  }
})
