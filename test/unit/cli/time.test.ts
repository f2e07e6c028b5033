/** Points in time as they are typed, and as listings show them. Tests run in UTC. */
import { describe, expect, test } from 'bun:test'
import { pointInTime, timeText } from '../../../src/cli/time.ts'

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
    expect(pointInTime(text, NOW)).toBe(expected)
  })

  test.each(['', 'tomorrow', '25:00', '12:60', '2026-02-01 24:00', '5', 'yesterday noon', '2026-13-01T00:00:00Z'])(
    '%p is none',
    (text) => {
      expect(pointInTime(text, NOW)).toBeNull()
    },
  )
})

test('a shown time has no milliseconds; a text that is no time stays', () => {
  expect(timeText('2026-03-02T06:03:11.520Z')).toBe('2026-03-02 06:03:11')
  expect(timeText('2026-03-02T06:03:11.520Z', true)).toBe('2026-03-02T06:03:11Z')
  expect(timeText('never')).toBe('never')
})
