import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createCronEngine, describeCron, type MonthBase, parseCron } from '../../../../src/platform/cron.ts'
import { createOffsets, type Offsets } from '../../../../src/platform/offsets.ts'
import { createZoneClock } from '../../../../src/platform/zone-clock.ts'
import { pointAt } from '../../../../src/tasks/schedule/plan.ts'

function fields(text: string, base: MonthBase = 0) {
  const result = parseCron(text, base)
  if (!result.ok) throw new Error(`${text}: ${result.problem.reason}`)
  return result.value
}

function problem(text: string, base: MonthBase = 0): string {
  const result = parseCron(text, base)
  return result.ok ? 'none' : result.problem.reason
}

const known = new Map<string, Offsets>()

/** Finding the clock changes of a zone is most of the work, and needs doing once. */
function offsetsOf(timezone: string): Offsets {
  const offsets = known.get(timezone) ?? createOffsets(timezone)
  known.set(timezone, offsets)
  return offsets
}

/** The first instant after another one, on the clock of a zone. */
function finder(text: string, timezone: string, base: MonthBase = 0): (after: number) => number | null {
  const expression = fields(text, base)
  const clock = createZoneClock(offsetsOf(timezone), createCronEngine())
  return (after) => clock.next(expression, after)
}

/** ISO texts of the firings after `from`. */
function firings(text: string, timezone: string, from: string, count: number): string[] {
  const next = finder(text, timezone)
  const found: string[] = []
  for (let at = next(Date.parse(from)); at !== null && found.length < count; at = next(at)) {
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
    ['@midnight', ['2026-03-02T00:00:00Z']],
    ['@annually', ['2027-01-01T00:00:00Z']],
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
    ['? * * * *', '? stands for a day of the month or a weekday; write * for each minute'],
    ['0 0 * * 5#6', '5#6 must end with #1 to #5'],
    ['0 0 31 1 *', 'there is no such day, so it would never fire'],
    ['0 0 30 feb *', 'there is no such day, so it would never fire'],
    ['* * * *', 'too few fields: 4 instead of 5 or 6'],
    ['* * * * * * *', 'too many fields: 7 instead of 5 or 6; years are not possible, write * * * * * *'],
    ['', 'too few fields: 0 instead of 5 or 6'],
    ['@dai', '@dai is unknown; known are @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually'],
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
            const offsets = offsetsOf(zone)
            const clock = createZoneClock(offsets, createCronEngine())
            let at = Date.parse(`${day}T00:00:00Z`)
            for (let i = 0; i < 100; i += 1) {
              const next = clock.next(parsed, at)!
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

/** What a wall clock shows; month from 1, weekday from 0 = Sunday. */
interface Wall {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly weekday: number
  readonly hour: number
  readonly minute: number
}

type Matches = (wall: Wall) => boolean

/**
 * The oracle: what each pattern means, written by hand as a condition on the wall clock, and the rules for clock changes
 * applied by walking through every minute. It shares nothing with the code that it checks.
 */
interface Pattern {
  readonly text: string
  readonly matches: Matches
  /** Fires in every hour of the day: both times when one comes twice, and what a gap skips is not made up. */
  readonly everyHour?: true
}

const isOdd = (value: number) => value % 2 === 1
const lastOf = ({ year, month }: Wall) => new Date(Date.UTC(year, month, 0)).getUTCDate()
const nthOf = ({ day }: Wall) => Math.ceil(day / 7)

const CLOCK_PATTERNS: readonly Pattern[] = [
  { text: '30 2 * * *', matches: ({ hour, minute }) => hour === 2 && minute === 30 },
  { text: '15 2 * * *', matches: ({ hour, minute }) => hour === 2 && minute === 15 },
  { text: '45 1 * * *', matches: ({ hour, minute }) => hour === 1 && minute === 45 },
  { text: '0 0 * * *', matches: ({ hour, minute }) => hour === 0 && minute === 0 },
  { text: '30 0 * * *', matches: ({ hour, minute }) => hour === 0 && minute === 30 },
  { text: '59 23 * * *', matches: ({ hour, minute }) => hour === 23 && minute === 59 },
  { text: '0,20,40 2 * * *', matches: ({ hour, minute }) => hour === 2 && minute % 20 === 0 },
  { text: '10 0-4 * * *', matches: ({ hour, minute }) => hour <= 4 && minute === 10 },
  { text: '5 22-2 * * *', matches: ({ hour, minute }) => (hour >= 22 || hour <= 2) && minute === 5 },
  { text: '30 0-23 * * *', matches: ({ minute }) => minute === 30, everyHour: true },
  { text: '30 * * * *', matches: ({ minute }) => minute === 30, everyHour: true },
  { text: '*/20 * * * *', matches: ({ minute }) => minute % 20 === 0, everyHour: true },
  { text: '*/7 * * * *', matches: ({ minute }) => minute % 7 === 0, everyHour: true },
  { text: '5/15 * * * *', matches: ({ minute }) => minute % 15 === 5, everyHour: true },
  { text: '*/90 * * * *', matches: ({ minute }) => minute === 0, everyHour: true },
  { text: '0 */2 * * *', matches: ({ hour, minute }) => hour % 2 === 0 && minute === 0 },
  { text: '*/30 1-3 * * *', matches: ({ hour, minute }) => hour >= 1 && hour <= 3 && minute % 30 === 0 },
  { text: '15 1/5 * * *', matches: ({ hour, minute }) => hour % 5 === 1 && minute === 15 },
  {
    text: '30 1,2 * * sun',
    matches: ({ hour, minute, weekday }) => (hour === 1 || hour === 2) && minute === 30 && weekday === 0,
  },
  {
    text: '0 3 L * *',
    matches: (wall) => wall.hour === 3 && wall.minute === 0 && wall.day === lastOf(wall),
  },
]

const ZONES = [
  'UTC',
  'Europe/Stockholm',
  'Europe/Dublin',
  'America/New_York',
  'America/St_Johns',
  'America/Havana',
  'America/Santiago',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Asia/Kathmandu',
  'Antarctica/Troll',
  'Europe/London',
  'Europe/Chisinau',
  'Atlantic/Azores',
  'America/Nuuk',
  'Australia/Sydney',
  'Pacific/Auckland',
  'Asia/Beirut',
  'Asia/Jerusalem',
]
const YEARS = [2024, 2025, 2026, 2027, 2028]
const MINUTE = 60_000
const HOUR = 60 * MINUTE

interface Minute {
  readonly at: number
  /** Its wall clock as if it were UTC. */
  readonly local: number
  readonly wall: Wall
}

/** Every minute from 30 hours before each clock change of five years to 30 hours after; a few days where there is none. */
function minutesOf(zone: string): Minute[][] {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'short' })
  const offset = (at: number) => Date.parse(`${format.format(at).replace(' ', 'T')}Z`) - at
  const minute = (at: number, by: number): Minute => ({ at, local: at + by, wall: wallOf(at + by) })
  /** No clock is changed and set back within half an hour. */
  const halfHour = (from: number): Minute[] => {
    const by = offset(from)
    const isSteady = by === offset(from + 29 * MINUTE)
    return Array.from({ length: 30 }, (_, i) => from + i * MINUTE).map((at) => minute(at, isSteady ? by : offset(at)))
  }
  const changes = YEARS.flatMap((year) => {
    const hours = Array.from({ length: 366 * 24 }, (_, i) => Date.UTC(year, 0, 1) + i * HOUR)
    const days = hours.filter((_, i) => i % 24 === 0 && offset(hours[i]!) !== offset(hours[i]! + 24 * HOUR))
    return days.map((day) => hours.find((at) => at > day && offset(at) !== offset(day))!)
  })
  const centres = changes.length > 0 ? changes : [Date.UTC(2024, 1, 29), Date.UTC(2026, 5, 1)]
  return centres.map((centre) =>
    Array.from({ length: 60 * 2 }, (_, i) => halfHour(centre - 30 * HOUR + i * 30 * MINUTE)).flat(),
  )
}

function wallOf(local: number): Wall {
  const date = new Date(local)
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth() + 1,
    day: date.getUTCDate(),
    weekday: date.getUTCDay(),
    hour: date.getUTCHours(),
    minute: date.getUTCMinutes(),
  }
}

