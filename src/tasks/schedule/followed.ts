/** Schedules on a node where another one fires them: what they do is read from the records of that node. */
import type { Clock } from '../../platform/types.ts'
import type { RunStore } from './store.ts'
import type { Run, Schedule } from './types.ts'

export interface FollowedSchedules {
  /** The schedule with the state that it has on the node that fires it. */
  shown(schedule: Schedule): Schedule
  /** Milliseconds since 1970; null when it will not fire. */
  nextAt(schedule: Schedule): number | null
  lastRun(id: string): Run | null
}

export function createFollowedSchedules(deps: {
  readonly store: Pick<RunStore, 'isArmed' | 'lastOf'>
  readonly clock: Clock
}): FollowedSchedules {
  const { store, clock } = deps
  const isRunning = ({ id, plan, values, running }: Schedule): boolean =>
    plan !== null && values.lastKnownState !== 'stopped' && (running || store.isArmed(id))
  return {
    shown: (schedule) => ({ ...schedule, running: isRunning(schedule) }),
    nextAt: (schedule) => (isRunning(schedule) ? schedule.plan!.next(clock.now()) : null),
    lastRun: store.lastOf,
  }
}
