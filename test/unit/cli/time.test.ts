/** Points in time as they are typed, and as listings show them: on the clock of the site. */
import { describe, expect, test } from 'bun:test'
import { pointInTime, timeText, zonedTimeText } from '../../../src/cli/time.ts'
import { createZoneTimes } from '../../../src/platform/zone-times.ts'

const UTC = createZoneTimes('UTC')
const STOCKHOLM = createZoneTimes('Europe/Stockholm')
const NOW = Date.parse('2026-03-02T10:20:30.400Z')

describe('a typed time', () => {
  test.each([
    ['2h', '2026-03-02T08:20:30.400Z'],
    ['7d', '2026-02-23T10:20:30.400Z'],
    ['09:15', '2026-03-02T09:15:00.000Z'],
    ['22:00', '2026-03-01T22:00:00.000Z'],
    ['today', '2026-03-02T00:00:00.000Z'],
    ['today 22:00', '2026-03-02T22:00:00.000Z'],
    ['yesterday', '2026-03-01T00:00:00.000Z'],
    ['Yesterday 18:00', '2026-03-01T18:00:00.000Z'],
    ['2026-02-01', '2026-02-01T00:00:00.000Z'],
    ['2026-02-01 03:04', '2026-02-01T03:04:00.000Z'],
    ['2026-02-01T03:04:05', '2026-02-01T03:04:05.000Z'],
    ['2026-02-01T03:04:05.678Z', '2026-02-01T03:04:05.678Z'],
    ['2026-02-01T03:04:05+02:00', '2026-02-01T01:04:05.000Z'],
  ])('%s', (text, expected) => {
    expect(pointInTime(text, NOW, UTC)).toBe(expected)
  })

  test.each([
    ['2h', '2026-03-02T08:20:30.400Z'],
    ['11:00', '2026-03-02T10:00:00.000Z'],
    ['11:30', '2026-03-01T10:30:00.000Z'],
    ['yesterday', '2026-02-28T23:00:00.000Z'],
    ['2026-07-01', '2026-06-30T22:00:00.000Z'],
    ['2026-07-01 3:04', '2026-07-01T01:04:00.000Z'],
    ['2026-07-01T03:04Z', '2026-07-01T03:04:00.000Z'],
  ])('%s in Stockholm', (text, expected) => {
    expect(pointInTime(text, NOW, STOCKHOLM)).toBe(expected)
  })

  test.each(['', 'tomorrow', '25:00', '12:60', '2026-02-01 24:00', '5', 'yesterday noon', '2026-13-01T00:00:00Z'])(
    '%p is none',
    (text) => {
      expect(pointInTime(text, NOW, UTC)).toBeNull()
    },
  )
})

test('a shown time has no milliseconds; a text that is no time stays', () => {
  expect(timeText('2026-03-02T06:03:11.520Z', STOCKHOLM)).toBe('2026-03-02 07:03:11')
  expect(zonedTimeText('2026-03-02T06:03:11.520Z', STOCKHOLM)).toBe('2026-03-02 07:03:11 Europe/Stockholm')
  expect(timeText('2026-03-02T06:03:11.520Z', undefined)).toBe('2026-03-02T06:03:11Z')
  expect(timeText('never', UTC)).toBe('never')
})
