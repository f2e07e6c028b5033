/** Whether an instant lies in a window of time, on the wall clock of the window's zone. */
import { hostZone } from '../host-zone.ts'
import { createZone, type Zone } from '../zone.ts'
import { DAY_MS, dayOf, weekdayOf, weekdaySet } from './days.ts'
import type { Calendars, Day, Window, Windows } from './types.ts'

export interface WindowsSettings {
  readonly windows: Readonly<Record<string, Window>>
  readonly calendars: Calendars
  /** Of windows that name none; '' = the zone of this computer. */
  readonly timezone: string
}

type Contains = (instant: number) => boolean

export function createWindows({ windows, calendars, timezone }: WindowsSettings): Windows {
  const zones = new Map<string, Zone>()
  const named = new Map(Object.entries(windows).map(([name, window]) => [name, prepare(window)]))
  const unnamed = new WeakMap<Window, Contains>()

  function zoneOf(name: string): Zone {
    const zone = zones.get(name) ?? createZone(name || hostZone())
    zones.set(name, zone)
    return zone
  }

  function prepare(window: Window): Contains {
    return window.start !== undefined || window.end !== undefined ? single(window) : recurring(window)
  }

  function recurring(window: Window): Contains {
    const zone = zoneOf(window.timezone ?? timezone)
    const from = window.from === undefined ? 0 : msOfDay(window.from)
    const to = window.to === undefined ? DAY_MS : msOfDay(window.to)
    const end = to > from ? to : to + DAY_MS
    const allowed = dayTest(window, calendars)
    return (instant) => {
      const wall = zone.wall(instant)
      const today = dayOf(wall)
      // A window that began yesterday may still be open.
      return [today, today - 1].some((day) => {
        const time = wall - day * DAY_MS
        return time >= from && time < end && allowed(day)
      })
    }
  }

  return {
    has: (name) => named.has(name),
    contains(window, instant) {
      const contains = typeof window === 'string' ? named.get(window) : (unnamed.get(window) ?? prepare(window))
      if (!contains) throw new Error(`There is no window "${window}"`)
      if (typeof window !== 'string') unnamed.set(window, contains)
      return contains(instant)
    },
  }
}

function single({ start = '', end = '' }: Window): Contains {
  const [first, after] = [Date.parse(start), Date.parse(end)]
  return (instant) => instant >= first && instant < after
}

/** The days on which a window begins. */
function dayTest({ days, on, notOn = [] }: Window, calendars: Calendars): (day: Day) => boolean {
  const weekdays = days === undefined ? null : weekdaySet(days)
  return (day) =>
    (weekdays === null || weekdays.has(weekdayOf(day))) &&
    (on === undefined || on.some((name) => calendars.contains(name, day))) &&
    !notOn.some((name) => calendars.contains(name, day))
}

function msOfDay(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  return (hours * 60 + minutes) * 60_000
}
