/** Triggers of tasks as Qlik Sense defines them: the instants of schema events, and the firings of composite events. */
import type { Offsets } from '../../platform/offsets.ts'
import type { QrsCompositeEvent, QrsSchemaEvent } from '../../qlik/qrs/triggers.ts'

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Instants of one trigger that are looked at; more come from an interval of seconds that makes no sense. */
const MOST = 5000

/**
 * The instants in (from, to] at which a schema event fires, ascending. The next execution that QRS reports is the anchor,
 * so that the phase is right in every zone of the start date. Daily, weekly and monthly events keep their local time of day.
 */
export function instantsOf(event: QrsSchemaEvent, offsets: Offsets, from: number, to: number): number[] {
  const { startAt, expiresAt, nextAt, increment } = event
  const anchor = nextAt ?? startAt
  if (!event.enabled || anchor === null) return []
  const first = Math.max(from, (startAt ?? Number.NEGATIVE_INFINITY) - 1)
  const last = Math.min(to, expiresAt ?? Number.POSITIVE_INFINITY)
  if (increment === 'once') return anchor > first && anchor <= last ? [anchor] : []
  if (increment === 'hourly' || increment === 'custom') return steps(event, anchor, first, last)
  return days(event, offsets, anchor, [first, last])
}

function steps({ every }: QrsSchemaEvent, anchor: number, first: number, last: number): number[] {
  const [minutes = 0, hours = 0, wholeDays = 0, weeks = 0] = every
  const step = (((weeks * 7 + wholeDays) * 24 + hours) * 60 + minutes) * MINUTE_MS
  if (step <= 0) return []
  const found: number[] = []
  let at = anchor + (Math.floor((first - anchor) / step) + 1) * step
  for (; at <= last && found.length < MOST; at += step) found.push(at)
  return found
}

function days(
  event: QrsSchemaEvent,
  offsets: Offsets,
  anchor: number,
  [first, last]: readonly [first: number, last: number],
): number[] {
  const wall = anchor + offsets.at(anchor)
  const timeOfDay = ((wall % DAY_MS) + DAY_MS) % DAY_MS
  const anchorDay = Math.floor(wall / DAY_MS)
  const interval = event.increment === 'daily' ? Math.max(1, event.every[2] ?? 1) : 1
  const isWanted = dayTest(event)
  const found: number[] = []
  const lastDay = Math.floor((last + offsets.at(last)) / DAY_MS)
  for (let day = Math.floor((first + offsets.at(first)) / DAY_MS); day <= lastDay && found.length < MOST; day += 1) {
    if ((day - anchorDay) % interval !== 0 || !isWanted(day)) continue
    const at = offsets.instantOf(day * DAY_MS + timeOfDay)
    if (at > first && at <= last) found.push(at)
  }
  return found
}

function dayTest({ filter }: QrsSchemaEvent): (day: number) => boolean {
  const [weekDays, monthDays, months] = [filter[3], filter[5], filter[6]].map(listed)
  return (day) => {
    const date = new Date(day * DAY_MS)
    return weekDays!(date.getUTCDay()) && monthDays!(date.getUTCDate()) && months!(date.getUTCMonth() + 1)
  }
}

function listed(list = '*'): (value: number) => boolean {
  if (list === '*' || list === '' || list === '-') return () => true
  const values = new Set(list.split(',').map(Number))
  return (value) => values.has(value)
}

const DAY_NAMES = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const

/** `daily at 02:00`, `every 6 hours`, `Monday, Thursday at 04:00`, `on day 1, 15 at 03:00`. */
export function textOfSchema(event: QrsSchemaEvent, offsets: Offsets): string {
  const { increment, every, filter } = event
  const anchor = event.nextAt ?? event.startAt
  const wall = anchor === null ? null : new Date(anchor + offsets.at(anchor)).toISOString()
  const time = wall === null ? '' : ` at ${wall.slice(11, 16)}`
  const names: Readonly<Record<typeof increment, () => string>> = {
    once: () => `once${wall === null ? '' : `, ${wall.slice(0, 10)}${time}`}`,
    hourly: () => `every ${length(every)}`,
    custom: () => `every ${length(every)}`,
    daily: () => `${(every[2] ?? 1) > 1 ? `every ${every[2]} days` : 'daily'}${time}`,
    weekly: () => `${namesOfDays(filter[3]) ?? 'weekly'}${time}`,
    monthly: () => `${filter[5] && filter[5] !== '*' ? `on day ${filter[5].replaceAll(',', ', ')}` : 'monthly'}${time}`,
  }
  return names[increment]()
}

function length(every: readonly number[]): string {
  const units = ['minute', 'hour', 'day', 'week'] as const
  const parts = units.flatMap((unit, n) => {
    const count = every[n] ?? 0
    return count === 0 ? [] : [count === 1 ? unit : `${count} ${unit}s`]
  })
  return parts.reverse().join(' ') || 'hour'
}

function namesOfDays(list: string | undefined): string | null {
  if (!list || list === '*') return null
  return list
    .split(',')
    .map((day) => DAY_NAMES[Number(day)] ?? day)
    .join(', ')
}

/** The end of an execution, as gates see it. */
export interface End {
  readonly taskId: string
  readonly outcome: string
  readonly at: number
}

const RULE_OF: Readonly<Record<string, 'success' | 'failure'>> = { success: 'success', failed: 'failure' }

/** A rule about a task that is gone never comes true. */
export const isBroken = ({ rules }: QrsCompositeEvent, exists: (taskId: string) => boolean): boolean =>
  rules.length === 0 || rules.some(({ taskId }) => taskId === '' || !exists(taskId))

/** The instants at which these ends, ascending, make a composite event fire. A gate that fires forgets its marks. */
export function firingsOf(gate: QrsCompositeEvent, ends: readonly End[]): number[] {
  if (!gate.enabled || gate.rules.length === 0) return []
  const { withinMs } = gate
  const fired: number[] = []
  let marks: (number | null)[] = gate.rules.map(() => null)
  for (const { taskId, outcome, at } of ends) {
    const isTouched = gate.rules.some((rule) => rule.taskId === taskId)
    if (!isTouched) continue
    marks = gate.rules.map((rule, n) => {
      if (rule.taskId === taskId) return rule.on === RULE_OF[outcome] ? at : null
      const mark = marks[n] ?? null
      return mark !== null && withinMs !== null && at - mark > withinMs ? null : mark
    })
    if (marks.some((mark) => mark === null)) continue
    fired.push(at)
    marks = gate.rules.map(() => null)
  }
  return fired
}
