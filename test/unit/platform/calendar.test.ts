import { describe, expect, test } from 'bun:test'
import {
  type CalendarDefinition,
  createCalendars,
  createWindows,
  parseDay,
  type Window,
} from '../../../src/platform/calendar.ts'

const CALENDARS: Record<string, CalendarDefinition> = {
  'holidays-se': { dates: ['2026-12-24', '2026-12-25', '2026-06-19'] },
  workdays: { days: ['mon-fri'], except: ['holidays-se'] },
  // Exceptions of each other.
  left: { days: ['mon'], except: ['right'] },
  right: { days: ['mon'], except: ['left'] },
}

function contains(window: Window | string, at: string, timezone = 'Europe/Stockholm'): boolean {
  const windows = createWindows({
    windows: { 'office-hours': { days: ['mon-fri'], from: '07:00', to: '18:00' } },
    calendars: createCalendars({ calendars: CALENDARS }),
    timezone,
  })
  return windows.contains(window, Date.parse(at))
}

describe('windows on the wall clock', () => {
  test.each<[Window | string, string, boolean]>([
    // Monday 2026-03-02, +01:00.
    ['office-hours', '2026-03-02T06:59:59.999+01:00', false],
    ['office-hours', '2026-03-02T07:00:00+01:00', true],
    ['office-hours', '2026-03-02T17:59:59.999+01:00', true],
    ['office-hours', '2026-03-02T18:00:00+01:00', false],
    ['office-hours', '2026-03-01T12:00:00+01:00', false],
    [{}, '2026-03-01T12:00:00Z', true],
    [{ days: ['sat-mon'] }, '2026-03-01T12:00:00+01:00', true],
    [{ days: ['sat-mon'] }, '2026-03-03T12:00:00+01:00', false],
    [{ days: ['tue', 'thu'] }, '2026-03-05T12:00:00+01:00', true],
    [{ from: '22:00' }, '2026-03-02T23:59:59+01:00', true],
    [{ from: '22:00' }, '2026-03-03T00:00:00+01:00', false],
    [{ to: '06:00' }, '2026-03-02T00:00:00+01:00', true],
    [{ to: '06:00' }, '2026-03-02T06:00:00+01:00', false],
    [{ from: '20:00', to: '24:00' }, '2026-03-02T23:59:59+01:00', true],
    // Over midnight the day is that of the begin: Friday night reaches into Saturday.
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-03-07T05:59:00+01:00', true],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-03-06T05:59:00+01:00', false],
    [{ days: ['fri'], from: '22:00', to: '06:00' }, '2026-03-06T22:00:00+01:00', true],
    // The same time twice: a whole day from then on.
    [{ days: ['fri'], from: '06:00', to: '06:00' }, '2026-03-07T05:59:00+01:00', true],
    [{ days: ['fri'], from: '06:00', to: '06:00' }, '2026-03-07T06:00:00+01:00', false],
    // Another zone than the default.
    [{ from: '09:00', to: '10:00', timezone: 'Asia/Tokyo' }, '2026-03-02T00:30:00Z', true],
    [{ from: '09:00', to: '10:00', timezone: 'Asia/Tokyo' }, '2026-03-02T08:30:00Z', false],
    [{ start: '2026-03-02T06:00:00+01:00', end: '2026-03-02T08:00:00+01:00' }, '2026-03-02T05:00:00Z', true],
    [{ start: '2026-03-02T06:00:00+01:00', end: '2026-03-02T08:00:00+01:00' }, '2026-03-02T07:00:00Z', false],
    [{ start: '2026-03-02T06:00:00+01:00', end: '2026-03-02T08:00:00+01:00' }, '2026-03-02T04:59:59Z', false],
  ])('%j at %s: %p', (window, at, expected) => {
    expect(contains(window, at)).toBe(expected)
  })

  test('on the days of clock changes the wall clock decides', () => {
    const night: Window = { from: '02:00', to: '03:00' }
    // 29 March 2026: 02:00 does not exist. 25 October: 02:30 is there twice.
    expect(contains(night, '2026-03-29T00:59:59Z')).toBe(false)
    expect(contains(night, '2026-03-29T01:00:00Z')).toBe(false)
    expect(contains(night, '2026-10-25T00:30:00Z')).toBe(true)
    expect(contains(night, '2026-10-25T01:30:00Z')).toBe(true)
    expect(contains(night, '2026-10-25T02:00:00Z')).toBe(false)
  })

  test('a window opens once and closes once, the first time that its times come', () => {
    const minutes = Array.from({ length: 6 * 60 }, (_, n) => Date.parse('2026-10-24T22:00:00Z') + n * 60_000)
    const open = (window: Window) => minutes.filter((at) => contains(window, new Date(at).toISOString()))
    const span = (window: Window) => open(window).map((at) => new Date(at).toISOString().slice(11, 16))
    expect([span({ from: '01:30', to: '02:30' })[0], span({ from: '01:30', to: '02:30' }).at(-1)]).toEqual([
      '23:30',
      '00:29',
    ])
    expect([span({ from: '02:30', to: '02:45' })[0], span({ from: '02:30', to: '02:45' }).length]).toEqual([
      '00:30',
      15,
    ])
    // From the first 02:45 to 03:15, which comes after both passes.
    expect([span({ from: '02:45', to: '03:15' })[0], span({ from: '02:45', to: '03:15' }).length]).toEqual([
      '00:45',
      90,
    ])
    // In spring 02:30 is the moment of the change.
    expect(contains({ from: '02:30', to: '03:30' }, '2026-03-29T01:00:00Z')).toBe(true)
    expect(contains({ from: '01:00', to: '02:30' }, '2026-03-29T00:59:59Z')).toBe(true)
    expect(contains({ from: '01:00', to: '02:30' }, '2026-03-29T01:00:00Z')).toBe(false)
  })
})

