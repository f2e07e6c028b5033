/** Schedules and starts of nodes whose clocks are wrong. */
import { expect, test } from 'bun:test'
import { randomUUID } from 'node:crypto'
import { guidOf } from '../../bench/large-site-ids.ts'
import { startCluster } from '../../support/cluster/cluster.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres', 'gcc')

const cannot = process.platform !== 'linux'

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
      name: 'Once',
      timezone: 'UTC',
      startupState: 'started',
      tags: [],
      qlikSenseTaskId: guidOf('task', SCHEDULED),
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
