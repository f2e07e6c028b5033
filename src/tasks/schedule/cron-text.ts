/** Cron expressions in words: `at 06:00, Monday to Friday (Europe/Stockholm)`. */
import type { CronExpression } from './cron.ts'

const MONTH_NAMES = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
]
const WEEKDAY_NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const ORDINALS = ['', 'first', 'second', 'third', 'fourth', 'fifth']

/** More times of a day than this are written as minutes and hours. */
const MAX_TIMES = 6

export function describeCron(fields: CronExpression, timezone: string): string {
  const when = [times(fields), days(fields), months(fields)].filter((part) => part !== '').join(', ')
  return `${when} (${timezone})`
}

/** `February, June and October`. */
export const monthNames = (numbers: Iterable<number>): string =>
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

function days({ days, lastDay, weekdays, nth, bothDays }: CronExpression): string {
  const numbers = [...(days ?? [])].sort((a, b) => a - b)
  const ofMonth = [
    ...(numbers.length > 0 ? [`on day${numbers.length > 1 ? 's' : ''} ${and(numbers.map(String))} of the month`] : []),
    ...(lastDay ? ['on the last day of the month'] : []),
  ].join(' and ')
  const ofWeek = [
    ...(weekdays && weekdays.size > 0 ? [weekdayText(weekdays)] : []),
    ...nth.map(({ weekday, n }) => `on the ${ORDINALS[n]} ${WEEKDAY_NAMES[weekday]} of the month`),
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
