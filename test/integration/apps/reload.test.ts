import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import type { TestSite } from '../../support/simulator.ts'
import { until } from '../../support/wait.ts'
import {
  APP,
  HR_DAILY,
  INVENTORY,
  NO_APP,
  RND_WEEKLY,
  SALES_DASHBOARD,
  setApp,
  startApps,
  startAppsSite,
  startedTasks,
  type TestApps,
} from './support.ts'

const LISTS = { startQSEoWTaskOnSuccess: [HR_DAILY], startQSEoWTaskOnFailure: [RND_WEEKLY] }

let site: TestSite
let apps: TestApps

beforeAll(async () => {
  site = await startAppsSite()
  apps = await startApps(site)
})
afterEach(() => {
  site.simulator.reset()
  site.simulator.clearRequests()
})
afterAll(async () => {
  await apps?.stop()
  await site?.[Symbol.asyncDispose]()
})

const quick = (appId: string, error?: string) =>
  setApp(site, appId, { durationMs: 60, ...(error !== undefined && { error }) })

describe('a reload', () => {
  test('is answered when the app is open, and its execution can be followed', async () => {
    quick(SALES_DASHBOARD)
    const answer = await apps.reload(SALES_DASHBOARD, { reloadMode: 0, partialReload: false })
    expect(answer.status).toBe(201)
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8')
    const body = JSON.parse(answer.body) as { executionId: string }
    expect(Object.entries(body)).toEqual([
      ['appId', SALES_DASHBOARD],
      ['executionId', expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)],
    ])
    expect(apps.reloads.get(body.executionId)).toMatchObject({ state: 'running', outcome: null, stoppedAt: null })
    expect(await apps.reloaded(answer)).toMatchObject({
      kind: 'appReload',
      appId: SALES_DASHBOARD,
      appName: 'Sales Dashboard',
      actor: '127.0.0.1',
      state: 'finished',
      outcome: 'success',
      error: null,
      stoppedAt: expect.any(Number),
    })
    expect(apps.log.of('verbose')).toContain(`APPRELOAD: Reloading app: ${SALES_DASHBOARD}`)
    expect(apps.log.of('verbose')).toContain(
      `APPRELOAD: Starting reload of app ${SALES_DASHBOARD} on host 127.0.0.1, engine version is 12.2027.0.`,
    )
  })

  test('is saved and starts the tasks for success, those alone', async () => {
    const app = quick(SALES_DASHBOARD)
    const before = app.lastReloadTime
    const ended = await apps.reloaded(await apps.reload(SALES_DASHBOARD, LISTS))
    expect(ended.outcome).toBe('success')
    expect(app.lastReloadTime).toBeGreaterThan(before)
    expect(startedTasks(site)).toEqual([HR_DAILY])
    expect(apps.log.of('verbose')).toContain(
      `APPRELOAD: Starting task ${HR_DAILY} after reloading success of ${SALES_DASHBOARD} on host 127.0.0.1`,
    )
  })

  test('that fails says why, is not saved and starts the tasks for failure', async () => {
    const app = quick(SALES_DASHBOARD, "Cannot open file: 'lib://ERP/orders.qvd'")
    const before = app.lastReloadTime
    const ended = await apps.reloaded(await apps.reload(SALES_DASHBOARD, LISTS))
    expect(ended).toMatchObject({ outcome: 'failed', error: "Cannot open file: 'lib://ERP/orders.qvd'" })
    expect(ended.scriptLogFile).toContain(SALES_DASHBOARD)
    expect(app.lastReloadTime).toBe(before)
    expect(startedTasks(site)).toEqual([RND_WEEKLY])
    expect(apps.log.of('warn').join('\n')).toContain(`APPRELOAD: Reload failure of app ${SALES_DASHBOARD}`)
  })

  test('that ignores script errors succeeds', async () => {
    quick(SALES_DASHBOARD, 'Cannot open file')
    expect((await apps.reloaded(await apps.reload(SALES_DASHBOARD, { reloadMode: 2 }))).outcome).toBe('success')
  })

  test('tells its progress, table by table', async () => {
    setApp(site, INVENTORY, { durationMs: 300 })
    const answer = await apps.reload(INVENTORY)
    const { executionId } = JSON.parse(answer.body) as { executionId: string }
    await until(() => apps.reloads.get(executionId)?.progress.endsWith('lines so far'))
    const { details } = await apps.reloaded(answer)
    expect(details.map(({ message }) => message)).toEqual([
      'Warehouses',
      '12 lines fetched',
      'Stock',
      '600 lines fetched',
      'Movements',
      '1,250 lines fetched',
    ])
  })

  test('can be partial, with values as load scripts send them', async () => {
    quick(INVENTORY)
    const body = {
      partialReload: 'true',
      reloadMode: '0',
      startQSEoWTaskOnSuccess: HR_DAILY,
      startQSEoWTaskOnFailure: '',
    }
    const ended = await apps.reloaded(
      await apps.send('POST', `/v4/app/${INVENTORY}/reload`, body, { 'X-HTTP-Method-Override': 'PUT' }),
    )
    expect(ended).toMatchObject({ partial: true, outcome: 'success' })
    expect(ended.details.map(({ message }) => message)).not.toContain('Warehouses')
    expect(startedTasks(site)).toEqual([HR_DAILY])
  })

  test('warns about a mode that does not exist and uses 0', async () => {
    quick(SALES_DASHBOARD)
    await apps.reloaded(await apps.reload(SALES_DASHBOARD, { reloadMode: 7 }))
    expect(apps.log.of('warn')).toContain('APPRELOAD: There is no reload mode 7, using 0')
  })

  test('comes over a session of its own on the path of the app', async () => {
    quick(SALES_DASHBOARD)
    const { executionId } = await apps.reloaded(await apps.reload(SALES_DASHBOARD))
    const [request] = site.simulator.requests({ listener: 'engine' })
    expect(request?.path).toBe(`/app/${SALES_DASHBOARD}/identity/${executionId}`)
    expect(request?.clientSubject).toBe('CN=QlikClient')
  })

  test('starts no task that the filter denies, and says so in the answer', async () => {
    quick(SALES_DASHBOARD)
    const strict = await startApps(site, { denied: [HR_DAILY] })
    const answer = await strict.reload(SALES_DASHBOARD, { startQSEoWTaskOnSuccess: [HR_DAILY, RND_WEEKLY] })
    expect(JSON.parse(answer.body)).toMatchObject({ tasksDenied: [{ taskId: HR_DAILY }] })
    await strict.reloaded(answer)
    await strict.stop()
    expect(startedTasks(site)).toEqual([RND_WEEKLY])
    expect(strict.log.of('warn')).toContain(`APPRELOAD: Task ID is not allowed: ${HR_DAILY}`)
  })

  test('goes on when the filter cannot be asked yet', async () => {
    quick(SALES_DASHBOARD)
    const unsure = await startApps(site, { deniedTasks: () => Promise.reject(new Error('QRS is down')) })
    const answer = await unsure.reload(SALES_DASHBOARD, LISTS)
    await unsure.reloaded(answer)
    await unsure.stop()
    expect(answer.status).toBe(201)
    expect(answer.body).not.toContain('tasksDenied')
    expect(startedTasks(site)).toEqual([HR_DAILY])
  })

  test('awaits the tasks that follow, until QRS is back', async () => {
    quick(SALES_DASHBOARD)
    const patient = await startApps(site, { reload: { followUpRetryMs: [20, 20, 20, 20, 20, 20] } })
    site.simulator.fault({ listener: 'qrs', mode: 'status', args: [503], times: 4 })
    const ended = await patient.reloaded(await patient.reload(SALES_DASHBOARD, LISTS))
    await patient.stop()
    expect(ended.outcome).toBe('success')
    expect(startedTasks(site)).toEqual([HR_DAILY])
    expect(patient.log.of('warn').join('\n')).toContain(
      `APPRELOAD: The tasks after the reload of ${SALES_DASHBOARD} are tried again in 20 ms`,
    )
  })

  test('tells which of the tasks that follow were not started', async () => {
    quick(SALES_DASHBOARD)
    const ended = await apps.reloaded(await apps.reload(SALES_DASHBOARD, { startQSEoWTaskOnSuccess: [NO_APP] }))
    expect(ended.outcome).toBe('success')
    expect(ended.details.at(-1)).toMatchObject({
      level: 'warn',
      message: `Task ${NO_APP} was not started: it does not exist`,
    })
  })
})

