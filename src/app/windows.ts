/** The windows of time and the calendars of the configuration, shared by schedules, alert routes and maintenance. */
import type { ConfigPaths } from '../config/paths.ts'
import type { Config } from '../config/schema.ts'
import type { Logger, Service } from '../platform/types.ts'
import { createCalendarFiles } from '../platform/windows/calendar-files.ts'
import { createCalendars } from '../platform/windows/calendars.ts'
import type { Calendars, Windows } from '../platform/windows/types.ts'
import { createWindows } from '../platform/windows/windows.ts'

export interface WindowsDeps {
  readonly log: Logger
  readonly paths: ConfigPaths
  /** The file of a calendar cannot be used (why), or can be again (null). */
  readonly onTrouble?: (calendar: string, reason: string | null) => void
}

export interface BuiltWindows {
  readonly windows: Windows
  readonly calendars: Calendars
  /** To be started before whoever asks for windows: it reads the files of calendars. */
  readonly service: Service
}

export function buildWindows({ log, paths, onTrouble }: WindowsDeps, { footman }: Config): BuiltWindows {
  const files = Object.entries(footman.calendars)
    .filter(([, { file }]) => file !== '')
    .map(([name, { file }]) => [name, paths.input(file)] as const)
  const calendarFiles = createCalendarFiles({ log, onTrouble }, { files: Object.fromEntries(files) })
  const calendars = createCalendars({ calendars: footman.calendars, fileDays: calendarFiles.days })
  const windows = createWindows({ windows: footman.windows, calendars, timezone: footman.timezone })
  return { windows, calendars, service: calendarFiles }
}
