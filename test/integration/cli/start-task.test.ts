/** `footman start-task --wait`: what is said, and which exit code, when it cannot follow what it starts. */
import { expect, test } from 'bun:test'
import { runStartTask, type StartTaskOptions } from '../../../src/cli/remote/start-task.ts'
import { heard, restStub, type StubRequest } from '../../support/rest-stub.ts'

const ETL = '70000000-0000-4000-8000-000000000001'
const REPORT = '70000000-0000-4000-8000-000000000002'
const RUN = 'e5000000-0000-4000-8000-000000000001'
const QUEUED = 'e5000000-0000-4000-8000-000000000002'

const FORBIDDEN = [403, { error: 'Forbidden', details: 'The key "jobs" lacks the scope task:read' }] as const
const UNKNOWN = [404, { error: 'Execution not found', code: 'EXECUTION_NOT_FOUND' }] as const

const started = (tasksQueued?: unknown) =>
  [
    202,
    {
      tasksStarted: [
        { taskId: ETL, taskName: 'Sales ETL hourly', status: 'started', executionId: RUN, execution: null },
      ],
      tasksNotFound: [],
      totalTasksStarted: 1,
      tasksQueued,
    },
  ] as const
const view = (executionId: string, state: string, more: object = {}) =>
  [
    200,
    {
      executionId,
      state,
      taskName: 'Sales ETL hourly',
      outcome: null,
      statusText: 'Started',
      appName: null,
      runMs: null,
      queueMs: null,
      error: null,
      taskType: 'reload',
      ...more,
    },
  ] as const

const isStart = ({ method }: StubRequest) => method === 'POST'
const isCheck = ({ path }: StubRequest) => path.startsWith('/v4/execution/00000000-')

const optionsFor = (url: string, more: Partial<StartTaskOptions> = {}): StartTaskOptions => ({
  url,
  key: 'fm_test',
  timeout: 10_000,
  tag: [],
  property: [],
  name: [],
  kv: [],
  ...more,
})

test('a key that may start but not read: exit code 2, and nothing was started', async () => {
  await using api = await restStub((request) => (isStart(request) ? started() : FORBIDDEN))
  const io = heard()
  expect(await runStartTask([ETL], optionsFor(api.url, { wait: 5 }), io)).toBe(2)
  expect(io.stderr()).toMatch(/^error: start-task: nothing was started: --wait needs the scope task:read/)
  expect(api.requests.filter(isStart)).toEqual([])
})

test('without --wait the right to start is enough', async () => {
  await using api = await restStub((request) => (isStart(request) ? started() : FORBIDDEN))
  expect(await runStartTask([ETL], optionsFor(api.url), heard())).toBe(0)
  expect(api.requests).toHaveLength(1)
})

test('a right that is lost after the start: exit code 5, never 2', async () => {
  await using api = await restStub((request) => {
    if (isStart(request)) return started([{ taskId: REPORT, taskName: 'Report', status: 'queued', queueId: QUEUED }])
    return isCheck(request) ? UNKNOWN : FORBIDDEN
  })
  const io = heard()
  expect(await runStartTask([ETL, REPORT], optionsFor(api.url, { wait: 5 }), io)).toBe(5)
  expect(io.stderr()).toMatch(/the tasks were started, but cannot be followed: Forbidden/)
  expect(io.stdout()).toMatch(/^started {3}Sales ETL hourly {2}\(what became of it is not known\)$/m)
  expect(io.stdout()).toMatch(/^queued {4}Report$/m)
  expect(api.requests.filter(isStart)).toHaveLength(1)
})

test('a script log that may not be read costs nothing but itself', async () => {
  await using api = await restStub((request) => {
    if (isStart(request)) return started()
    if (isCheck(request)) return UNKNOWN
    return request.path.includes('/log') ? FORBIDDEN : view(RUN, 'finished', { outcome: 'failed' })
  })
  const io = heard()
  expect(await runStartTask([ETL], optionsFor(api.url, { wait: 5, log: true }), io)).toBe(4)
  expect(io.stdout()).toMatch(/\(the script log cannot be read: Forbidden/)
})

test('when time is over each selected task has a last line, and their number is told', async () => {
  await using api = await restStub((request) => {
    if (isStart(request)) return started([{ taskId: REPORT, taskName: 'Report', status: 'queued', queueId: QUEUED }])
    if (isCheck(request)) return UNKNOWN
    return request.path.includes(RUN) ? view(RUN, 'running') : view(QUEUED, 'queued', { statusText: 'InStartQueue' })
  })
  const io = heard()
  expect(await runStartTask([ETL, REPORT], optionsFor(api.url, { wait: 0 }), io)).toBe(5)
  expect(io.stdout().split('\n').slice(2)).toEqual([
    'running   Sales ETL hourly',
    'queued    Report',
    'time over: 2 still queued or running',
  ])
})
