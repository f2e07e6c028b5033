/** Starting tasks from outside, through the compiled executable. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { connectAsync } from 'mqtt'
import { type Footman, footman } from '../support/footman.ts'
import { startMosquitto } from '../support/mosquitto.ts'
import { needs } from '../support/servers.ts'
import { startSite, type TestSite } from '../support/simulator.ts'
import { until } from '../support/wait.ts'

needs('mosquitto')

const FINANCIAL = 'a8b4c123-def4-5678-9abc-def012345678'
/** Acme's task Sales ETL. */
const OTHER = '70000000-0000-4000-8000-000000000001'
const HOURLY = 'hourly-reload'

interface Started {
  readonly tasksStarted: readonly { readonly taskId: string; readonly taskName: string; readonly status: string }[]
  readonly tasksNotFound: readonly string[]
  readonly totalTasksStarted: number
}

const starts = (site: TestSite) =>
  site.simulator
    .requests({ listener: 'qrs' })
    .filter(({ method, path }) => method === 'POST' && path.includes('/start'))
    .map(({ path }) => path)

describe('over REST', () => {
  let site: TestSite
  let product: Footman

  beforeAll(async () => {
    site = await startSite()
    product = await footman({ simulator: site.simulator })
    await product.start()
  }, 90_000)
  // A task that is still running cannot be started again.
  afterEach(() => site.simulator.reset())
  afterAll(async () => {
    await product?.[Symbol.asyncDispose]()
    await site?.[Symbol.asyncDispose]()
  })

  test('a tag starts its six tasks and the answer names them', async () => {
    const answer = await product.call('POST', '/v4/reloadtask/-/start', { tag: [HOURLY] })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8')
    const body = (await answer.json()) as Started
    expect(Object.keys(body)).toEqual(['tasksStarted', 'tasksNotFound', 'totalTasksStarted'])
    expect(body.totalTasksStarted).toBe(6)
    expect(body.tasksNotFound).toEqual([])
    expect(body.tasksStarted.map(({ status }) => status)).toEqual(Array(6).fill('started'))
    const tagged = [...site.simulator.site.tasks.values()].filter((task) =>
      task.tags.some(({ name }) => name === HOURLY),
    )
    expect(body.tasksStarted.map(({ taskName }) => taskName).toSorted()).toEqual(
      tagged.map(({ name }) => name).toSorted(),
    )
    expect(new Set(starts(site)).size).toBe(6)
  })

  const urls = [
    `/v4/reloadtask/${FINANCIAL}/start`,
    '/v4/reloadtask/-/start',
    '/v4/reloadtask/start',
    '/v4/reloadtask//start',
  ]
  for (const url of urls) {
    for (const method of ['POST', 'PUT']) {
      test(`${method} ${url} takes the object body`, async () => {
        const answer = await product.call(method, url, { taskId: [FINANCIAL] })
        expect(await answer.json()).toEqual({
          tasksStarted: [{ taskId: FINANCIAL, taskName: 'Financial Dashboard Reload', status: 'started' }],
          tasksNotFound: [],
          totalTasksStarted: 1,
        })
      })
    }
  }

  test('a load script may override the method', async () => {
    const answer = await product.call('POST', `/v4/reloadtask/${FINANCIAL}/start`, [], {
      'X-HTTP-Method-Override': 'PUT',
    })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual({
      tasksId: { started: [{ taskId: FINANCIAL, taskName: 'Financial Dashboard Reload' }], invalid: [], denied: [] },
      tasksTag: [],
      tasksTagDenied: [],
      tasksCP: [],
      tasksCPDenied: [],
    })
  })

  test('an unknown id is not found, a malformed one is refused', async () => {
    const unknown = '11111111-2222-3333-4444-555555555555'
    const answer = await product.call('POST', '/v4/reloadtask/-/start', { taskId: [unknown] })
    expect(await answer.json()).toEqual({ tasksStarted: [], tasksNotFound: [unknown], totalTasksStarted: 0 })
    const refused = await product.call('POST', '/v4/reloadtask/abc/start', {})
    expect(refused.status).toBe(400)
    expect(await refused.json()).toEqual({ error: 'Invalid task ID format', details: 'Task ID must be a valid GUID' })
  })

  test('tags with special characters are found', async () => {
    for (const tag of ["Q1'25", 'R&D', 'Sprint #4', '100%', 'a+b', 'åäö']) {
      const answer = await product.call('POST', '/v4/reloadtask/-/start', { tag: [tag] })
      const carriers = [...site.simulator.site.tasks.values()].filter((task) =>
        task.tags.some(({ name }) => name === tag),
      )
      const { totalTasksStarted } = (await answer.json()) as Started
      expect({ tag, totalTasksStarted }).toEqual({ tag, totalTasksStarted: carriers.length })
      site.simulator.reset()
    }
  })

  test('a property of another name with the same value starts nothing', async () => {
    const answer = await product.call('POST', '/v4/reloadtask/-/start', {
      customProperty: [{ name: 'department', value: 'finance' }],
    })
    const body = (await answer.json()) as Started
    expect(body.tasksStarted.map(({ taskId }) => taskId)).not.toContain('70000000-0000-4000-8000-000000000012')
  })

  test('ping answers with the version', async () => {
    const answer = await product.call('GET', '/v4/butlerping')
    expect(await answer.json()).toEqual({
      response: 'Butler reporting for duty',
      butlerVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
    })
  })

  test('health lists the parts', async () => {
    const answer = await product.call('GET', '/health')
    expect(await answer.json()).toEqual({
      statusCode: 200,
      status: 'ok',
      checks: { udp: 'up', rest: 'up', qrs: 'up', mqtt: 'off', influxdb: 'off', database: 'up' },
      footman: { version: expect.any(String), configuration: product.configFile },
    })
  })

  test('with QRS down the answer is 502 and no id is called invalid', async () => {
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    const answer = await product.call('POST', '/v4/reloadtask/-/start', { taskId: [FINANCIAL] })
    site.simulator.clearFaults()
    expect(answer.status).toBe(502)
    const body = (await answer.json()) as { error: string; tasksNotFound?: unknown[] }
    expect(body.error).toBe('Failed starting task')
    expect(body.tasksNotFound ?? []).toEqual([])
  })
})

