/** The worked guides of docs/, step by step, with the calls as the Qlik REST connector sends them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { parse } from 'yaml'
import { type Footman, footman } from '../support/footman.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const INVENTORY = 'a1000000-0000-4000-8000-000000000008'
const NO_APP = '11111111-2222-3333-4444-555555555555'
const DASHBOARD = 'a8b4c123-def4-5678-9abc-def012345678'
const SALES_ETL = '70000000-0000-4000-8000-000000000001'
const HR_DAILY = '70000000-0000-4000-8000-000000000003'
const RND_WEEKLY = '70000000-0000-4000-8000-000000000004'

let site: TestSite
let product: Footman

beforeAll(async () => {
  site = await startSite({ engine: { maxSessionsPerUser: 1 } })
  product = await footman({
    simulator: site.simulator,
    config: {
      configEngine: {
        engineVersion: '12.612.0',
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        rejectUnauthorized: true,
        headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
      },
      restServerEndpointsEnable: {
        keyValueStore: true,
        senseStartTask: true,
        senseAppReload: true,
        fileCopy: true,
        fileMove: true,
        fileDelete: true,
        createDir: true,
        scheduler: {
          createNewSchedule: true,
          getSchedule: true,
          updateSchedule: true,
          startSchedule: true,
          stopSchedule: true,
          getScheduleStatusAll: true,
          deleteSchedule: true,
        },
      },
      scheduler: { enable: true, configfile: 'schedule.yaml' },
      footman: { calendars: { 'holidays-se': { dates: ['2026-12-24', '2026-12-25'] } } },
      // Relative to the folder in which it runs.
      fileCopyApprovedDirectories: [{ fromDirectory: 'qvd', toDirectory: 'qvd_archive' }],
      fileMoveApprovedDirectories: [{ fromDirectory: 'landing', toDirectory: 'qvd' }],
      fileDeleteApprovedDirectories: ['qvd_archive'],
    },
  })
  await product.start()
}, 90_000)
afterEach(() => {
  site.simulator.reset()
  site.simulator.clearRequests()
})
afterAll(async () => {
  await product?.[Symbol.asyncDispose]()
  await site?.[Symbol.asyncDispose]()
})

/** `override` empty = a plain POST. */
async function post(override: string, path: string, body: string) {
  const headers = { ...(override && { 'X-HTTP-Method-Override': override }), 'content-type': 'application/json' }
  const answer = await fetch(`http://127.0.0.1:${product.restPort}${path}`, { method: 'POST', headers, body })
  const text = await answer.text()
  return { status: answer.status, body: text === '' ? null : JSON.parse(text) }
}

async function get(path: string) {
  const answer = await product.call('GET', path)
  return { status: answer.status, body: JSON.parse(await answer.text()) }
}

const startedTasks = (): string[] =>
  site.simulator
    .requests({ listener: 'qrs' })
    .flatMap(({ method, path }) => (method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : []))

describe('a reload chain with parameters (docs/start-tasks.md#chain-reloads-with-parameters)', () => {
  const NAMESPACE = '/v4/keyvalues/Reload%20chain%20parameter%20demo'
  const PAIR = { namespace: 'Reload chain parameter demo', key: 'Parameter 1', value: 'a1 abc 123' }

  test('the connection is set up with a pair that goes by itself', async () => {
    const { status, body } = await post('', '/v4/keyvalues/setup', '{"key":"abc","value":"123","ttl":"5000"}')
    expect([status, body.ttl]).toEqual([201, 5000])
    const gone = async () => (await get('/v4/keyvalues/setup?key=abc')).status === 400
    await until(gone, { timeout: 15_000 })
  }, 90_000)

  test('app 1 leaves a parameter, app 2 reads it, also after Footman was killed', async () => {
    expect(await post('', NAMESPACE, '{"key": "Parameter 1", "value": "a1 abc 123"}')).toEqual({
      status: 201,
      body: { ...PAIR, ttl: 0 },
    })
    for (const key of ['Parameter%201', 'Parameter+1']) {
      expect(await get(`${NAMESPACE}?key=${key}`)).toEqual({ status: 200, body: PAIR })
    }
    await product.process.kill9()
    await product.start()
    expect(await get(`${NAMESPACE}?key=Parameter%201`)).toEqual({ status: 200, body: PAIR })
  }, 90_000)

  test('app 1 starts the task of app 2 and hands it the parameter in one call', async () => {
    const item = { namespace: 'Reload chain parameter demo', key: 'Parameter 2', value: 'b2', ttl: '30000' }
    const body = JSON.stringify([{ type: 'keyvaluestore', payload: item }])
    const { status, body: answer } = await post('PUT', `/v4/reloadtask/${SALES_ETL}/start`, body)
    expect(status).toBe(200)
    expect(answer.tasksId.started).toEqual([expect.objectContaining({ taskId: SALES_ETL })])
    expect((await get(`${NAMESPACE}?key=Parameter%202`)).body.value).toBe('b2')
  })

  test('with Null() as task id the tables alone select the tasks', async () => {
    const body = JSON.stringify([HR_DAILY, RND_WEEKLY].map((taskId) => ({ type: 'starttaskid', payload: { taskId } })))
    const { status } = await post('PUT', '/v4/reloadtask//start', body)
    expect([status, startedTasks().sort()]).toEqual([200, [HR_DAILY, RND_WEEKLY]])
  })

  test('app 2 clears up', async () => {
    expect((await post('DELETE', NAMESPACE, '{"key":"abc","value":"123","ttl":"5000"}')).status).toBe(204)
    expect((await get('/v4/keyvaluesnamespaces')).body).not.toContain('Reload chain parameter demo')
  })
})

