/**
 * Triggers of report tasks: schedules, events of Qlik Sense, ends of other report tasks, MQTT messages, key-value pairs. They
 * decide when a task starts; admission (disabled tasks, busy tasks, firings seen before) is the runner's.
 */
import type { TaskEvent } from '../../events/types.ts'
import { once } from '../../platform/once.ts'
import type { Service } from '../../platform/types.ts'
import type { ReportTask } from '../entities/task.ts'
import type { Ledger, RunRecord } from '../runs/ledger.ts'
import { type ArmedDeps, createArmedTriggers } from './armed.ts'
import { createMessageTriggers, type MessageDeps } from './messages.ts'
import { createQlikEventTriggers, type QlikEventSettings, type QlikSource } from './qlik-events.ts'
import { createRecurrences, createScheduleTriggers, firingsOf, nextRunOf } from './schedules.ts'

export interface TriggersDeps extends ArmedDeps, Pick<MessageDeps, 'mqtt' | 'keyValues'> {
  readonly ledger: Pick<Ledger, 'add' | 'firedBefore' | 'markFired' | 'list'>
  /** Calls the listener after changes of stored tasks; returns the unsubscribe function. */
  readonly onChange: (listener: () => Promise<void>) => () => void
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
  /** When a schedule starts the task next, ISO 8601; null when none does. */
  nextRunAt(task: ReportTask): string | null
  /** Firings of its schedules in (from, to], milliseconds since 1970. */
  firings(task: ReportTask, from: number, to: number): number[]
}

/**
 * The tables of `triggerMigrations` must exist. Start it after the runner, and stop it before. Events that come before the
 * start or after the stop are kept.
 */
export function createTriggers(deps: TriggersDeps, settings: TriggersSettings): Triggers {
  const { clock, qlik } = deps
  const recurrences = createRecurrences(settings.timezone)
  const parts = once(() => {
    const armed = createArmedTriggers(deps, settings.timezone)
    const shared = { ...deps, armed, recurrences }
    const schedules = createScheduleTriggers(shared)
    const qlikEvents = qlik && createQlikEventTriggers({ ...shared, ...qlik }, settings)
    const messages = createMessageTriggers(shared)
    const kinds = [schedules, ...(qlikEvents ? [qlikEvents] : []), messages]
    const update = () => {
      const recorded = armed.update()
      for (const kind of kinds) kind.update()
      return recorded
    }
    void update()
    return { qlikEvents, messages, kinds, unsubscribe: deps.onChange(update) }
  })

  return {
    name: 'report triggers',
    observers: {
      event(event) {
        if (settings.active) parts().qlikEvents?.event(event)
      },
    },
    finished(run) {
      if (settings.active) parts().messages.finished(run)
    },
    nextRunAt(task) {
      const at = settings.active ? nextRunOf(task, recurrences, clock.now()) : null
      return at === null ? null : new Date(at).toISOString()
    },
    firings: (task, from, to) => (settings.active ? firingsOf(task, recurrences, from, to) : []),
    async start() {
      if (!settings.active) return
      for (const kind of parts().kinds) kind.start()
    },
    async stop() {
      if (!settings.active) return
      const { kinds, unsubscribe } = parts()
      unsubscribe()
      await Promise.all(kinds.map((kind) => kind.stop()))
    },
  }
}