function expectedOf({ matches, everyHour }: Pattern, minutes: readonly Minute[]): number[] {
  const fits = (local: number) => matches(wallOf(local))
  const seen = new Set<number>()
  return minutes.flatMap(({ at, local, wall }, i) => {
    const before = minutes[i - 1]?.local ?? local - MINUTE
    const skipped = Array.from(
      { length: Math.max((local - before) / MINUTE - 1, 0) },
      (_, n) => before + (n + 1) * MINUTE,
    )
    const isSecond = seen.has(local)
    seen.add(local)
    const fires = matches(wall) && (everyHour || !isSecond)
    return fires || (!everyHour && skipped.some(fits)) ? [at] : []
  })
}

describe('around every clock change of five years the instants are those of a walk through all minutes', () => {
  test.each(ZONES.map((zone) => [zone]))('%s', (zone) => {
    for (const minutes of minutesOf(zone)) {
      for (const pattern of CLOCK_PATTERNS) {
        const next = finder(pattern.text, zone)
        const found: number[] = []
        const end = minutes.at(-1)!.at
        for (let at = next(minutes[0]!.at - 1); at !== null && at <= end; at = next(at)) found.push(at)
        const iso = (list: readonly number[]) => list.map((at) => new Date(at).toISOString())
        expect([pattern.text, ...iso(found)]).toEqual([pattern.text, ...iso(expectedOf(pattern, minutes))])
      }
    }
  })
})