describe('before anything is asked of Qlik Sense', () => {
  test('health tells that it cannot be reached', async () => {
    await using site = await startSite()
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    await using product = await footman({ simulator: site.simulator })
    await product.start()
    await product.process.waitForLine(/QRS: not reachable/)
    expect(await (await product.call('GET', '/health')).json()).toMatchObject({ checks: { qrs: 'down' } })
  }, 90_000)
})

describe('with the allow filter', () => {
  test('REST starts only what is allowed and says what is denied', async () => {
    await using site = await startSite()
    await using product = await footman({
      simulator: site.simulator,
      config: { startTaskFilter: { enable: true, allowTask: { taskId: [], tag: [HOURLY], customProperty: [] } } },
    })
    await product.start()
    const allowed = await product.call('POST', '/v4/reloadtask/-/start', { tag: [HOURLY, 'urgent'] })
    expect(await allowed.json()).toMatchObject({ totalTasksStarted: 6, tasksDenied: [{ tag: 'urgent' }] })
  }, 90_000)
})

describe('over MQTT', () => {
  const TOPIC = 'qliksense/start_task'

  async function scene(config: Record<string, unknown> = {}) {
    const [site, broker] = await Promise.all([startSite(), startMosquitto()])
    const product = await footman({ simulator: site.simulator, mqttPort: broker.port, config })
    await product.start()
    await product.process.waitForLine(/MQTT.*connected|Connected to MQTT/i, 10_000)
    const client = await connectAsync(`mqtt://127.0.0.1:${broker.port}`)
    const close = async () => {
      await client.endAsync(true)
      await product[Symbol.asyncDispose]()
      await site[Symbol.asyncDispose]()
      await broker.stop()
    }
    return { site, broker, product, client, close }
  }

  test('a plain id and a JSON object start tasks', async () => {
    const { site, client, close } = await scene()
    await client.publishAsync(TOPIC, FINANCIAL, { qos: 1 })
    await until(() => starts(site).length === 1)
    await client.publishAsync(TOPIC, JSON.stringify({ tag: [HOURLY] }), { qos: 1 })
    await until(() => starts(site).length === 7)
    await close()
  }, 90_000)

  test('the allow filter holds', async () => {
    const { site, product, client, close } = await scene({
      startTaskFilter: { enable: true, allowTask: { taskId: [FINANCIAL] } },
    })
    await client.publishAsync(TOPIC, '70000000-0000-4000-8000-000000000001', { qos: 1 })
    await product.process.waitForLine(/not allowed/)
    await client.publishAsync(TOPIC, FINANCIAL, { qos: 1 })
    await until(() => starts(site).length === 1)
    expect(starts(site)[0]).toContain(FINANCIAL)
    await close()
  }, 90_000)

  test('a request that was acknowledged is carried out once after kill -9', async () => {
    const { site, product, client, close } = await scene()
    site.simulator.fault({ listener: 'qrs', match: '.', mode: 'refuse' })
    // Resolves with PUBACK of the broker; the executable has it when it is journaled.
    await client.publishAsync(TOPIC, FINANCIAL, { qos: 1 })
    await until(() => product.rows<{ n: number }>('SELECT count(*) AS n FROM start_request')[0]!.n === 1)
    await product.process.kill9()
    site.simulator.clearFaults()
    await product.start()
    await until(() => starts(site).length === 1, { timeout: 20_000 })
    // A request that comes later is carried out after everything that waited.
    await client.publishAsync(TOPIC, OTHER, { qos: 1 })
    await until(() => starts(site).some((path) => path.includes(OTHER)))
    expect(starts(site)).toHaveLength(2)
    await close()
  }, 60_000)
})
