/** Problems of schedules: the findings of `footman check`, and the log lines when schedules are loaded. */

import { readFile } from 'node:fs/promises'
import { errorText } from '../../platform/errors.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import { createZoneTimes } from '../../platform/zone-times.ts'
import {
  type EntryPlace,
  type FileEntry,
  lineOfMember,
  placeText,
  readDocument,
  ScheduleFileError,
  scheduleText,
} from './file.ts'
import { type Planner, unknownMembers } from './plan.ts'
import type { RunStore } from './store.ts'
import type { Schedule, ScheduleValues } from './types.ts'

export interface ScheduleFinding {
  readonly severity: 'error' | 'warning'
  /** `butlerSchedule[2].cronSchedule`; empty when it is about the file. */
  readonly path: string
  readonly message: string
  readonly hint: string
  /** From 1; 0 when it is about the whole file. */
  readonly line: number
}

/** The findings of `footman check`. An error means that the schedule, or all of them, cannot run. */
export async function checkScheduleFile(file: string, planner: Planner): Promise<ScheduleFinding[]> {
  try {
    const { text, note } = scheduleText(await readFile(file))
    const { entries } = readDocument(text)
    return [
      ...encodingFindings(note),
      ...checkIds(entries),
      ...entries.flatMap((entry, index) => checkEntry(entry, index, planner)),
    ]
  } catch (error) {
    return [brokenFile(error)]
  }
}

const encodingFindings = (note: string | null): ScheduleFinding[] =>
  note === null
    ? []
    : [{ severity: 'warning', path: '', message: `the schedule file ${note}`, hint: 'save it as UTF-8', line: 0 }]

function brokenFile(error: unknown): ScheduleFinding {
  if (error instanceof ScheduleFileError) {
    const hint = 'no schedule runs until the file can be read'
    const message = `the schedule file cannot be used: ${error.reason}`
    return { severity: 'error', path: '', message, hint, line: error.line ?? 0 }
  }
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
    const message = 'the schedule file does not exist; there are no schedules'
    const hint = 'check Butler.scheduler.configfile, or write an absolute path'
    return { severity: 'warning', path: '', message, hint, line: 0 }
  }
  const message = `the schedule file cannot be read: ${errorText(error)}`
  const hint = 'check Butler.scheduler.configfile and the permissions'
  return { severity: 'error', path: '', message, hint, line: 0 }
}

function checkIds(entries: readonly FileEntry[]): ScheduleFinding[] {
  const known = new Set<string>()
  return entries.flatMap((entry, index) => {
    const { id } = entry.values
    const given = typeof id === 'string' || typeof id === 'number' ? String(id) : ''
    if (given !== '' && !known.has(given)) {
      known.add(given)
      return []
    }
    const why = given === '' ? 'has no id' : `has the id ${given}, which stands twice`
    return [
      findingOf(entry, index, 'id', { severity: 'warning', message: why, hint: 'it gets a new one at the start' }),
    ]
  })
}

function checkEntry(entry: FileEntry, index: number, planner: Planner): ScheduleFinding[] {
  const planned = planner.plan(entry.values)
  const unknown = unknownMembers(entry.values).map(({ member, hint }) =>
    findingOf(entry, index, member, {
      severity: 'warning',
      message: `has the unknown member ${member}, ignored`,
      hint,
    }),
  )
  if (planned.ok)
    return [
      ...planned.plan.cron.notes.map((message) =>
        findingOf(entry, index, 'cronSchedule', {
          severity: 'warning',
          message: `runs at other times than may be meant: ${message}`,
          hint: 'write names, like jan or mon',
        }),
      ),
      ...unknown,
    ]
  const { field, message } = planned.problem
  const text = `is not valid: ${message.replace(/^Invalid /, '')}`
  const hint = HINTS[field] ?? `correct ${field}; the schedule does not run as it is`
  return [findingOf(entry, index, field, { severity: 'error', message: text, hint }), ...unknown]
}

const HINTS: Readonly<Record<string, string>> = {
  cronSchedule: 'correct it, like 30 6 * * 1-5 (minute, hour, day, month, weekday); the schedule does not run as it is',
  timezone: 'write a zone of the IANA list, like Europe/Stockholm; the schedule does not run as it is',
}

