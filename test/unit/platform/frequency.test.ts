import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseFrequency } from '../../../src/platform/frequency.ts'

function frequency(text: string, timezone = 'UTC') {
  const parsed = parseFrequency(text, timezone)
  if (!parsed.ok) throw new Error(`${text}: ${parsed.error}`)
  return parsed.value
}

function firings(text: string, from: string, count: number, timezone = 'UTC'): string[] {
  const { next } = frequency(text, timezone)
  const found: string[] = []
  for (let now: number | null = Date.parse(from); found.length < count; ) {
    now = next(now)
    if (now === null) break
    found.push(new Date(now).toISOString().slice(5, 19))
  }
  return found
}

// A Tuesday.
const NOW = '2026-03-03T10:02:07.500Z'

describe('texts mean what the later library means: aligned to the clock', () => {
  test.each([
    ['every 30 seconds', ['03-03T10:02:30', '03-03T10:03:00', '03-03T10:03:30']],
    ['every 15 minutes', ['03-03T10:15:00', '03-03T10:30:00', '03-03T10:45:00']],
    ['EVERY 5 Min ', ['03-03T10:05:00', '03-03T10:10:00', '03-03T10:15:00']],
    ['every 1 hour', ['03-03T11:00:00', '03-03T12:00:00', '03-03T13:00:00']],
    ['every 60 minutes', ['03-03T11:00:00', '03-03T12:00:00', '03-03T13:00:00']],
    ['every 60 seconds', ['03-03T10:03:00', '03-03T10:04:00', '03-03T10:05:00']],
    ['every 6 hours', ['03-03T12:00:00', '03-03T18:00:00', '03-04T00:00:00']],
    ['every 24 hours', ['03-04T00:00:00', '03-05T00:00:00', '03-06T00:00:00']],
    ['every 1 day', ['03-04T00:00:00', '03-05T00:00:00', '03-06T00:00:00']],
    ['every 2 days', ['03-05T00:00:00', '03-07T00:00:00', '03-09T00:00:00']],
    ['every 14 days', ['03-15T00:00:00', '03-29T00:00:00', '04-01T00:00:00']],
    ['every 2 weeks', ['03-09T00:00:00', '03-23T00:00:00', '04-06T00:00:00']],
    ['every 1 month', ['04-01T00:00:00', '05-01T00:00:00', '06-01T00:00:00']],
    ['every 7 minutes', ['03-03T10:07:00', '03-03T10:14:00', '03-03T10:21:00']],
    ['every 45 minutes', ['03-03T10:45:00', '03-03T11:00:00', '03-03T11:45:00']],
    ['at 10:15 am', ['03-03T10:15:00', '03-04T10:15:00', '03-05T10:15:00']],
    ['at 14:30', ['03-03T14:30:00', '03-04T14:30:00', '03-05T14:30:00']],
    ['at 8:00 am and 5:00 pm', ['03-03T17:00:00', '03-04T08:00:00', '03-04T17:00:00']],
    ['on Monday and Friday at 08:00', ['03-06T08:00:00', '03-09T08:00:00', '03-13T08:00:00']],
    ['on Monday through Friday at 09:00', ['03-04T09:00:00', '03-05T09:00:00', '03-06T09:00:00']],
    ['every weekday at 7:30 am', ['03-04T07:30:00', '03-05T07:30:00', '03-06T07:30:00']],
    ['every weekend', ['03-07T00:00:00', '03-08T00:00:00', '03-14T00:00:00']],
    ['every 2 hours between 8 and 17', ['03-03T12:00:00', '03-03T14:00:00', '03-03T16:00:00']],
    ['every 5 minutes starting on the 3rd minute', ['03-03T10:08:00', '03-03T10:13:00', '03-03T10:18:00']],
    ['on the first day of the month at 3:00 am', ['04-01T03:00:00', '05-01T03:00:00', '06-01T03:00:00']],
    ['on the last day of the month', ['03-31T00:00:00', '04-30T00:00:00', '05-31T00:00:00']],
    ['every 1 hours after 8:00 and before 17:00', ['03-03T11:00:00', '03-03T12:00:00', '03-03T13:00:00']],
    ['every 10 minutes also at 12:07', ['03-03T10:10:00', '03-03T10:20:00', '03-03T10:30:00']],
    ['at 15 minutes past every hour', ['03-03T10:15:00', '03-03T11:15:00', '03-03T12:15:00']],
  ])('%s', (text, expected) => {
    const from = text.includes('starting') ? '2026-03-03T10:03:07.500Z' : NOW
    expect(firings(text, from, 3)).toEqual(expected)
    expect(frequency(text).warning).toBeNull()
  })
})

describe('texts that mislead get a warning', () => {
  test.each([
    ['every 90 seconds', ['03-03T10:03:00', '03-03T10:04:00'], 'PT90S'],
    ['every 90 minutes', ['03-03T11:00:00', '03-03T12:00:00'], 'PT90M'],
    ['every 36 hours', ['03-04T00:00:00', '03-05T00:00:00'], 'PT36H'],
    ['every 48 hours', ['03-04T00:00:00', '03-05T00:00:00'], 'P2D'],
    ['every second', ['03-03T10:02:09', '03-03T10:02:10'], 'every 1 second'],
    ['every minute', ['03-03T10:03:00', '03-03T10:04:00'], 'every 1 minute'],
    ['every hour', ['03-03T11:00:00', '03-03T12:00:00'], 'every 1 hour'],
    ['every day', ['03-04T00:00:00', '03-05T00:00:00'], 'every 1 day'],
    ['every week', ['03-09T00:00:00', '03-16T00:00:00'], 'every 1 week'],
  ])('%s', (text, expected, hint) => {
    expect(firings(text, NOW, 2)).toEqual(expected)
    expect(frequency(text).warning).toContain(hint)
  })
})

