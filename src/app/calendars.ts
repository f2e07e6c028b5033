/** The calendars and windows of time of the configuration, shared by schedules, alert routes and maintenance. */
import type { ConfigPaths } from '../config/paths.ts'
import { type Calendars, createCalendars, createWindows, type Windows } from '../platform/calendar.ts'
import { createCalendarFiles } from '../platform/calendar-files.ts'
import type { Use } from '../platform/replaceable.ts'
import type { Logger, Service } from '../platform/types.ts'
import type { Config } from './schema.ts'

export interface CalendarsDeps {
  readonly log: Logger
  readonly paths: ConfigPaths
  /** Called with the reason when the file of a calendar cannot be used, with null when it can. */
  readonly onFailure?: (calendar: string, reason: string | null) => void
}

export interface BuiltCalendars {
  /** Delegate to the configuration in use. */
  readonly windows: Windows
  readonly calendars: Calendars
  /** Reads the files of calendars; must start before the services that use windows. */
  readonly service: Service
  /** Builds those of another configuration and reads their files; `use` replaces the current ones. */
  prepare(config: Config): Promise<PreparedWindows>
}

export interface PreparedWindows {
  readonly windows: Windows
  readonly use: Use
}

export function buildCalendars(deps: CalendarsDeps, config: Config): BuiltCalendars {
  let current = windowsOf(deps, config)
  /** Stored schedules may name calendars that a reload has removed: these keep their meaning until a restart. */
  const former: Version[] = []
  const calendarOwner = (name: string) =>
    current.calendars.has(name) ? current : (former.findLast(({ calendars }) => calendars.has(name)) ?? current)
  const windowOwner = (name: string) =>
    current.windows.has(name) ? current : (former.findLast(({ windows }) => windows.has(name)) ?? current)

  return {
    windows: {
      has: (name) => current.windows.has(name),
      contains: (window, instant) =>
        (typeof window === 'string' ? windowOwner(window) : current).windows.contains(window, instant),
    },
    calendars: {
      has: (name) => current.calendars.has(name),
      contains: (name, day) => calendarOwner(name).calendars.contains(name, day),
    },
    service: {
      name: 'calendars',
      start: () => current.files.start(),
      stop: () => current.files.stop(),
    },
    async prepare(next) {
      const version = windowsOf(deps, next)
      await version.files.read()
      return {
        windows: version.windows,
        use() {
          former.push(current)
          former.splice(0, former.length - MAX_FORMER)
          void current.files.stop()
          current = version
          void version.files.start()
        },
      }
    },
  }
}

const MAX_FORMER = 10

type Version = ReturnType<typeof windowsOf>

function windowsOf({ log, paths, onFailure }: CalendarsDeps, { footman }: Config) {
  const fileOf = Object.entries(footman.calendars)
    .filter(([, { file }]) => file !== '')
    .map(([name, { file }]) => [name, paths.input(file)] as const)
  const files = createCalendarFiles({ log, onFailure }, { files: Object.fromEntries(fileOf) })
  const calendars = createCalendars({ calendars: footman.calendars, fileDays: files.days })
  const windows = createWindows({ windows: footman.windows, calendars, timezone: footman.timezone })
  return { files, calendars, windows }
}