describe('a reload that goes wrong', () => {
  test('because another one runs has failed', async () => {
    setApp(site, APP(4), { durationMs: 400 })
    // Two sessions at once need two users.
    const other = await startApps(site, {
      engine: { headers: [{ name: 'X-Qlik-User', value: 'UserDirectory=LAB;UserId=carla' }] },
    })
    const first = await other.reload(APP(4))
    const second = await apps.reloaded(await apps.reload(APP(4), LISTS))
    expect(second).toMatchObject({ outcome: 'failed', error: expect.stringContaining('(engine error 11000)') })
    expect(startedTasks(site)).toEqual([RND_WEEKLY])
    expect((await other.reloaded(first)).outcome).toBe('success')
    await other.stop()
  })

  test('because the engine was lost in the middle has failed', async () => {
    const app = quick(SALES_DASHBOARD)
    const before = app.lastReloadTime
    site.simulator.fault({ listener: 'engine', mode: 'close-mid-reload', times: 1 })
    const ended = await apps.reloaded(await apps.reload(SALES_DASHBOARD, LISTS))
    expect(ended).toMatchObject({ outcome: 'failed', error: expect.stringContaining('code 1006') })
    expect(startedTasks(site)).toEqual([RND_WEEKLY])
    expect(app.lastReloadTime).toBe(before)
    expect(apps.log.of('error').at(-1)).toStartWith(
      `APPRELOAD: Failed reloading app ${SALES_DASHBOARD} on host 127.0.0.1, error: `,
    )
  })

  test('because it cannot be saved has failed', async () => {
    quick(SALES_DASHBOARD)
    site.simulator.fault({ listener: 'engine', mode: 'engine-error', args: [1005, 'App save failed', 'DoSave'] })
    const ended = await apps.reloaded(await apps.reload(SALES_DASHBOARD, LISTS))
    expect(ended).toMatchObject({ outcome: 'failed', error: expect.stringContaining('App save failed') })
    expect(startedTasks(site)).toEqual([RND_WEEKLY])
  })

  test('when Footman stops has an unknown outcome, starts nothing and leaves no session open', async () => {
    const app = setApp(site, SALES_DASHBOARD, { durationMs: 60_000 })
    const before = app.lastReloadTime
    const stopped = await startApps(site)
    const answer = await stopped.reload(SALES_DASHBOARD, LISTS)
    await stopped.stop()
    expect(await stopped.reloaded(answer)).toMatchObject({ state: 'finished', outcome: 'unknown' })
    expect(startedTasks(site)).toEqual([])
    expect(app.lastReloadTime).toBe(before)
    quick(SALES_DASHBOARD)
    expect((await apps.reloaded(await apps.reload(SALES_DASHBOARD))).outcome).toBe('success')
  })
})