describe('partial loads (docs/start-tasks.md#reload-a-part-of-an-app)', () => {
  /** As the sub ReloadSenseApp sends it. */
  const reload = (appId: string, partial: string, mode = '0', success = '[]', failure = '[]') =>
    post(
      'PUT',
      `/v4/app/${appId}/reload`,
      `{"partialReload":"${partial}", "reloadMode":${mode}, "startQSEoWTaskOnSuccess":${success}, "startQSEoWTaskOnFailure":${failure}}`,
    )

  function inventory(error: string | null = null) {
    const app = site.simulator.site.apps.get(INVENTORY)!
    app.reloadDurationMs = 60
    app.scriptError = error
    return app
  }

  /** Messages of a reload, once it has ended. */
  async function ended(executionId: string) {
    const { body } = await get(`/v4/execution/${executionId}?wait=20`)
    return { outcome: body.outcome, messages: body.details.map(({ message }: { message: string }) => message) }
  }

  test('a whole reload loads every table, a partial one only those with a prefix', async () => {
    const app = inventory()
    const before = app.lastReloadTime
    const whole = await reload(INVENTORY, 'false')
    expect(whole).toEqual({ status: 201, body: { appId: INVENTORY, executionId: expect.any(String) } })
    const first = await ended(whole.body.executionId)
    expect([first.outcome, first.messages.includes('Warehouses'), first.messages.includes('Movements')]).toEqual([
      'success',
      true,
      true,
    ])
    const partial = await reload(INVENTORY, 'true')
    const second = await ended(partial.body.executionId)
    expect([second.outcome, second.messages.includes('Warehouses'), second.messages.includes('Movements')]).toEqual([
      'success',
      false,
      true,
    ])
    expect(app.lastReloadTime).toBeGreaterThan(before)
  }, 90_000)

  test('the answer comes when the app is open, not when it is reloaded', async () => {
    inventory().reloadDurationMs = 2000
    const began = site.simulator.site.apps.get(INVENTORY)!.lastReloadTime
    const { status, body } = await reload(INVENTORY, 'true')
    expect([status, site.simulator.site.apps.get(INVENTORY)!.lastReloadTime]).toEqual([201, began])
    expect((await ended(body.executionId)).outcome).toBe('success')
  }, 90_000)

  test('the tasks for success, or those for failure, follow', async () => {
    const both = [`["${HR_DAILY}"]`, `["${RND_WEEKLY}"]`] as const
    inventory()
    const good = await reload(INVENTORY, 'true', '0', ...both)
    expect((await ended(good.body.executionId)).outcome).toBe('success')
    await until(() => startedTasks().length === 1)
    inventory('Cannot open file')
    const bad = await reload(INVENTORY, 'true', '0', ...both)
    expect((await ended(bad.body.executionId)).outcome).toBe('failed')
    await until(() => startedTasks().length === 2)
    expect(startedTasks()).toEqual([HR_DAILY, RND_WEEKLY])
  }, 90_000)

  test.each(['0', '1', '2', '7'])(
    'mode %s',
    async (mode) => {
      inventory()
      const { status, body } = await reload(INVENTORY, 'false', mode)
      expect([status, (await ended(body.executionId)).outcome]).toEqual([201, 'success'])
    },
    30_000,
  )

  test('an app that is not there', async () => {
    expect((await reload(NO_APP, 'true')).status).toBe(422)
  })
})

