import { describe, expect, test } from 'bun:test'
import { lastNight, rangeOf } from '../../../../../src/console/pages/now/range.ts'

const STOCKHOLM = 'Europe/Stockholm'

describe('the last night', () => {
  test.each([
    // Winter: an hour before UTC.
    ['20:00', STOCKHOLM, '2026-11-23T07:04:00Z', '2026-11-22T19:00:00Z', '2026-11-23T07:04:00Z'],
    ['20:00', STOCKHOLM, '2026-11-23T15:00:00Z', '2026-11-22T19:00:00Z', '2026-11-23T11:00:00Z'],
    ['20:00', STOCKHOLM, '2026-11-22T23:30:00Z', '2026-11-22T19:00:00Z', '2026-11-22T23:30:00Z'],
    ['20:00', STOCKHOLM, '2026-11-22T22:30:00Z', '2026-11-21T19:00:00Z', '2026-11-22T11:00:00Z'],
    // Nights that begin after midnight.
    ['01:30', STOCKHOLM, '2026-11-23T07:00:00Z', '2026-11-23T00:30:00Z', '2026-11-23T07:00:00Z'],
    ['01:30', STOCKHOLM, '2026-11-23T00:10:00Z', '2026-11-22T00:30:00Z', '2026-11-22T11:00:00Z'],
    // Clocks go forward at 02:00 on 29 March: 02:30 does not occur, and the night is an hour shorter.
    ['20:00', STOCKHOLM, '2026-03-29T14:00:00Z', '2026-03-28T19:00:00Z', '2026-03-29T10:00:00Z'],
    ['02:30', STOCKHOLM, '2026-03-29T08:00:00Z', '2026-03-29T01:00:00Z', '2026-03-29T08:00:00Z'],
    // Clocks go back at 03:00 on 25 October: 02:30 occurs twice, and the night is an hour longer.
    ['20:00', STOCKHOLM, '2026-10-25T14:00:00Z', '2026-10-24T18:00:00Z', '2026-10-25T11:00:00Z'],
    ['02:30', STOCKHOLM, '2026-10-25T08:00:00Z', '2026-10-25T00:30:00Z', '2026-10-25T08:00:00Z'],
    ['20:00', 'Pacific/Auckland', '2026-11-22T19:00:00Z', '2026-11-22T07:00:00Z', '2026-11-22T19:00:00Z'],
  ])('that begins at %s in %s is at %s from %s to %s', (nightStart, timezone, at, from, end) => {
    const night = lastNight(Date.parse(at), { nightStart, timezone })
    expect({ from: new Date(night.from), end: new Date(night.end) }).toEqual({
      from: new Date(from),
      end: new Date(end),
    })
  })
})

/** The range of an address at 15:00 in Stockholm. */
const rangeAt = (query: string) => {
  const now = Date.parse('2026-11-23T14:00:00Z')
  const settings = { timezone: STOCKHOLM, nightStart: '20:00' } as Parameters<typeof rangeOf>[0]['settings']
  const range = rangeOf({ query: new URLSearchParams(query), now, settings })
  const text = (at: number | null) => at && new Date(at).toISOString().slice(5, 16)
  const { length, from, end, isOpen, earlier, later } = range
  return [length, text(from), text(end), isOpen, text(earlier), text(later)]
}

test.each([
  ['', ['12h', '11-23T02:00', '11-23T14:00', true, '11-23T02:00', null]],
  ['w=7h', ['12h', '11-23T02:00', '11-23T14:00', true, '11-23T02:00', null]],
  ['w=48h&to=2026-11-20T14:00:00Z', ['48h', '11-18T14:00', '11-20T14:00', false, '11-18T14:00', '11-22T14:00']],
  ['w=24h&to=2026-11-22T14:00:00Z', ['24h', '11-21T14:00', '11-22T14:00', false, '11-21T14:00', null]],
  ['w=night', ['night', '11-22T19:00', '11-23T11:00', false, '11-22T19:00', null]],
  ['w=night&to=2026-11-22T19:00:00Z', ['night', '11-21T19:00', '11-22T11:00', false, '11-21T19:00', null]],
  ['w=night&to=2026-11-21T19:00:00Z', ['night', '11-20T19:00', '11-21T11:00', false, '11-20T19:00', '11-22T19:00']],
  ['w=night&to=nonsense', ['night', '11-22T19:00', '11-23T11:00', false, '11-22T19:00', null]],
])('the address ?%s shows %p', (query, expected) => {
  expect(rangeAt(query)).toEqual(expected)
})
