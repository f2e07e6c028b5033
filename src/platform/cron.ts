/**
 * Cron expressions in the dialect of Butler's schedules, followed by croner.
 *
 * Our part is the translation: 5 or 6 fields, months counted from 0 unless the base is 1, steps larger than a field,
 * 7 = Sunday, ranges over the end (`fri-mon`), `3#2` = 2nd Wednesday, `5L` = last Friday, `L` = last day of the month,
 * `15W` = the working day nearest to the 15th, `LW` = the last working day, `?` = `*`, `@daily` and the like, and errors with
 * their position. An expression is expanded to plain numbers, and croner gets those.
 *
 * croner searches a wall clock without a zone. zone-clock.ts applies the clock changes of zones, because the rules of
 * schedules differ: croner either fills a gap and drops the second pass of an overlap, or does neither. Without zones
 * croner also answers in 10 µs instead of 100.
 */
import { Cron } from 'croner'

/** A parsed cron expression. */
export interface CronExpression {
  /** The expression as written, without blanks around it. */
  readonly text: string
  /** Ascending. */
  readonly seconds: readonly number[]
  readonly minutes: readonly number[]
  readonly hours: readonly number[]
  /** Days of the month; null = not restricted. */
  readonly days: ReadonlySet<number> | null
  /** The last day of the month, beside `days`. */
  readonly lastDay: boolean
  /** `15W`: Monday to Friday of the month that is nearest to this day, beside `days`. */
  readonly nearest: readonly number[]
  /** `LW`: the last Monday to Friday of the month. It stands alone. */
  readonly lastWorkday: boolean
  /** 1 = January. */
  readonly months: ReadonlySet<number>
  /** 0 = Sunday; null = not restricted. */
  readonly weekdays: ReadonlySet<number> | null
  /** The n-th such weekday of a month, beside `weekdays`. */
  readonly nth: readonly { readonly weekday: number; readonly n: number }[]
  /** The last such weekdays of a month, beside `weekdays`. */
  readonly lastOf: readonly number[]
  /** Day of the month and weekday must both match. Plain cron takes a day on which either does. */
  readonly bothDays: boolean
  /** Numbers that others count from elsewhere: `months are counted 0-11, so "0 6 1 1 *" means February`. */
  readonly notes: readonly string[]
}

export type MonthBase = 0 | 1

export interface CronProblem {
  /** One line: `month 12 is out of range, months are 0-11 (0 = January); use jan-dec`. */
  readonly reason: string
  /** Where in the text, in characters. */
  readonly at: number
  readonly length: number
}

export type CronResult =
  | { readonly ok: true; readonly value: CronExpression }
  | { readonly ok: false; readonly problem: CronProblem }