describe('refused', () => {
  test.each([
    '',
    '  ',
    'banana',
    '30 seconds',
    'every banana',
    'every between and',
    'every 2 hrs',
    'every 0 seconds',
    'every 1.5 hours',
    'every -5 minutes',
    'every 2 minutes and 30 seconds',
    'in 2020',
    'PT0S',
    'P1M',
    'PT',
    '61 * * * *',
    '* * * * * * *',
    '0 0 30 2 *',
  ])('"%s"', (text) => {
    expect(parseFrequency(text).ok).toBe(false)
  })

  test('the error says what would be right', () => {
    expect(parseFrequency('every 2 hrs')).toMatchObject({
      ok: false,
      error: expect.stringContaining('every 5 minutes'),
    })
  })
})

describe('cron expressions and durations', () => {
  test.each([
    ['*/15 * * * *', ['03-03T10:15:00', '03-03T10:30:00']],
    ['*/20 * * * * *', ['03-03T10:02:20', '03-03T10:02:40']],
    ['0 6 1 4 *', ['04-01T06:00:00', '04-01T06:00:00']],
    ['PT90S', ['03-03T10:03:00', '03-03T10:04:30']],
    ['P1D', ['03-04T00:00:00', '03-05T00:00:00']],
    ['pt1h', ['03-03T11:00:00', '03-03T12:00:00']],
  ])('%s', (text, expected) => {
    expect(firings(text, NOW, 2)).toEqual(expected)
  })
})

describe('the time zone shifts the wall clock', () => {
  test('texts and cron expressions follow it', () => {
    expect(firings('at 14:30', NOW, 2, 'Europe/Stockholm')).toEqual(['03-03T13:30:00', '03-04T13:30:00'])
    expect(firings('30 14 * * *', NOW, 2, 'Europe/Stockholm')).toEqual(['03-03T13:30:00', '03-04T13:30:00'])
  })

  test('durations do not', () => {
    expect(firings('PT1H', NOW, 1, 'Asia/Kolkata')).toEqual(['03-03T11:00:00'])
  })

  test('in spring what goes on through every hour skips the hour, and another time in it comes at its end', () => {
    const found = firings('every 30 minutes', '2026-03-29T00:15:00Z', 4, 'Europe/Stockholm')
    expect(found).toEqual(['03-29T00:30:00', '03-29T01:00:00', '03-29T01:30:00', '03-29T02:00:00'])
    expect(firings('at 02:30', '2026-03-28T12:00:00Z', 2, 'Europe/Stockholm')).toEqual([
      '03-29T01:00:00',
      '03-30T00:30:00',
    ])
  })

  test('in autumn the repeated hour is not lost', () => {
    const found = firings('every 30 minutes', '2026-10-25T00:15:00Z', 4, 'Europe/Stockholm')
    expect(found).toEqual(['10-25T00:30:00', '10-25T01:00:00', '10-25T01:30:00', '10-25T02:00:00'])
  })

  test('in autumn a time that comes twice is the first one', () => {
    for (const text of ['at 02:30', '30 2 * * *', '30 1-3/1 * * *']) {
      const found = firings(text, '2026-10-25T00:15:00Z', 2, 'Europe/Stockholm')
      expect([text, found[0], found[1] === '10-25T01:30:00']).toEqual([text, '10-25T00:30:00', false])
    }
  })

  test.each([['every 2 hours'], ['0 */2 * * *'], ['0 0,2,4,6,8,10,12,14,16,18,20,22 * * *']])(
    '%s is the same set of hours, however it is written',
    (text) => {
      expect(firings(text, '2026-10-24T22:30:00Z', 3, 'Europe/Stockholm')).toEqual([
        '10-25T00:00:00',
        '10-25T03:00:00',
        '10-25T05:00:00',
      ])
    },
  )

  test('rare firings beyond a clock change come at the local time', () => {
    expect(firings('on the first day of the month at 3:00 am', NOW, 2, 'Europe/Stockholm')).toEqual([
      '04-01T01:00:00',
      '05-01T01:00:00',
    ])
  })
})

test('the next firing is at least one second ahead', () => {
  const { next } = frequency('every 30 seconds')
  const at = (time: string) => new Date(next(Date.parse(`2026-03-03T10:02:${time}Z`))!).toISOString().slice(17)
  expect(at('29.000')).toBe('30.000Z')
  expect(at('29.001')).toBe('00.000Z')
  expect(at('30.000')).toBe('00.000Z')
})

test('no text hangs or throws', () => {
  const words = fc.constantFrom(
    'every',
    'at',
    'on',
    'the',
    'first',
    'last',
    '5',
    '0',
    '31',
    'minutes',
    'hours',
    'day',
    'of',
    'feb',
    'and',
    'except',
    'also',
    'between',
    'after',
    'before',
    '10:15',
    'am',
    'in',
    '2027',
    'weekday',
    'month',
    '-',
    ',',
  )
  fc.assert(
    fc.property(fc.array(words, { maxLength: 8 }), (parts) => {
      const parsed = parseFrequency(parts.join(' '))
      if (!parsed.ok) return parsed.error.length > 0
      const next = parsed.value.next(Date.parse(NOW))
      return next === null || next >= Date.parse(NOW) + 1000
    }),
    { numRuns: 300 },
  )
})
