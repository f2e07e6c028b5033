/** Starts of tasks by schedules (schema events) and chains (composite events). */
import { NEVER_MS } from '../entities.ts'
import { createLocalTime, type LocalTime } from '../local-time.ts'
import type { SimCompositeEvent, SimSchemaEvent, SimTask, SimTimer, SimulatedSite } from '../types.ts'
import { STATUS } from './execution.ts'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
const SEARCH_DAYS = 800
/** Far-away fire times are looked at again after a day. */
const LONGEST_WAIT_MS = DAY_MS

const ONCE = 0
const HOURLY = 1
const CUSTOM = 5

/**
 * Fires schema events by the site's clock and keeps `nextExecution` of events and tasks up to date. With `enabled`
 * false only the times are kept.
 */
export function createSchedules(
  site: SimulatedSite,
  start: (task: SimTask) => void,
  enabled: boolean,
): { refresh(): void; stop(): void } {
  const timers = new Map<string, SimTimer>()
  const zones = new Map<string, LocalTime>()

  function zone(name: string): LocalTime {
    const known = zones.get(name) ?? createLocalTime(name)
    zones.set(name, known)
    return known
  }

  function plan(event: SimSchemaEvent) {
    site.clock.cancel(timers.get(event.id))
    const now = site.clock.now()
    const next = event.enabled ? nextExecution(event, zone(event.timeZone), now) : null
    event.operational.nextExecution = next ?? NEVER_MS
    if (next === null || !enabled) return
    const wait = Math.min(LONGEST_WAIT_MS, next - now)
    timers.set(
      event.id,
      site.clock.schedule(wait, () => {
        if (site.clock.now() >= next) fire(event)
        plan(event)
        updateTask(event.task)
      }),
    )
  }

  function fire(event: SimSchemaEvent) {
    event.operational.timesTriggered += 1
    start(event.task)
  }

  function updateTask(task: SimTask) {
    const times = [...site.schemaEvents.values()]
      .filter((event) => event.task === task && event.operational.nextExecution !== NEVER_MS)
      .map((event) => event.operational.nextExecution)
    task.operational.nextExecution = times.length > 0 ? Math.min(...times) : NEVER_MS
  }

  function stop() {
    for (const timer of timers.values()) site.clock.cancel(timer)
    timers.clear()
  }

  return {
    refresh() {
      stop()
      for (const event of site.schemaEvents.values()) plan(event)
      for (const event of site.schemaEvents.values()) updateTask(event.task)
    },
    stop,
  }
}

/**
 * The first time after `now` at which a schema event fires; null when it doesn't any more. Daily, weekly and monthly
 * events keep their local time of day; hourly and custom ones their distance.
 */
export function nextExecution(event: SimSchemaEvent, time: LocalTime, now: number): number | null {
  const next = findNext(event, time, now)
  return next !== null && next <= event.expirationDate ? next : null
}

function findNext(event: SimSchemaEvent, time: LocalTime, now: number): number | null {
  if (event.startDate > now && (event.incrementOption === ONCE || event.incrementOption === HOURLY))
    return event.startDate
  if (event.incrementOption === ONCE) return null
  const [minutes = 0, hours = 0, days = 0, weeks = 0] = event.incrementDescription.split(' ').map(Number)
  if (event.incrementOption === HOURLY || event.incrementOption === CUSTOM) {
    const step = (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * MINUTE_MS
    if (step <= 0) return null
    return event.startDate + Math.max(0, Math.floor((now - event.startDate) / step) + 1) * step
  }
  return nextDay(event, time, now)
}

/** Walks the local calendar. */
function nextDay(event: SimSchemaEvent, time: LocalTime, now: number): number | null {
  const local = (at: number) => at + time.offsetMinutes(at) * MINUTE_MS
  const first = local(event.startDate)
  const timeOfDay = ((first % DAY_MS) + DAY_MS) % DAY_MS
  const firstDay = Math.floor(first / DAY_MS)
  const [, , , weekDays = '*', , monthDays = '*', months = '*'] = (event.schemaFilterDescription[0] ?? '').split(' ')
  const everyDays = Math.max(1, Number(event.incrementDescription.split(' ')[2]) || 1)
  const interval = event.incrementOption === 2 ? everyDays : 1
  let day = Math.max(firstDay, Math.floor(local(now) / DAY_MS))
  for (const last = day + SEARCH_DAYS; day < last; day++) {
    if ((day - firstDay) % interval !== 0 || !onDay(day, weekDays, monthDays, months)) continue
    const wall = day * DAY_MS + timeOfDay
    const at = wall - time.offsetMinutes(wall - time.offsetMinutes(wall) * MINUTE_MS) * MINUTE_MS
    if (at > now) return at
  }
  return null
}

function onDay(day: number, weekDays: string, monthDays: string, months: string): boolean {
  const date = new Date(day * DAY_MS)
  return (
    listed(weekDays, date.getUTCDay()) && listed(monthDays, date.getUTCDate()) && listed(months, date.getUTCMonth() + 1)
  )
}

const listed = (list: string, value: number) => list === '*' || list.split(',').map(Number).includes(value)

const START_DELAY_MS = 200
const RULE_OF_STATUS: Readonly<Record<number, number>> = { [STATUS.success]: 1, [STATUS.fail]: 2, [STATUS.error]: 2 }

/** Follows composite events: when all rules of one are true within its time constraint, its task starts. */
export function createChains(site: SimulatedSite, start: (task: SimTask) => void): { stop(): void } {
  const unsubscribe = site.on('state', ({ task, execution, final }) => {
    if (!final) return
    for (const event of site.compositeEvents.values()) note(event, task, execution.status, execution.stopTime)
  })

  function note(event: SimCompositeEvent, task: SimTask, status: number, at: number) {
    const touched = event.compositeRules.filter((rule) => rule.task === task)
    if (!event.enabled || touched.length === 0) return
    for (const rule of touched) {
      rule.operational.currentState = RULE_OF_STATUS[status] ?? 0
      rule.operational.timeStamp = at
    }
    if (!fulfilled(event, at)) return
    for (const rule of event.compositeRules) rule.operational.currentState = 0
    site.clock.schedule(START_DELAY_MS, () => start(event.task))
  }

  return { stop: () => void unsubscribe() }
}

function fulfilled(event: SimCompositeEvent, now: number): boolean {
  const { days, hours, minutes, seconds } = event.timeConstraint
  const windowMs = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000
  return event.compositeRules.every(
    ({ ruleState, operational }) =>
      operational.currentState === ruleState && (windowMs === 0 || now - operational.timeStamp <= windowMs),
  )
}
