/** Schedules and retries of several nodes: nothing starts twice, whenever the leader is killed. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { startCluster, type TestCluster } from '../../support/cluster/cluster.ts'
import type { ClusterNode } from '../../support/cluster/node.ts'
import { untilSame } from '../../support/cluster/same.ts'
import { addSchedule } from '../../support/cluster/schedules.ts'
import { needs } from '../../support/servers.ts'
import { until } from '../../support/wait.ts'

needs('postgres')

const SCHEDULES = 60
const OVER_S = 12
const RETRIES = 30

describe('three nodes whose leader is killed', () => {
  let cluster: TestCluster
  beforeAll(async () => {
    cluster = await startCluster({
      butler: {
        scheduler: { enable: true, configfile: 'schedule.yaml' },
        footman: { retryPolicy: { alert: 'each', maxPerHour: 1000 } },
      },
    })
  }, 90_000)
  afterEach(() => cluster.recover(), 60_000)
  afterAll(async () => cluster?.[Symbol.asyncDispose]())

  const killLeader = async (): Promise<void> => {
    const leader = await cluster.untilLed()
    await leader.kill()
    await cluster.untilLed({ not: leader })
    await leader.start()
  }
  const startsOf = async (from: number, count: number) => {
    const starts = (await cluster.site.starts()).filter(({ task }) => task >= from && task < from + count)
    const times = new Map<number, number>()
    for (const { task } of starts) times.set(task, (times.get(task) ?? 0) + 1)
    return { tasks: times.size, twice: [...times.values()].filter((count) => count > 1).length, times }
  }

  test('start each task of a schedule at most once, and report each that was perhaps not started', async () => {
    await cluster.site.behave({ startMs: 500 })
    const caller = cluster.nodes[0]!
    const due = Math.ceil(Date.now() / 1000) * 1000 + 10_000
    await Promise.all(
      Array.from({ length: SCHEDULES }, (_, n) =>
        addSchedule(caller, n, due + Math.floor((n * OVER_S) / SCHEDULES) * 1000),
      ),
    )
    expect(Date.now()).toBeLessThan(due)
    await Bun.sleep(due + 3000 - Date.now())
    await killLeader()
    const ended = (leader: ClusterNode) =>
      leader.rows(`SELECT 1 FROM schedule_run WHERE state <> 'running'`).length +
      leader.rows('SELECT 1 FROM task_start').length
    await until(
      async () => {
        const leader = await cluster.leader()
        return leader !== null && ended(leader) >= SCHEDULES
      },
      { timeout: 30_000, what: 'all schedules to be started or given up' },
    )
    await cluster.untilJoined()
    await untilSame(cluster.nodes)
    const runs = cluster.nodes[0]!.rows<{ task: string; outcome: string; trigger: string }>(
      'SELECT schedule_id AS task, outcome, trigger FROM schedule_run',
    )
    const outcomes = new Map<string, number>()
    for (const { outcome, trigger } of runs) {
      outcomes.set(`${trigger} ${outcome}`, (outcomes.get(`${trigger} ${outcome}`) ?? 0) + 1)
    }
    const { tasks, twice } = await startsOf(0, SCHEDULES)
    console.log(
      `    schedules: ${SCHEDULES} due, ${tasks} started, ${twice} started twice, ${runs.length} runs: ${JSON.stringify([...outcomes])}`,
    )
    expect(twice).toBe(0)
    expect(runs).toHaveLength(SCHEDULES)
    const uncertain = runs.filter(({ outcome }) => outcome === 'unknown').length
    expect(tasks).toBeGreaterThanOrEqual(SCHEDULES - uncertain)
  }, 90_000)

  test('retry each failure once', async () => {
    await cluster.site.behave({ retryPolicy: '1x/10s', startMs: 200 })
    await cluster.begin()
    const sent = await cluster.send({ count: 200, perSecond: 400, to: [] })
    // Tasks 200 to 229: those of the schedules are others.
    expect(sent.at(-1)).toBe(199)
    await cluster.send({ count: RETRIES, perSecond: 20 })
    await cluster.untilDelivered()
    // The first ones are due now: some starts are under way.
    await until(async () => (await startsOf(200, RETRIES)).tasks > 0, { timeout: 30_000, what: 'the first retry' })
    await killLeader()
    await cluster.untilJoined()
    await until(
      async () => {
        const leader = await cluster.leader()
        const open = leader?.rows<{ n: number }>(
          `SELECT count(*) AS n FROM task_retry WHERE state IN ('due', 'starting')`,
        )
        return open?.[0]?.n === 0
      },
      { timeout: 30_000, what: 'all retries to have ended' },
    )
    const states = cluster.nodes[0]!.rows<{ state: string; n: number }>(
      'SELECT state, count(*) AS n FROM task_retry GROUP BY state',
    )
    const { tasks, twice } = await startsOf(200, RETRIES)
    console.log(`    retries: ${RETRIES} failures, ${tasks} started, ${twice} started twice: ${JSON.stringify(states)}`)
    expect(twice).toBe(0)
    expect(cluster.report('retries')).toMatchObject({ lost: [], unlike: [] })
  }, 90_000)
})
