/** The start queue in front of the simulated site, with its store on disk. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { createFollower, createRunningStarts } from '../../../../src/tasks/executions/follower.ts'
import { createStatusCache } from '../../../../src/tasks/executions/status.ts'
import { createStartRecords, executionMigrations } from '../../../../src/tasks/executions/store.ts'
import {
  createQueueStore,
  createStartQueue,
  type QueueEntry,
  queueMigrations,
} from '../../../../src/tasks/start/queue.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import type { StartRequest } from '../../../../src/tasks/start/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { type TempDirectory, tempDirectory } from '../../../support/temp.ts'
import { until } from '../../../support/wait.ts'
import { filterOf, NO_FILTER, type Site, startSite, UNKNOWN } from './support.ts'

let site: Site
let directory: TempDirectory
let now = 0
const clock = { now: () => Date.now() + now }
const cleanups: (() => Promise<void>)[] = []

beforeAll(async () => {
  site = await startSite()
})
afterAll(() => site.stop())
beforeEach(() => {
  directory = tempDirectory()
  now = 0
  site.simulator.reset()
  site.simulator.clearRequests()
})
afterEach(async () => {
  site.simulator.clearFaults()
  for (const cleanup of cleanups.splice(0)) await cleanup()
  directory.remove()
})

/** Everything about starts, as the product builds it; `stop` leaves what is on disk. */
async function starts(settings: { maxConcurrent?: number; maxAge?: number; filter?: typeof NO_FILTER } = {}) {
  const log = recordingLog()
  const { qrs } = site
  const db = openDatabase(directory.join('footman.db'), { migrations: [...executionMigrations, ...queueMigrations] })
  const writer = createGroupWriter(db)
  const records = createStartRecords({ db, writer })
  const statuses = createStatusCache({ qrs, clock })
  const follower = createFollower({ statuses, clock, log }, { pollMs: [50] })
  const running = createRunningStarts({ records, statuses, follower, qrs, clock, log })
  const dropped: QueueEntry[] = []
  const queue = createStartQueue(
    {
      qrs,
      store: createQueueStore({ db, writer }),
      records,
      running,
      log,
      clock,
      onDropped: (entry) => void dropped.push(entry),
    },
    {
      maxConcurrent: settings.maxConcurrent ?? 0,
      maxAge: settings.maxAge ?? 86_400_000,
      tickMs: 100,
      retryFirstMs: 50,
    },
  )
  const start = createStartTask(
    { qrs, log, clock, records, queue },
    { ...(settings.filter ?? NO_FILTER), shadow: false },
  )
  let stopped = false
  const stop = async () => {
    if (stopped) return
    stopped = true
    await queue.stop(1000)
    follower.stop()
    db.close()
  }
  cleanups.push(stop)
  await queue.start()
  return { start, queue, records, running, dropped, log, stop, db }
}

const request = (changes: Partial<StartRequest>): StartRequest => ({
  origin: 'rest',
  requestedBy: 'test',
  taskIds: [],
  tags: [],
  customProperties: [],
  match: 'any',
  allTaskIdsMustExist: false,
  ...changes,
})

function tasks(count: number, durationMs = 150): readonly string[] {
  const ids = site.simulator.addTasks(count)
  for (const id of ids) site.simulator.setTask(id, { durationMs })
  return ids
}

describe('order', () => {
  test('first in, first out, over several requests', async () => {
    const { start } = await starts({ maxConcurrent: 1 })
    const [a, b, c, d] = tasks(4) as [string, string, string, string]
    await start(request({ taskIds: [c, a] }))
    await start(request({ taskIds: [d] }))
    await start(request({ taskIds: [b] }))
    await until(() => site.startedIds().length === 4, { timeout: 10_000 })
    expect(site.startedIds()).toEqual([c, a, d, b])
  }, 90_000)

  test('a request that its own limit holds back does not hold up another', async () => {
    const { start } = await starts()
    const [slow, second, other] = tasks(3, 60_000) as [string, string, string]
    const first = await start(request({ taskIds: [slow, second], maxConcurrent: 1 }))
    expect(first.queued?.map(({ taskId }) => taskId)).toEqual([second])
    const next = await start(request({ taskIds: [other], maxConcurrent: 1 }))
    expect(next.started.map(({ taskId }) => taskId)).toEqual([other])
  })

  test('a task waits once, whoever asks', async () => {
    const { start, queue } = await starts({ maxConcurrent: 1 })
    const [slow, wanted] = tasks(2, 60_000) as [string, string]
    await start(request({ taskIds: [slow] }))
    const [one, two] = [
      await start(request({ taskIds: [wanted] })),
      await start(request({ taskIds: [wanted], actor: 'key:erp' })),
    ]
    expect(two.queued?.[0]?.queueId).toBe(one.queued![0]!.queueId)
    expect(queue.list()).toHaveLength(1)
  })

  test('a disabled task need not wait to be told so', async () => {
    const { start } = await starts({ maxConcurrent: 1 })
    const [slow, disabled] = tasks(2, 60_000) as [string, string]
    site.simulator.setTask(disabled, { enabled: false })
    const outcome = await start(request({ taskIds: [slow, disabled] }))
    expect(outcome.failed).toMatchObject([{ taskId: disabled, error: 'The task is disabled' }])
    expect(outcome.queued).toBeUndefined()
  })
})

