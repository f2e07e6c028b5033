/** Firings that are missed, late, too many at a time; on a clock that the test moves. */
import { afterEach, describe, expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { createCalendars, createWindows } from '../../../../src/platform/calendar.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../../src/platform/sqlite.ts'
import { createPlanner } from '../../../../src/tasks/schedule/plan.ts'
import { createRunner, type Perform } from '../../../../src/tasks/schedule/runner.ts'
import { createScheduler, type Scheduler } from '../../../../src/tasks/schedule/scheduler.ts'
import { createRunStore, type RunStore, schedulerMigrations } from '../../../../src/tasks/schedule/store.ts'
import type { Plan, Run } from '../../../../src/tasks/schedule/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

const TASK = 'a8b4c123-def4-5678-9abc-def012345678'
const MINUTE = 60_000
const START = Date.parse('2026-03-02T06:00:30Z')

const calendars = createCalendars({ calendars: {} })
const planner = createPlanner(
  {
    calendars,
    windows: createWindows({ windows: {}, calendars, timezone: 'UTC' }),
    hasWebhook: () => false,
  },
  { monthBase: 0, ignoreTimezone: false },
)

interface Bench {
  readonly clock: { now(): number; set(at: number): void }
  readonly db: Database
  readonly performed: Run[]
  start(
    extra?: string,
    options?: { pausedBy?: (at: number) => string | null; perform?: Perform; store?: Partial<RunStore> },
  ): Promise<Scheduler>
  runs(): readonly Run[]
}

const cleanups: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

function bench(): Bench {
  const directory = tempDirectory()
  cleanups.push(() => directory.remove())
  const db = openDatabase(directory.join('footman.db'), { migrations: schedulerMigrations })
  const store = createRunStore({ db, writer: createGroupWriter(db) })
  const performed: Run[] = []
  let now = START
  const clock = {
    now: () => now,
    set: (at: number) => {
      now = at
    },
  }
  return {
    clock,
    db,
    performed,
    async start(extra = '', { pausedBy = () => null, perform, store: wrapped = {} } = {}) {
      const file = directory.join('schedule.yaml')
      writeFileSync(
        file,
        `butlerSchedule:\n  - name: Hourly\n    id: s\n    cronSchedule: 0 * * * *\n    timezone: UTC\n    qlikSenseTaskId: ${TASK}\n    startupState: started\n${extra}`,
      )
      const scheduler = createScheduler(
        {
          clock,
          log: recordingLog(),
          planner,
          pausedBy,
          store: { ...createRunStore({ db, writer: createGroupWriter(db) }), ...wrapped },
          isBusy: async () => false,
          perform:
            perform ??
            (async ({ run }) => {
              performed.push(run)
              return { outcome: 'success' }
            }),
        },
        {
          file,
          restoreState: 'both',
          ignoreTimezone: false,
          mode: 'run',
          misfireGraceMs: MINUTE,
          keepRunsMs: 90 * 24 * 60 * MINUTE,
          pollMs: 0,
        },
      )
      await scheduler.start()
      cleanups.push(() => scheduler.stop(1000))
      return scheduler
    },
    runs: () => store.page('s', 100, null),
  }
}

const due = (text: string): number => Date.parse(`2026-03-02T${text}Z`)

describe('down over three firings', () => {
  test('skip: none is made up, and the history says so', async () => {
    const { start, clock, runs, performed } = bench()
    await (await start()).stop(100)
    clock.set(due('09:30:00'))
    await start()
    const [run] = await until(() => runs().length > 0 && runs())
    expect(run).toMatchObject({
      dueAt: due('09:00:00'),
      state: 'skipped',
      reason: 'MISFIRE',
      detail: '3 firings were missed',
    })
    expect(performed).toEqual([])
  })

  test('runOnce: one is made up', async () => {
    const { start, clock, runs, performed } = bench()
    const once = '    misfirePolicy: runOnce\n'
    await (await start(once)).stop(100)
    clock.set(due('09:30:00'))
    await (await start(once)).stop(100)
    expect(performed).toHaveLength(1)
    expect(runs()).toMatchObject([{ dueAt: due('09:00:00'), trigger: 'misfire', detail: '3 firings were missed' }])
    // And not again.
    await (await start(once)).stop(100)
    expect(runs()).toHaveLength(1)
  })

  test('late by less than the grace it fires', async () => {
    const { start, clock, runs } = bench()
    await (await start()).stop(100)
    clock.set(due('09:00:59'))
    await start()
    await until(() => runs().length > 0)
    expect(runs()).toMatchObject([{ dueAt: due('09:00:00'), trigger: 'cron', detail: '2 firings were missed' }])
  })

  test('nothing was missed by a schedule that was stopped, new, or changed meanwhile', async () => {
    const { start, clock, runs } = bench()
    await (await start('    lastKnownState: stopped\n')).stop(100)
    clock.set(due('09:30:00'))
    await (await start()).stop(100)
    clock.set(due('12:30:00'))
    await (await start('    shift: none\n')).stop(100)
    expect(runs()).toEqual([])
  })
})

describe('firings on time', () => {
  test('one run for each due time, whatever happens', async () => {
    const { start, clock, runs, performed } = bench()
    clock.set(due('06:59:59'))
    const scheduler = await start()
    clock.set(due('07:00:00'))
    await until(() => performed.length === 1)
    expect(scheduler.lastRun('s')).toMatchObject({ dueAt: due('07:00:00') })
    await scheduler.stop(100)
    clock.set(due('07:00:10'))
    await (await start()).stop(100)
    expect(runs()).toHaveLength(1)
  }, 90_000)

  test('a maintenance that stops schedules', async () => {
    const { start, clock, runs, performed } = bench()
    clock.set(due('06:59:59'))
    await start('', { pausedBy: () => 'maintenance patching' })
    clock.set(due('07:00:00'))
    await until(() => runs().length > 0)
    expect(runs()).toMatchObject([{ state: 'skipped', reason: 'MAINTENANCE', detail: 'maintenance patching' }])
    expect(performed).toEqual([])
  }, 90_000)
})

describe('changes of a schedule that runs', () => {
  const HOURLY = { cronSchedule: '0 * * * *', timezone: 'UTC', qlikSenseTaskId: TASK, startupState: 'started' }

  /** Those that fired at seven. */
  async function firedAtSeven(change: (scheduler: Scheduler) => Promise<unknown>): Promise<string[]> {
    const { start, clock, performed } = bench()
    clock.set(due('06:59:59'))
    const scheduler = await start()
    await change(scheduler)
    const { id: other } = await scheduler.create({ ...HOURLY, name: 'Other' })
    clock.set(due('07:00:00'))
    await until(() => performed.some(({ scheduleId }) => scheduleId === other))
    return performed.map(({ scheduleId }) => scheduleId).filter((id) => id !== other)
  }

  test.each([
    ['none', async () => {}, ['s']],
    ['it is taken out', (scheduler: Scheduler) => scheduler.remove('s'), []],
    ['it is stopped', (scheduler: Scheduler) => scheduler.setRunning(['s'], false), []],
    ['another time', (scheduler: Scheduler) => scheduler.update('s', { cronSchedule: '30 * * * *' }), []],
    [
      'how it begins at the next start',
      (scheduler: Scheduler) => scheduler.update('s', { startupState: 'stop' }),
      ['s'],
    ],
  ])('%s', async (_name, change, fired) => {
    expect(await firedAtSeven(change)).toEqual(fired)
  })
})

describe('a change is answered when', () => {
  test('it is recorded from when on missed firings count', async () => {
    const { start, db } = bench()
    const scheduler = await start()
    const definitions = () =>
      db.all<{ id: string; definition: string }>('SELECT schedule_id AS id, definition FROM schedule_state')
    const definition = (id: string) => definitions().find((one) => one.id === id)?.definition
    const hourly = { cronSchedule: '0 * * * *', timezone: 'UTC', qlikSenseTaskId: TASK, startupState: 'started' }
    const { id } = await scheduler.create(hourly)
    expect(definition(id)).toContain('0 * * * *')
    await scheduler.update(id, { cronSchedule: '30 * * * *' })
    expect(definition(id)).toContain('30 * * * *')
    await scheduler.setRunning([id], false)
    expect(definition(id)).toBeUndefined()
    await scheduler.setRunning(null, true)
    expect(definitions().map((one) => one.id)).toContain(id)
    await scheduler.remove(id)
    expect(definition(id)).toBeUndefined()
  })

  test('not when that could not be recorded: the answer says that it is in the file', async () => {
    const { start } = bench()
    let isFull = false
    const scheduler = await start('', {
      store: { dropStates: async () => (isFull ? Promise.reject(new Error('disk is full')) : undefined) },
    })
    isFull = true
    const stopped = scheduler.setRunning(['s'], false)
    await expect(stopped).rejects.toThrow(/in the schedule file and in effect.*disk is full/)
    expect(scheduler.get('s')?.running).toBe(false)
  })
})

test('the next run is one that will happen, not one that a window holds back', async () => {
  const { start } = bench()
  const scheduler = await start('    window: {from: "09:00", to: "15:00"}\n')
  expect(scheduler.nextRun('s')).toBe(due('09:00:00'))
  await scheduler.setRunning(null, false)
  expect(scheduler.nextRun('s')).toBeNull()
})

describe('a task of 90 seconds every 30 seconds', () => {
  /** Fires at each half minute of three minutes; what becomes of it, by second. */
  async function fireAll(overlap: Plan['overlap']): Promise<Record<number, string>> {
    const db = openDatabase(':memory:', { migrations: schedulerMigrations })
    const store = createRunStore({ db, writer: createGroupWriter(db) })
    let now = 0
    const ends = new Map<string, { at: number; end: () => void }>()
    const perform: Perform = ({ run }) =>
      new Promise((resolve) => {
        ends.set(run.id, { at: now + 90_000, end: () => resolve({ outcome: 'success' }) })
      })
    const runner = createRunner(
      {
        store,
        perform,
        clock: { now: () => now },
        log: recordingLog(),
        pausedBy: () => null,
        isBusy: async () => false,
      },
      { shadow: false },
    )
    const planned = planner.plan({
      cronSchedule: '*/30 * * * * *',
      timezone: 'UTC',
      qlikSenseTaskId: TASK,
      overlapPolicy: overlap,
    })
    if (!planned.ok) throw new Error(planned.problem.message)
    const settle = async () => {
      for (let turns = 0; turns < 10; turns += 1) await nextTurn()
    }
    for (now = 0; now <= 180_000; now += 30_000) {
      for (const [id, { at, end }] of ends) {
        if (at > now) continue
        ends.delete(id)
        end()
      }
      await settle()
      await runner.fire({ scheduleId: 's', name: '', plan: planned.plan, dueAt: now, trigger: 'cron' })
      await settle()
    }
    const told = store
      .page('s', 20, null)
      .map((run) => [run.dueAt / 1000, run.reason ?? (run.firedAt === null ? 'waits' : `fired ${run.firedAt / 1000}`)])
    await runner.stop(10)
    db.close()
    return Object.fromEntries(told) as Record<number, string>
  }

  test('skip', async () => {
    expect(await fireAll('skip')).toEqual({
      0: 'fired 0',
      30: 'OVERLAP',
      60: 'OVERLAP',
      90: 'fired 90',
      120: 'OVERLAP',
      150: 'OVERLAP',
      180: 'fired 180',
    })
  })

  test('queue: one waits', async () => {
    expect(await fireAll('queue')).toEqual({
      0: 'fired 0',
      30: 'fired 90',
      60: 'OVERLAP',
      90: 'fired 180',
      120: 'OVERLAP',
      150: 'OVERLAP',
      180: 'waits',
    })
  })

  test('allow', async () => {
    expect(new Set(Object.values(await fireAll('allow')).map((text) => text.split(' ')[0]))).toEqual(new Set(['fired']))
  })
})

test('of the runs that wait at a restart the earliest begins, the next waits, and no later one stays open', async () => {
  const { start, db, runs, performed, clock } = bench()
  const queue = '    overlapPolicy: queue\n'
  await (await start(queue)).stop(100)
  const store = createRunStore({ db, writer: createGroupWriter(db) })
  for (const [id, dueAt] of [
    ['a', due('04:00:00')],
    ['b', due('05:00:00')],
    ['c', due('06:00:00')],
  ] as const) {
    const none = { firedAt: null, outcome: null, reason: null, tasks: [], detail: null }
    await store.add({ id, scheduleId: 's', dueAt, trigger: 'cron', state: 'running', ...none })
  }
  clock.set(due('06:10:00'))
  await start(queue)
  await until(() => runs().every(({ state }) => state !== 'running'))
  expect(performed.map(({ id }) => id)).toEqual(['a', 'b'])
  expect(runs()).toMatchObject([
    { id: 'c', state: 'skipped', reason: 'OVERLAP', detail: 'the run before has not ended' },
    { id: 'b', state: 'finished', outcome: 'success' },
    { id: 'a', state: 'finished', outcome: 'success' },
  ])
})

describe('jitter', () => {
  test('delays by up to its length, and keeps the time at which it was due', async () => {
    const db = openDatabase(':memory:', { migrations: schedulerMigrations })
    const store = createRunStore({ db, writer: createGroupWriter(db) })
    const began = Date.now()
    const runner = createRunner(
      {
        store,
        clock: { now: () => Date.now() },
        log: recordingLog(),
        pausedBy: () => null,
        isBusy: async () => false,
        perform: async () => ({ outcome: 'success' as const }),
        random: () => 0.5,
      },
      { shadow: false },
    )
    const planned = planner.plan({
      cronSchedule: '* * * * * *',
      timezone: 'UTC',
      qlikSenseTaskId: TASK,
      jitter: '100ms',
    })
    if (!planned.ok) throw new Error(planned.problem.message)
    const run = await runner.fire({ scheduleId: 's', name: '', plan: planned.plan, dueAt: began, trigger: 'cron' })
    expect(run?.dueAt).toBe(began)
    expect(run!.firedAt! - began).toBeGreaterThanOrEqual(45)
    await runner.stop(10)
    db.close()
  })
})

test('runs are forgotten in pieces, but never one that goes on', async () => {
  const db = openDatabase(':memory:', { migrations: schedulerMigrations })
  const store = createRunStore({ db, writer: createGroupWriter(db) })
  const run = (dueAt: number, state: Run['state']): Run => ({
    id: `${dueAt}`,
    scheduleId: 's',
    dueAt,
    firedAt: dueAt,
    trigger: 'cron',
    state,
    outcome: null,
    reason: null,
    tasks: [],
    detail: null,
  })
  for (const [dueAt, state] of [
    [1, 'finished'],
    [2, 'running'],
    [3, 'skipped'],
    [4, 'finished'],
  ] as const) {
    expect(await store.add(run(dueAt, state))).toBe(true)
  }
  expect(await store.add({ ...run(4, 'finished'), id: 'again' })).toBe(false)
  expect(await store.prune(4, 1)).toBe(1)
  expect(await store.prune(4, 10)).toBe(1)
  expect(store.page('s', 10, null).map(({ dueAt }) => dueAt)).toEqual([4, 2])
  db.close()
})
