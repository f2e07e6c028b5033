/** What the log says about the schedule file. */
import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { createCalendars, createWindows } from '../../../../src/platform/calendar.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { createPlanner } from '../../../../src/tasks/schedule/plan.ts'
import { createScheduler } from '../../../../src/tasks/schedule/scheduler.ts'
import { createRunStore, schedulerMigrations } from '../../../../src/tasks/schedule/store.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const WELL = { name: 'A', cronSchedule: '0 6 * * *', timezone: 'UTC', qlikSenseTaskId: TASK, startupState: 'stopped' }
const calendars = createCalendars({ calendars: {} })
const planner = createPlanner(
  {
    calendars,
    windows: createWindows({ windows: {}, calendars, timezone: 'UTC' }),
    hasWebhook: () => false,
  },
  { monthBase: 1, ignoreTimezone: false },
)

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const entry = (...more: string[]) =>
  ['  - name: A', 'id: a', 'cronSchedule: 0 6 * * *', 'timezone: UTC', `qlikSenseTaskId: ${TASK}`, ...more].join(
    '\n    ',
  )
const LIST = 'butlerSchedule:\n'

/** Null = no file. */
async function started(text: string | null) {
  const directory = tempDirectory()
  cleanups.push(() => directory.remove())
  const file = directory.join('schedule.yaml')
  if (text !== null) writeFileSync(file, text)
  const db = openDatabase(directory.join('footman.db'), { migrations: schedulerMigrations })
  const log = recordingLog()
  const scheduler = createScheduler(
    {
      clock: { now: Date.now },
      log,
      planner,
      pausedBy: () => null,
      isBusy: async () => false,
      store: createRunStore({ db, writer: createGroupWriter(db) }),
      perform: async () => ({ outcome: 'success' }),
    },
    {
      file,
      restoreState: 'both',
      ignoreTimezone: false,
      mode: 'run',
      misfireGraceMs: 60_000,
      keepRunsMs: 86_400_000,
      pollMs: 20,
    },
  )
  await scheduler.start()
  cleanups.push(() => scheduler.stop(1000))
  return { scheduler, log, write: (changed: string) => writeFileSync(file, changed) }
}

describe('the schedule file in the log', () => {
  test('a wrong schedule is told with file and line', async () => {
    const { log } = await started(
      `${LIST}${entry()}\n${entry().replace('id: a', 'id: b').replace('UTC', 'Mars/Base')}\n`,
    )
    expect(log.of('error')).toEqual([
      'SCHEDULER: Schedule ID b "A" is not valid: timezone: Mars/Base (schedule.yaml:10)',
    ])
  })

  test('a misspelt member is kept, and told once', async () => {
    const { log, scheduler, write } = await started(`${LIST}${entry('notOnn: x')}\n`)
    const line =
      'SCHEDULER: Schedule ID a "A" has the unknown member notOnn, ignored; did you mean notOn? (schedule.yaml:7)'
    expect(log.of('warn')).toEqual([line])
    expect(scheduler.get('a')?.values.notOnn).toBe('x')
    write(`${LIST}${entry('notOnn: x', 'jitter: 1s')}\n`)
    await until(() => scheduler.get('a')?.values.jitter === '1s', { timeout: 20_000 })
    expect(log.of('warn')).toEqual([line])
  })

  test('a misspelt member in a call is told too', async () => {
    const { log, scheduler } = await started(LIST)
    const { id } = await scheduler.create({ ...WELL, overlapPolicyy: 'skip' })
    await scheduler.update(id, { windw: 'x' })
    expect(log.of('warn')).toEqual([
      `SCHEDULER: Schedule ID ${id} "A" has the unknown member overlapPolicyy, ignored; did you mean overlapPolicy? (schedule.yaml)`,
      `SCHEDULER: Schedule ID ${id} "A" has the unknown member windw, ignored; did you mean window? (schedule.yaml)`,
    ])
  })

  test('no file is no success', async () => {
    const { log } = await started(null)
    expect(log.of('warn')).toEqual([expect.stringMatching(/schedule\.yaml does not exist; there are no schedules$/)])
    expect(log.of('info')).not.toContain('SCHEDULER: Successfully loaded schedule from file.')
  })

  test('a broken file that is mended with another content can be read again', async () => {
    const { log, scheduler, write } = await started(`${LIST}  - name: "A\n`)
    expect(log.of('error')).toEqual([expect.stringMatching(/schedule\.yaml: line \d+: /)])
    write(`${LIST}${entry()}\n`)
    await until(() => scheduler.get('a') !== undefined, { timeout: 20_000 })
    expect(log.of('info')).toContainEqual(expect.stringMatching(/schedule\.yaml can be read again$/))
  })
})
