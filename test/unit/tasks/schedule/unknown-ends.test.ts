/** Runs of schedules whose end is not known are reported, and not taken for others. */
import { afterEach, expect, test } from 'bun:test'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { createRunner, type Perform, type Runner } from '../../../../src/tasks/schedule/runner.ts'
import { createRunStore, schedulerMigrations } from '../../../../src/tasks/schedule/store.ts'
import type { Plan, Run } from '../../../../src/tasks/schedule/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { until } from '../../../support/wait.ts'

const NOW = Date.parse('2026-03-02T06:00:00Z')
const PLAN = { overlap: 'queue', jitterMs: 0, excluded: () => null } as unknown as Plan

const runners: Runner[] = []
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.stop(0)
})

function scene() {
  const db = openDatabase(':memory:', { migrations: schedulerMigrations })
  const store = createRunStore({ db, writer: createGroupWriter(db) })
  const log = recordingLog()
  const ended: Run[] = []
  const start = (perform: Perform) => {
    const runner = createRunner(
      {
        store,
        log,
        perform,
        clock: { now: () => NOW },
        pausedBy: () => null,
        isBusy: async () => false,
        onRun(run) {
          if (run.state === 'finished') ended.push(run)
        },
      },
      { shadow: false },
    )
    runners.push(runner)
    return runner
  }
  return { store, log, ended, start }
}

const firing = (dueAt: number) => ({ scheduleId: 's', name: 'Nightly', plan: PLAN, dueAt, trigger: 'cron' as const })

test('one whose start was perhaps made says so in the log, the list and to its observers', async () => {
  const { store, log, ended, start } = scene()
  const runner = start(async () => ({ outcome: 'unknown', detail: 'perhaps started' }))
  const run = await runner.fire(firing(NOW))
  await until(() => ended.length === 1)
  expect(log.of('warn')).toEqual([
    `SCHEDULER: Schedule ID s: it is not known how run ${run!.id} has ended (perhaps started). Look at its tasks in the QMC`,
  ])
  expect([ended[0]?.outcome, runner.last('s')?.outcome, store.byId(run!.id)?.outcome]).toEqual(Array(3).fill('unknown'))
})

test('of a schedule that is gone after a restart: one that had begun is unknown, one that waited was skipped', async () => {
  const { store, log, ended, start } = scene()
  const before = start(async () => null)
  const begun = await before.fire(firing(NOW))
  const waiting = await before.fire(firing(NOW + 1))
  await before.stop(0)
  const after = start(async () => ({ outcome: 'success' }))
  after.resume(() => null)
  await until(() => ended.length === 2)
  expect([begun, waiting].map((run) => store.byId(run!.id)?.outcome)).toEqual(['unknown', 'skipped'])
  expect(log.of('warn').filter((line) => line.includes('not known how'))).toHaveLength(1)
  expect(ended.map(({ outcome }) => outcome).toSorted()).toEqual(['skipped', 'unknown'])
})
