/** Schedules and runs as the API tells them. */
import type { Scheduler } from './scheduler.ts'
import type { Run, Schedule } from './types.ts'

/** What Butler tells, in its order. */
const LISTED = [
  ...['id', 'created', 'name', 'cronSchedule', 'timezone', 'qlikSenseTaskId', 'startupState', 'tags', 'lastKnownState'],
]

/** As in Butler's list: nine members, then what is known about runs. */
export function listedSchedule(scheduler: Scheduler, schedule: Schedule): object {
  const { values } = schedule
  const known = LISTED.filter((name) => values[name] !== undefined && values[name] !== null)
  return { ...Object.fromEntries(known.map((name) => [name, plain(values[name])])), ...runMembers(scheduler, schedule) }
}

/** All members in stored order, then what is known about runs. */
export const wholeSchedule = (scheduler: Scheduler, schedule: Schedule): object => ({
  ...storedSchedule(schedule),
  ...runMembers(scheduler, schedule),
})

export const storedSchedule = ({ values }: Schedule): object => values

/** What a file may hold as a number is text here. */
const plain = (value: unknown): unknown =>
  typeof value === 'number' || typeof value === 'boolean' ? String(value) : value

function runMembers(scheduler: Scheduler, { id, problem }: Schedule): object {
  const nextRun = scheduler.nextRun(id)
  const last = scheduler.lastRun(id)
  const lastResult = problem ? `error: ${problem.message}` : last && resultText(last)
  return {
    ...(nextRun !== null && { nextRun: iso(nextRun) }),
    ...(last && { lastRun: iso(last.firedAt ?? last.dueAt) }),
    ...(lastResult && { lastResult }),
  }
}

function resultText({ outcome, detail }: Run): string {
  if (outcome !== 'failed' && outcome !== 'aborted') return 'ok'
  return `error: ${detail ?? outcome}`
}

/** The jobs as Butler's documents show them; every line of a job ends with a blank. */
export function statusText(schedules: readonly Schedule[]): string {
  const lines = schedules.map(
    ({ id, values, running }) =>
      `'${id}': ${String(values.cronSchedule)} status: ${running ? 'Running' : 'Stopped'} \n`,
  )
  return `{\n${lines.join('')}}`
}

export function runView({
  id,
  scheduleId,
  dueAt,
  firedAt,
  trigger,
  state,
  outcome,
  reason,
  tasks,
  detail,
}: Run): object {
  return {
    ...{ runId: id, scheduleId, dueAt: iso(dueAt), firedAt: firedAt === null ? null : iso(firedAt), trigger, state },
    ...{ outcome, reason },
    tasks: tasks.map(({ taskId, executionId, outcome: ofTask }) => ({ taskId, executionId, outcome: ofTask })),
    detail,
  }
}

export const iso = (instant: number): string => new Date(instant).toISOString()
