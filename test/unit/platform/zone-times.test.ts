/** Times as people write and read them, on the clock of a zone. */
import { expect, test } from 'bun:test'
import { createZoneTimes, timesIn } from '../../../src/platform/zone-times.ts'

test.each([
  ['2026-07-01T12:00:00Z', 'Europe/Stockholm', '2026-07-01T12:00:00.000Z'],
  ['2026-07-01T12:00:00+0300', 'Europe/Stockholm', '2026-07-01T09:00:00.000Z'],
  ['2026-07-01T12:00', 'Europe/Stockholm', '2026-07-01T10:00:00.000Z'],
  ['2026-07-01 12:00:30.250', 'Europe/Stockholm', '2026-07-01T10:00:30.250Z'],
  ['2026-01-01', 'Europe/Stockholm', '2025-12-31T23:00:00.000Z'],
  ['2026-01-01', 'UTC', '2026-01-01T00:00:00.000Z'],
  // Left out, and there twice.
  ['2026-03-29T02:30', 'Europe/Stockholm', '2026-03-29T01:00:00.000Z'],
  ['2026-10-25T02:30', 'Europe/Stockholm', '2026-10-25T00:30:00.000Z'],
])('%s in %s', (text, zone, instant) => {
  expect(new Date(createZoneTimes(zone).instant(text)!).toISOString()).toBe(instant)
})

test.each(['', '5', 'tomorrow', '2026-04-31', '2026-13-01T00:00Z', '2026-01-01T24:00', '2026-01-01T12', '12:00'])(
  '%p is none',
  (text) => {
    expect(createZoneTimes('UTC').instant(text)).toBeNull()
  },
)

test('is shown with its zone, or for a listing without', () => {
  const times = createZoneTimes('Asia/Kolkata')
  const at = Date.parse('2026-03-02T06:03:11.520Z')
  expect([times.clock(at), times.text(at)]).toEqual(['2026-03-02 11:33:11', '2026-03-02 11:33:11 Asia/Kolkata'])
})

test('the times in a text', () => {
  const at = '2026-03-02T06:03:11.520Z'
  expect(timesIn(`task Sales until ${at}: moved`)).toEqual(['task Sales until ', at, ': moved'])
  expect(timesIn('no time')).toEqual(['no time'])
})