describe('the days of five years are those of a walk through all days', () => {
  test.each<[string, Matches]>([
    ['0 12 * * *', () => true],
    ['0 12 L * *', (wall) => wall.day === lastOf(wall)],
    ['0 12 1,L * *', (wall) => wall.day === 1 || wall.day === lastOf(wall)],
    ['0 12 L * fri', (wall) => wall.day === lastOf(wall) && wall.weekday === 5],
    ['0 12 * * 3#3', (wall) => wall.weekday === 3 && nthOf(wall) === 3],
    ['0 12 * * 1#5', (wall) => wall.weekday === 1 && nthOf(wall) === 5],
    ['0 12 * * mon,wed#2', (wall) => wall.weekday === 1 || (wall.weekday === 3 && nthOf(wall) === 2)],
    ['0 12 8-14 * 2#2', (wall) => wall.weekday === 2 && nthOf(wall) === 2],
    ['0 12 13 * 5', ({ day, weekday }) => day === 13 || weekday === 5],
    ['0 12 */3 * *', ({ day }) => day % 3 === 1],
    ['0 12 28-2 * *', ({ day }) => day >= 28 || day <= 2],
    ['0 12 31 * *', ({ day }) => day === 31],
    ['0 12 29 1 *', ({ day, month }) => day === 29 && month === 2],
    ['0 12 1 0,11 *', ({ day, month }) => day === 1 && (month === 1 || month === 12)],
    ['0 12 * 10-1 *', ({ month }) => month === 11 || month === 12 || month <= 2],
    ['0 12 * */2 *', ({ month }) => isOdd(month)],
    ['0 12 * nov-jan sat-mon', ({ month, weekday }) => [11, 12, 1].includes(month) && [6, 0, 1].includes(weekday)],
    ['0 12 * * 7', ({ weekday }) => weekday === 0],
    ['0 12 * * */2', ({ weekday }) => weekday % 2 === 0],
  ])('%s', (text, matches) => {
    const next = finder(text, 'UTC')
    const start = Date.UTC(2024, 0, 1, 12)
    const days = Array.from({ length: 5 * 365 + 2 }, (_, i) => start + i * 24 * HOUR)
    const expected = days.filter((at) => matches(wallOf(at)))
    const found: number[] = []
    for (let at = next(start - 1); at !== null && at <= days.at(-1)!; at = next(at)) found.push(at)
    expect(found).toEqual(expected)
  })
})

test('random patterns: no second between two firings fits, every firing does', () => {
  /** `end`: that of the field; numbers go up to `most`. */
  const numbers = (most: number, least = 0, end = most) =>
    fc.oneof(
      fc.constant({ text: '*', values: range(least, end) }),
      fc.integer({ min: 2, max: 20 }).map((step) => ({
        text: `*/${step}`,
        values: range(least, end).filter((value) => (value - least) % step === 0),
      })),
      fc
        .uniqueArray(fc.integer({ min: least, max: most }), { minLength: 1, maxLength: 4 })
        .map((list) => ({ text: list.join(','), values: list })),
      fc
        .tuple(fc.integer({ min: least, max: most - 1 }), fc.integer({ min: 1, max: 5 }))
        .map(([from, length]) => [from, Math.min(from + length, most)] as const)
        .map(([from, to]) => ({ text: `${from}-${to}`, values: range(from, to) })),
    )
  const parts = fc.tuple(numbers(59), numbers(59), numbers(23), numbers(28, 1, 31), numbers(12, 1), numbers(6))
  fc.assert(
    fc.property(parts, fc.integer({ min: 0, max: 100_000 }), (fieldsOf, minutes) => {
      const [second, minute, hour, day, month, weekday] = fieldsOf
      const start = Date.UTC(2026, 0, 1) + minutes * MINUTE
      const anyWeekday = weekday.values.length === 7
      const fitsDay = (date: Date) => {
        if (!month.values.includes(date.getUTCMonth() + 1)) return false
        const ofMonth = day.values.includes(date.getUTCDate())
        const ofWeek = weekday.values.includes(date.getUTCDay())
        return day.text === '*' || anyWeekday ? ofMonth && ofWeek : ofMonth || ofWeek
      }
      const fits = (at: number) => {
        const date = new Date(at)
        const isTime =
          second.values.includes(date.getUTCSeconds()) &&
          minute.values.includes(date.getUTCMinutes()) &&
          hour.values.includes(date.getUTCHours())
        return isTime && fitsDay(date)
      }
      const next = finder(fieldsOf.map(({ text }) => text).join(' '), 'UTC', 1)
      let at = next(start)!
      expect(fits(at)).toBe(true)
      // Whole days without a firing are passed over; the seconds of the others are tried one by one.
      for (let tried = start + 1000; tried < at; tried += 1000) {
        if (tried % (24 * HOUR) === 0 && tried + 24 * HOUR <= at && !fitsDay(new Date(tried))) tried += 24 * HOUR - 1000
        else if (fits(tried)) throw new Error(`nothing fired at ${new Date(tried).toISOString()}`)
      }
      const third = next(next(at)!)!
      const following: number[] = []
      for (at += 1000; following.length < 2; at += 1000) {
        if (fits(at)) following.push(at)
        else if (at % (24 * HOUR) === 0 && !fitsDay(new Date(at))) at += 24 * HOUR - 1000
      }
      expect(following[1]).toBe(third)
    }),
    { numRuns: 100 },
  )
})

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

