/** Schedules of report tasks: instants on days with a clock change, missed ones, changes of triggers, the clock. */
import { afterEach, describe, expect, test } from 'bun:test'
import type { Stored } from '../../../../src/reports/entities/fields.ts'
import type { ReportTask, TriggerOf } from '../../../../src/reports/entities/task.ts'
import { createRecurrences } from '../../../../src/reports/triggers/schedules.ts'
import { storedTask, type TriggerScene, triggerScene } from '../../../support/report-triggers.ts'
import { HOUR, MINUTE, movedClock, SECOND } from '../../../support/safety-net.ts'
import { tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'

const schedule = (changes: object): object => ({ type: 'schedule', ...changes })

function instants(changes: object, after: string, count: number): string[] {
  const [trigger] = storedTask([schedule(changes)]).triggers
  const { next } = createRecurrences('UTC')(trigger as TriggerOf<'schedule'>)
  const found: string[] = []
  for (let at = next(Date.parse(after)); at !== null && found.length < count; at = next(at))
    found.push(new Date(at).toISOString().replace('.000Z', 'Z'))
  return found
}

const STOCKHOLM = 'Europe/Stockholm'
const NEW_YORK = 'America/New_York'

describe('instants', () => {
  test.each<[string, object, string, string[]]>([
    ['months count from 1', { cron: '0 6 1 1 *' }, '2026-02-01T00:00:00Z', ['2027-01-01T06:00:00Z']],
    [
      'six positions begin with seconds',
      { cron: '30 0 6 * * *' },
      '2026-02-01T00:00:00Z',
      ['2026-02-01T06:00:30Z', '2026-02-02T06:00:30Z'],
    ],
    // 2026-03-29 02:00 -> 03:00 in Stockholm.
    [
      'a time in the gap fires at the first instant after it',
      { cron: '30 2 * * *', timezone: STOCKHOLM },
      '2026-03-28T00:00:00Z',
      ['2026-03-28T01:30:00Z', '2026-03-29T01:00:00Z', '2026-03-30T00:30:00Z'],
    ],
    [
      'what goes on through every hour skips the gap',
      { cron: '30 * * * *', timezone: STOCKHOLM },
      '2026-03-29T00:00:00Z',
      ['2026-03-29T00:30:00Z', '2026-03-29T01:30:00Z', '2026-03-29T02:30:00Z'],
    ],
    [
      'with everyTimeOnce it fires at the end of the gap',
      { cron: '30 * * * *', timezone: STOCKHOLM, everyTimeOnce: true },
      '2026-03-29T00:00:00Z',
      ['2026-03-29T00:30:00Z', '2026-03-29T01:00:00Z', '2026-03-29T01:30:00Z'],
    ],
    // 2026-10-25 03:00 -> 02:00 in Stockholm.
    [
      'a time that comes twice fires the first time',
      { cron: '30 2 * * *', timezone: STOCKHOLM },
      '2026-10-24T12:00:00Z',
      ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
    ],
    [
      'what goes on through every hour fires in both passes',
      { cron: '0 0-23 * * *', timezone: STOCKHOLM },
      '2026-10-24T23:30:00Z',
      ['2026-10-25T00:00:00Z', '2026-10-25T01:00:00Z', '2026-10-25T02:00:00Z'],
    ],
    [
      'with everyTimeOnce the second pass is left out',
      { cron: '0 * * * *', timezone: STOCKHOLM, everyTimeOnce: true },
      '2026-10-24T23:30:00Z',
      ['2026-10-25T00:00:00Z', '2026-10-25T02:00:00Z'],
    ],
    // 2026-03-08 02:00 -> 03:00, 2026-11-01 02:00 -> 01:00 in New York.
    [
      'gap in New York',
      { cron: '15 2 * * *', timezone: NEW_YORK },
      '2026-03-07T12:00:00Z',
      ['2026-03-08T07:00:00Z', '2026-03-09T06:15:00Z'],
    ],
    [
      'overlap in New York',
      { cron: '15 1 * * *', timezone: NEW_YORK },
      '2026-10-31T12:00:00Z',
      ['2026-11-01T05:15:00Z', '2026-11-02T06:15:00Z'],
    ],
    // 2026-10-04 02:00 -> 02:30, 2026-04-05 02:00 -> 01:30 on Lord Howe.
    [
      'gap of half an hour',
      { cron: '10 2 * * *', timezone: 'Australia/Lord_Howe' },
      '2026-10-03T00:00:00Z',
      ['2026-10-03T15:30:00Z', '2026-10-04T15:10:00Z'],
    ],
    [
      'overlap of half an hour',
      { cron: '45 1 * * *', timezone: 'Australia/Lord_Howe' },
      '2026-04-04T00:00:00Z',
      ['2026-04-04T14:45:00Z', '2026-04-05T15:15:00Z'],
    ],
    ['a single instant', { once: '2026-05-01T07:00:00Z' }, '2026-01-01T00:00:00Z', ['2026-05-01T07:00:00Z']],
    [
      'the window includes its start and excludes its end',
      { cron: '0 6 * * *', start: '2026-05-02T06:00:00Z', end: '2026-05-04T06:00:00Z' },
      '2026-01-01T00:00:00Z',
      ['2026-05-02T06:00:00Z', '2026-05-03T06:00:00Z'],
    ],
  ])('%s', (_, changes, after, expected) => {
    expect(instants(changes, after, Math.max(expected.length, 1))).toEqual(expected)
  })
})

const NOON = Date.parse('2026-03-02T12:00:00.000Z')
const HOURLY = schedule({ cron: '0 * * * *' })
let stop: () => Promise<unknown> = async () => {}
afterEach(() => stop())

async function started(
  options: Omit<TriggerScene, 'clock' | 'tasks'> & { clock?: ReturnType<typeof movedClock> } = {},
  ...tasks: Stored<ReportTask>[]
) {
  const { clock = movedClock(NOON + 30 * MINUTE) } = options
  const scene = triggerScene({ ...options, clock, tasks })
  const { triggers } = scene
  await triggers.start()
  await scene.writer.flush()
  stop = () => triggers.stop(0)
  return { ...scene, clock }
}

/** Stops the triggers, and starts them after that time. */
async function restarted(scene: Awaited<ReturnType<typeof started>>, afterMs: number) {
  await stop()
  await scene.writer.flush()
  scene.clock.advance(afterMs)
  const triggers = scene.build()
  await triggers.start()
  stop = () => triggers.stop(0)
  await stop()
}

describe('instants that were missed', () => {
  // Stopped at 12:30.
  test.each<[string, object, number, string[], number]>([
    ['none', {}, 29 * MINUTE, [], 0],
    ['the newest is young', {}, 40 * MINUTE, ['2026-03-02T13:00:00.000Z'], 0],
    ['older ones are one row', {}, 3 * HOUR, ['2026-03-02T15:00:00.000Z'], 2],
    ['the newest is too old', { maxDelayMinutes: 20 }, 3 * HOUR, [], 3],
    ['without delay nothing fires', { maxDelayMinutes: 0 }, 40 * MINUTE, [], 1],
  ])('%s', async (_, changes, downMs, keys, missed) => {
    const scene = await started({}, storedTask([{ ...HOURLY, ...changes }]))
    await restarted(scene, downMs)
    expect(scene.keys()).toEqual(keys)
    const rows = scene.runs().filter(({ reason }) => reason === 'MISSED_SCHEDULE')
    expect(rows.map(({ outcome, repeats }) => [outcome, repeats])).toEqual(missed === 0 ? [] : [['skipped', missed]])
  })

  test('of a new trigger fire, too, when its state could not be stored any more', async () => {
    const scene = await started({}, storedTask([HOURLY], { modifiedAt: new Date(NOON + 30 * MINUTE).toISOString() }))
    await scene.writer.write((on) => on.run('DELETE FROM report_trigger'))
    await restarted(scene, 40 * MINUTE)
    expect(scene.keys()).toEqual(['2026-03-02T13:00:00.000Z'])
  })

  test('are dealt with once, however often Footman starts', async () => {
    const folder = tempDirectory()
    const scene = await started({ file: `${folder.path}/footman.db` }, storedTask([HOURLY]))
    await restarted(scene, 3 * HOUR)
    await restarted(scene, 1)
    await restarted(scene, 1)
    const rows = scene.runs().map(({ reason, repeats }) => ({ reason, repeats }))
    expect(rows).toHaveLength(2)
    expect(rows).toContainEqual({ reason: 'MISSED_SCHEDULE', repeats: 2 })
    expect(rows).toContainEqual({ reason: null, repeats: 1 })
    scene.db.close()
    folder.remove()
  })

  test('of a disabled task are one skipped row', async () => {
    const scene = await started({}, storedTask([HOURLY], { enabled: false }))
    await restarted(scene, 3 * HOUR)
    expect(scene.runs().map(({ outcome, reason, repeats }) => [outcome, reason, repeats])).toEqual([
      ['skipped', 'TASK_DISABLED', 1],
    ])
  })
})

describe('while Footman runs', () => {
  const EVERY_SECOND = schedule({ cron: '* * * * * *' })

  test('a schedule fires at its instant, and an enabled task starts', async () => {
    const clock = { now: () => Date.now() }
    const scene = triggerScene({ clock, tasks: [storedTask([EVERY_SECOND])] })
    stop = () => scene.triggers.stop(0)
    await scene.triggers.start()
    await until(() => scene.keys().length >= 2)
    const [first, second] = scene.keys().map((key) => Date.parse(key))
    expect(first! % SECOND).toBe(0)
    expect(second! - first!).toBe(SECOND)
    expect(scene.runs()[0]).toMatchObject({ trigger: { type: 'schedule', key: new Date(first!).toISOString() } })
  })

  test('a new or changed trigger does not fire for the past', async () => {
    const scene = await started({}, storedTask([]))
    scene.clock.advance(HOUR)
    scene.change(storedTask([HOURLY]))
    await scene.writer.flush()
    await restarted(scene, MINUTE)
    expect(scene.runs()).toEqual([])
    scene.change(storedTask([{ ...HOURLY, cron: '15 * * * *' }]))
    await restarted(scene, MINUTE)
    expect(scene.runs()).toEqual([])
  })

  test('a change of a trigger is answered when it is stored since when it is in force', async () => {
    const scene = await started({}, storedTask([HOURLY]))
    const stored = () => scene.db.all<{ definition: string }>('SELECT definition FROM report_trigger')
    await scene.change(storedTask([{ ...HOURLY, cron: '15 * * * *' }]))
    expect(stored()).toEqual([{ definition: expect.stringContaining('15 * * * *') }])
    await scene.change(storedTask([]))
    expect(stored()).toEqual([])
  })

  test('a clock that was set back fires nothing twice', async () => {
    const scene = await started({}, storedTask([HOURLY]))
    await restarted(scene, 40 * MINUTE)
    await restarted(scene, -30 * MINUTE)
    await restarted(scene, 30 * MINUTE)
    expect(scene.keys()).toEqual(['2026-03-02T13:00:00.000Z'])
    await restarted(scene, HOUR)
    expect(scene.keys()).toEqual(['2026-03-02T13:00:00.000Z', '2026-03-02T14:00:00.000Z'])
  })

  test('a disabled trigger is silent', async () => {
    const scene = await started({}, storedTask([{ ...HOURLY, enabled: false }]))
    await restarted(scene, 3 * HOUR)
    expect(scene.runs()).toEqual([])
  })

  test('nothing fires on a satellite and in shadow mode', async () => {
    const scene = await started({ settings: { active: false } }, storedTask([HOURLY]))
    await restarted(scene, 40 * MINUTE)
    expect(scene.runs()).toEqual([])
    expect(scene.triggers.nextRunAt(storedTask([HOURLY]))).toBeNull()
  })
})

test('the next run is the earliest instant of the schedules that are on', async () => {
  const { triggers } = await started()
  const task = storedTask([HOURLY, schedule({ cron: '45 * * * *' }), schedule({ cron: '31 * * * *', enabled: false })])
  expect(triggers.nextRunAt(task)).toBe('2026-03-02T12:45:00.000Z')
  expect(triggers.nextRunAt({ ...task, enabled: false })).toBeNull()
  expect(triggers.nextRunAt(storedTask([]))).toBeNull()
})
