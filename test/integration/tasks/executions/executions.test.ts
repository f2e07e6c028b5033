/** Executions by their ids: reloads of apps, tasks that Footman started, tasks of others. */
import { describe, expect, test } from 'bun:test'
import type { AppReload } from '../../../../src/apps/types.ts'
import { createGroupWriter } from '../../../../src/platform/group-commit.ts'
import { openDatabase } from '../../../../src/platform/sqlite.ts'
import { systemClock } from '../../../../src/platform/types.ts'
import type { ExecutionReader, SiteReader } from '../../../../src/qlik/qrs/types.ts'
import { createFollower } from '../../../../src/tasks/executions/follower.ts'
import { executionRoutes } from '../../../../src/tasks/executions/http.ts'
import { createExecutionLookup } from '../../../../src/tasks/executions/lookup.ts'
import { createStatusCache } from '../../../../src/tasks/executions/status.ts'
import { createStartRecords, executionMigrations } from '../../../../src/tasks/executions/store.ts'
import { createTaskDescriber, createTaskList } from '../../../../src/tasks/executions/tasks.ts'
import { fakeQrs } from '../../../support/fake-qrs.ts'
import { recordingLog } from '../../../support/recording-log.ts'
import { routesApi } from '../../../support/routes-api.ts'

const RELOAD = '019cad26-62e0-7f58-b914-5b24d108d7ac'
const TASK_RUN = 'e5000000-0000-4000-8000-000000000001'
const AT = Date.parse('2026-03-02T06:00:00.000Z')

const RUNNING: AppReload = {
  executionId: RELOAD,
  kind: 'appReload',
  appId: 'a1',
  appName: 'Sales ETL',
  partial: false,
  actor: '10.1.2.3',
  state: 'running',
  outcome: null,
  progress: 'Orders << orders 1,000',
  error: null,
  triggeredAt: AT,
  startedAt: AT + 200,
  stoppedAt: null,
  scriptLogFile: 'C:\\logs\\a1.log',
  details: [{ at: AT + 300, level: 'info', message: 'Orders << orders' }],
}

async function scene() {
  const qrs = fakeQrs()
  const reader: ExecutionReader & Pick<SiteReader, 'tasksById'> = {
    allTasks: async () => [...qrs.tasks_.values()],
    async *taskBatches() {
      yield [...qrs.tasks_.values()]
    },
    taskCount: async () => qrs.tasks_.size,
    taskKeys: async () => [],
    tasksById: async () => [],
    resultsById: async () => [],
    executionSession: async () => null,
    resultsOfExecutions: async (ids) =>
      ids.flatMap((id) => (qrs.results.get(id) ?? []).map((result) => ({ ...result, executionID: id }))),
  }
  for (const results of qrs.results.values()) {
    for (const [index, result] of results.entries()) results[index] = { ...result, taskID: [...qrs.tasks_.keys()][0] }
  }
  const db = openDatabase(':memory:', { migrations: executionMigrations })
  const records = createStartRecords({ db, writer: createGroupWriter(db) })
  const statuses = createStatusCache({ qrs: reader, clock: systemClock })
  const follower = createFollower({ statuses, clock: systemClock, log: recordingLog() })
  let reload: AppReload = RUNNING
  const ended = Promise.withResolvers<void>()
  const reloads = {
    get: (id: string) => (id === RELOAD ? reload : null),
    finished: () => ended.promise,
  }
  const executions = createExecutionLookup({
    qrs,
    statuses,
    follower,
    records,
    reloads,
    queued: () => null,
    onScriptError() {},
  })
  const stopping = new AbortController()
  const tasks = createTaskList({
    qrs: reader,
    clock: systemClock,
    describe: createTaskDescriber({ qrs: reader, statuses }),
  })
  const api = await routesApi(
    executionRoutes({ executions, tasks, slowerTasks: async () => [], stopping: stopping.signal }),
  )
  const get = async (path: string) => {
    const { status, body } = await api.send('GET', path)
    return { status, body: JSON.parse(body) as Record<string, unknown> }
  }
  return {
    qrs,
    records,
    stopping,
    get,
    finish(changes: Partial<AppReload>) {
      reload = { ...reload, state: 'finished', ...changes }
      ended.resolve()
    },
    async [Symbol.asyncDispose]() {
      follower.stop()
      await api[Symbol.asyncDispose]()
      db.close()
    },
  }
}

