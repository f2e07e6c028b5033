/** The days of calendar files, read at start and again whenever a file changes. */

import { readFile, stat } from 'node:fs/promises'
import { parse } from 'yaml'
import { createRecurringJob } from '../recurring-job.ts'
import type { Logger } from '../types.ts'
import { parseDay } from './days.ts'
import { type CalendarContent, readIcs } from './ics.ts'
import type { Day } from './types.ts'

export interface CalendarFilesDeps {
  readonly log: Logger
  /** A file cannot be read (the reason), or can be read (null). Called at the first look and at each change. */
  readonly onTrouble?: ((calendar: string, reason: string | null) => void) | undefined
}

export interface CalendarFilesSettings {
  /** Absolute paths by name of the calendar. */
  readonly files: Readonly<Record<string, string>>
  /** How often the files are looked at; default 5 s. */
  readonly pollMs?: number
}

export interface CalendarFiles {
  readonly name: string
  /** The last content that could be read; none before the first reading. */
  days(calendar: string): ReadonlySet<Day>
  /** Reads all files once. Never rejects: a file that cannot be read is logged and reported. */
  read(): Promise<void>
  /** Reads all files, and again when one changes. */
  start(): Promise<void>
  stop(): Promise<void>
}

interface Known {
  days: ReadonlySet<Day>
  /** Size and time of the file at the last reading. */
  stamp: string
  trouble: string | null
}

const POLL_MS = 5000
const MAX_BYTES = 10 * 1024 * 1024
const NO_DAYS: ReadonlySet<Day> = new Set()

export function createCalendarFiles(deps: CalendarFilesDeps, settings: CalendarFilesSettings): CalendarFiles {
  const { log, onTrouble } = deps
  const files = Object.entries(settings.files)
  const known = new Map<string, Known>()

  async function look(calendar: string, path: string): Promise<void> {
    const before = known.get(calendar) ?? { days: NO_DAYS, stamp: '', trouble: null }
    try {
      const { size, mtimeMs } = await stat(path)
      const stamp = `${size} ${mtimeMs}`
      if (stamp === before.stamp) return
      if (size > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / 1024 / 1024} MB`)
      const { days, warnings } = await readCalendarFile(path, await readFile(path, 'utf8'))
      for (const warning of warnings) log.warn(`CALENDAR ${calendar}: ${path}: ${warning}`)
      log.verbose(`CALENDAR ${calendar}: ${days.size} days read from ${path}`)
      known.set(calendar, { days, stamp, trouble: null })
      if (before.trouble !== null || before.stamp === '') onTrouble?.(calendar, null)
    } catch (error) {
      const trouble = `${path}: ${error instanceof Error ? error.message : String(error)}`
      known.set(calendar, { ...before, stamp: '', trouble })
      if (trouble === before.trouble) return
      const content = before.days.size > 0 ? 'its last good content stays in use' : 'it has no days'
      log.error(`CALENDAR ${calendar}: The file cannot be used, ${content}. ${trouble}`)
      onTrouble?.(calendar, trouble)
    }
  }

  async function lookAtAll(): Promise<void> {
    for (const [calendar, path] of files) await look(calendar, path)
  }

  const polling = createRecurringJob({ everyMs: settings.pollMs ?? POLL_MS, unref: true }, lookAtAll)

  return {
    name: 'calendars',
    days: (calendar) => known.get(calendar)?.days ?? NO_DAYS,
    read: lookAtAll,
    async start() {
      await lookAtAll()
      if (files.length > 0) polling.start()
    },
    stop: polling.stop,
  }
}

/** `.ics`, or a YAML list of dates. Throws when the file makes no sense. */
async function readCalendarFile(path: string, text: string): Promise<CalendarContent> {
  if (/\.ics$/i.test(path)) return readIcs(text)
  const list: unknown = parse(text) ?? []
  if (!Array.isArray(list)) throw new Error('a list of dates like "- 2026-12-24" is wanted')
  const days = list.map((item) => {
    const day = typeof item === 'string' ? parseDay(item) : null
    if (day === null) throw new Error(`"${String(item).slice(0, 40)}" is no date like 2026-12-24`)
    return day
  })
  return { days: new Set(days), warnings: [] }
}
