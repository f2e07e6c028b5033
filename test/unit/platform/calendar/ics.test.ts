import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { formatDay } from '../../../../src/platform/calendar/days.ts'
import { readIcs } from '../../../../src/platform/calendar/ics.ts'

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
    const good = event('no property', 'DTSTART;VALUE=DATE:20260606', 'BEGIN:VALARM', 'TRIGGER:-P1D', 'END:VALARM')
    expect(await days(event('DTSTART;VALUE=DATE', 'DTEND;VALUE=DATE:'), good)).toEqual(['2026-06-06'])
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
      await readIcs(calendar('BEGIN:VEVENT', ...lines, 'END:VEVENT'))
    }),
    { numRuns: 1000 },
  )
})
