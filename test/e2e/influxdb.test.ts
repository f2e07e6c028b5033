/** Points of the executable in a real InfluxDB 1, with the settings in the layout of the product documents. */

import { afterEach, describe, expect, test } from 'bun:test'
import { createSocket } from 'node:dgram'
import { type FootmanSettings, footman } from '../support/footman.ts'
import { type InfluxProxy, startInfluxProxy } from '../support/influx-proxy.ts'
import { type Influxd, startInfluxd } from '../support/influxd.ts'
import { needs } from '../support/servers.ts'
import { startSite } from '../support/simulator.ts'
import { runEveryOutcome } from '../support/task-outcomes.ts'
import { until } from '../support/wait.ts'

needs('influxd')

/** How long InfluxDB is away at least; longer by hand. */
const OUTAGE_MS = Number(process.env.FOOTMAN_TEST_OUTAGE_MS ?? 0)

const cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

const id = (prefix: number, nn: number) => `${prefix}000000-0000-4000-8000-${String(nn).padStart(12, '0')}`

const dynamic = { useAppTags: true, useTaskTags: true }
const on = { enable: true, tag: { static: [], dynamic: { useTaskTags: true } } }

/** As the product documents show it: no `version`, no `tag`, login and database directly below. */
function flatSettings(port: number) {
  return {
    enable: true,
    hostIP: '127.0.0.1',
    hostPort: port,
    auth: { enable: false, username: 'user_joe', password: 'joesecret' },
    dbName: 'SenseOps',
    retentionPolicy: { name: '10d', duration: '10d' },
    reloadTaskFailure: {
      enable: true,
      tailScriptLogLines: 20,
      tag: { static: [{ name: 'env', value: 'DEV' }], dynamic },
    },
    reloadTaskSuccess: {
      enable: true,
      allReloadTasks: { enable: true },
      byCustomProperty: { enable: false, customPropertyName: 'Butler_SuccessReloadTask_InfluxDB', enabledValue: 'Yes' },
      headScriptLogLines: 15,
      tailScriptLogLines: 25,
      tag: { static: [{ name: 'env', value: 'DEV' }], dynamic },
    },
    userSyncTaskSuccess: on,
    userSyncTaskFailure: on,
    externalProgramTaskSuccess: on,
    externalProgramTaskFailure: on,
    distributeTaskSuccess: on,
    distributeTaskFailure: on,
    preloadTaskSuccess: on,
    preloadTaskFailure: on,
  }
}

async function scene(
  settings: Partial<FootmanSettings> & { config: FootmanSettings['config'] },
  influxd: Influxd,
  proxy?: InfluxProxy,
) {
  if (proxy) cleanups.push(() => proxy.stop())
  cleanups.unshift(() => influxd.stop())
  const product = await footman({ simulator: null, ...settings })
  cleanups.push(async () => product[Symbol.asyncDispose]())
  return product
}

