import { expect, test } from 'bun:test'
import { cellOf, weekOf } from '../../../../../src/console/pages/schedules/week.ts'

const at = Date.parse

test.each([
  ['2026-11-22T10:00:00Z', 'Europe/Stockholm', '2026-W47', '2026-11-15T23:00:00Z'],
  // In Stockholm it is Monday already.
  ['2026-11-22T23:30:00Z', 'Europe/Stockholm', '2026-W48', '2026-11-22T23:00:00Z'],
  ['2027-01-02T12:00:00Z', 'UTC', '2026-W53', '2026-12-28T00:00:00Z'],
  ['2024-12-31T12:00:00Z', 'UTC', '2025-W01', '2024-12-30T00:00:00Z'],
])('%s in %s lies in %s, which begins at %s', (now, timezone, name, from) => {
  const week = weekOf('', timezone, at(now))
  expect([week.name, week.from]).toEqual([name, at(from)])
  expect(weekOf(name, timezone, 0)).toEqual(week)
  expect(weekOf(week.after, timezone, 0).before).toBe(name)
  expect([week.cells.length, week.rows.length]).toEqual([168, 24])
})

test('a week with a change of clocks has 167 or 169 hours, and both hours of the same name', () => {
  const spring = weekOf('2027-W12', 'Europe/Stockholm', 0)
  expect([spring.cells.length, spring.rows.length]).toEqual([167, 24])
  const autumn = weekOf('2026-W43', 'Europe/Stockholm', 0)
  expect([autumn.cells.length, autumn.rows.length]).toEqual([169, 25])
  expect(cellOf(autumn, at('2026-10-25T00:30:00Z'))).toMatchObject({ day: 6, row: '02' })
  expect(cellOf(autumn, at('2026-10-25T01:30:00Z'))).toMatchObject({ day: 6, row: '02 again' })
  expect(cellOf(autumn, autumn.to)).toBeUndefined()
})

test('a name that is no week is that of now', () => {
  expect(weekOf('2026-W99', 'UTC', at('2026-11-22T10:00:00Z')).name).toBe('2026-W47')
})
