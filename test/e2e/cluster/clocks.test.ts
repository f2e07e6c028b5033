/** Nodes whose clocks are wrong, or stand still. */
import { expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { guidOf } from '../../bench/large-site-ids.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { canShiftClocks } from '../../support/cluster/shifted-clock.ts'
import { postgresPrograms } from '../../support/postgres.ts'
import { until } from '../../support/wait.ts'

const WRONG_S = [0, 300, -300]
const TTL_MS = 3000
const cannot = !postgresPrograms() || !canShiftClocks

test.skipIf(cannot)(
  'nodes whose clocks are five minutes off lead, limit and forget like the others',
  async () => {
    await using cluster = await startCluster({ clockShifts: WRONG_S })
    await cluster.begin()
    const led = new Set<string>()
    while (led.size < cluster.nodes.length) {
      const leader = await cluster.untilLed()
      if (!led.has(leader.name)) {
        await cluster.send({ count: 40, perSecond: 40 })
        await cluster.untilDelivered()
        const running = cluster.nodes.filter(({ isRunning }) => isRunning)
        const pairs = running.map(async (node) => {
          const key = `${leader.name}-${node.name}`
          expect((await node.call('POST', '/v4/keyvalues/clocks', { key, value: 'x', ttl: TTL_MS })).status).toBe(201)
          const stored = performance.now()
          const exists = (reader: typeof node) =>
            reader
              .call('GET', `/v4/keyvalues/clocks/keyexists?key=${key}`)
              .then(async (answer) => ((await answer.json()) as { keyExists: boolean }).keyExists)
          for (const reader of running) expect([reader.name, await exists(reader)]).toEqual([reader.name, true])
          await until(async () => !(await exists(node)), { timeout: 3 * TTL_MS, what: 'the pair to expire' })
          return performance.now() - stored
        })
        for (const ms of await Promise.all(pairs)) {
          expect(ms).toBeGreaterThan(TTL_MS - 1500)
          expect(ms).toBeLessThan(TTL_MS + 2500)
        }
        led.add(leader.name)
      }
      // Those that have led stay away until each has had its turn.
      if (led.size < cluster.nodes.length) await leader.stop()
    }
    await cluster.recover()
    await untilSame(cluster.nodes)
    const now = Date.now()
    const times = cluster.nodes[0]!.rows<{ at: number }>('SELECT received_at AS at FROM event')
    const farthest = Math.max(...times.map(({ at }) => Math.abs(now - at)))
    const result = cluster.report(
      'clocks',
      `led: ${[...led].join(', ')}; farthest event ${Math.round(farthest)} ms ago`,
    )
    expect(result).toMatchObject({ wanted: 240, lost: [], repeated: 0, unlike: [] })
    expect(farthest).toBeLessThan(120_000)
  },
  120_000,
)

/** Between the creation of the schedule and its time: the other leader has begun by then, and the old one runs on. */
const DUE_IN_MS = 12_000
const [SCHEDULED, CALLED] = [3, 4]

test.skipIf(cannot)(
  'a leader whose monotonic clock stands still over a takeover starts, fires, sends and answers nothing a second time',
  async () => {
    await using cluster = await startCluster({
      clocksCanStop: true,
      butler: { scheduler: { enable: true, configfile: 'schedule.yaml' } },
    })
    await cluster.begin()
    const old = await cluster.untilLed()
    const due = new Date(Math.ceil(Date.now() / 1000) * 1000 + DUE_IN_MS)
    const created = await old.call('POST', '/v4/schedules', {
      ...{
        name: 'Once',
        timezone: 'UTC',
        startupState: 'started',
        tags: [],
        qlikSenseTaskId: guidOf('task', SCHEDULED),
      },
      cronSchedule: `${due.getUTCSeconds()} ${due.getUTCMinutes()} ${due.getUTCHours()} * * *`,
    })
    expect(created.status).toBe(201)

    old.holdClock()
    const next = await cluster.untilLed({ not: old })
    // Its lease does not end by its own clock.
    expect(await cluster.modeOf(old)).toBe('leader')
    const key = randomUUID()
    const path = `/v4/reloadtask/${guidOf('task', CALLED)}/start`
    const start = (node: typeof old) =>
      node.call('POST', path, undefined, { 'idempotency-key': key }).then(({ status }) => status)
    const late = start(old)
    expect(await start(next)).toBe(200)
    await cluster.send({ count: 40, perSecond: 80 })
    await until(async () => (await startsOf(SCHEDULED)) > 0, { what: 'the schedule to be fired' })
    old.releaseClock()
    console.log(`    the old leader answered ${await late}`)
    await cluster.untilJoined()
    await cluster.untilDelivered()
    await untilSame(cluster.nodes)
    expect(await start(old)).toBe(200)
    const metrics = await (await old.call('GET', '/metrics')).text()
    const [, fenced] = /^footman_cluster_fenced_total (\d+)/m.exec(metrics) ?? []
    const result = cluster.report('clock stands still', `fenced ${fenced}`)
    expect(result).toMatchObject({ wanted: 80, lost: [], repeated: 0, unlike: [] })
    expect([await startsOf(SCHEDULED), await startsOf(CALLED)]).toEqual([1, 1])
    expect(Number(fenced)).toBeGreaterThan(0)

    async function startsOf(task: number): Promise<number> {
      return (await cluster.site.starts()).filter((one) => one.task === task).length
    }
  },
  90_000,
)
