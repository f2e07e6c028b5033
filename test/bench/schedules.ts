/** 10,000 schedules: how long the file takes to load, and how late they fire. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createCalendars, createWindows } from '../../src/platform/calendar.ts'
import { createGroupWriter } from '../../src/platform/group-commit.ts'
import { openDatabase } from '../../src/platform/sqlite.ts'
import { createPlanner } from '../../src/tasks/schedule/plan.ts'
import { createScheduler } from '../../src/tasks/schedule/scheduler.ts'
import { createRunStore, schedulerMigrations } from '../../src/tasks/schedule/store.ts'
import { recordingLog } from '../support/recording-log.ts'
import { type Measurement, quantile } from './report.ts'

const COUNT = 10_000
const SECONDS = 6
const ZONES = ['Europe/Stockholm', 'America/New_York', 'Asia/Tokyo', 'UTC', 'Australia/Sydney']
const MISFIRE_GRACE_MS = 60_000
const DAY_MS = 86_400_000
/** Nearly all of it is the YAML of 10,000 entries; a site has hundreds. */
const MAX_LOAD_MS = 2000
const MAX_LAG_MS = 100

/** Each fires once a minute, at a second of its own: 167 a second. */
function schedule(index: number): string {
  return `  - name: Schedule number ${index}
    cronSchedule: ${index % 60} * * * * *
    timezone: ${ZONES[index % ZONES.length]}
    qlikSenseTaskId: 0fe447a9-ba1f-44a9-ac23-68c3a1d88d8b
    startupState: started
    tags:
      - sales ETL
    id: schedule-${index}
    created: '2020-09-29T17:14:35.154Z'
    lastKnownState: started
`
}

/** In this process, with a real database; what the schedules start is left out. */
export async function measureSchedules({ directory }: { readonly directory: string }): Promise<Measurement[]> {
  const folder = join(directory, 'schedules')
  mkdirSync(folder)
  const file = join(folder, 'schedule.yaml')
  writeFileSync(file, `butlerSchedule:\n${Array.from({ length: COUNT }, (_, index) => schedule(index)).join('')}`)
  const db = openDatabase(join(folder, 'footman.db'), { migrations: schedulerMigrations })
  const clock = { now: () => Date.now() }
  const calendars = createCalendars({ calendars: {} })
  const lags: number[] = []
  const scheduler = createScheduler(
    {
      clock,
      log: recordingLog(),
      pausedBy: () => null,
      isBusy: async () => false,
      store: createRunStore({ db, writer: createGroupWriter(db) }),
      planner: createPlanner(
        {
          calendars,
          windows: createWindows({ windows: {}, calendars, timezone: 'UTC' }),
          hasWebhook: () => false,
        },
        { monthBase: 0, ignoreTimezone: false },
      ),
      // Its action begins: everything before that is the scheduler's doing.
      async perform({ run }) {
        lags.push(Date.now() - run.dueAt)
        return { outcome: 'success' }
      },
    },
    {
      file,
      restoreState: 'both',
      ignoreTimezone: false,
      mode: 'run',
      misfireGraceMs: MISFIRE_GRACE_MS,
      keepRunsMs: DAY_MS,
      pollMs: 0,
    },
  )
  const began = performance.now()
  await scheduler.start()
  const loadMs = performance.now() - began
  await pause(SECONDS * 1000)
  await scheduler.stop(5000)
  db.close()
  const fired = `${lags.length} firings, p50 ${quantile(lags, 0.5)} ms`
  return [
    { name: `${COUNT} schedules, load`, value: loadMs, unit: 'ms', atMost: MAX_LOAD_MS },
    {
      name: `${COUNT} schedules, latest firing`,
      value: lags.length === 0 ? null : Math.max(...lags),
      unit: 'ms',
      atMost: MAX_LAG_MS,
      note: fired,
    },
  ]
}