describe('a reload that is not begun', () => {
  const failed = (status: number, error: string, message: string, details?: unknown) => ({
    statusCode: status,
    error,
    message,
    ...(details !== undefined && { details }),
  })
  const invalid = (message: string) => ({
    statusCode: 400,
    code: 'FST_ERR_VALIDATION',
    error: 'Bad Request',
    message,
  })
  const cases: { name: string; appId?: string; body?: unknown; fault?: [string, unknown[]]; answer: object }[] = [
    {
      name: 'for an unknown app',
      appId: NO_APP,
      answer: failed(422, 'Unprocessable Entity', 'Failed reloading app', 'App not found'),
    },
    { name: 'without an id', appId: '', answer: failed(400, 'Bad Request', 'Required parameter (app ID) missing') },
    {
      name: 'for an id with a path in it',
      appId: '..%2Fapp%2Fx',
      answer: failed(422, 'Unprocessable Entity', 'Failed reloading app', 'App not found'),
    },
    {
      name: 'with a task id that is none',
      body: { startQSEoWTaskOnSuccess: ['../app/x/copy?name=pwn#'] },
      answer: failed(400, 'Bad Request', 'Invalid task ID format', '"../app/x/copy?name=pwn#" is not a GUID'),
    },
    {
      name: 'with a mode that is no number',
      body: { reloadMode: 'fast' },
      answer: invalid('body/reloadMode must be integer'),
    },
    {
      name: 'with a mode that is not whole',
      body: { reloadMode: 1.5 },
      answer: invalid('body/reloadMode must be integer'),
    },
    {
      name: 'with a wish that is no boolean',
      body: { partialReload: 'yes' },
      answer: invalid('body/partialReload must be boolean'),
    },
    {
      name: 'with an object in place of a list',
      body: { startQSEoWTaskOnSuccess: {} },
      answer: invalid('body/startQSEoWTaskOnSuccess must be array'),
    },
    { name: 'with an array as body', body: [], answer: invalid('body must be object') },
    {
      name: 'when the engine refuses the connection',
      fault: ['status', [503]],
      answer: failed(502, 'Bad Gateway', 'Failed reloading app', expect.stringContaining('HTTP 503')),
    },
    {
      name: 'when the engine stays silent',
      fault: ['hang', []],
      answer: failed(
        504,
        'Gateway Timeout',
        'Failed reloading app',
        expect.stringContaining('no session within 300 ms'),
      ),
    },
    {
      name: 'when there is no room for the session',
      fault: ['session-limit', []],
      answer: failed(
        502,
        'Bad Gateway',
        'Failed reloading app',
        expect.stringContaining('SESSION_ERROR_LIMIT_EXCEEDED'),
      ),
    },
  ]
  for (const { name, appId = SALES_DASHBOARD, body = {}, fault, answer } of cases) {
    test(name, async () => {
      const impatient = await startApps(site, { engine: { connectTimeoutMs: fault?.[0] === 'hang' ? 300 : 10_000 } })
      if (fault) site.simulator.fault({ listener: 'engine', mode: fault[0], args: fault[1] })
      const got = await impatient.reload(appId, body)
      await impatient.stop()
      const parsed = JSON.parse(got.body) as { statusCode: number }
      expect(parsed).toEqual(answer as typeof parsed)
      expect(Object.keys(parsed)).toEqual(Object.keys(answer))
      expect(got.status).toBe(parsed.statusCode)
      expect(startedTasks(site)).toEqual([])
    })
  }

  test('without a body', async () => {
    const got = await apps.send('PUT', `/v4/app/${SALES_DASHBOARD}/reload`)
    expect(got.status).toBe(400)
    expect(JSON.parse(got.body)).toEqual(invalid('body must be object'))
  })

  test('in shadow mode', async () => {
    const shadow = await startApps(site, { shadow: true })
    const got = await shadow.reload(SALES_DASHBOARD, LISTS)
    await shadow.stop()
    expect(got.status).toBe(409)
    expect(JSON.parse(got.body)).toMatchObject({ code: 'SHADOW_MODE' })
    expect(site.simulator.requests({ listener: 'engine' })).toEqual([])
  })
})
