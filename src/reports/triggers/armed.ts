/**
 * The triggers of the stored report tasks: since when each is in force, and how one fires. Nothing that happened before a
 * trigger was made or changed makes it fire.
 */
import type { GroupWriter } from '../../platform/group-commit.ts'
import type { Database } from '../../platform/sqlite.ts'
import type { Clock, Logger } from '../../platform/types.ts'
import type { Stored } from '../entities/fields.ts'
import type { ReportTask, Trigger, TriggerOf } from '../entities/task.ts'
import { type Admission, DEFAULT_OPTIONS } from '../runs/admission.ts'
import type { RunOptions, RunTrigger } from '../runs/contract.ts'
import type { Runner } from '../runs/runner.ts'

const SQL = {
  all: `SELECT task_id AS taskId, trigger_id AS triggerId, definition, since, handled_until AS handledUntil
    FROM report_trigger`,
  set: `INSERT INTO report_trigger VALUES (?, ?, ?, ?, ?) ON CONFLICT (task_id, trigger_id) DO UPDATE SET
    definition = excluded.definition, since = excluded.since, handled_until = excluded.handled_until`,
  handled: 'UPDATE report_trigger SET handled_until = ? WHERE task_id = ? AND trigger_id = ?',
  drop: 'DELETE FROM report_trigger WHERE task_id = ? AND trigger_id = ?',
  dropJoined: 'DELETE FROM report_trigger_joined WHERE task_id = ? AND trigger_id = ?',
  checkpoint: 'SELECT at FROM report_trigger_checkpoint WHERE name = ?',
  forgetCheckpoints: 'DELETE FROM report_trigger_checkpoint WHERE name LIKE ? AND at < ?',
  setCheckpoint: `INSERT INTO report_trigger_checkpoint VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET at = excluded.at`,
} as const

/** A trigger that is switched on, with its task. */
export interface Armed<T extends Trigger = Trigger> {
  readonly task: Stored<ReportTask>
  readonly trigger: T
  readonly triggerId: string
  /** All that decides when it fires, as text. */
  readonly definition: string
  /** When it was made or changed, milliseconds since 1970. */
  readonly since: number
}

export interface Firing {
  /** Unique within the trigger: the same key fires once. */
  readonly key: string
  /** When the cause happened, milliseconds since 1970; must lie within the window of the trigger. */
  readonly at: number
  readonly detail: RunTrigger['detail']
  /** Default: `DEFAULT_OPTIONS`. */
  readonly options?: RunOptions
}

export interface ArmedTriggers {
  /**
   * Takes over the tasks as they are stored now, at once. Resolves when the time from which each trigger is in force is stored,
   * or the log says that it could not be.
   */
  update(): Promise<void>
  of<Type extends Trigger['type']>(type: Type): readonly Armed<TriggerOf<Type>>[]
  /** Null when the trigger is gone, switched off or outside its window. Rejects when the run cannot be stored. */
  fire(armed: Pick<Armed, 'task' | 'triggerId'>, firing: Firing): Promise<Admission | null>
  /** Until when the instants of a schedule have been dealt with, milliseconds since 1970. */
  handledUntil(armed: Armed): number
  setHandled(armed: Armed, until: number): Promise<void>
  checkpoint(name: string): number | null
  setCheckpoint(name: string, at: number): Promise<void>
  /** Removes checkpoints from before whose name begins so. */
  forgetCheckpoints(prefix: string, before: number): Promise<void>
}

export interface ArmedDeps {
  readonly db: Database
  readonly writer: GroupWriter
  readonly clock: Clock
  readonly log: Logger
  readonly runner: Pick<Runner, 'admit'>
  /** All stored tasks, disabled ones included. */
  readonly tasks: () => readonly Stored<ReportTask>[]
}

interface State {
  readonly taskId: string
  readonly triggerId: string
  readonly definition: string
  readonly since: number
  handledUntil: number
}

export const identityOf = ({ task, triggerId }: Pick<Armed, 'task' | 'triggerId'>, key: string): string =>
  `${task.id} ${triggerId} ${key}`

/** `start` is included, `end` is not. */
export const isWithin = ({ start, end }: Pick<Trigger, 'start' | 'end'>, at: number): boolean =>
  (start === null || at >= Date.parse(start)) && (end === null || at < Date.parse(end))

