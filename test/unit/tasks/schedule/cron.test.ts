import { describe, expect, test } from 'bun:test'
import { Cron } from 'croner'
import fc from 'fast-check'
import { createOffsets } from '../../../../src/platform/offsets.ts'
import { type MonthBase, pointAt } from '../../../../src/tasks/schedule/cron/fields.ts'
import { parseCron } from '../../../../src/tasks/schedule/cron/parse.ts'
import { createTimes } from '../../../../src/tasks/schedule/cron/times.ts'
import { describeCron } from '../../../../src/tasks/schedule/cron/words.ts'

function fields(text: string, base: MonthBase = 0) {
  const result = parseCron(text, base)
  if (!result.ok) throw new Error(`${text}: ${result.problem.reason}`)
  return result.value
}

function problem(text: string, base: MonthBase = 0): string {
  const result = parseCron(text, base)
  return result.ok ? 'none' : result.problem.reason
}

/** ISO texts of the firings after `from`. */
function firings(text: string, timezone: string, from: string, count: number): string[] {
  const times = createTimes(fields(text), createOffsets(timezone))
  const found: string[] = []
  for (let at = times.next(Date.parse(from)); at !== null && found.length < count; at = times.next(at)) {
    found.push(new Date(at).toISOString().replace('.000Z', 'Z'))
  }
  return found
}

const SUNDAY = '2026-03-01T00:00:00Z'

describe('texts with the meaning that Butler gives them', () => {
  test.each<[string, string, string[]]>([
    ['*/30 * * * * *', SUNDAY, ['2026-03-01T00:00:30Z', '2026-03-01T00:01:00Z', '2026-03-01T00:01:30Z']],
    ['0 */2 * * *', SUNDAY, ['2026-03-01T02:00:00Z', '2026-03-01T04:00:00Z']],
    ['* */2 * * *', '2026-03-01T00:58:00Z', ['2026-03-01T00:59:00Z', '2026-03-01T02:00:00Z', '2026-03-01T02:01:00Z']],
    ['0-30/5 6-18 * * 1-5', SUNDAY, ['2026-03-02T06:00:00Z', '2026-03-02T06:05:00Z']],
    ['0-30/5 6-18 * * 1-5', '2026-03-06T18:30:00Z', ['2026-03-09T06:00:00Z']],
    [
      '5/15 * * * *',
      SUNDAY,
      [
        '2026-03-01T00:05:00Z',
        '2026-03-01T00:20:00Z',
        '2026-03-01T00:35:00Z',
        '2026-03-01T00:50:00Z',
        '2026-03-01T01:05:00Z',
      ],
    ],
    ['*/7 * * * *', '2026-03-01T00:49:00Z', ['2026-03-01T00:56:00Z', '2026-03-01T01:00:00Z']],
    ['*/90 * * * *', SUNDAY, ['2026-03-01T01:00:00Z', '2026-03-01T02:00:00Z']],
    // Months count from 0.
    ['0 0 1 1 *', '2026-01-01T00:00:00Z', ['2026-02-01T00:00:00Z', '2027-02-01T00:00:00Z']],
    ['0 0 1 jan *', '2026-01-01T00:00:00Z', ['2027-01-01T00:00:00Z']],
    // Either day.
    ['0 0 13 * 5', '2026-03-06T00:00:00Z', ['2026-03-13T00:00:00Z', '2026-03-20T00:00:00Z']],
    ['0 0 13 * 5', '2026-04-10T00:00:00Z', ['2026-04-13T00:00:00Z', '2026-04-17T00:00:00Z']],
    ['0 0 * * MON-FRI', SUNDAY, ['2026-03-02T00:00:00Z']],
    ['  0   6 * *  * ', SUNDAY, ['2026-03-01T06:00:00Z']],
  ])('%s', (text, from, expected) => {
    expect(firings(text, 'UTC', from, expected.length)).toEqual(expected)
  })
})

