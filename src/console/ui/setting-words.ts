/** Calendars and windows in words, from their values as they stand in the configuration. */
import { createZoneTimes } from '../../platform/zone-times.ts'
import { counted, timeText } from './text.tsx'

/** One value or a list of them, as it is written. */
export const listed = (value: unknown): readonly string[] => [value ?? []].flat().map(String)

/** The members of a value. */
export const membersOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)

/** `Mon–Fri, Sun`. */
export const weekdaysText = (days: unknown): string =>
  listed(days)
    .map((range) => range.trim().toLowerCase().split('-').map(capital).join('–'))
    .join(', ')

/** `Every Sat–Sun, 3 dates; without the days of closing`. */
export function calendarText(value: unknown): string {
  const { file, dates, days, except } = membersOf(value)
  const parts = [
    listed(days).length > 0 && `every ${weekdaysText(days)}`,
    listed(dates).length > 0 && counted(listed(dates).length, 'date'),
    listed(file).join('') !== '' && `the days of the file ${file}`,
  ].filter((part) => part !== false)
  const whole = parts.length === 0 ? 'no day yet' : parts.join(', ')
  const without = listed(except)
  return capital(without.length > 0 ? `${whole}; without the days of ${without.join(', ')}` : whole)
}

interface Zoned {
  readonly timezone: string
  readonly now: number
}

/** `Mon–Fri 22:00 to 06:00 of the next day, not on days of holidays`. The zone only where it is not that of the page. */
export function windowText(value: unknown, page: Zoned): string {
  const { days, from, to, on, notOn, start, end, timezone } = membersOf(value)
  const zone = typeof timezone === 'string' && timezone !== page.timezone ? timezone : null
  if (start !== undefined || end !== undefined) {
    const times = createZoneTimes(zone ?? page.timezone)
    const ends = [start, end].map((text) => {
      const at = times.instant(String(text))
      return at === null ? String(text) : timeText(at, page, false)
    })
    return ends.join(' to ')
  }
  const parts = [
    `${days === undefined ? 'Every day' : weekdaysText(days)}${clocksText(from, to)}`,
    listed(on).length > 0 && `only on days of ${listed(on).join(' or ')}`,
    listed(notOn).length > 0 && `not on days of ${listed(notOn).join(' or ')}`,
  ].filter((part) => part !== false)
  return parts.join(', ') + (zone === null ? '' : ` (${zone})`)
}

function clocksText(from: unknown, to: unknown): string {
  if (from === undefined && to === undefined) return ''
  const [begin, end] = [String(from ?? '00:00'), String(to ?? '24:00')]
  return ` ${begin} to ${end}${end > begin ? '' : ' of the next day'}`
}

/** Names of windows, and the words of those without a name. */
export const windowsText = (during: unknown, page: Zoned): string =>
  [during ?? []]
    .flat()
    .map((one) => (typeof one === 'string' ? one : windowText(one, page)))
    .join('; ')