describe('the set of hours decides, not its spelling', () => {
  const upTo = (last: number) => fc.uniqueArray(fc.integer({ min: 0, max: last }), { minLength: 1 })
  const sorted = (values: readonly number[]) => [...values].sort((a, b) => a - b)
  /** Lists, ranges and steps that name the same numbers. */
  function spellings(values: readonly number[], size: number): string[] {
    const all = sorted(values)
    const [first, step] = [all[0]!, (all[1] ?? 0) - all[0]!]
    const isEven = all.length > 1 && all.every((value, i) => value === first + i * step)
    const runs = all.map((value) => `${value}-${value}`)
    return [
      all.join(),
      [...all].reverse().join(),
      runs.join(),
      ...(isEven ? [`${first}-${all.at(-1)}/${step}`] : []),
      ...(isEven && all.at(-1)! + step >= size ? [`${first}/${step}`] : []),
      ...(isEven && first === 0 && all.at(-1)! + step >= size ? [`*/${step}`] : []),
      ...(all.length === size ? ['*', `0-${size - 1}`, '*/1'] : []),
    ]
  }
  const field = (size: number) => {
    const steps = fc.integer({ min: 1, max: size }).map((by) => {
      return Array.from({ length: Math.ceil(size / by) }, (_, i) => i * by)
    })
    return fc.oneof(upTo(size - 1), steps)
  }

  test.each(ZONES.map((zone) => [zone]))('%s', (zone) => {
    const offsets = offsetsOf(zone)
    const year = Date.UTC(2026, 0, 1)
    const change = offsets.changeIn(year, year + 366 * 86_400_000) ?? year
    const starts = [change, offsets.changeIn(change, change + 366 * 86_400_000) ?? change].map(
      (at) => at - 5 * 3_600_000,
    )
    fc.assert(
      fc.property(field(60), field(24), fc.constantFrom(...starts), (minutes, hours, start) => {
        const found = spellings(hours, 24).flatMap((hour) =>
          spellings(minutes, 60)
            .map((minute) => `${minute} ${hour} * * *`)
            .filter((text) => text.length <= 500)
            .map((text) => firings(text, zone, new Date(start).toISOString(), 12).join()),
        )
        expect(new Set(found).size).toBeLessThanOrEqual(1)
      }),
      { numRuns: 30 },
    )
  })
})