describe('additions', () => {
  test.each<[string, string[]]>([
    ['0 0 * * 7', ['2026-03-08T00:00:00Z', '2026-03-15T00:00:00Z']],
    ['0 0 * * 1-7', ['2026-03-02T00:00:00Z', '2026-03-03T00:00:00Z']],
    [
      '0 0 * * fri-mon',
      [
        '2026-03-02T00:00:00Z',
        '2026-03-06T00:00:00Z',
        '2026-03-07T00:00:00Z',
        '2026-03-08T00:00:00Z',
        '2026-03-09T00:00:00Z',
        '2026-03-13T00:00:00Z',
      ],
    ],
    ['0 22-1 * * *', ['2026-03-01T01:00:00Z', '2026-03-01T22:00:00Z', '2026-03-01T23:00:00Z', '2026-03-02T00:00:00Z']],
    ['25 14 * * 3#3', ['2026-03-18T14:25:00Z', '2026-04-15T14:25:00Z']],
    ['0 0 L * *', ['2026-03-31T00:00:00Z', '2026-04-30T00:00:00Z']],
    ['0 0 L * tue', ['2026-03-31T00:00:00Z', '2026-06-30T00:00:00Z']],
    ['@hourly', ['2026-03-01T01:00:00Z', '2026-03-01T02:00:00Z']],
    ['@daily', ['2026-03-02T00:00:00Z']],
    ['@weekly', ['2026-03-08T00:00:00Z']],
    ['@monthly', ['2026-04-01T00:00:00Z']],
    ['@yearly', ['2027-01-01T00:00:00Z']],
    ['0 0 29 feb *', ['2028-02-29T00:00:00Z']],
  ])('%s', (text, expected) => {
    expect(firings(text, 'UTC', SUNDAY, expected.length)).toEqual(expected)
  })

  test('months count from 1 where that is wanted', () => {
    expect([...fields('0 0 1 12 *', 1).months]).toEqual([12])
    expect(problem('0 0 1 0 *', 1)).toBe('month 0 is out of range, months are 1-12 (1 = January); use jan-dec')
  })
})

describe('what is wrong is said, with its place', () => {
  test.each([
    ['0 0 1 12 *', 'month 12 is out of range, months are 0-11 (0 = January); use jan-dec'],
    ['60 * * * *', 'minute 60 is out of range, minutes are 0-59'],
    ['0 24 * * *', 'hour 24 is out of range, hours are 0-23'],
    ['0 0 0 * *', 'day 0 is out of range, days are 1-31'],
    ['0 0 * * 8', 'weekday 8 is out of range, weekdays are 0-7 (0 and 7 = Sunday) or sun-sat'],
    ['0 0 * * someday', 'someday is no weekday, weekdays are 0-7 (0 and 7 = Sunday) or sun-sat'],
    ['1-0 * * * *', '1-0 ends with 0; name the numbers one by one'],
    ['0 */0 * * *', '*/0 has a step of zero'],
    ['0 1,,2 * * *', 'the hour is missing'],
    ['? * * * *', '? is no minute, minutes are 0-59'],
    ['0 0 * * 5#6', '5#6 must end with #1 to #5'],
    ['0 0 31 1 *', 'there is no such day, so it would never fire'],
    ['0 0 30 feb *', 'there is no such day, so it would never fire'],
    ['* * * *', 'too few fields: 4 instead of 5 or 6'],
    ['* * * * * * *', 'too many fields: 7 instead of 5 or 6'],
    ['', 'too few fields: 0 instead of 5 or 6'],
    ['@dai', '@dai is unknown; known are @hourly, @daily, @weekly, @monthly, @yearly'],
  ])('%s', (text, reason) => {
    expect(problem(text)).toBe(reason)
  })

  test('a line of marks stands below the wrong part', () => {
    const result = parseCron('0 6 1 12 mon', 0)
    expect(result.ok ? '' : pointAt('0 6 1 12 mon', result.problem)).toBe(
      '0 6 1 12 mon\n      ^^ month 12 is out of range, months are 0-11 (0 = January); use jan-dec',
    )
  })

  test('no text makes the parser fail otherwise', () => {
    const part = fc.stringMatching(/^[0-9a-z*,/#LW?-]{1,8}$/)
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.array(part, { minLength: 4, maxLength: 7 })), (given) => {
        const text = Array.isArray(given) ? given.join(' ') : given
        const result = parseCron(text, 0)
        if (result.ok) return
        expect(result.problem.at + result.problem.length).toBeLessThanOrEqual(text.length)
      }),
    )
  })
})