describe('what waits', () => {
  test('is refused as a whole when the queue is full', async () => {
    const { db, stop } = await starts({ maxConcurrent: 1 })
    db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
      INSERT INTO start_queue (id, request, task_id, task_name, actor, queued_at)
      SELECT 'id' || i, 'r', 'task' || i, 'Task', 'x', ${Date.now()} FROM n;
      INSERT INTO task_start VALUES ('s', 'r', 'task', 'Task', 'x', '${UNKNOWN}', ${Date.now()}, NULL, NULL)`)
    await stop()
    const { start: again, queue } = await starts({ maxConcurrent: 1 })
    const ids = tasks(2, 60_000)
    await expect(again(request({ taskIds: ids }))).rejects.toThrow(/start queue, which holds at most 10000/)
    expect(site.startedIds().filter((id) => ids.includes(id))).toEqual([])
    expect(queue.list()).toHaveLength(9999)
  })

  test('is dropped when it waited too long, and that is told', async () => {
    const { start, dropped } = await starts({ maxConcurrent: 1, maxAge: 60_000 })
    const [slow, late] = tasks(2, 600_000) as [string, string]
    await start(request({ taskIds: [slow] }))
    const outcome = await start(request({ taskIds: [late], actor: 'key:erp' }))
    now = 61_000
    expect(await outcome.queued![0]!.settled).toEqual({
      error: 'It waited in the start queue for longer than 60 s',
    })
    expect(dropped).toMatchObject([{ taskId: late, actor: 'key:erp' }])
    expect(site.startedIds()).toEqual([slow])
  })

  test('is started when QRS is back', async () => {
    const { start, log } = await starts({ maxConcurrent: 1 })
    const [first, second] = tasks(2) as [string, string]
    const outcome = await start(request({ taskIds: [first, second] }))
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'status', args: [503] })
    await until(() => log.of('warn').some((line) => line.includes('wait for QRS')) || log.of('verbose').length > 2)
    site.simulator.clearFaults()
    expect(await outcome.queued![0]!.settled).toMatchObject({ executionId: expect.any(String) })
    expect(site.startedIds().filter((id) => id === second).length).toBeGreaterThan(0)
    expect(site.simulator.site.executions.byTask(second)).toHaveLength(1)
  }, 90_000)

  test('survives a restart, in its order', async () => {
    const before = await starts({ maxConcurrent: 1 })
    const [slow, a, b] = tasks(3, 300) as [string, string, string]
    await before.start(request({ taskIds: [slow, b, a] }))
    await before.stop()
    const after = await starts({ maxConcurrent: 1 })
    expect(after.log.of('info')).toContain('STARTQUEUE: Taking up 2 task(s) of the last run')
    await until(() => site.startedIds().length === 3, { timeout: 10_000 })
    expect(site.startedIds()).toEqual([slow, b, a])
  }, 90_000)

  test('a start whose answer was lost is looked for, not repeated', async () => {
    const { start } = await starts({ maxConcurrent: 1 })
    const [wanted] = tasks(1, 60_000) as [string]
    // Carried out, but the answer never comes: the client gives up after a second.
    site.simulator.fault({ listener: 'qrs', match: '/start/synchronous', mode: 'slow-body', args: [1], times: 1 })
    const outcome = await start(request({ taskIds: [wanted] }))
    const result = outcome.queued ? await outcome.queued[0]!.settled : outcome.started[0]
    const [execution] = site.simulator.site.executions.byTask(wanted)
    expect(result).toMatchObject({ executionId: execution!.executionID })
    expect(site.startedIds()).toEqual([wanted])
  }, 90_000)
})

describe('a request that is repeated with its id', () => {
  test('starts what it has not started, and nothing twice', async () => {
    const { start } = await starts()
    const [a, b] = tasks(2, 60_000) as [string, string]
    const id = '019cad26-6358-781f-b7a0-43a6f767e7c9'
    const first = await start(request({ id, taskIds: [a] }))
    const second = await start(request({ id, taskIds: [a, b] }))
    expect(second.started[0]).toEqual(first.started[0]!)
    expect(site.startedIds()).toEqual([a, b])
  })
})

describe('names', () => {
  test.each<[string[], string[]]>([
    [['Sales*'], ['Sales ETL hourly', 'Sales Report Update']],
    [['sales etl HOURLY'], ['Sales ETL hourly']],
    [
      ['*report*', 'R&D *'],
      ['R&D weekly', 'Sales Report Update'],
    ],
    [['?&D weekly'], ['R&D weekly']],
    [["nobody's"], []],
  ])('%p', async (taskNames, expected) => {
    const { start } = await starts()
    const { started, notFound } = await start(request({ taskNames }))
    expect(started.map(({ taskName }) => taskName).toSorted()).toEqual(expected)
    expect(notFound).toEqual([])
  })

  test('with match all: only what has the name and the tag', async () => {
    const { start } = await starts()
    const { started } = await start(request({ taskNames: ['sales*'], tags: ['hourly-reload'], match: 'all' }))
    expect(started.map(({ taskName }) => taskName)).toEqual(['Sales ETL hourly'])
  })

  test('the start filter lets a name pass when the task is listed by id, tag or property', async () => {
    const { start } = await starts({ filter: filterOf({ tag: ['hourly-reload'] }) })
    const { started, denied } = await start(request({ taskNames: ['sales*'] }))
    expect(started.map(({ taskName }) => taskName)).toEqual(['Sales ETL hourly'])
    expect(denied.taskIds).toEqual(['b9c5d234-efe5-6789-abcd-ef0123456789'])
  })

  test('all of them', async () => {
    const { start } = await starts({ filter: filterOf({}) })
    const { denied } = await start(request({ taskNames: ['*'] }))
    expect(denied.taskIds).toHaveLength(site.simulator.site.tasks.size)
  })
})
