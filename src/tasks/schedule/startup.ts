/** What is decided when schedules are loaded: which of them run, and what is to be told about them. */
import type { Logger } from '../../platform/types.ts'
import { type EntryPlace, lineOfMember, placeText } from './file.ts'
import { monthsMeant, type Planner, unknownMembers } from './plan.ts'
import type { Schedule, ScheduleValues } from './types.ts'

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
  readonly monthBase: 0 | 1
}

/** The lines of the log about a schedule that was just loaded. */
export function tellLoaded(
  log: Logger,
  schedule: Schedule,
  { file, restoreState: restore, monthBase }: LoadSettings,
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
  const months = monthBase === 0 && plan ? monthsMeant(plan) : null
  if (months !== null) {
    log.warn(
      `SCHEDULER: Schedule ID ${id}: months are counted 0-11, so "${String(values.cronSchedule)}" means ${months}`,
    )
  }
}

/** A warning for each member without a meaning, that was not there before. */
export function tellUnknown(
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

/** So many firings are compared. */
const COMPARED = 3

/** A line for each schedule that fires at other times than in Butler, which did not know time zones. */
export function zoneReport(schedules: readonly Schedule[], planner: Planner, now: number): string[] {
  return schedules.flatMap(({ id, plan }) => {
    if (!plan || plan.timezone === planner.localZone) return []
    let [ours, theirs]: (number | null)[] = [now, now]
    for (let i = 0; i < COMPARED && ours !== null && theirs !== null; i += 1) {
      ours = plan.next(ours!)
      theirs = planner.localNext(plan, theirs!)
      if (ours !== theirs)
        return [
          `SCHEDULER: Schedule ID ${id} runs in time zone ${plan.timezone}; next run ${iso(plan.next(now))}, in Butler 16 ${iso(planner.localNext(plan, now))}`,
        ]
    }
    return []
  })
}

const iso = (instant: number | null): string => (instant === null ? 'never' : new Date(instant).toISOString())