interface FieldKind {
  readonly name: string
  readonly least: number
  readonly most: number
  readonly names?: readonly string[]
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']
const WEEKDAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat']

const SECOND: FieldKind = { name: 'second', least: 0, most: 59 }
const MINUTE: FieldKind = { name: 'minute', least: 0, most: 59 }
const HOUR: FieldKind = { name: 'hour', least: 0, most: 23 }
const DAY: FieldKind = { name: 'day', least: 1, most: 31 }
const WEEKDAY: FieldKind = { name: 'weekday', least: 0, most: 6, names: WEEKDAYS }

const ALIASES: Readonly<Record<string, string>> = {
  '@hourly': '0 * * * *',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@weekly': '0 0 * * sun',
  '@monthly': '0 0 1 * *',
  '@yearly': '0 0 1 jan *',
  '@annually': '0 0 1 jan *',
}

const MAX_LENGTH = 500

interface Token {
  readonly text: string
  readonly at: number
}

class CronError extends Error {
  constructor(
    readonly token: Token,
    reason: string,
  ) {
    super(reason)
  }
}

export function parseCron(text: string, monthBase: MonthBase): CronResult {
  try {
    return { ok: true, value: read(text, monthBase) }
  } catch (error) {
    if (!(error instanceof CronError)) throw error
    const problem: CronProblem = { reason: error.message, at: error.token.at, length: error.token.text.length }
    return { ok: false, problem }
  }
}

const ZERO: Token = { text: '0', at: 0 }
/** The search for a first time begins here. */
const LEAP_YEAR = Date.UTC(2024, 0, 1) - 1

function read(text: string, monthBase: MonthBase): CronExpression {
  const whole: Token = { text, at: 0 }
  if (text.length > MAX_LENGTH) throw new CronError({ text: '', at: 0 }, `it is longer than ${MAX_LENGTH} characters`)
  const trimmed = text.trim()
  if (trimmed.startsWith('@')) {
    const meant = ALIASES[trimmed.toLowerCase()]
    if (!meant) throw new CronError(whole, `${trimmed} is unknown; known are ${Object.keys(ALIASES).join(', ')}`)
    return { ...read(meant, 1), text: trimmed }
  }
  const tokens = [...text.matchAll(/\S+/g)].map((match) => ({ text: match[0], at: match.index }))
  if (tokens.length < 5) throw new CronError(whole, `too few fields: ${tokens.length} instead of 5 or 6`)
  if (tokens.length > 6)
    throw new CronError(tokens[6]!, `too many fields: ${tokens.length} instead of 5 or 6; ${withoutYears(tokens)}`)
  const [second, minute, hour, day, month, weekday] = tokens.length === 6 ? tokens : [ZERO, ...tokens]
  const days = readDays(day!)
  const weekdays = readWeekdays(weekday!)
  const expression: Omit<CronExpression, 'notes'> = {
    text: trimmed,
    seconds: readField(second!, SECOND),
    minutes: readField(minute!, MINUTE),
    hours: readField(hour!, HOUR),
    ...days,
    ...readMonths(month!, monthBase),
    ...weekdays,
    bothDays: isSpecial(days) || weekdays.nth.length > 0 || weekdays.lastOf.length > 0,
  }
  const always = days.days === null && weekdays.nth.length === 0 && !days.lastWorkday
  const notes = [
    ...(monthBase === 0 && NUMBER.test(month!.text)
      ? [`months are counted 0-11, so "${trimmed}" means ${monthNames(expression.months)}`]
      : []),
    ...(day!.text === '?' && NUMBER.test(weekday!.text)
      ? [`weekdays are counted from 0 = Sunday, other than in Quartz, so "${trimmed}" means ${daysText(expression)}`]
      : []),
  ]
  const complete = { ...expression, notes }
  if (!always && createCronEngine().next(complete, LEAP_YEAR) === null)
    throw new CronError(day!, 'there is no such day, so it would never fire')
  return complete
}

/** Not the step of `*` or of a name. */
const NUMBER = /(^|[-,])\d/

/** Quartz ends with a field for years, and counts months and weekdays from 1. */
function withoutYears(tokens: readonly Token[]): string {
  if (tokens.length !== 7) return 'years are not possible'
  const [second, minute, hour, day, month, weekday] = tokens.map(({ text }) => text)
  const write = [second, minute, hour, day, named(month!, MONTHS), named(weekday!, WEEKDAYS)].join(' ')
  return `years are not possible, write ${write}`
}

/** Numbers of a field of Quartz as names; those behind `#` and `/` count something else. */
const named = (text: string, names: readonly string[]): string =>
  text.replace(/(?<![#/\d])\d+/g, (number) => names[Number(number) - 1] ?? number)

/** The items of a list, each with its place. Throws for those of other schedulers. */
function itemsOf({ text, at }: Token, kind: FieldKind): Token[] {
  let offset = at
  return text.split(',').map((item) => {
    const token = { text: item, at: offset }
    offset += item.length + 1
    const foreign = FOREIGN.find(([form, fields]) => form.test(item) && (fields === 'any' || fields === kind.name))
    if (foreign) throw new CronError(token, `${item} ${foreign[2](item, kind)}`)
    return token
  })
}

type Foreign = readonly [
  form: RegExp,
  field: 'any' | 'day' | 'weekday',
  reason: (item: string, kind: FieldKind) => string,
]

/** Items of other schedulers (Quartz, Jenkins) that cannot be followed, and what to write in their place. */
const FOREIGN: readonly Foreign[] = [
  [
    /^\?/,
    'any',
    ({ length }, { name }) =>
      `stands for a day of the month or a weekday${length > 1 ? ' alone' : ''}; write * for each ${name}`,
  ],
  [
    /^H(?:\W|$)/i,
    'any',
    (item, { name }) =>
      `is of Jenkins; write ${/\/\d+$/.exec(item) ? `*${/\/\d+$/.exec(item)![0]}` : `a fixed ${name}`}`,
  ],
  [/^W$/i, 'day', () => 'needs a day before it; write 15W, or LW for the last working day'],
  [
    /^W\d+$/i,
    'day',
    (item) => `is not possible; write ${item.slice(1)}W for the working day nearest to day ${item.slice(1)}`,
  ],
  [/^WL$/i, 'day', () => 'is not possible; write LW for the last working day'],
  [/^(?:LW-\d+|L-\d+W)$/i, 'day', () => 'is not possible; name the days, or use LW for the last working day'],
  [
    /^\d+-\d+W$/i,
    'day',
    () => 'is not possible: W follows one day, as in 1W,2W; write mon-fri as the weekday for all working days',
  ],
  [/^[\w-]+(?:#\d*|(?<!^)L)$/i, 'day', () => 'is a weekday; write it in the last field'],
  [/^(?:L?W|WL|\d+W)$/i, 'weekday', () => 'is a day of the month; write it in the field of days, as 15W or LW'],
  [/^L\d$/i, 'weekday', (item) => `is not possible; write ${item.slice(1)}L`],
  [/^\w+-\w+L$/i, 'weekday', () => 'is not possible: L follows one weekday; write them one by one, as in 1L,2L'],
  [/^\w+-\w+#/i, 'weekday', () => 'is not possible: # follows one weekday; write them one by one, as in 1#2,2#2'],
]

type DaysOfMonth = Pick<CronExpression, 'days' | 'lastDay' | 'nearest' | 'lastWorkday'>

const isSpecial = ({ lastDay, nearest, lastWorkday }: DaysOfMonth): boolean =>
  lastDay || lastWorkday || nearest.length > 0

function readDays(token: Token): DaysOfMonth {
  const items = itemsOf(anyFor(token), DAY)
  const is = (pattern: RegExp) => (item: Token) => pattern.test(item.text)
  const [isLast, isLastWorkday, isNearest] = [is(/^L$/i), is(/^LW$/i), is(/^\d+W$/i)]
  const offset = items.find(is(/^L-\d+$/i))
  if (offset) throw new CronError(offset, `${offset.text} is not possible; name the days, or use L for the last one`)
  const lastWorkday = items.some(isLastWorkday)
  if (lastWorkday && items.length > 1) throw new CronError(token, 'LW cannot be part of a list')
  const numbers = items.filter((item) => !isLast(item) && !isLastWorkday(item) && !isNearest(item))
  const days = valuesOf(numbers, DAY)
  const isEvery = days.size === 31
  const nearest = items.filter(isNearest).map(({ text, at }) => readNumber({ text: text.slice(0, -1), at }, DAY))
  return {
    days: isEvery ? null : days,
    lastDay: items.some(isLast) && !isEvery,
    nearest: isEvery ? [] : nearest,
    lastWorkday,
  }
}

/** `?` of Quartz means that the other field of days decides, as `*` does. */
const anyFor = (token: Token): Token => (token.text === '?' ? { text: '*', at: token.at } : token)

function readMonths(token: Token, base: MonthBase): Pick<CronExpression, 'months'> {
  const values = readField(token, { name: 'month', least: base, most: base + 11, names: MONTHS })
  return { months: new Set(values.map((month) => month - base + 1)) }
}

function readWeekdays(token: Token): Pick<CronExpression, 'weekdays' | 'nth' | 'lastOf'> {
  const items = itemsOf(anyFor(token), WEEKDAY)
  const nth = items.flatMap((item) => {
    const match = /^([^#]*)#(.*)$/.exec(item.text)
    if (!match) return []
    const weekday = readNumber({ text: match[1]!, at: item.at }, WEEKDAY)
    const n = Number(match[2])
    if (!/^[1-5]$/.test(match[2]!)) throw new CronError(item, `${item.text} must end with #1 to #5`)
    return [{ weekday, n }]
  })
  const isLast = ({ text }: Token): boolean => /L$/i.test(text)
  const lastOf = items.filter(isLast).map((item) => {
    if (item.text.length === 1) throw new CronError(item, 'L alone is no weekday; write sat, or 5L for the last Friday')
    return readNumber({ text: item.text.slice(0, -1), at: item.at }, WEEKDAY)
  })
  const weekdays = valuesOf(
    items.filter((item) => !item.text.includes('#') && !isLast(item)),
    WEEKDAY,
  )
  const isEvery = weekdays.size === 7
  return { weekdays: isEvery ? null : weekdays, nth: isEvery ? [] : nth, lastOf: isEvery ? [] : lastOf }
}

/** Ascending. */
const readField = (token: Token, kind: FieldKind): number[] =>
  [...valuesOf(itemsOf(token, kind), kind)].sort((a, b) => a - b)

function valuesOf(items: readonly Token[], kind: FieldKind): Set<number> {
  return new Set(items.flatMap((item) => readItem(item, kind)))
}

/** `n`, `n-m`, `*`, each with `/step`. */
function readItem(item: Token, kind: FieldKind): number[] {
  const [range = '', step, ...more] = item.text.split('/')
  if (more.length > 0) throw new CronError(item, `${item.text} has more than one step`)
  const by = step === undefined ? 1 : readStep(item, step)
  const { least, most } = kind
  if (range === '*') return stepped(least, most, by, kind)
  const [first = '', last, ...rest] = range.split('-')
  if (rest.length > 0) throw new CronError(item, `${item.text} is no range`)
  const from = readNumber({ text: first, at: item.at }, kind)
  if (last === undefined) return step === undefined ? [from] : stepped(from, most, by, kind)
  // 7 as an end is the Sunday after Saturday.
  if (kind === WEEKDAY && last === '7') return stepped(from, 7, by, kind)
  const to = readNumber({ text: last, at: item.at + first.length + 1 }, kind)
  // Butler takes such a range for its first number alone.
  if (last === '0' && from > 0) throw new CronError(item, `${item.text} ends with 0; name the numbers one by one`)
  return stepped(from, to < from ? to + most - least + 1 : to, by, kind)
}

/** From first to last, which may lie beyond the end: then it goes on from the beginning. */
function stepped(first: number, last: number, by: number, { least, most }: FieldKind): number[] {
  const size = most - least + 1
  const values: number[] = []
  for (let value = first; value <= last; value += by) values.push(((value - least) % size) + least)
  return values
}

function readStep(item: Token, step: string): number {
  if (!/^\d{1,4}$/.test(step)) throw new CronError(item, `${item.text} must have a number behind the slash`)
  if (Number(step) === 0) throw new CronError(item, `${item.text} has a step of zero`)
  return Number(step)
}

function readNumber(token: Token, kind: FieldKind): number {
  const { name, least, most, names } = kind
  const known = names?.indexOf(token.text.toLowerCase()) ?? -1
  if (known >= 0) return known + least
  const allowed = `${name}s are ${least}-${kind === WEEKDAY ? 7 : most}${extra(kind)}`
  if (!/^\d+$/.test(token.text)) {
    throw new CronError(token, token.text === '' ? `the ${name} is missing` : `${token.text} is no ${name}, ${allowed}`)
  }
  const value = Number(token.text)
  if (kind === WEEKDAY && value === 7) return 0
  if (value < least || value > most) throw new CronError(token, `${name} ${value} is out of range, ${allowed}`)
  return value
}

function extra({ name, least }: FieldKind): string {
  if (name === 'month') return ` (${least} = January); use jan-dec`
  return name === 'weekday' ? ' (0 and 7 = Sunday) or sun-sat' : ''
}

/** The same in the dialect of croner: second, minute, hour, day, month from 1, weekday; lists of numbers, `*`, `L`, `W`, `#`. */
function cronerPattern(expression: CronExpression): string {
  const { seconds, minutes, hours, months, weekdays, nth, lastOf } = expression
  const list = (values: readonly (number | string)[], size: number) => (values.length === size ? '*' : values.join())
  return [
    list(seconds, 60),
    list(minutes, 60),
    list(hours, 24),
    cronerDays(expression),
    list([...months], 12),
    weekdays === null
      ? '*'
      : [...weekdays, ...nth.map(({ weekday, n }) => `${weekday}#${n}`), ...lastOf.map((day) => `${day}L`)].join(),
  ].join(' ')
}

function cronerDays({ days, lastDay, nearest, lastWorkday }: CronExpression): string {
  if (days === null) return '*'
  if (lastWorkday) return 'LW'
  return [...days, ...nearest.map((day) => `${day}W`), ...(lastDay ? ['L'] : [])].join()
}

/** Finds times on a wall clock, which is given in ms since 1970 as if it were UTC. */
export interface CronEngine {
  /** The first time after `wall`; null when there is none. */
  next(expression: CronExpression, wall: number): number | null
}

/** A parsed pattern takes croner 90 KB, so only that of the last question is kept: searches ask the same one many times. */
export function createCronEngine(): CronEngine {
  let last: { readonly expression: CronExpression; readonly cron: Cron } | null = null
  return {
    next(expression, wall) {
      if (last?.expression !== expression) {
        const options = { utcOffset: 0, mode: '6-part', domAndDow: expression.bothDays, paused: true } as const
        last = { expression, cron: new Cron(cronerPattern(expression), options) }
      }
      return last.cron.nextRun(new Date(wall))?.getTime() ?? null
    },
  }
}

const MONTH_NAMES = 'January February March April May June July August September October November December'.split(' ')
const WEEKDAY_NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const ORDINALS = ['', 'first', 'second', 'third', 'fourth', 'fifth']

/** More times of a day than this are written as minutes and hours. */
const MAX_TIMES = 6

/** In words: `at 06:00, Monday to Friday (Europe/Stockholm)`. */
export function describeCron(fields: CronExpression, timezone: string): string {
  const when = [times(fields), daysText(fields), months(fields)].filter((part) => part !== '').join(', ')
  return `${when} (${timezone})`
}

/** `February, June and October`. */
const monthNames = (numbers: Iterable<number>): string =>
  and([...numbers].sort((a, b) => a - b).map((month) => MONTH_NAMES[month - 1]!))

function times({ seconds, minutes, hours }: CronExpression): string {
  const plain = seconds.length === 1
  if (plain && minutes.length * hours.length <= MAX_TIMES) {
    const clock = hours.flatMap((hour) => minutes.map((minute) => clockOf(hour, minute, seconds[0]!)))
    return `at ${and(clock)}`
  }
  const ofSecond = plain && seconds[0] === 0 ? '' : each(seconds, 60, 'second')
  const ofMinute = minutes.length === 60 && ofSecond !== '' ? '' : each(minutes, 60, 'minute')
  const ofHour = hours.length === 24 ? hourly(minutes) : each(hours, 24, 'hour')
  return [ofSecond, ofMinute, ofHour].filter((part) => part !== '').join(' of ')
}

const hourly = (minutes: readonly number[]): string => (evenStep(minutes, 60) === null ? 'every hour' : '')

function each(values: readonly number[], size: number, unit: string): string {
  const step = evenStep(values, size)
  if (step === 1) return `every ${unit}`
  if (step !== null) return `every ${step} ${unit}s`
  if (values.length === 1) return `${unit} ${values[0]}`
  const isRange = values.length > 2 && values.every((value, i) => i === 0 || value === values[i - 1]! + 1)
  return isRange ? `${unit}s ${values[0]} to ${values.at(-1)}` : `${unit}s ${and(values.map(String))}`
}

/** The distance when the values go round in equal steps from 0. */
function evenStep(values: readonly number[], size: number): number | null {
  const step = size / values.length
  return values.length > 1 && values.every((value, i) => value === i * step) ? step : null
}

function daysText({
  days,
  lastDay,
  nearest,
  lastWorkday,
  weekdays,
  nth,
  lastOf,
  bothDays,
}: Omit<CronExpression, 'notes'>): string {
  const numbers = [...(days ?? [])].sort((a, b) => a - b)
  const ofMonth = [
    ...(numbers.length > 0 ? [`on day${numbers.length > 1 ? 's' : ''} ${and(numbers.map(String))} of the month`] : []),
    ...nearest.map((day) => `on the working day nearest to day ${day} of the month`),
    ...(lastDay ? ['on the last day of the month'] : []),
    ...(lastWorkday ? ['on the last working day of the month'] : []),
  ].join(' and ')
  const ofWeek = [
    ...(weekdays && weekdays.size > 0 ? [weekdayText(weekdays)] : []),
    ...nth.map(({ weekday, n }) => `on the ${ORDINALS[n]} ${WEEKDAY_NAMES[weekday]} of the month`),
    ...lastOf.map((weekday) => `on the last ${WEEKDAY_NAMES[weekday]} of the month`),
  ].join(' and ')
  const both = [ofMonth, ofWeek].filter((part) => part !== '')
  return both.join(bothDays ? ' if it is ' : ' or ')
}

/** Weeks begin with Monday here. */
function weekdayText(weekdays: ReadonlySet<number>): string {
  const ordered = [1, 2, 3, 4, 5, 6, 0].filter((day) => weekdays.has(day))
  const places = ordered.map((day) => (day + 6) % 7)
  const isRange = places.length > 2 && places.every((place, i) => i === 0 || place === places[i - 1]! + 1)
  const names = ordered.map((day) => WEEKDAY_NAMES[day]!)
  return isRange ? `${names[0]} to ${names.at(-1)}` : and(names)
}

const months = ({ months }: CronExpression): string => (months.size === 12 ? '' : `in ${monthNames(months)}`)

function clockOf(hour: number, minute: number, second: number): string {
  const two = (value: number) => String(value).padStart(2, '0')
  return `${two(hour)}:${two(minute)}${second > 0 ? `:${two(second)}` : ''}`
}

function and(items: readonly string[]): string {
  if (items.length > 12) return `${items.slice(0, 10).join(', ')}, ... and ${items.at(-1)}`
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`
}