describe('the reload of an app', () => {
  test('is found by its execution id and can be waited for', async () => {
    await using all = await scene()
    expect(await all.get(`/v4/execution/${RELOAD}`)).toEqual({
      status: 200,
      body: {
        executionId: RELOAD,
        kind: 'appReload',
        taskId: null,
        taskName: null,
        taskType: null,
        appId: 'a1',
        appName: 'Sales ETL',
        state: 'running',
        outcome: null,
        statusNum: null,
        statusText: 'Orders << orders 1,000',
        node: null,
        actor: '10.1.2.3',
        triggeredAt: '2026-03-02T06:00:00.000Z',
        startedAt: '2026-03-02T06:00:00.200Z',
        stoppedAt: null,
        queueMs: 200,
        runMs: null,
        attempts: 1,
        error: null,
        details: [{ at: '2026-03-02T06:00:00.300Z', level: 'info', message: 'Orders << orders' }],
      },
    })
    const waited = all.get(`/v4/execution/${RELOAD}?wait=60`)
    all.finish({ outcome: 'failed', error: 'Table not found', progress: '', stoppedAt: AT + 5200 })
    expect((await waited).body).toMatchObject({
      state: 'finished',
      outcome: 'failed',
      statusText: 'Failed',
      runMs: 5000,
      error: 'Table not found',
    })
  })

  test('tells where its script log is', async () => {
    await using all = await scene()
    expect(await all.get(`/v4/execution/${RELOAD}/log`)).toMatchObject({
      status: 404,
      body: { code: 'LOG_NOT_AVAILABLE', details: 'It is the file C:\\logs\\a1.log on the server of the engine.' },
    })
  })

  test('that is waited for does not hold up the stop', async () => {
    await using all = await scene()
    const waited = all.get(`/v4/execution/${RELOAD}?wait=3600`)
    all.stopping.abort()
    expect((await waited).body).toMatchObject({ state: 'running' })
  })
})

describe('the execution of a task', () => {
  test('started by somebody else has no actor, one started by Footman has', async () => {
    await using all = await scene()
    const before = await all.get(`/v4/execution/${TASK_RUN}`)
    expect(before.body).toMatchObject({ taskName: 'Financial Dashboard Reload', outcome: 'failed', statusNum: 8 })
    expect(before.body).not.toHaveProperty('actor')
    await all.records.add({
      id: RELOAD.replace('019c', '019d'),
      request: 'r',
      taskId: String(before.body.taskId),
      taskName: 'x',
      actor: 'key:erp',
      executionId: TASK_RUN.toUpperCase(),
      startedAt: AT,
      finalAt: null,
      error: null,
    })
    expect((await all.get(`/v4/execution/${TASK_RUN}`)).body).toMatchObject({ actor: 'key:erp' })
  })

  test('of a task that was deleted is told all the same', async () => {
    await using all = await scene()
    all.qrs.tasks_.clear()
    expect((await all.get(`/v4/execution/${TASK_RUN}`)).body).toMatchObject({
      taskName: null,
      taskType: null,
      state: 'finished',
      outcome: 'failed',
    })
  })

  test.each(['wait=x', 'wait=3601', 'wait=-1', 'wait=1&wait=2', 'colour=red'])('%s is refused', async (query) => {
    await using all = await scene()
    expect(await all.get(`/v4/execution/${TASK_RUN}?${query}`)).toMatchObject({
      status: 400,
      body: { code: 'VALIDATION' },
    })
  })
})