describe('calendars in windows', () => {
  test.each<[Window, string, boolean]>([
    [{ on: ['workdays'] }, '2026-12-23T12:00:00+01:00', true],
    [{ on: ['workdays'] }, '2026-12-24T12:00:00+01:00', false],
    [{ on: ['workdays', 'holidays-se'] }, '2026-12-24T12:00:00+01:00', true],
    [{ notOn: ['holidays-se'] }, '2026-12-24T23:30:00+01:00', false],
    // The day is the local one: 23:30Z is the next day in Stockholm.
    [{ notOn: ['holidays-se'] }, '2026-12-25T23:30:00Z', true],
    [{ from: '22:00', to: '06:00', notOn: ['holidays-se'] }, '2026-12-24T03:00:00+01:00', true],
    [{ from: '22:00', to: '06:00', notOn: ['holidays-se'] }, '2026-12-26T03:00:00+01:00', false],
  ])('%j at %s: %p', (window, at, expected) => {
    expect(contains(window, at)).toBe(expected)
  })

  test('names that are not there are errors', () => {
    expect(() => contains('night', '2026-03-02T12:00:00Z')).toThrow('There is no window "night"')
    expect(() => contains({ on: ['nowhere'] }, '2026-03-02T12:00:00Z')).toThrow('There is no calendar "nowhere"')
  })

  test('calendars that except each other come to an end', () => {
    const calendars = createCalendars({ calendars: CALENDARS })
    expect(calendars.contains('left', parseDay('2026-03-02')!)).toBe(false)
  })

  test('days of a file count, and can be taken out', () => {
    const calendars = createCalendars({
      calendars: { filed: { file: 'x.ics', except: ['odd'] }, odd: { dates: ['2026-01-03'] } },
      fileDays: (name) => new Set(name === 'filed' ? ['2026-01-02', '2026-01-03'].map((text) => parseDay(text)!) : []),
    })
    expect(calendars.contains('filed', parseDay('2026-01-02')!)).toBe(true)
    expect(calendars.contains('filed', parseDay('2026-01-03')!)).toBe(false)
  })
})

describe('the next periods of a window', () => {
  function periods(window: Window, at: string, count = 3): string[] {
    const windows = createWindows({
      windows: { tried: window },
      calendars: createCalendars({ calendars: CALENDARS }),
      timezone: 'Europe/Stockholm',
    })
    const iso = (instant: number) => new Date(instant).toISOString().slice(0, 16)
    return windows.next('tried', Date.parse(at), count).map(({ from, to }) => `${iso(from)} ${iso(to)}`)
  }

  test.each<[string, Window, string, readonly string[]]>([
    [
      'begin with the one that is open',
      { days: ['mon-fri'], from: '22:00', to: '06:00' },
      '2026-03-03T02:00:00+01:00',
      ['2026-03-02T21:00 2026-03-03T05:00', '2026-03-03T21:00 2026-03-04T05:00', '2026-03-04T21:00 2026-03-05T05:00'],
    ],
    [
      'are one where they touch',
      { days: ['sat', 'sun'] },
      '2026-03-02T00:00:00+01:00',
      ['2026-03-06T23:00 2026-03-08T23:00', '2026-03-13T23:00 2026-03-15T23:00', '2026-03-20T23:00 2026-03-22T23:00'],
    ],
    [
      'follow calendars',
      { on: ['holidays-se'], from: '12:00', to: '13:00' },
      '2026-06-20T00:00:00+02:00',
      ['2026-12-24T11:00 2026-12-24T12:00', '2026-12-25T11:00 2026-12-25T12:00'],
    ],
    ['are none of one that is over', { start: '2026-01-01T00:00Z', end: '2026-01-02T00:00Z' }, '2026-03-02T00:00Z', []],
  ])('%s', (_, window, at, expected) => {
    expect(periods(window, at)).toEqual([...expected])
  })
})