describe('InfluxDB 1', () => {
  test('every type of task is stored when it succeeds and fails, none when it is stopped; with the reports of Footman itself', async () => {
    const [site, influxd] = await Promise.all([
      startSite({ modes: { scheduler: { userSyncFailures: true } } }),
      startInfluxd(),
    ])
    cleanups.push(async () => site[Symbol.asyncDispose]())
    const product = await scene(
      {
        simulator: site.simulator,
        config: {
          influxDb: flatSettings(influxd.port),
          footman: { distribute: { pollInterval: '1s' } },
          uptimeMonitor: { enable: true, frequency: 'PT1S', storeInInfluxdb: { enable: true } },
          udpServerConfig: {
            queueMetrics: { influxdb: { enable: true, writeFrequency: 500, tags: [{ name: 'a', value: 'b' }] } },
          },
        },
      },
      influxd,
    )
    await product.start()
    await runEveryOutcome(site.simulator)

    const settled = () => {
      const [row] = product.rows<{ events: number; open: number }>(
        `SELECT (SELECT count(*) FROM event WHERE state = 'routed') AS events,
           (SELECT count(*) FROM delivery WHERE state IN ('pending', 'sending')) AS open`,
      )
      return row!.events === 15 && row!.open === 0
    }
    await until(settled, { timeout: 60_000, what: 'all events in InfluxDB' })

    const rows = (query: string) => influxd.rows(query, 'SenseOps')
    const measurements = (await rows('SHOW MEASUREMENTS')).map(({ name }) => name)
    expect(measurements.filter((name) => String(name).includes('_task_')).sort()).toEqual(
      ['distribute', 'external_program', 'preload', 'reload', 'user_sync'].flatMap((type) => [
        `${type}_task_failed`,
        `${type}_task_success`,
      ]),
    )
    for (const measurement of measurements.filter((name) => String(name).includes('_task_'))) {
      const [point, ...more] = await rows(`SELECT * FROM "${measurement}"`)
      expect(more).toEqual([])
      const isFailed = String(measurement).endsWith('failed')
      expect(point).toMatchObject({
        task_exeuctionStatusText: isFailed ? 'FinishedFail' : 'FinishedSuccess',
        task_executionStatusNum: isFailed ? '8' : '7',
        task_executionDuration_sec: expect.any(Number),
      })
    }
    const [failed] = await rows('SELECT * FROM reload_task_failed')
    expect(failed).toMatchObject({
      env: 'DEV',
      task_name: 'Financial Dashboard Reload',
      app_name: 'Sales Dashboard',
      task_scriptLogTailCount: 20,
      reload_log: expect.stringContaining('Execution Failed'),
    })
    expect(Object.keys(failed!).filter((name) => name.startsWith('taskTag_')).length).toBeGreaterThan(0)
    const [received] = product.rows<{ at: number }>(
      `SELECT received_at AS at FROM event WHERE type = 'reload' AND outcome = 'failed'`,
    )
    expect(failed!.time).toBe(`${received!.at}000000`)

    await until(async () => (await rows('SELECT last(process_memory) FROM butler_memory_usage')).length > 0, {
      timeout: 30_000,
    })
    const [queue] = await until(
      async () => {
        const found = await rows(
          'SELECT sum(messages_processed) AS processed, last(queue_max_size) AS size FROM butler_udp_queue GROUP BY queue_type, a',
        )
        return found.length > 0 && Number(found[0]!.processed) >= 15 && found
      },
      { timeout: 30_000 },
    )
    expect(queue).toMatchObject({ queue_type: 'task_results', a: 'b', size: 200 })
    expect(
      product.rows(
        `SELECT state, reason, detail FROM delivery WHERE destination = 'influxdb' AND state <> 'delivered'`,
      ),
    ).toEqual([])
  }, 120_000)

  test(
    'stopped under load and started again, with a restart of Footman in between: no point is missing, each was accepted once',
    async () => {
      const influxd = await startInfluxd()
      const proxy = await startInfluxProxy(influxd.port)
      const product = await scene(
        {
          args: ['--no-qs-connection'],
          config: {
            influxDb: flatSettings(proxy.port),
            udpServerConfig: { queueMetrics: { influxdb: { enable: true, writeFrequency: 200 } } },
            footman: { dataDirectory: 'data', delivery: { retryFirst: '1s', retryMax: '2s' } },
          },
        },
        influxd,
        proxy,
      )
      await product.start()
      const socket = createSocket('udp4')
      cleanups.push(async () => socket.close())
      const sent: string[] = []
      const fail = async (count: number) => {
        for (let n = 0; n < count; n++) {
          const execution = `e5000000-0000-4000-8000-${String(sent.length).padStart(12, '0')}`
          sent.push(execution)
          const message = `/scheduler-reload-failed/;qs-central;Reload ${n % 7};App;LAB\\anna;${id(70, n % 7)};${id(10, 1)};2026-03-02 07:03:11,482;INFO;${execution};Max retries reached`
          await new Promise((done) => socket.send(message, product.udpPort, '127.0.0.1', done))
        }
      }
      const count = (state: string) =>
        product.rows<{ n: number }>(`SELECT count(*) AS n FROM delivery WHERE state = '${state}'`)[0]!.n
      const executionsOf = (lines: readonly string[]) =>
        lines.flatMap((line) =>
          line.startsWith('reload_task_failed') ? (/execution_id="([^"]+)"/.exec(line)?.[1] ?? []) : [],
        )

      await fail(100)
      await until(() => executionsOf(proxy.accepted).length > 0, { timeout: 30_000 })
      await influxd.kill()
      await fail(150)
      await until(() => count('delivered') + count('pending') + count('sending') === 250, { timeout: 30_000 })
      await until(() => proxy.failed > 2, { timeout: 30_000 })
      const health = async () => ((await (await product.call('GET', '/health')).json()) as { checks: object }).checks
      expect(await health()).toMatchObject({ influxdb: 'degraded' })
      for (const end = performance.now() + OUTAGE_MS; performance.now() < end; ) {
        await fail(5)
        // Failures go on during the whole outage, at a steady pace.
        await Bun.sleep(200)
      }
      await product.process.stop()
      await product.start()
      await fail(50)
      await influxd.start()
      await fail(50)
      await until(() => count('delivered') === sent.length, { timeout: 60_000, state: () => count('delivered') })
      expect(await health()).toMatchObject({ influxdb: 'up' })

      expect(executionsOf(proxy.accepted).sort()).toEqual(sent.toSorted())
      const rows = await influxd.rows('SELECT execution_id FROM reload_task_failed', 'SenseOps')
      expect(rows.map(({ execution_id }) => String(execution_id)).sort()).toEqual(sent.toSorted())
      // What Footman measures about itself waits as well.
      const points = async () =>
        Number((await influxd.rows('SELECT count(queue_size) AS n FROM butler_udp_queue', 'SenseOps'))[0]!.n)
      await until(async () => (await points()) > 5, { timeout: 30_000, state: points })
      const queue = proxy.accepted.filter((line) => line.startsWith('butler_udp_queue'))
      expect(new Set(queue).size).toBe(queue.length)
    },
    180_000 + OUTAGE_MS,
  )
})
