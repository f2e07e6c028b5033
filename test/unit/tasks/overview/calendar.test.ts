import { expect, test } from 'bun:test'
import { loadOf } from '../../../../src/tasks/overview/calendar.ts'

const HOUR = 3_600_000
const MINUTE = 60_000
const firing = (at: number, taskIds: string[], skipped: 'CALENDAR' | null = null) => ({ at, taskIds, skipped })

test('the load of an hour is the most tasks that are expected at once in it', () => {
  const lengths = new Map([
    ['a', 90 * MINUTE],
    ['b', 10 * MINUTE],
  ])
  const firings = [
    firing(0, ['a', 'b']),
    firing(5 * MINUTE, ['b']),
    firing(HOUR, ['b']),
    firing(HOUR + 20 * MINUTE, ['b'], 'CALENDAR'),
  ]
  expect(loadOf(firings, lengths, { from: 0, to: 3 * HOUR })).toEqual([
    { at: 0, running: 3 },
    { at: HOUR, running: 2 },
    { at: 2 * HOUR, running: 0 },
  ])
})

test('a task that ends when the hour begins does not count in it', () => {
  const lengths = new Map([['a', HOUR]])
  expect(loadOf([firing(0, ['a'])], lengths, { from: 0, to: 2 * HOUR }).map(({ running }) => running)).toEqual([1, 0])
})
