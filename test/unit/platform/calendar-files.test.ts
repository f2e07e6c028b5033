import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatDay } from '../../../src/platform/calendar.ts'
import { readIcs } from '../../../src/platform/calendar-files.ts'
import { TextError } from '../../../src/platform/encodings.ts'

function event(...lines: string[]): string {
  return ['BEGIN:VEVENT', 'UID:1', 'SUMMARY:Test', ...lines, 'END:VEVENT'].join('\r\n')
}

function calendar(...events: string[]): string {
  return ['BEGIN:VCALENDAR', 'VERSION:2.0', ...events, 'END:VCALENDAR', ''].join('\r\n')
}

/** Days from 2026 to 2028. */
async function days(...events: string[]): Promise<string[]> {
  return [...(await readIcs(calendar(...events))).days]
    .sort((a, b) => a - b)
    .map(formatDay)
    .filter((day) => day >= '2026' && day < '2029')
}

describe('days of iCalendar files', () => {
  test.each<[string, string[], string[]]>([
    ['one day', ['DTSTART;VALUE=DATE:20261224'], ['2026-12-24']],
    [
      'an end that is not included',
      ['DTSTART;VALUE=DATE:20261224', 'DTEND;VALUE=DATE:20261227'],
      ['2026-12-24', '2026-12-25', '2026-12-26'],
    ],
    ['an end on the same day', ['DTSTART;VALUE=DATE:20261224', 'DTEND;VALUE=DATE:20261224'], ['2026-12-24']],
    ['a duration', ['DTSTART;VALUE=DATE:20261230', 'DURATION:P3D'], ['2026-12-30', '2026-12-31', '2027-01-01']],
    ['every year', ['DTSTART;VALUE=DATE:20200606', 'RRULE:FREQ=YEARLY'], ['2026-06-06', '2027-06-06', '2028-06-06']],
    [
      'every second year',
      ['DTSTART;VALUE=DATE:20240606', 'RRULE:FREQ=YEARLY;INTERVAL=2'],
      ['2026-06-06', '2028-06-06'],
    ],
    ['a count', ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=YEARLY;COUNT=2'], ['2026-06-06', '2027-06-06']],
    ['a last day', ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=YEARLY;UNTIL=20270606'], ['2026-06-06', '2027-06-06']],
    ['29 February', ['DTSTART;VALUE=DATE:20240229', 'RRULE:FREQ=YEARLY'], ['2028-02-29']],
    [
      '4th Thursday in November',
      ['DTSTART;VALUE=DATE:20201126', 'RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH'],
      ['2026-11-26', '2027-11-25', '2028-11-23'],
    ],
    [
      'last Monday in May',
      ['DTSTART;VALUE=DATE:20200525', 'RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO'],
      ['2026-05-25', '2027-05-31', '2028-05-29'],
    ],
    [
      'Friday the 13th',
      ['DTSTART;VALUE=DATE:20260101', 'RRULE:FREQ=YEARLY;BYMONTHDAY=13;BYDAY=FR;UNTIL=20261231'],
      ['2026-02-13', '2026-03-13', '2026-11-13'],
    ],
    [
      'last days of quarters',
      ['DTSTART;VALUE=DATE:20260101', 'RRULE:FREQ=YEARLY;BYMONTH=3,6;BYMONTHDAY=-1;COUNT=3'],
      ['2026-03-31', '2026-06-30', '2027-03-31'],
    ],
    [
      '20th Monday of the year',
      ['DTSTART;VALUE=DATE:20260101', 'RRULE:FREQ=YEARLY;BYDAY=20MO;COUNT=1'],
      ['2026-05-18'],
    ],
    [
      'exceptions',
      ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=YEARLY;COUNT=3', 'EXDATE;VALUE=DATE:20270606'],
      ['2026-06-06', '2028-06-06'],
    ],
    [
      'additional dates',
      ['DTSTART;VALUE=DATE:20260606', 'RDATE;VALUE=DATE:20260608,20260609'],
      ['2026-06-06', '2026-06-08', '2026-06-09'],
    ],
    ['cancelled', ['DTSTART;VALUE=DATE:20260606', 'STATUS:CANCELLED'], []],
    [
      'alarms inside',
      ['DTSTART;VALUE=DATE:20260606', 'BEGIN:VALARM', 'DTSTART;VALUE=DATE:20200101', 'END:VALARM'],
      ['2026-06-06'],
    ],
  ])('%s', async (_name, lines, expected) => {
    expect(await days(event(...lines))).toEqual(expected)
  })

  test('folded lines, LF only, a byte order mark and quoted parameters are read', async () => {
    const text =
      '\uFEFFBEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY;X-A="a:b;c":Hej\nDTSTART;VALUE=DA\n TE:202612\n\t24\nEND:VEVENT\nEND:VCALENDAR\n'
    expect([...(await readIcs(text)).days].map(formatDay)).toEqual(['2026-12-24'])
  })

  test.each<[string, string[], string]>([
    ['times', ['DTSTART:20261224T120000Z'], 'it is no all-day event and is left out'],
    ['no beginning', ['DTEND;VALUE=DATE:20261224'], 'it has no DTSTART and is left out'],
    [
      'other frequencies',
      ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=MONTHLY'],
      'FREQ=MONTHLY is not FREQ=YEARLY; only its first day counts',
    ],
    [
      'rare parts',
      ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=YEARLY;BYWEEKNO=20'],
      'BYWEEKNO is not followed; only its first day counts',
    ],
    [
      'moved occurrences',
      ['DTSTART;VALUE=DATE:20260606', 'RECURRENCE-ID;VALUE=DATE:20260607'],
      'changes of single occurrences are left out',
    ],
    [
      'a decade in one event',
      ['DTSTART;VALUE=DATE:20200101', 'DTEND;VALUE=DATE:20300101'],
      'it lasts 3653 days and is left out',
    ],
    [
      'a weekday of the year on certain days of a month',
      ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=YEARLY;BYMONTHDAY=13;BYDAY=2FR'],
      'BYDAY with a number beside BYMONTHDAY is not followed; only its first day counts',
    ],
    [
      'every Monday and the fourth one',
      ['DTSTART;VALUE=DATE:20260606', 'RRULE:FREQ=YEARLY;BYDAY=MO,4MO'],
      'BYDAY with and without numbers is not followed; only its first day counts',
    ],
    [
      'a line that would take long to read',
      [`DTSTART;${'X=y;'.repeat(10_000)}VALUE=DATE:20260606`],
      'it cannot be read and is left out: a line is longer than 20000 characters',
    ],
    [
      'an alarm that does not end',
      ['DTSTART;VALUE=DATE:20260606', 'BEGIN:VALARM'],
      'it cannot be read and is left out: invalid ical body. component began but did not end',
    ],
  ])('a warning for %s', async (_name, lines, warning) => {
    expect((await readIcs(calendar(event(...lines)))).warnings).toEqual([`event "Test": ${warning}`])
  })

  test('an event that is broken does not spoil the next one, nor does a line that is no property', async () => {
    const broken = event('DTSTART;VALUE=DATE:20260605', 'BEGIN:VALARM')
    const good = event('no property', 'DTSTART;VALUE=DATE:20260606', 'BEGIN:VALARM', 'TRIGGER:-P1D', 'END:VALARM')
    expect(await days(broken, good)).toEqual(['2026-06-06'])
  })

  const DAY = 'DTSTART;VALUE=DATE:20261224'
  test.each<[string, string, string]>([
    ['in an event', `BEGIN:VCALENDAR\n${event(DAY)}\nBEGIN:VEVENT\nDTSTART;VAL`, 'line 8, column 1: "" in DTSTART'],
    ['between two lines of an event', `BEGIN:VCALENDAR\nBEGIN:VEVENT\n${DAY}\n`, 'line 2, column 1: the event'],
    [
      'in an event, with an end',
      `BEGIN:VCALENDAR\nBEGIN:VEVENT\n${DAY}\nEND:VCALENDAR\n`,
      'line 2, column 1: the event',
    ],
    ['before another event', calendar('BEGIN:VEVENT', DAY, event(DAY)), 'line 3, column 1: the event'],
    ['after an event', `BEGIN:VCALENDAR\n${event(DAY)}\n\n`, 'line 6, column 1: the file is cut short'],
    ['in its last word', `BEGIN:VCALENDAR\n${event(DAY)}\nEND:VCAL`, 'line 7, column 1: the file is cut short'],
    ['in a second calendar', `${calendar(event(DAY))}BEGIN:VCALENDAR\n`, 'line 9, column 1: the file is cut short'],
  ])('a file that is cut %s is refused with its line', async (_name, text, reason) => {
    await expect(readIcs(text)).rejects.toThrow(reason)
  })

  test.each([
    ['DTSTART;VALUE=DATE:20261302', '"20261302" in DTSTART is no date like 20261224'],
    ['DTSTART;VALUE=DATE:2026\uFFFD224', '"2026\uFFFD224" in DTSTART is no date'],
    ['DTSTART;VALUE=DATE', '"" in DTSTART is no date'],
    ['DTSTART:20261224T250000Z', '"20261224T250000Z" in DTSTART is no date'],
    [`${DAY}\r\nDTEND;VALUE=DATE:20261`, 'line 7, column 1: "20261" in DTEND'],
    [`${DAY}\r\nEXDATE;VALUE=DATE:20261224,2026-11-31`, 'line 7, column 1: "2026-11-31" in EXDATE'],
    [`${DAY}\r\nRDATE;VALUE=DATE:20261\r\n 32`, 'line 7, column 1: "2026132" in RDATE'],
    [`${DAY}\r\nDURATION:P3\uFFFD`, '"P3\uFFFD" in DURATION is no duration like P3D'],
  ])('a damaged date refuses the file with its line: %s', async (line, reason) => {
    await expect(readIcs(calendar(event(line)))).rejects.toThrow(reason)
    await expect(readIcs(calendar(event(line)))).rejects.toThrow(/^line [67], column 1: /)
  })

  test.each([
    'DTSTART;TZID="Europe: Stockholm":20261224T120000',
    'DTSTART:20261224T120000Z\nDURATION:PT1H30M',
    'DTSTART:20261224T120000Z\nRDATE;VALUE=PERIOD:20261225T120000Z/PT2H,20261226T120000Z/20261226T130000Z',
  ])('an event with a time is no damaged one: %s', async (line) => {
    expect((await readIcs(calendar(event(line)))).warnings).toEqual([
      'event "Test": it is no all-day event and is left out',
    ])
  })

  test.each<[string, string[]]>([
    ['every day of every year, many times', Array(40).fill('RRULE:FREQ=YEARLY;BYDAY=MO,TU,WE,TH,FR,SA,SU')],
    ['years without an end', Array(5000).fill('RRULE:FREQ=YEARLY;BYDAY=MO;BYMONTH=1,2,3,4,5,6,7')],
  ])(
    'a hostile file is refused: %s',
    async (_name, rules) => {
      const events = rules.map((rule) => event('DTSTART;VALUE=DATE:19000101', rule))
      await expect(readIcs(calendar(...events))).rejects.toThrow('it holds more than 1000000 days')
    },
    60_000,
  )

  test('what is no calendar is refused', async () => {
    await expect(readIcs('<html>')).rejects.toThrow('BEGIN:VCALENDAR is missing')
  })

  test('a file of too many events says so in few lines', async () => {
    const many = Array.from({ length: 100 }, () => event('DTSTART:20261224T120000Z'))
    const { warnings } = await readIcs(calendar(...many))
    expect(warnings).toHaveLength(21)
    expect(warnings.at(-1)).toBe('and 80 more')
  })
})

/** A reader that walks through every day there is, for what the generator below writes. */
function reference(events: readonly Generated[]): string[] {
  const found = new Set<string>()
  const iso = (at: number): string => new Date(at).toISOString().slice(0, 10)
  for (const { start, length, rule, excluded } of events) {
    const first = Date.parse(start)
    const [year, month, day] = start.split('-').map(Number) as [number, number, number]
    let count = 0
    for (let y = year; y < 2029; y += rule?.interval ?? 1000) {
      const at = Date.UTC(y, month - 1, day)
      if (new Date(at).getUTCDate() !== day || at < first) continue
      count += 1
      if (rule?.count !== undefined && count > rule.count) break
      if (rule?.count === undefined && rule?.until !== undefined && iso(at) > rule.until) break
      if (excluded.includes(iso(at))) continue
      for (let i = 0; i < length; i += 1) found.add(iso(at + i * 86_400_000))
    }
  }
  return [...found].filter((day) => day >= '2026' && day < '2029').sort()
}

interface Generated {
  readonly start: string
  readonly length: number
  readonly rule: { readonly interval: number; readonly count?: number; readonly until?: string } | null
  readonly excluded: readonly string[]
}

const plain = (day: string): string => day.replaceAll('-', '')

function written({ start, length, rule, excluded }: Generated): string {
  const end = new Date(Date.parse(start) + length * 86_400_000).toISOString().slice(0, 10)
  const limit = rule?.count !== undefined ? `;COUNT=${rule.count}` : rule?.until ? `;UNTIL=${plain(rule.until)}` : ''
  return event(
    `DTSTART;VALUE=DATE:${plain(start)}`,
    ...(length > 1 ? [`DTEND;VALUE=DATE:${plain(end)}`] : []),
    ...(rule ? [`RRULE:FREQ=YEARLY${rule.interval > 1 ? `;INTERVAL=${rule.interval}` : ''}${limit}`] : []),
    ...excluded.map((day) => `EXDATE;VALUE=DATE:${plain(day)}`),
  )
}

const anyDay = fc
  .integer({ min: 0, max: 3652 })
  .map((n) => new Date(Date.UTC(2019, 0, 1 + n)).toISOString().slice(0, 10))

test('1,000 random files: the same days as a reader that walks through all of them', async () => {
  const rule = fc.record(
    { interval: fc.integer({ min: 1, max: 4 }), count: fc.integer({ min: 1, max: 9 }), until: anyDay },
    { requiredKeys: ['interval'] },
  )
  const generated = fc.record({
    start: fc.oneof(anyDay, fc.constant('2020-02-29')),
    length: fc.integer({ min: 1, max: 5 }),
    rule: fc.option(rule),
    excluded: fc.array(anyDay, { maxLength: 3 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(generated, { maxLength: 5 }), async (events) => {
      expect(await days(...events.map(written))).toEqual(reference(events))
    }),
    { numRuns: 1000 },
  )
})

interface GeneratedRule {
  readonly interval: number
  readonly months: readonly number[] | null
  readonly monthDays: readonly number[] | null
  /** 0 = Monday; n = 0 is every one, else the n-th of the month, or of the year without months. */
  readonly weekdays: readonly { readonly n: number; readonly weekday: number }[] | null
  readonly count: number | null
}

/** Walks through every day of ten years and asks the rule of RFC 5545 about it. */
function ruleDays(start: string, { interval, months, monthDays, weekdays, count }: GeneratedRule): string[] {
  const first = new Date(start)
  const found: string[] = []
  for (let at = first.getTime(); at < Date.UTC(2029, 0, 1); at += 86_400_000) {
    const date = new Date(at)
    const [year, month, day] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
    const length = new Date(Date.UTC(year, month, 0)).getUTCDate()
    const [from, to] =
      months === null
        ? [Date.UTC(year, 0, 1), Date.UTC(year, 11, 31)]
        : [at - (day - 1) * 86_400_000, at + (length - day) * 86_400_000]
    const isNth = (n: number) =>
      n === 0 || n === Math.floor((at - from) / 604_800_000) + 1 || -n === Math.floor((to - at) / 604_800_000) + 1
    const fits =
      (year - first.getUTCFullYear()) % interval === 0 &&
      (months?.includes(month) ?? (monthDays !== null || weekdays !== null || month === first.getUTCMonth() + 1)) &&
      (monthDays?.some((one) => one === day || one === day - length - 1) ??
        (weekdays !== null || day === first.getUTCDate())) &&
      (weekdays?.some(({ n, weekday }) => weekday === (date.getUTCDay() + 6) % 7 && isNth(n)) ?? true)
    if (fits && (count === null || found.length < count)) found.push(date.toISOString().slice(0, 10))
  }
  return found.filter((day) => day >= '2026')
}

const CODES = ['MO', 'TU', 'WE', 'TH', 'FR', 'SA', 'SU']

function ruleText({ interval, months, monthDays, weekdays, count }: GeneratedRule): string {
  const parts = [
    ['INTERVAL', interval],
    ['BYMONTH', months],
    ['BYMONTHDAY', monthDays],
    ['BYDAY', weekdays?.map(({ n, weekday }) => `${n === 0 ? '' : n}${CODES[weekday]}`) ?? null],
    ['COUNT', count],
  ].filter(([, value]) => value !== null)
  return ['RRULE:FREQ=YEARLY', ...parts.map(([name, value]) => `${name}=${value}`)].join(';')
}

test('1,000 random rules: the same days as a walk through every day of ten years', async () => {
  const list = <T>(item: fc.Arbitrary<T>) => fc.option(fc.uniqueArray(item, { minLength: 1, maxLength: 3 }))
  const monthDay = fc.oneof(fc.integer({ min: 1, max: 31 }), fc.integer({ min: -31, max: -1 }))
  const weekday = fc.record({ n: fc.constantFrom(0, 0, 1, 2, 4, 5, -1, -2), weekday: fc.integer({ min: 0, max: 6 }) })
  const rule = fc
    .record({
      interval: fc.integer({ min: 1, max: 3 }),
      months: list(fc.integer({ min: 1, max: 12 })),
      monthDays: list(monthDay),
      weekdays: list(weekday),
      count: fc.option(fc.integer({ min: 1, max: 9 })),
    })
    // Two kinds of rules are refused: see the warnings above.
    .filter(({ months, monthDays, weekdays }) => {
      const numbered = (weekdays ?? []).filter(({ n }) => n !== 0).length
      return numbered === 0 || (numbered === weekdays?.length && (monthDays === null || months !== null))
    })
  await fc.assert(
    fc.asyncProperty(fc.oneof(anyDay, fc.constantFrom('2020-02-29', '2019-12-31')), rule, async (start, one) => {
      const expected = ruleDays(start, one)
      expect(await days(event(`DTSTART;VALUE=DATE:${plain(start)}`, ruleText(one)))).toEqual(expected)
    }),
    { numRuns: 1000 },
  )
}, 120_000)

test('1,000 files of random lines: refused or read, never a crash', async () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom('BEGIN:VEVENT', 'END:VEVENT', 'BEGIN:VALARM', 'END:VALARM', ' folded', 'EXDATE:', 'DTEND:x'),
    fc.string().map((text) => `RRULE:FREQ=YEARLY;${text}`),
    fc
      .tuple(fc.constantFrom('DTSTART', 'DTEND', 'EXDATE', 'RDATE'), fc.integer({ min: 0, max: 99_999_999 }))
      .map(([name, number]) => `${name};VALUE=DATE:${String(number).padStart(8, '0')}`),
    fc
      .tuple(fc.constantFrom('BYMONTH', 'BYMONTHDAY', 'BYDAY', 'COUNT', 'INTERVAL'), fc.integer({ min: -60, max: 60 }))
      .map(([name, number]) => `RRULE:FREQ=YEARLY;${name}=${number}${name === 'BYDAY' ? 'MO' : ''}`),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 30 }), async (lines) => {
      await readIcs(calendar('BEGIN:VEVENT', ...lines, 'END:VEVENT')).catch((error: unknown) => {
        if (!(error instanceof TextError)) throw error
      })
    }),
    { numRuns: 1000 },
  )
})
