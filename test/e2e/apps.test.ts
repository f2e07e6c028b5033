/** List, dump and reload of apps, through the compiled executable. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { type Footman, footman } from '../support/footman.ts'
import { largeApp, SHEET_BYTES } from '../support/large-app.ts'
import { rawBytes } from '../support/raw-http.ts'
import { scriptedEngine } from '../support/scripted-engine.ts'
import { REPOSITORY_USER, startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

const SALES_DASHBOARD = 'a1000000-0000-4000-8000-000000000002'
const INVENTORY = 'a1000000-0000-4000-8000-000000000008'
const NO_APP = '11111111-2222-3333-4444-555555555555'
const HR_DAILY = '70000000-0000-4000-8000-000000000003'
const RND_WEEKLY = '70000000-0000-4000-8000-000000000004'

const ALL_ON = { senseListApps: true, senseAppDump: true, senseAppReload: true }

const startedTasks = ({ simulator }: TestSite) =>
  simulator
    .requests({ listener: 'qrs' })
    .flatMap(({ method, path }) => (method === 'POST' ? (/task\/([0-9a-f-]{36})\/start/.exec(path)?.[1] ?? []) : []))

async function startFootman(
  site: TestSite,
  config: Record<string, unknown> = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Footman> {
  const product = await footman({
    simulator: site.simulator,
    env,
    config: {
      configEngine: {
        engineVersion: '12.612.0',
        host: '127.0.0.1',
        port: site.simulator.ports.engine,
        useSSL: true,
        rejectUnauthorized: true,
        headers: { static: [{ name: 'X-Qlik-User', value: REPOSITORY_USER }] },
      },
      restServerEndpointsEnable: ALL_ON,
      ...config,
    },
  })
  await product.start()
  return product
}

describe('apps over REST', () => {
  let site: TestSite
  let product: Footman

  beforeAll(async () => {
    // A session that is left open makes the next call fail.
    site = await startSite({ engine: { maxSessionsPerUser: 1 } })
    product = await startFootman(site, {
      startTaskFilter: { enable: true, allowTask: { taskId: [HR_DAILY], tag: null, customProperty: null } },
    })
  }, 90_000)
  afterEach(() => {
    site.simulator.reset()
    site.simulator.clearRequests()
  })
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  function quick(appId: string, error: string | null = null) {
    const app = site.simulator.site.apps.get(appId)!
    app.reloadDurationMs = 60
    app.scriptError = error
    return app
  }

  test('both addresses of the list answer the apps', async () => {
    const [first, second] = [await product.call('GET', '/v4/apps/list'), await product.call('GET', '/v4/senselistapps')]
    expect(first.status).toBe(200)
    const list = (await first.json()) as unknown[]
    expect(list).toHaveLength(site.simulator.site.apps.size)
    expect(list).toContainEqual({ id: SALES_DASHBOARD, name: 'Sales Dashboard' })
    expect(await second.json()).toEqual(list)
  })

  test('both addresses of the dump answer the same bytes, at little cost of memory', async () => {
    const before = residentKilobytes(product.process.pid)
    const first = await (await product.call('GET', `/v4/app/${SALES_DASHBOARD}/dump`)).text()
    const second = await (await product.call('GET', `/v4/senseappdump/${SALES_DASHBOARD}`)).text()
    expect(residentKilobytes(product.process.pid) - before).toBeLessThan(100 * 1024)
    expect(second).toBe(first)
    expect(JSON.parse(first)).toMatchObject({
      properties: { qTitle: 'Sales Dashboard' },
      sheets: ['Overview', 'Details', 'Charts'].map((title) => ({ qProperty: { qMetaDef: { title } } })),
      appId: SALES_DASHBOARD,
    })
  })

  test('an unknown app is neither dumped nor reloaded', async () => {
    const dump = await product.call('GET', `/v4/app/${NO_APP}/dump`)
    expect(dump.status).toBe(422)
    expect(await dump.json()).toEqual({
      statusCode: 422,
      error: 'Unprocessable Entity',
      message: 'Failed dumping app',
      details: 'App not found',
    })
    const reload = await product.call('PUT', `/v4/app/${NO_APP}/reload`, {})
    expect(reload.status).toBe(422)
  })

  test('a load script reloads an app and starts the next task', async () => {
    const app = quick(INVENTORY)
    const before = app.lastReloadTime
    const body = `{"partialReload":"true", "reloadMode":0, "startQSEoWTaskOnSuccess":["${HR_DAILY}"], "startQSEoWTaskOnFailure":[]}`
    const answer = await rawBytes(
      product.restPort,
      [
        `POST /v4/app/${INVENTORY}/reload HTTP/1.1`,
        'Host: 127.0.0.1',
        'Content-Type: application/json',
        'X-HTTP-Method-Override: PUT',
        'Expect: 100-continue',
        'Connection: close',
        `Content-Length: ${body.length}`,
        '',
        body,
      ].join('\r\n'),
    )
    expect(answer.status).toBe(201)
    expect(JSON.parse(answer.body)).toEqual({
      appId: INVENTORY,
      executionId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
    await until(() => startedTasks(site).includes(HR_DAILY), { what: 'the task that follows' })
    expect(app.lastReloadTime).toBeGreaterThan(before)
  })

  test('a failed reload starts the other tasks, as far as the filter allows it', async () => {
    quick(SALES_DASHBOARD, 'Cannot open file')
    const answer = await product.call('PUT', `/v4/app/${SALES_DASHBOARD}/reload`, {
      startQSEoWTaskOnFailure: [RND_WEEKLY, HR_DAILY],
    })
    expect(answer.status).toBe(201)
    expect(await answer.json()).toMatchObject({ appId: SALES_DASHBOARD, tasksDenied: [{ taskId: RND_WEEKLY }] })
    await until(() => startedTasks(site).includes(HR_DAILY), { what: 'the task that follows' })
    expect(startedTasks(site)).toEqual([HR_DAILY])
  })

  test('a task id that is none reloads nothing', async () => {
    const answer = await product.call('PUT', `/v4/app/${SALES_DASHBOARD}/reload`, {
      startQSEoWTaskOnSuccess: ['../app/x/copy?name=pwn#'],
    })
    expect(answer.status).toBe(400)
    expect(await answer.json()).toMatchObject({ message: 'Invalid task ID format' })
    expect(site.simulator.requests({ listener: 'engine' })).toEqual([])
  })

  test('an engine that is down is told', async () => {
    site.simulator.fault({ listener: 'engine', mode: 'status', args: [503] })
    const calls = [
      ['GET', '/v4/apps/list', 'Failed getting list of Sense apps'],
      ['GET', `/v4/app/${SALES_DASHBOARD}/dump`, 'Failed dumping app'],
      ['PUT', `/v4/app/${SALES_DASHBOARD}/reload`, 'Failed reloading app'],
    ] as const
    for (const [method, path, message] of calls) {
      const answer = await product.call(method, path, method === 'PUT' ? {} : undefined)
      expect(answer.status).toBe(502)
      expect(await answer.json()).toMatchObject({ error: 'Bad Gateway', message })
    }
  })
})

test('stopping in the middle of a reload ends in time, starts nothing and saves nothing', async () => {
  await using site = await startSite()
  await using product = await startFootman(site)
  const app = site.simulator.site.apps.get(SALES_DASHBOARD)!
  app.reloadDurationMs = 120_000
  const before = app.lastReloadTime
  const answer = await product.call('PUT', `/v4/app/${SALES_DASHBOARD}/reload`, {
    startQSEoWTaskOnSuccess: [HR_DAILY],
    startQSEoWTaskOnFailure: [RND_WEEKLY],
  })
  expect(answer.status).toBe(201)
  expect(await product.process.stop(10_000)).toBe(0)
  expect(startedTasks(site)).toEqual([])
  expect(app.lastReloadTime).toBe(before)
}, 90_000)

test('a dump of 200 MB needs less than 80 MB of memory, and no session stays open', async () => {
  const sheets = 4000
  await using engine = await scriptedEngine({ answer: largeApp(sheets) })
  await using site = await startSite()
  await using product = await startFootman(
    site,
    { configEngine: { host: '127.0.0.1', port: engine.port, useSSL: false } },
    // The check would hold the whole answer.
    { FOOTMAN_CHECK_ANSWERS: '0' },
  )
  const { pid } = product.process
  const before = residentKilobytes(pid)
  let most = before
  let bytes = 0
  const answer = await product.call('GET', '/v4/app/large/dump')
  expect(answer.status).toBe(200)
  for await (const chunk of answer.body!) {
    bytes += chunk.length
    most = Math.max(most, residentKilobytes(pid))
  }
  expect(bytes).toBeGreaterThan(sheets * SHEET_BYTES)
  expect(most - before).toBeLessThan(80 * 1024)
  await until(() => engine.open === 0, { what: 'the end of the session' })
}, 60_000)

test('endpoints that are switched off do not exist', async () => {
  await using site = await startSite()
  await using product = await startFootman(site, {
    restServerEndpointsEnable: { senseListApps: false, senseAppDump: false, senseAppReload: false },
  })
  const paths = ['/v4/apps/list', '/v4/senselistapps', `/v4/app/${NO_APP}/dump`, `/v4/senseappdump/${NO_APP}`]
  for (const path of paths) {
    const answer = await product.call('GET', path)
    expect(answer.status).toBe(404)
    expect(await answer.json()).toEqual({ message: `Route GET:${path} not found`, error: 'Not Found', statusCode: 404 })
  }
  expect((await product.call('PUT', `/v4/app/${NO_APP}/reload`, {})).status).toBe(404)
}, 90_000)

/** Memory of a process as Linux reports it; 0 elsewhere. */
function residentKilobytes(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
