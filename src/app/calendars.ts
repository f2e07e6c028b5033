/** The calendars and windows of time of the configuration, shared by schedules, alert routes and maintenance. */
import type { ConfigPaths } from '../config/paths.ts'
import { type Calendars, createCalendars, createWindows, type Windows } from '../platform/calendar.ts'
import { createCalendarFiles } from '../platform/calendar-files.ts'
import type { Use } from '../platform/replaceable.ts'
import type { Logger, Service } from '../platform/types.ts'
import type { Topics } from './observers.ts'
import type { Follow } from './reload.ts'
import type { Config } from './schema.ts'

export interface CalendarsDeps {
  readonly log: Logger
  readonly paths: ConfigPaths
  readonly on: Pick<Topics, 'calendar'>
}

export interface BuiltCalendars {
  /** Delegate to the configuration in use. */
  readonly windows: Windows
  readonly calendars: Calendars
  /** Those of the configuration in use, to ask about; none of the former ones. */
  readonly inUse: () => CalendarsInUse
  /** Reads the files of calendars; must start before the services that use windows. */
  readonly backends: readonly Service[]
  /** Follows a changed configuration together with a part that is built from the new windows. */
  following(prepare: (windows: Windows, config: Config, changed: readonly string[]) => Use): Follow
}

export type CalendarsInUse = Pick<Version, 'calendars' | 'windows' | 'files'>

/** Calendars and windows of another configuration, with their files as they are now, to ask about. */
export async function readCalendars(deps: CalendarsDeps, config: Config) {
  const { files, calendars, windows } = windowsOf(deps, config)
  await files.read()
  return { calendars, windows }
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
      troubles: (window) => (typeof window === 'string' ? windowOwner(window) : current).windows.troubles(window),
    },
    calendars: {
      has: (name) => current.calendars.has(name),
      contains: (name, day) => calendarOwner(name).calendars.contains(name, day),
      troubles: (name) => calendarOwner(name).calendars.troubles(name),
    },
    inUse: () => current,
    backends: [{ name: 'calendars', start: () => current.files.start(), stop: () => current.files.stop() }],
    following: (prepare) => async (next, changed) => {
      const version = windowsOf(deps, next)
      await version.files.read()
      const use = prepare(version.windows, next, changed)
      // In one go: no event meets new windows and old rules.
      return () => {
        former.push(current)
        former.splice(0, former.length - MAX_FORMER)
        void current.files.stop()
        current = version
        void version.files.start()
        return use()
      }
    },
  }
}

const MAX_FORMER = 10

/** The reader of workbooks is loaded with the first one. */
const WORKBOOK_MB = 10
export async function readTable(bytes: Uint8Array) {
  const { readWorkbookTable } = await import('../reports/templates/workbook/table.ts')
  return readWorkbookTable(new Uint8Array(bytes), WORKBOOK_MB)
}

type Version = ReturnType<typeof windowsOf>

function windowsOf({ log, paths, on }: CalendarsDeps, { footman }: Config) {
  const fileOf = Object.entries(footman.calendars)
    .filter(([, { file }]) => file !== '')
    .map(([name, { file }]) => [name, paths.input(file)] as const)
  const files = createCalendarFiles({ log, readTable, onFailure: on.calendar }, { files: Object.fromEntries(fileOf) })
  const calendars = createCalendars({ calendars: footman.calendars, fileDays: files.days, fileTrouble: files.trouble })
  const windows = createWindows({ windows: footman.windows, calendars, timezone: footman.timezone })
  return { files, calendars, windows }
}
