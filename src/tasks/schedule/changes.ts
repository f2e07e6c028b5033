/** Changes of schedules by the API: each is written to the file first, and takes effect then. */
import { randomUUID } from 'node:crypto'
import type { Clock } from '../../platform/types.ts'
import type { KnownSchedules } from './known.ts'
import type { Planner } from './plan.ts'
import {
  type Draft,
  InvalidScheduleError,
  type ScheduleRepository,
  type StoredSchedule,
  UnknownScheduleError,
} from './repository.ts'
import type { PlanProblem, Schedule, ScheduleValues } from './types.ts'

/** Throws when the schedule as it stands in the file is not the one that the caller means. */
export type CheckCurrent = (values: ScheduleValues) => void

/**
 * All of these resolve when the change is in the file and a firing that is missed from then on would be made up. They reject
 * with a `FileBrokenError` or `FileWriteError`, an `UnknownScheduleError` or an `InvalidScheduleError`, and nothing has changed
 * then; with a `ForwardingError` when the outcome is not known.
 */
export interface ScheduleChanges {
  create(values: ScheduleValues): Promise<Schedule>
  /** A member that is null is taken out. */
  update(id: string, changes: ScheduleValues, check?: CheckCurrent): Promise<Schedule>
  remove(id: string, check?: CheckCurrent): Promise<void>
  /** Null = all that are valid. Resolves with the schedules after the change, in their order. */
  setRunning(ids: readonly string[] | null, running: boolean): Promise<readonly Schedule[]>
}

interface ChangesDeps {
  readonly repository: Pick<ScheduleRepository, 'change'>
  readonly known: Pick<KnownSchedules, 'get' | 'want' | 'unwant'>
  readonly list: () => readonly Schedule[]
  readonly planner: Planner
  readonly clock: Clock
}

export function createScheduleChanges({ repository, known, list, planner, clock }: ChangesDeps): ScheduleChanges {
  /** `mark`: whether a schedule is to run from then on; forgotten when the change fails. */
  async function change<T>(work: (draft: Draft, mark: (id: string, running: boolean) => void) => T): Promise<T> {
    const marked: string[] = []
    const mark = (id: string, running: boolean) => {
      marked.push(id)
      known.want(id, running)
    }
    try {
      return await repository.change((draft) => work(draft, mark))
    } catch (error) {
      known.unwant(marked)
      throw error
    }
  }

  function requireValid(values: ScheduleValues): void {
    const planned = planner.plan(values)
    if (!planned.ok) throw invalid(planned.problem)
  }

  return {
    async create(given) {
      requireValid(given)
      const id = randomUUID()
      const { id: _id, created: _created, lastKnownState: _state, ...values } = given
      const running = values.startupState === 'start' || values.startupState === 'started'
      await change((draft, mark) => {
        mark(id, running)
        const created = new Date(clock.now()).toISOString()
        draft.add({ ...values, id, created, lastKnownState: running ? 'started' : 'stopped' })
      })
      return known.get(id)!
    },

    async update(id, changes, check = () => {}) {
      const { id: _id, created: _created, lastKnownState: _state, ...allowed } = changes
      const taken = Object.fromEntries(
        Object.entries(allowed).map(([name, value]) => [name, value === null ? undefined : value]),
      )
      await change((draft, mark) => {
        const { values } = required(draft, id)
        check(values)
        requireValid({ ...values, ...taken })
        const old = known.get(id)
        if (old?.plan) mark(id, old.running)
        draft.change(id, taken)
      })
      return known.get(id)!
    },

    async remove(id, check = () => {}) {
      await repository.change((draft) => {
        check(required(draft, id).values)
        draft.remove(id)
      })
    },

    async setRunning(ids, running) {
      const lastKnownState = running ? 'started' : 'stopped'
      const concerned = await change((draft, mark) => {
        const entries = ids === null ? draft.entries() : ids.map((id) => required(draft, id))
        const targets = entries.filter(({ values }) => {
          const planned = running ? planner.plan(values) : null
          if (!planned || planned.ok) return true
          if (ids !== null) throw invalid(planned.problem)
          return false
        })
        for (const { id, values } of targets) {
          mark(id, running)
          if (values.lastKnownState !== lastKnownState) draft.change(id, { lastKnownState })
        }
        return new Set(entries.map(({ id }) => id))
      })
      return list().filter(({ id }) => concerned.has(id))
    },
  }
}

function required(draft: Draft, id: string): StoredSchedule {
  const entry = draft.entries().find((one) => one.id === id)
  if (!entry) throw new UnknownScheduleError(id)
  return entry
}

export const invalid = ({ field, message, details }: PlanProblem): InvalidScheduleError =>
  new InvalidScheduleError(field, message, details)
