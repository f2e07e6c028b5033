/** A start that is repeated with the same key after its answer was lost: the task is started once. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { type Database, openDatabase } from '../../../../src/platform/sqlite.ts'
import { createStartRecords, executionMigrations } from '../../../../src/tasks/executions/store.ts'
import { createStartNotes, noteMigrations } from '../../../../src/tasks/start/notes.ts'
import { createStartTask } from '../../../../src/tasks/start/start.ts'
import type { StartOrigin, StartOutcome } from '../../../../src/tasks/start/types.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { DASHBOARD, NO_FILTER, SALES, type Site, startSite } from './support.ts'

const ID = '019cad24-bb20-78e1-b80b-d70ae0784c78'
const SHOWS_MS = 15_000

let site: Site
let db: Database
let now = 0

beforeAll(async () => {
  site = await startSite({ timeoutMs: 500 })
})
afterAll(() => site.stop())

beforeEach(() => {
  db = openDatabase(':memory:', { migrations: [...executionMigrations, ...noteMigrations] })
  now = Date.now()
  site.simulator.reset()
})
afterEach(() => db.close())

/** As after a restart: the start function knows what is on disk. */
function start(origin: StartOrigin = 'rest', taskIds: readonly string[] = [DASHBOARD]): Promise<StartOutcome> {
  const clock = { now: () => now }
  const writer = createGroupWriter(db)
  const deps = { qrs: site.qrs, log: recordingLog(), clock }
  const run = createStartTask(
    { ...deps, records: createStartRecords({ db, writer }), notes: createStartNotes({ db, writer, clock }) },
    { ...NO_FILTER, shadow: false },
  )
  return run({
    id: ID,
    origin,
    requestedBy: 'a test',
    taskIds,
    tags: [],
    customProperties: [],
    match: 'any',
    allTaskIdsMustExist: false,
  })
}

/** Qlik Sense starts the task, and its answer is lost. */
const loseAnswer = () =>
  site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1], times: 1 })

describe.each(['rest', 'retry', 'followUp', 'cli', 'console'] as const)('a start by %s', (origin) => {
  test('whose answer was lost is found, and not made again', async () => {
    loseAnswer()
    const first = await start(origin)
    expect(first.failed).toMatchObject([{ taskId: DASHBOARD, perhaps: true }])
    const second = await start(origin)
    expect(second.started).toMatchObject([{ taskId: DASHBOARD, executionId: expect.any(String) }])
    expect(site.startedIds()).toEqual([DASHBOARD])
  })

  test('that was cut short by a crash is found', async () => {
    site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'slow-body', args: [1], times: 1 })
    // The answer of the first attempt never comes to the process that repeats the request.
    void start(origin).catch(() => undefined)
    while (site.startedIds().length === 0) await new Promise((done) => setTimeout(done, 5))
    const repeated = await start(origin)
    expect(repeated.started.map(({ taskId }) => taskId)).toEqual([DASHBOARD])
    expect(site.startedIds()).toEqual([DASHBOARD])
  })
})

test('while it does not show whether the task was started, the answer says so; later it is started', async () => {
  site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'reset', times: 1 })
  await start()
  now += SHOWS_MS - 1
  const early = await start()
  expect(early).toMatchObject({ started: [], interrupted: true, failed: [{ perhaps: true, taskId: DASHBOARD }] })
  expect(early.failed[0]?.error).toContain('perhaps started')
  expect(site.startedIds()).toHaveLength(1)
  now += 1
  expect((await start()).started).toMatchObject([{ taskId: DASHBOARD }])
})

test('a start that Qlik Sense has refused is made again by the repeat, at once', async () => {
  site.simulator.fault({ listener: 'qrs', match: '/start', mode: 'status', args: [409], times: 1 })
  expect((await start()).failed).toMatchObject([{ error: 'QRS answered 409' }])
  expect((await start()).started).toMatchObject([{ taskId: DASHBOARD }])
  expect(site.startedIds()).toEqual([DASHBOARD, DASHBOARD])
})

test('what was started stays started, and the rest follows', async () => {
  site.simulator.fault({ listener: 'qrs', match: `${SALES}/start`, mode: 'reset', times: 1 })
  await start('rest', [DASHBOARD, SALES])
  now += SHOWS_MS
  const { started } = await start('rest', [DASHBOARD, SALES])
  expect(started.map(({ taskId }) => taskId)).toEqual([DASHBOARD, SALES])
  expect(site.startedIds().filter((id) => id === DASHBOARD)).toHaveLength(1)
})

test('a repeat that cannot ask Qlik Sense names what was perhaps started', async () => {
  loseAnswer()
  await start()
  site.simulator.fault({ listener: 'qrs', mode: 'status', args: [500] })
  await expect(start()).rejects.toMatchObject({ known: { perhaps: [DASHBOARD] } })
})

test('nothing is started that could not be noted', async () => {
  db.run('DROP TABLE start_note')
  db.run(
    'CREATE TABLE start_note (request TEXT, task_id TEXT, result_before TEXT, noted_at INTEGER, CHECK (noted_at < 0))',
  )
  expect((await start()).failed).toHaveLength(1)
  expect(site.startedIds()).toEqual([])
})
