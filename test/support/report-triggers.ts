/** Triggers of report tasks with the real admission and ledger; runs wait for ever, because the runner is not started. */
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import type { Stored } from '../../src/reports/entities/fields.ts'
import { type ReportTask, reportTask } from '../../src/reports/entities/task.ts'
import { reportMigrations } from '../../src/reports/migrations.ts'
import { createLedger } from '../../src/reports/runs/ledger.ts'
import { createRunner, type RunnerDeps, type RunnerSettings } from '../../src/reports/runs/runner.ts'
import { createTriggers, type TriggersDeps, type TriggersSettings } from '../../src/reports/triggers/index.ts'
import { recordingLog } from './recording-log.ts'

export const REPORT_TASK = '5b0f6c1e-3a0e-4c6b-9f1d-6c1a2b3c4d5e'
export const TRIGGER = '2f0f0a52-0000-4000-8000-0000000000aa'

/** A task as the store keeps it; its triggers get ids. */
export function storedTask(triggers: readonly object[], changes: object = {}): Stored<ReportTask> {
  const withIds = triggers.map((one, index) => ({ id: TRIGGER.replace('aa', `a${index}`), ...one }))
  const parsed = reportTask().parse({ name: 'Weekly sales pack', enabled: true, triggers: withIds })
  const at = '2026-01-01T00:00:00.000Z'
  const stored = {
    ...parsed,
    id: REPORT_TASK,
    createdAt: at,
    createdBy: 'x',
    // It counts as modified when it is first looked at, unless `changes` names another time.
    modifiedAt: '2100-01-01T00:00:00.000Z',
    modifiedBy: 'x',
    revision: 1,
  }
  return { ...stored, ...changes }
}

export interface TriggerScene {
  readonly clock: { now(): number }
  readonly file?: string
  readonly tasks: Stored<ReportTask>[]
  readonly deps?: Partial<TriggersDeps>
  readonly settings?: Partial<TriggersSettings>
}

export function triggerScene({ clock, file = ':memory:', tasks, deps = {}, settings = {} }: TriggerScene) {
  const db = openDatabase(file, { migrations: reportMigrations })
  const writer = createGroupWriter(db)
  const log = recordingLog()
  const stopping = new AbortController()
  const ledger = createLedger({ db, writer, log, stop: stopping.signal, onEnded: () => {} })
  const listeners = new Set<() => Promise<void>>()
  const unused = {} as Pick<RunnerDeps, 'note' | 'deliverer' | 'definitionOf' | 'members' | 'prepare' | 'onFinished'>
  const runner = createRunner(
    { ...unused, ledger, writer, clock, log, stopping, runLog: { line: () => {} } as unknown as RunnerDeps['runLog'] },
    { concurrentRuns: 2, testAddress: null } as RunnerSettings,
  )
  const build = () =>
    createTriggers(
      {
        db,
        writer,
        clock,
        log,
        ledger,
        runner,
        qlik: null,
        mqtt: null,
        keyValues: null,
        tasks: () => tasks,
        onChange(listener) {
          listeners.add(listener)
          return () => void listeners.delete(listener)
        },
        ...deps,
      },
      { active: true, timezone: 'UTC', pollMs: 0, ...settings },
    )
  return {
    db,
    writer,
    ledger,
    log,
    build,
    triggers: build(),
    /** Replaces the stored tasks; resolves when the caller of the change would be answered. */
    change(...now: Stored<ReportTask>[]): Promise<unknown> {
      tasks.splice(0, tasks.length, ...now)
      return Promise.all([...listeners].map((listener) => listener()))
    },
    /** All runs, oldest first, with the triggers that were merged into them. */
    runs: () => ledger.list({ limit: 1000, offset: 0 }).runs.toReversed(),
    /** Keys of the firings that became runs, merged ones included, oldest first. */
    keys: () =>
      ledger
        .list({ limit: 1000, offset: 0 })
        .runs.toReversed()
        .filter(({ outcome }) => outcome === null)
        .flatMap(({ trigger, merged }) => [trigger, ...merged].map(({ key }) => key)),
  }
}
