import { describe, expect, test } from 'bun:test'
import { createCalendars, createWindows } from '../../../../src/platform/calendar.ts'
import { readDocument } from '../../../../src/tasks/schedule/file.ts'
import { createPlanner, planText } from '../../../../src/tasks/schedule/plan.ts'
import type { Plan, ScheduleValues } from '../../../../src/tasks/schedule/types.ts'
import { readRepositoryFile } from '../../../support/source.ts'

/** Public holidays of Sweden in 2026 that are no Sundays. */
const HOLIDAYS = [
  '2026-01-01',
  '2026-01-06',
  '2026-04-03',
  '2026-04-06',
  '2026-05-01',
  '2026-05-14',
  '2026-06-06',
  '2026-06-19',
  '2026-06-20',
  '2026-12-24',
  '2026-12-25',
  '2026-12-26',
  '2026-12-31',
]

function plan(values: ScheduleValues, timezone = 'Europe/Stockholm'): Plan {
  const calendars = createCalendars({
    calendars: {
      'holidays-se': { dates: HOLIDAYS },
      weekend: { days: ['sat-sun'] },
      'month-end': { dates: ['2026-03-31'] },
    },
  })
  const planner = createPlanner(
    {
      calendars,
      windows: createWindows({ windows: {}, calendars, timezone }),
      hasWebhook: () => false,
    },
    { monthBase: 0, ignoreTimezone: false },
  )
  const planned = planner.plan({ timezone, qlikSenseTaskId: 'a8b4c123-def4-5678-9abc-def012345678', ...values })
  if (!planned.ok) throw new Error(planned.problem.message)
  return planned.plan
}

const YEAR = Date.parse('2026-01-01T00:00:00Z') - 86_400_000

/** Local `2026-03-02 06:00` of the firings of 2026. */
function localFirings(values: ScheduleValues, timezone: string, count: number): string[] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: timezone, dateStyle: 'short', timeStyle: 'short' })
  return plan(values, timezone)
    .coming(YEAR, count)
    .map((at) => format.format(at))
    .filter((text) => text.startsWith('2026'))
}

/** The days of 2026, one by one. */
const DAYS = Array.from({ length: 365 }, (_, i) => new Date(Date.UTC(2026, 0, 1 + i)).toISOString().slice(0, 10))
const isWeekday = (day: string): boolean => ![0, 6].includes(new Date(`${day}T12:00:00Z`).getUTCDay())

describe('calendars', () => {
  test.each([['Europe/Stockholm'], ['America/New_York'], ['Asia/Tokyo']])(
    '%s: working days of 2026 at 06:00, without holidays',
    (zone) => {
      const expected = DAYS.filter((day) => isWeekday(day) && !HOLIDAYS.includes(day)).map((day) => `${day} 06:00`)
      expect(localFirings({ cronSchedule: '0 6 * * 1-5', notOn: ['holidays-se'] }, zone, 300)).toEqual(expected)
    },
  )

  test.each([['Europe/Stockholm'], ['America/New_York'], ['Asia/Tokyo']])(
    '%s: the last working day of each month',
    (zone) => {
      const isAllowed = (day: string) => isWeekday(day) && !HOLIDAYS.includes(day)
      const expected = Array.from({ length: 12 }, (_, month) => {
        const ofMonth = DAYS.filter((day) => Number(day.slice(5, 7)) === month + 1 && isAllowed(day))
        return `${ofMonth.at(-1)} 18:00`
      })
      const values = { cronSchedule: '0 18 L * *', notOn: ['holidays-se', 'weekend'], shift: 'previous' }
      expect(localFirings(values, zone, 13)).toEqual(expected)
    },
  )

  test('moved to the next working day, once', () => {
    const daily = { cronSchedule: '0 6 * * *', notOn: ['weekend', 'holidays-se'], shift: 'next' }
    const expected = DAYS.filter((day) => isWeekday(day) && !HOLIDAYS.includes(day)).map((day) => `${day} 06:00`)
    expect(localFirings(daily, 'Europe/Stockholm', 300)).toEqual(expected)
    // Good Friday to Easter Monday, 3 to 6 April.
    const saturdays = { cronSchedule: '0 6 4 3 *', notOn: ['weekend', 'holidays-se'], shift: 'next' }
    expect(localFirings(saturdays, 'Europe/Stockholm', 1)).toEqual(['2026-04-07 06:00'])
  })

  test('only on the days of a calendar; a firing on another day is skipped, and why is known', () => {
    const weekend = plan({ cronSchedule: '0 6 * * *', onlyOn: 'weekend' })
    expect(weekend.excluded(Date.parse('2026-03-02T05:00:00Z'))).toBe('CALENDAR')
    expect(weekend.excluded(Date.parse('2026-03-01T05:00:00Z'))).toBeNull()
    expect(localFirings({ cronSchedule: '0 6 * * *', onlyOn: 'weekend' }, 'Europe/Stockholm', 3)).toEqual([
      '2026-01-03 06:00',
      '2026-01-04 06:00',
      '2026-01-10 06:00',
    ])
  })
})