/** `defaultZone`: the zone of triggers that name none. */
export function createArmedTriggers(deps: ArmedDeps, defaultZone: string): ArmedTriggers {
  const { db, writer, clock, log } = deps
  const states = new Map<string, State>()
  for (const row of db.all<State>(SQL.all)) states.set(identityOf(refOf(row), ''), { ...row })
  let armed = new Map<string, Armed>()
  let byType = new Map<Trigger['type'], Armed[]>()

  function update(): Promise<void> {
    const now = clock.now()
    const before = armed
    armed = new Map()
    const changed: State[] = []
    const seen = new Set<string>()
    for (const task of deps.tasks()) {
      for (const trigger of task.triggers) {
        const triggerId = trigger.id
        if (triggerId === undefined) continue
        const place = identityOf({ task, triggerId }, '')
        const definition = JSON.stringify({ ...trigger, name: '', timezone: trigger.timezone ?? defaultZone })
        seen.add(place)
        const known = states.get(place)
        const isSame = known?.definition === definition
        // The process may have ended between storing the task and storing the state of its new trigger.
        const since = known ? now : Math.min(now, Date.parse(task.modifiedAt))
        const state = isSame ? known : { taskId: task.id, triggerId, definition, since, handledUntil: since }
        if (!isSame) changed.push(state)
        states.set(place, state)
        if (trigger.enabled)
          armed.set(place, { task, trigger, triggerId, definition, since: Math.min(state.since, now) })
      }
    }
    byType = Map.groupBy(armed.values(), ({ trigger }) => trigger.type)
    const gone = [...states.keys()].filter((place) => !seen.has(place)).flatMap((place) => states.get(place) ?? [])
    for (const one of gone) states.delete(identityOf(refOf(one), ''))
    for (const [place, one] of armed) {
      if (before.get(place)?.definition !== one.definition)
        log.verbose(`REPORTTASK: trigger "${one.trigger.name}" (${one.trigger.type}) of task="${one.task.name}" is set`)
    }
    return changed.length + gone.length > 0 ? store(changed, gone) : Promise.resolve()
  }

  function store(changed: readonly State[], gone: readonly State[]): Promise<void> {
    return writer
      .write((tx) => {
        for (const { taskId, triggerId } of [...gone, ...changed]) tx.run(SQL.dropJoined, taskId, triggerId)
        for (const { taskId, triggerId } of gone) tx.run(SQL.drop, taskId, triggerId)
        for (const { taskId, triggerId, definition, since, handledUntil } of changed)
          tx.run(SQL.set, taskId, triggerId, definition, since, handledUntil)
      })
      .catch((error: unknown) => log.error(`REPORTTASK: the state of triggers could not be stored: ${String(error)}`))
  }

  return {
    update,
    of: <Type extends Trigger['type']>(type: Type) => (byType.get(type) ?? []) as Armed<TriggerOf<Type>>[],
    async fire(reference, { key, at, detail, options = DEFAULT_OPTIONS }) {
      const current = armed.get(identityOf(reference, ''))
      if (!current || !isWithin(current.trigger, at)) return null
      const { task, trigger, triggerId } = current
      return deps.runner.admit({
        task,
        trigger: { type: trigger.type, triggerId, key, firedAt: new Date(clock.now()).toISOString(), detail },
        identity: identityOf(current, key),
        options,
        force: false,
      })
    },
    handledUntil: (one) => states.get(identityOf(one, ''))?.handledUntil ?? one.since,
    async setHandled(one, until) {
      const state = states.get(identityOf(one, ''))
      if (!state || state.definition !== one.definition) return
      state.handledUntil = until
      await writer.write((tx) => tx.run(SQL.handled, until, one.task.id, one.triggerId))
    },
    checkpoint: (name) => db.get<{ at: number }>(SQL.checkpoint, name)?.at ?? null,
    forgetCheckpoints: (prefix, before) =>
      writer.write((tx) => void tx.run(SQL.forgetCheckpoints, `${prefix}%`, before)),
    setCheckpoint: (name, at) => writer.write((tx) => void tx.run(SQL.setCheckpoint, name, at)),
  }
}

const refOf = ({ taskId, triggerId }: Pick<State, 'taskId' | 'triggerId'>) => ({
  task: { id: taskId } as Stored<ReportTask>,
  triggerId,
})
