/** The schedules that are known: those of the file, each with its plan, and whether it runs. */
import type { Logger } from '../../platform/types.ts'
import { logLoaded, logUnknownMembers, type RestoreState, runsAfterStart } from './check.ts'
import type { Planner } from './plan.ts'
import type { StoredSchedule } from './repository.ts'
import type { Schedule, ScheduleValues } from './types.ts'

interface KnownSettings {
  readonly file: string
  readonly restoreState: RestoreState
  readonly ignoreTimezone: boolean
}

export interface KnownSchedules {
  get(id: string): Schedule | undefined
  /** In the order of the file. */
  all(): Schedule[]
  /** Takes over the entries of the file; new and changed ones are planned again. */
  follow(entries: readonly StoredSchedule[]): {
    readonly changed: readonly Schedule[]
    /** Ids of those that are gone. */
    readonly gone: readonly string[]
  }
  /** Whether the schedule is to run after the API call that is being written; takes precedence over the file. */
  want(id: string, running: boolean): void
  /** The call has failed. */
  unwant(ids: readonly string[]): void
}

interface Known {
  readonly entry: StoredSchedule
  readonly schedule: Schedule
}

export function createKnownSchedules(
  { planner, log }: { readonly planner: Planner; readonly log: Logger },
  settings: KnownSettings,
): KnownSchedules {
  let known: ReadonlyMap<string, Known> = new Map()
  const wanted = new Map<string, boolean>()

  function scheduleOf(entry: StoredSchedule, old: Schedule | undefined): Schedule {
    const { id, values } = entry
    const planned = planner.plan(values)
    const plan = planned.ok ? planned.plan : null
    const problem = planned.ok ? null : planned.problem
    const running =
      plan !== null && (wanted.get(id) ?? stateKept(values, old) ?? runsAfterStart(values, settings.restoreState))
    const schedule: Schedule = { id, values, plan, problem, running }
    if (!old || problem) logLoaded(log, schedule, settings, entry)
    logUnknownMembers(log, schedule, old, { file: settings.file, entry })
    return schedule
  }

  return {
    get: (id) => known.get(id)?.schedule,
    all: () => [...known.values()].map(({ schedule }) => schedule),
    follow(entries) {
      const before = known
      const changed: Schedule[] = []
      known = new Map(
        entries.map((entry) => {
          const old = before.get(entry.id)
          const isSame = old?.entry.text === entry.text && !wanted.has(entry.id)
          const schedule = isSame ? old.schedule : scheduleOf(entry, old?.schedule)
          if (!isSame) changed.push(schedule)
          return [entry.id, { entry, schedule }]
        }),
      )
      wanted.clear()
      return { changed, gone: [...before.keys()].filter((id) => !known.has(id)) }
    },
    want: (id, running) => void wanted.set(id, running),
    unwant(ids) {
      for (const id of ids) wanted.delete(id)
    },
  }
}

/** A change by hand of other members leaves it running or stopped; null when it is about the state. */
function stateKept(values: ScheduleValues, old: Schedule | undefined): boolean | null {
  if (!old?.plan) return null
  const same = ['startupState', 'lastKnownState'].every((name) => values[name] === old.values[name])
  return same ? old.running : null
}