describe('windows', () => {
  test('03:00 to 15:00 on every hour is 12 firings a day, also when clocks change', () => {
    const firings = localFirings(
      { cronSchedule: '0 * * * *', window: { from: '03:00', to: '15:00' } },
      'Europe/Stockholm',
      5000,
    )
    const hours = Array.from({ length: 12 }, (_, i) => `${String(i + 3).padStart(2, '0')}:00`)
    for (const day of [
      '2026-02-01',
      '2026-03-28',
      '2026-03-29',
      '2026-03-30',
      '2026-10-24',
      '2026-10-25',
      '2026-10-26',
    ]) {
      expect(firings.filter((text) => text.startsWith(day)).map((text) => text.slice(11))).toEqual(hours)
    }
    expect(firings).toHaveLength(12 * 365)
  })

  test('outside of it a firing is skipped, and why is known', () => {
    const hourly = plan({
      cronSchedule: '0 * * * *',
      window: [{ from: '03:00', to: '15:00' }, { days: 'sat' }].map((one) => ({ ...one })),
    })
    expect(hourly.excluded(Date.parse('2026-03-02T14:00:00Z'))).toBe('WINDOW')
    expect(hourly.excluded(Date.parse('2026-03-07T14:00:00Z'))).toBeNull()
    expect(hourly.excluded(Date.parse('2026-03-02T13:00:00Z'))).toBeNull()
  })

  test('a window of one day a month is found from every minute', () => {
    const monthEnd = plan({ cronSchedule: '* * * * *', window: { from: '23:00', on: ['month-end'] } })
    expect(monthEnd.coming(Date.parse('2026-03-01T00:00:00Z'), 1).map((at) => new Date(at).toISOString())).toEqual([
      '2026-03-31T21:00:00.000Z',
    ])
  })

  test('a window that never opens ends the search', () => {
    const never = plan({
      cronSchedule: '* * * * * *',
      window: { start: '2020-01-01T00:00:00Z', end: '2020-01-02T00:00:00Z' },
    })
    expect(never.coming(YEAR, 1)).toEqual([])
  })
})

describe('what is wrong with a schedule', () => {
  test.each<[ScheduleValues, string]>([
    [{ cronSchedule: '61 * * * *' }, 'Invalid cronSchedule: minute 61 is out of range, minutes are 0-59'],
    [{ timezone: 'Mars/Base' }, 'Invalid timezone: Mars/Base'],
    [{ qlikSenseTaskId: 'abc' }, 'Invalid qlikSenseTaskId: abc'],
    [{ window: 'office' }, 'Invalid window: there is no window or calendar "office"'],
    [{ window: { from: '7' } }, 'Invalid window: from must be a time like "07:00" in quotes, found "7"'],
    [{ notOn: ['feasts'] }, 'Invalid notOn: there is no calendar "feasts"'],
    [
      { jitter: '5' },
      'Invalid jitter: must be a length of time; "5" has no unit. Write for example 250ms, 30s, 5m, 24h, 7d, 1w or PT90S.',
    ],
    [{ overlapPolicy: 'never' }, 'Invalid overlapPolicy: Invalid option: expected one of "allow"|"skip"|"queue"'],
    [{ action: { type: 'appDump' } }, 'Invalid action: folder Invalid input: expected string, received undefined'],
  ])('%j', (values, message) => {
    expect(() => plan({ cronSchedule: '0 6 * * *', ...values })).toThrow(message)
  })
})

test('the example file holds schedules that could run', () => {
  const { entries } = readDocument(readRepositoryFile('config/schedule.example.yaml'))
  expect(entries.map(({ values }) => planText(plan(values)))).toEqual([
    'minute 0 of every 2 hours (Europe/London)',
    'every 30 minutes of hours 6 to 18, Monday to Friday (Europe/Paris)',
    'at 14:25, on the third Wednesday of the month (Europe/Stockholm)',
    'at 02:00 (Europe/Stockholm)',
  ])
})