function findingOf(
  entry: FileEntry,
  index: number,
  member: string,
  { message, ...more }: Pick<ScheduleFinding, 'severity' | 'message' | 'hint'>,
): ScheduleFinding {
  return {
    ...more,
    path: `butlerSchedule[${index}].${member}`,
    message: `schedule "${String(entry.values.name ?? '')}" ${message}`,
    line: lineOfMember(entry, member) ?? 0,
  }
}

export type RestoreState = 'both' | 'startup' | 'lastKnown'

const isStarted = (value: unknown): boolean => value === 'start' || value === 'started'

/** Whether a schedule that was just loaded is to run. */
export function runsAfterStart({ startupState, lastKnownState }: ScheduleValues, restore: RestoreState): boolean {
  if (restore === 'startup') return isStarted(startupState)
  if (restore === 'lastKnown')
    return lastKnownState === undefined ? isStarted(startupState) : lastKnownState === 'started'
  return isStarted(startupState) && lastKnownState !== 'stopped'
}

export interface LoadSettings {
  /** The schedule file. */
  readonly file: string
  readonly restoreState: RestoreState
}

/** Logs the problems of a schedule that was just loaded. */
export function logLoaded(
  log: Logger,
  schedule: Schedule,
  { file, restoreState: restore }: LoadSettings,
  entry: EntryPlace,
): void {
  const { id, values, problem, plan } = schedule
  const name = String(values.name ?? '')
  if (problem) {
    const place = placeText(file, lineOfMember(entry, problem.field))
    const reason = problem.message.replace(/^Invalid /, '')
    log.error(`SCHEDULER: Schedule ID ${id} "${name}" is not valid: ${reason}${place}`)
    return
  }
  const stoppedBefore = restore === 'both' && isStarted(values.startupState) && values.lastKnownState === 'stopped'
  if (stoppedBefore) {
    log.warn(`SCHEDULER: Schedule ID ${id} "${name}" not started: it was stopped when the file was last written`)
  }
  for (const note of plan?.cron.notes ?? []) log.warn(`SCHEDULER: Schedule ID ${id}: ${note}`)
}

/** Logs a warning for each unknown member that the schedule did not have before. */
export function logUnknownMembers(
  log: Logger,
  { id, values }: Schedule,
  old: Schedule | undefined,
  { file, entry }: { readonly file: string; readonly entry: EntryPlace },
): void {
  for (const { member, hint } of unknownMembers(values)) {
    if (old && member in old.values) continue
    const text = `SCHEDULER: Schedule ID ${id} "${String(values.name ?? '')}" has the unknown member ${member}, ignored`
    log.warn(`${text}; ${hint}${placeText(file, lineOfMember(entry, member))}`)
  }
}

/** Number of firings that are compared. */
const COMPARED = 3

/** A line for each schedule that fires at other times than in Butler, which ignored time zones. */
function zoneReport(schedules: readonly Schedule[], planner: Planner, now: number): string[] {
  return schedules.flatMap(({ id, plan }) => {
    if (!plan || plan.timezone === planner.localZone) return []
    let [ours, theirs]: (number | null)[] = [now, now]
    for (let i = 0; i < COMPARED && ours !== null && theirs !== null; i += 1) {
      ours = plan.next(ours!)
      theirs = planner.localNext(plan, theirs!)
      if (ours !== theirs) {
        const times = createZoneTimes(plan.timezone)
        const text = (at: number | null) => (at === null ? 'never' : times.clock(at))
        return [
          `SCHEDULER: Schedule ID ${id} runs in time zone ${plan.timezone}; next run there ${text(plan.next(now))}, in Butler 16 ${text(planner.localNext(plan, now))}`,
        ]
      }
    }
    return []
  })
}

/** Logs which schedules fire at other times than in Butler 16. With `once` that happens once in the life of a database. */
export async function reportZones(
  { store, clock, log, planner }: ZoneReportDeps,
  schedules: readonly Schedule[],
  once: boolean,
): Promise<void> {
  const now = clock.now()
  if (schedules.length === 0 || (once && !(await store.once('zone report', now)))) return
  const lines = zoneReport(schedules, planner, now)
  if (lines.length === 0) return
  log.warn(
    `SCHEDULER: ${lines.length} schedule(s) fire at other times than in Butler 16, which ignored their time zones. Butler.footman.scheduler.ignoreTimezone: true restores that${once ? '. This is logged once' : ''}`,
  )
  for (const line of lines) log.warn(line)
}

interface ZoneReportDeps {
  readonly store: Pick<RunStore, 'once'>
  readonly clock: Clock
  readonly log: Logger
  readonly planner: Planner
}
