/** Calendars, windows and policies in words. */
import { describe, expect, test } from 'bun:test'
import { weeksOf } from '../../../../src/console/pages/schedules/year.tsx'
import { policyText } from '../../../../src/console/pages/tasks/policy-words.ts'
import { calendarText, windowsText, windowText } from '../../../../src/console/ui/setting-words.ts'

const PAGE = { timezone: 'Europe/Stockholm', now: Date.parse('2026-11-28T12:00:00Z') }

test.each([
  [{}, 'No day yet'],
  [{ dates: '2026-12-24' }, '1 date'],
  [{ file: '', days: ['mon-wed', 'SUN'] }, 'Every Mon–Wed, Sun'],
  [{ file: 'a.ics', dates: [], except: 'b' }, 'The days of the file a.ics; without the days of b'],
  ['damaged', 'No day yet'],
])('calendar %j is "%s"', (value, text) => {
  expect(calendarText(value)).toBe(text)
})

test.each([
  [{}, 'Every day'],
  [{ days: 'mon-fri' }, 'Mon–Fri'],
  [{ from: '22:00' }, 'Every day 22:00 to 24:00'],
  [{ from: '22:00', to: '06:00' }, 'Every day 22:00 to 06:00 of the next day'],
  [{ from: '06:00', to: '06:00' }, 'Every day 06:00 to 06:00 of the next day'],
  [{ to: '06:00', on: ['a', 'b'], notOn: 'c' }, 'Every day 00:00 to 06:00, only on days of a or b, not on days of c'],
  [{ days: 'sat', timezone: 'Europe/Stockholm' }, 'Sat'],
  [{ days: 'sat', timezone: 'UTC' }, 'Sat (UTC)'],
  // Without an offset on the clock of the window, shown on that of the page.
  [{ start: '2026-12-05T20:00', end: '2026-12-06T04:00' }, '5 Dec 20:00 to 6 Dec 04:00'],
  [{ start: '2026-12-05T20:00', end: '2026-12-06T04:00Z', timezone: 'UTC' }, '5 Dec 21:00 to 6 Dec 05:00'],
])('window %j is "%s"', (value, text) => {
  expect(windowText(value, PAGE)).toBe(text)
})

test('windows with and without a name stand side by side', () => {
  expect(windowsText('nights', PAGE)).toBe('nights')
  expect(windowsText(['nights', { days: 'sun' }], PAGE)).toBe('nights; Sun')
})

test.each([
  [{}, 'All tasks: as the site'],
  [{ match: [], retry: '1x/90s' }, 'All tasks: retry 1 time, after 1 min'],
  [{ match: [{}, { task: 'a' }], retry: 'none' }, 'All tasks: no retry'],
  [
    { match: { stream: ['A', ''], taskProperty: { Team: ['x', 'y'] } } },
    'Tasks of stream A or none with Team = x or y: as the site',
  ],
  [
    { watch: { late: '90m', neverStarted: 'off', dueBy: ['07:30', 'sat +45m'] } },
    'All tasks: late after 1 h 30 min in the queue; missed: not watched; due by 07:30 and Sat +45m',
  ],
  [{ match: { taskId: 'ID', task: 'a' } }, 'Tasks named a with the id ID: as the site'],
  [{ match: { type: 'reload', appId: ['other'] } }, 'Tasks of type reload of the app with the id other: as the site'],
  [{ match: { taskId: 'ID' }, retry: 'damaged' }, 'Tasks named Sales: retry damaged'],
])('policy %j is "%s"', (value, text) => {
  expect(policyText(value, new Map([['id', { name: 'Sales', path: '/' }]]))).toBe(text)
})

describe('the weeks of a month', () => {
  test.each([
    [2026, 2, 5, '2026-02-01'],
    [2027, 2, 4, '2027-02-01'],
    [2024, 2, 5, '2024-02-01'],
    [2026, 3, 6, '2026-03-01'],
  ])('%d-%d has %d weeks from %s on', (year, month, count, first) => {
    const weeks = weeksOf(year, month)
    expect(weeks).toHaveLength(count)
    for (const week of weeks) expect(week).toHaveLength(7)
    const days = weeks.flat().filter((day) => day !== null)
    expect(days[0]).toBe(first)
    expect(days).toHaveLength(new Date(Date.UTC(year, month, 0)).getUTCDate())
    // Mondays stand first.
    for (const [monday] of weeks.slice(1)) expect(new Date(monday!).getUTCDay()).toBe(1)
  })
})