describe('days of other schedulers', () => {
  test.each<[string, string[], string]>([
    ['0 6 15W * *', ['01-15', '02-16', '03-16'], 'at 06:00, on the working day nearest to day 15 of the month (UTC)'],
    ['0 6 LW * *', ['01-30', '02-27', '03-31'], 'at 06:00, on the last working day of the month (UTC)'],
    ['0 6 * * 5L', ['01-30', '02-27', '03-27'], 'at 06:00, on the last Friday of the month (UTC)'],
    ['0 6 * * friL', ['01-30', '02-27', '03-27'], 'at 06:00, on the last Friday of the month (UTC)'],
    ['0 6 ? * 5', ['01-02', '01-09', '01-16'], 'at 06:00, Friday (UTC)'],
    ['0 6 15 * ?', ['01-15', '02-15', '03-15'], 'at 06:00, on day 15 of the month (UTC)'],
    ['0 0 6 1W,20 * ?', ['01-01', '01-20', '02-02'], ''],
    ['0 6 * * 1L,3#2', ['01-14', '01-26', '02-11'], ''],
  ])('%s', (text, days, words) => {
    expect(firings(text, 'UTC', '2026-01-01T00:00:00Z', 3).map((at) => at.slice(5, 10))).toEqual(days)
    if (words !== '') expect(describeCron(fields(text), 'UTC')).toBe(words)
  })

  test.each([
    ['0 6 L-3 * *', 'L-3 is not possible; name the days, or use L for the last one'],
    ['0 6 * * L', 'L alone is no weekday; write sat, or 5L for the last Friday'],
    ['0 6 LW,15 * *', 'LW cannot be part of a list'],
    ['0 6 W * *', 'W needs a day before it; write 15W, or LW for the last working day'],
    ['0 6 w15 * *', 'w15 is not possible; write 15W for the working day nearest to day 15'],
    ['0 6 WL * *', 'WL is not possible; write LW for the last working day'],
    ['0 6 LW-3 * *', 'LW-3 is not possible; name the days, or use LW for the last working day'],
    ['0 6 L-3W * *', 'L-3W is not possible; name the days, or use LW for the last working day'],
    [
      '0 6 1-5W * *',
      '1-5W is not possible: W follows one day, as in 1W,2W; write mon-fri as the weekday for all working days',
    ],
    ['0 6 5L * *', '5L is a weekday; write it in the last field'],
    ['0 6 3#2 * *', '3#2 is a weekday; write it in the last field'],
    ['0 6 * * LW', 'LW is a day of the month; write it in the field of days, as 15W or LW'],
    ['0 6 * * 15W', '15W is a day of the month; write it in the field of days, as 15W or LW'],
    ['0 6 * * L5', 'L5 is not possible; write 5L'],
    ['0 6 * * 1-5L', '1-5L is not possible: L follows one weekday; write them one by one, as in 1L,2L'],
    ['0 6 * * 1-5#2', '1-5#2 is not possible: # follows one weekday; write them one by one, as in 1#2,2#2'],
    ['H 6 * * *', 'H is of Jenkins; write a fixed minute'],
    ['H/15 * * * *', 'H/15 is of Jenkins; write */15'],
    ['0 H(0-7) * * *', 'H(0-7) is of Jenkins; write a fixed hour'],
    ['0 0 6 ? * mon *', 'too many fields: 7 instead of 5 or 6; years are not possible, write 0 0 6 ? * mon'],
    ['0 0 6 ? * 2-6 2027', 'too many fields: 7 instead of 5 or 6; years are not possible, write 0 0 6 ? * mon-fri'],
    ['0 0 6 1 1,7 ? *', 'too many fields: 7 instead of 5 or 6; years are not possible, write 0 0 6 1 jan,jul ?'],
    ['0 0 6 ? 1/3 6#3 *', 'too many fields: 7 instead of 5 or 6; years are not possible, write 0 0 6 ? jan/3 fri#3'],
    ['0 0 6 ? * 6L,1 *', 'too many fields: 7 instead of 5 or 6; years are not possible, write 0 0 6 ? * friL,sun'],
    ['0 ? * * *', '? stands for a day of the month or a weekday; write * for each hour'],
    ['0 6 ?/2 * *', '?/2 stands for a day of the month or a weekday alone; write * for each day'],
    ['0 6 32W * *', 'day 32 is out of range, days are 1-31'],
    ['? 6 * * *', '? stands for a day of the month or a weekday; write * for each minute'],
  ])('%s is refused: %s', (text, reason) => {
    expect(problem(text)).toBe(reason)
  })

  test.each<[string, 0 | 1, string[]]>([
    [
      '0 0 6 ? * 2-6',
      0,
      ['weekdays are counted from 0 = Sunday, other than in Quartz, so "0 0 6 ? * 2-6" means Tuesday to Saturday'],
    ],
    [
      '0 6 ? * 6#3',
      0,
      [
        'weekdays are counted from 0 = Sunday, other than in Quartz, so "0 6 ? * 6#3" means on the third Saturday of the month',
      ],
    ],
    ['0 0 6 1 1 ?', 0, ['months are counted 0-11, so "0 0 6 1 1 ?" means February']],
    ['0 0 6 1 1 ?', 1, []],
    ['0 6 ? * mon-fri', 0, []],
    ['0 6 * * 2-6', 0, []],
    ['0 6 ? * */2', 0, []],
    ['@yearly', 0, []],
  ])('%s with months from %i: what may be meant otherwise', (text, base, notes) => {
    expect(fields(text, base).notes).toEqual(notes)
  })
})