test('publishing a file in one step (docs/load-scripts.md#file-operations)', async () => {
  const at = (path: string) => product.directory.join(path)
  const copied = () => existsSync(at('qvd_archive/2026-03-02/sales.qvd'))
  for (const [directory, content] of [
    ['landing', 'new'],
    ['qvd', 'old'],
    ['qvd_archive/2026-02-23', 'oldest'],
  ] as const) {
    mkdirSync(at(directory), { recursive: true })
    writeFileSync(at(`${directory}/sales.qvd`), content)
  }
  const day = JSON.stringify({ directory: 'qvd_archive/2026-03-02' })
  expect((await post('', '/v4/createdir', day)).status).toBe(201)
  const copy = { fromFile: 'qvd/sales.qvd', toFile: 'qvd_archive/2026-03-02/sales.qvd' }
  const flags = { overwrite: 'true', preserveTimestamp: 'true' }
  expect((await post('PUT', '/v4/filecopy', JSON.stringify({ ...copy, ...flags }))).status).toBe(201)
  expect([copied(), readFileSync(at('qvd/sales.qvd'), 'utf8')]).toEqual([true, 'old'])
  const move = { fromFile: 'landing/sales.qvd', toFile: 'qvd/sales.qvd', overwrite: 'true' }
  expect((await post('PUT', '/v4/filemove', JSON.stringify(move))).status).toBe(201)
  expect([existsSync(at('landing/sales.qvd')), readFileSync(at('qvd/sales.qvd'), 'utf8')]).toEqual([false, 'new'])
  const remove = JSON.stringify({ deleteFile: 'qvd_archive/2026-02-23/sales.qvd' })
  expect((await post('DELETE', '/v4/filedelete', remove)).status).toBe(204)
  expect(readFileSync(at('qvd_archive/2026-03-02/sales.qvd'), 'utf8')).toBe('old')
})

test('a schedule from the first look to its changes (docs/schedules.md)', async () => {
  const times = { cronSchedule: '0 6 * * 1-5', timezone: 'Europe/Stockholm', notOn: ['holidays-se'] }
  const { status, body: preview } = await post('', '/v4/schedules/preview', JSON.stringify({ ...times, count: 3 }))
  expect([status, preview.text]).toEqual([200, 'at 06:00, Monday to Friday (Europe/Stockholm)'])
  expect(preview.next).toHaveLength(3)

  const wanted = { name: 'Sales ETL on working days', ...times, qlikSenseTaskId: DASHBOARD, startupState: 'started' }
  const made = await post('', '/v4/schedules', JSON.stringify(wanted))
  expect(made).toMatchObject({ status: 201, body: { ...wanted, lastKnownState: 'started' } })
  const own = `/v4/schedules/${made.body.id}`
  const shown = async () => (await get(`/v4/schedules?id=${made.body.id}`)).body[0]
  expect(preview.next).toContain((await shown()).nextRun)

  const { runId } = (await post('', `${own}/run`, '')).body
  const ended = async () =>
    (await get(`${own}/runs`)).body.runs.find((run: { state: string }) => run.state === 'finished')
  expect(await until(ended, { timeout: 30_000 })).toMatchObject({ runId, trigger: 'manual', outcome: 'success' })

  expect((await post('PUT', `${own}/stop`, '')).body).toMatchObject([{ lastKnownState: 'stopped' }])
  await product.process.kill9()
  await product.start()
  expect((await shown()).nextRun).toBeUndefined()
  expect((await post('PUT', own, '{"cronSchedule": "30 6 * * 1-5"}')).status).toBe(200)
  expect((await post('PUT', `${own}/start`, '')).body).toMatchObject([{ lastKnownState: 'started' }])
  expect((await shown()).nextRun).toMatch(/:30:00\.000Z$/)
  expect(parse(readFileSync(product.directory.join('schedule.yaml'), 'utf8'))).toEqual({
    butlerSchedule: [{ ...made.body, cronSchedule: '30 6 * * 1-5', lastKnownState: 'started' }],
  })
}, 60_000)
