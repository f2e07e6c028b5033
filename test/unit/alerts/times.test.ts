import { describe, expect, test } from 'bun:test'
import { createTimeFormatter, durationParts, utcParts } from '../../../src/alerts/times.ts'

const plainBlanks = (text: string) => text.replace(/\u202f/g, ' ')

describe('time formats', () => {
  const stockholm = createTimeFormatter({ timeZone: 'Europe/Stockholm', locale: 'en-US' })

  test('an instant in all six forms', () => {
    const found = stockholm.variants('startTime', '2025-10-14T07:24:31.120Z')
    expect(Object.fromEntries(Object.entries(found).map(([name, text]) => [name, plainBlanks(text)]))).toEqual({
      startTimeUTC: '2025-10-14T07:24:31.120Z',
      startTimeLocal1: '2025-10-14 09:24:31',
      startTimeLocal2: '10/14/2025, 9:24:31 AM',
      startTimeLocal3: 'Oct 14, 2025, 9:24:31 AM',
      startTimeLocal4: 'October 14, 2025 at 9:24:31 AM GMT+2',
      startTimeLocal5: 'October 14, 2025 at 9:24:31 AM GMT+2',
    })
  })

  test.each([
    ['2025-10-25T23:30:00.000Z', '2025-10-26 01:30:00'],
    ['2025-12-31T23:30:00.000Z', '2026-01-01 00:30:00'],
    ['2025-06-30T22:00:00.000Z', '2025-07-01 00:00:00'],
  ])('Local1 of %s is %s', (iso, local) => {
    expect(stockholm.variants('x', iso).xLocal1).toBe(local)
  })

  test('"never" is a dash, unknown is empty, unreadable text is kept', () => {
    expect(new Set(Object.values(stockholm.variants('x', '1753-01-01T00:00:00.000Z')))).toEqual(new Set(['-']))
    expect(new Set(Object.values(stockholm.variants('x', null)))).toEqual(new Set(['']))
    expect(stockholm.variants('x', 'soon')).toMatchObject({ xUTC: 'soon', xLocal1: '', xLocal4: '' })
  })

  test('without settings the zone of the host decides', () => {
    const script = `
      const { createTimeFormatter } = await import('${import.meta.dir}/../../../src/alerts/times.ts')
      console.log(createTimeFormatter().variants('x', '2025-01-14T20:24:31.120Z').xLocal1)`
    const child = Bun.spawnSync([process.execPath, '-e', script], { env: { ...process.env, TZ: 'Asia/Tokyo' } })
    expect(child.stdout.toString().trim()).toBe('2025-01-15 05:24:31')
  })

  test('locales change the long forms only', () => {
    const german = createTimeFormatter({ timeZone: 'UTC', locale: 'de-DE' }).variants('x', '2025-10-14T07:24:31.120Z')
    expect(german).toMatchObject({ xLocal1: '2025-10-14 07:24:31', xLocal2: '14.10.2025, 7:24:31' })
  })
})

test.each([
  [252_000, { hours: 0, minutes: 4, seconds: 12 }],
  [90_061_999, { hours: 25, minutes: 1, seconds: 1 }],
  [0, { hours: 0, minutes: 0, seconds: 0 }],
  [null, { hours: '', minutes: '', seconds: '' }],
] as const)('a duration of %p ms', (ms, expected) => {
  expect(durationParts(ms)).toEqual(expected)
})

test('the parts of a time in UTC', () => {
  expect(utcParts('2025-10-14T07:24:31.120Z')).toEqual({
    year: 2025,
    month: 10,
    day: 14,
    hour: 7,
    minute: 24,
    second: 31,
    millisecond: 120,
  })
  expect(utcParts('1753-01-01T00:00:00.000Z').year).toBe('')
  expect(utcParts(undefined).hour).toBe('')
})