describe('in words', () => {
  test.each([
    ['0 6 * * 1-5', 'at 06:00, Monday to Friday (Europe/Stockholm)'],
    ['15 30 6,18 * * *', 'at 06:30:15 and 18:30:15 (Europe/Stockholm)'],
    ['* * * * * *', 'every second (Europe/Stockholm)'],
    ['*/30 * * * * *', 'every 30 seconds (Europe/Stockholm)'],
    ['*/15 * * * *', 'every 15 minutes (Europe/Stockholm)'],
    ['0 * * * *', 'minute 0 of every hour (Europe/Stockholm)'],
    ['0 */2 * * *', 'minute 0 of every 2 hours (Europe/Stockholm)'],
    ['* */2 * * *', 'every minute of every 2 hours (Europe/Stockholm)'],
    ['0,30 6-18 * * 1-5', 'every 30 minutes of hours 6 to 18, Monday to Friday (Europe/Stockholm)'],
    ['0 3-15 * * *', 'minute 0 of hours 3 to 15 (Europe/Stockholm)'],
    ['5,7 * * * *', 'minutes 5 and 7 of every hour (Europe/Stockholm)'],
    ['0 0 1 0,6 *', 'at 00:00, on day 1 of the month, in January and July (Europe/Stockholm)'],
    ['0 0 13 * 5', 'at 00:00, on day 13 of the month or Friday (Europe/Stockholm)'],
    ['25 14 * * 3#3', 'at 14:25, on the third Wednesday of the month (Europe/Stockholm)'],
    ['0 0 L * fri', 'at 00:00, on the last day of the month if it is Friday (Europe/Stockholm)'],
    ['0 0 * * 0,6', 'at 00:00, Saturday and Sunday (Europe/Stockholm)'],
  ])('%s: %s', (text, words) => {
    expect(describeCron(fields(text), 'Europe/Stockholm')).toBe(words)
  })
})

describe('days with a clock change', () => {
  const gapAndOverlap: [string, string, string, string, string][] = [
    // zone, the hour that is skipped, what fires instead, the hour that comes twice, its first time
    [
      'Europe/Stockholm',
      '2026-03-29T00:00:00Z',
      '2026-03-29T01:00:00Z',
      '2026-10-25T00:00:00Z',
      '2026-10-25T00:30:00Z',
    ],
    [
      'America/New_York',
      '2026-03-08T06:00:00Z',
      '2026-03-08T07:00:00Z',
      '2026-11-01T05:00:00Z',
      '2026-11-01T05:30:00Z',
    ],
    // By half an hour: 02:00 to 02:30, and 02:00 back to 01:30.
    [
      'Australia/Lord_Howe',
      '2026-10-03T14:00:00Z',
      '2026-10-03T15:30:00Z',
      '2026-04-04T14:00:00Z',
      '2026-04-04T14:30:00Z',
    ],
  ]

  test.each(gapAndOverlap)(
    '%s: what the gap skips fires once at its end, what comes twice fires once',
    (zone, spring, atGap, autumn, first) => {
      const inGap = zone === 'Australia/Lord_Howe' ? '15 2 * * *' : '30 2 * * *'
      const inOverlap = zone === 'Europe/Stockholm' ? '30 2 * * *' : '30 1 * * *'
      expect(firings(inGap, zone, spring, 1)).toEqual([atGap])
      const [one, two] = firings(inOverlap, zone, autumn, 2)
      expect(one).toBe(first)
      // The next one is a day (and the hour that was won) later.
      expect(Date.parse(two!) - Date.parse(one!)).toBeGreaterThan(24 * 3_600_000)
    },
  )

  test('several times in a gap are one firing', () => {
    expect(firings('0,20,40 2 * * *', 'Europe/Stockholm', '2026-03-29T00:00:00Z', 2)).toEqual([
      '2026-03-29T01:00:00Z',
      '2026-03-30T00:00:00Z',
    ])
  })

  test('what fires in every hour goes on through both', () => {
    const half = firings('*/30 * * * *', 'Europe/Stockholm', '2026-10-25T00:00:00Z', 4)
    expect(half).toEqual([
      '2026-10-25T00:30:00Z',
      '2026-10-25T01:00:00Z',
      '2026-10-25T01:30:00Z',
      '2026-10-25T02:00:00Z',
    ])
    expect(firings('15 * * * *', 'Europe/Stockholm', '2026-03-29T00:00:00Z', 3)).toEqual([
      '2026-03-29T00:15:00Z',
      '2026-03-29T01:15:00Z',
      '2026-03-29T02:15:00Z',
    ])
  })

  test('hourly from 3 am to 3 pm is 13 firings a day, on each of the days', () => {
    for (const day of ['2026-03-28', '2026-03-29', '2026-03-30', '2026-10-24', '2026-10-25', '2026-10-26']) {
      const local = new Intl.DateTimeFormat('sv-SE', { timeZone: 'Europe/Stockholm', dateStyle: 'short' })
      const from = new Date(Date.parse(`${day}T00:00:00Z`) - 12 * 3_600_000).toISOString()
      const ofDay = firings('0 3-15 * * *', 'Europe/Stockholm', from, 60).filter(
        (at) => local.format(new Date(at)) === day,
      )
      expect([day, ofDay.length]).toEqual([day, 13])
    }
  })

  test.each([['Europe/Stockholm'], ['America/New_York'], ['Australia/Lord_Howe']])(
    '%s: daily times fire once on every day of the year',
    (zone) => {
      const local = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' })
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 23 }), fc.integer({ min: 0, max: 59 }), (hour, minute) => {
          const days = firings(`${minute} ${hour} * * *`, zone, '2026-01-01T12:00:00Z', 360).map((at) =>
            local.format(new Date(at)),
          )
          expect(new Set(days).size).toBe(360)
        }),
        { numRuns: 25 },
      )
    },
  )

  test.each([['Europe/Stockholm'], ['America/New_York'], ['Australia/Lord_Howe']])(
    '%s: firings grow, and every one shows a time that is asked for',
    (zone) => {
      const pattern = fc.tuple(
        fc.constantFrom('*', '*/20', '0', '10,40', '5-25/10'),
        fc.constantFrom('*', '*/3', '1', '2', '1-3', '2,14'),
      )
      fc.assert(
        fc.property(
          pattern,
          fc.constantFrom('2026-03-07', '2026-03-28', '2026-04-04', '2026-10-03', '2026-10-24', '2026-10-31'),
          ([minute, hour], day) => {
            const parsed = fields(`${minute} ${hour} * * *`)
            const offsets = createOffsets(zone)
            const times = createTimes(parsed, offsets)
            let at = Date.parse(`${day}T00:00:00Z`)
            for (let i = 0; i < 100; i += 1) {
              const next = times.next(at)!
              expect(next).toBeGreaterThan(at)
              const wall = new Date(next + offsets.at(next))
              const isWanted =
                parsed.hours.includes(wall.getUTCHours()) && parsed.minutes.includes(wall.getUTCMinutes())
              // The end of a gap stands for what it skips.
              expect(isWanted || offsets.at(next) > offsets.at(next - 1)).toBe(true)
              at = next
            }
          },
        ),
      )
    },
  )
})

