/**
 * Triggers of report tasks: schedules, events of Qlik Sense, ends of other report tasks, MQTT messages, key-value pairs. They
 * decide when a task starts; admission (disabled tasks, busy tasks, firings seen before) is the runner's.
 */
import type { TaskEvent } from '../../events/types.ts'
import type { Service } from '../../platform/types.ts'
import type { ReportTask } from '../entities/task.ts'
import type { Ledger, RunRecord } from '../runs/ledger.ts'
import { type ArmedDeps, createArmedTriggers } from './armed.ts'
import { createMessageTriggers, type MessageDeps } from './messages.ts'
import { createQlikEventTriggers, type QlikEventSettings, type QlikSource } from './qlik-events.ts'
import { createRecurrences, createScheduleTriggers, nextRunOf } from './schedules.ts'

export interface TriggersDeps extends ArmedDeps, Pick<MessageDeps, 'mqtt' | 'keyValues'> {
  readonly ledger: Pick<Ledger, 'add' | 'firedBefore' | 'markFired' | 'list'>
  /** Calls the listener after changes of stored tasks; returns the unsubscribe function. */
  readonly onChange: (listener: () => void) => () => void
  /** Null without a connection to Qlik Sense. */
  readonly qlik: QlikSource | null
}

export interface TriggersSettings extends QlikEventSettings {
  /** False on a satellite and in shadow mode: nothing fires. */
  readonly active: boolean
  /** Zone of triggers that name none. */
  readonly timezone: string
}

export interface Triggers extends Service {
  readonly observers: {
    /** Each event that arrives, in the transaction that stores it. */
    event(event: TaskEvent): void
  }
  /** To be called with each run that has ended. */
  finished(run: RunRecord): void
  /** When a schedule starts the task next, milliseconds since 1970; null when none does. */
  nextRunOf(task: ReportTask): number | null
}

/** The tables of `triggerMigrations` must exist. Start it after the runner, and stop it before. */
export function createTriggers(deps: TriggersDeps, settings: TriggersSettings): Triggers {
  const { clock, qlik } = deps
  const recurrences = createRecurrences(settings.timezone)
  const build = () => {
    const armed = createArmedTriggers(deps, settings.timezone)
    const shared = { ...deps, armed, recurrences }
    const schedules = createScheduleTriggers(shared)
    const qlikEvents = qlik && createQlikEventTriggers({ ...shared, ...qlik }, settings)
    const messages = createMessageTriggers(shared)
    return { armed, qlikEvents, messages, kinds: [schedules, ...(qlikEvents ? [qlikEvents] : []), messages] }
  }
  let built: ReturnType<typeof build> | null = null
  let unsubscribe = () => {}

  function update(): void {
    built?.armed.update()
    for (const kind of built?.kinds ?? []) kind.update()
  }

  return {
    name: 'report triggers',
    observers: { event: (event) => built?.qlikEvents?.event(event) },
    finished: (run) => built?.messages.finished(run),
    nextRunOf: (task) => (settings.active ? nextRunOf(task, recurrences, clock.now()) : null),
    async start() {
      if (!settings.active) return
      built = build()
      unsubscribe = deps.onChange(update)
      update()
      for (const kind of built.kinds) kind.start()
    },
    async stop() {
      unsubscribe()
      await Promise.all(built?.kinds.map((kind) => kind.stop()) ?? [])
      built = null
    },
  }
}