test('away from clock changes the instants are those of an independent cron library', () => {
  const numbers = (most: number, least = 0) =>
    fc.oneof(
      fc.constant('*'),
      fc.integer({ min: least, max: most }).map(String),
      fc.integer({ min: 2, max: 20 }).map((step) => `*/${step}`),
      fc
        .uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 4 })
        .map((list) => list.join(',')),
      fc
        .tuple(fc.integer({ min: least, max: most - 1 }), fc.integer({ min: 1, max: 5 }))
        .map(([from, length]) => `${from}-${Math.min(from + length, most)}`),
    )
  const pattern = fc.tuple(numbers(59), numbers(59), numbers(23), numbers(28, 1), numbers(12, 1), numbers(6))
  fc.assert(
    fc.property(pattern, fc.integer({ min: 0, max: 10_000 }), (parts, days) => {
      const text = parts.join(' ')
      // The library takes steps beyond a field for errors, and a step in one of the days for no restriction.
      fc.pre(!/\*\/(1[3-9]|20)/.test(text) && !parts.slice(3).some((part) => part.includes('/')))
      const result = parseCron(text, 1)
      if (!result.ok) throw new Error(result.problem.reason)
      const from = Date.UTC(2026, 0, 1) + days * 3_600_000
      const cron = new Cron(text, { timezone: 'UTC', mode: '6-part', paused: true })
      const expected = cron.nextRuns(3, new Date(from)).map((date) => date.getTime())
      const times = createTimes(result.value, createOffsets('UTC'))
      const found: number[] = []
      for (let at = times.next(from); found.length < expected.length; at = times.next(at!)) found.push(at!)
      expect(found).toEqual(expected)
    }),
    { numRuns: 200 },
  )
})
