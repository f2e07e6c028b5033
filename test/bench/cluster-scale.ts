/** The large checks of a cluster: a night's failures, a thousand schedules in a minute, counters, and twelve nodes with a long history. */
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { startCluster, type TestCluster } from '../support/cluster/cluster.ts'
import type { ClusterNode } from '../support/cluster/node.ts'
import { untilSame } from '../support/cluster/same.ts'
import { addSchedule } from '../support/cluster/schedules.ts'
import { until } from '../support/wait.ts'
import { growHistory } from './console-data.ts'
import { guidOf } from './large-site-ids.ts'
import { memoryOf } from './process.ts'
import type { Measurement } from './report.ts'
import { quantile } from './report.ts'

/** For what has waited: three nodes, the database, site and receivers share the processors. */
const DRAIN_MS = 900_000

async function manyFailures(): Promise<Measurement[]> {
  const count = 10_000
  await using cluster = await startCluster()
  await cluster.begin()
  await cluster.send({ count, perSecond: 1000 })
  await cluster.untilDelivered(DRAIN_MS)
  await untilSame(cluster.nodes, 60_000)
  const { lost, repeated, unlike, wanted } = cluster.ledger()
  const [stored] = await cluster.postgres.sql<{ n: string }>(
    `SELECT count(*) AS n FROM footman.replica WHERE tbl = 'event' AND NOT deleted AND body->>'source' = 'udp'`,
  )
  const name = `cluster, ${count} failures to all three nodes`
  return [
    { name: `${name}: lost`, value: lost.length, unit: 'alerts', atMost: 0, note: `of ${wanted}` },
    { name: `${name}: repeated`, value: repeated + unlike.length, unit: 'alerts', atMost: 0 },
    { name: `${name}: events`, value: Number(stored?.n), unit: '', atMost: count, atLeast: count },
  ]
}

/** All are due within one minute, and the leader is killed every five seconds. */
async function manySchedules(): Promise<Measurement[]> {
  const count = 1000
  await using cluster = await startCluster({
    tasks: count,
    butler: { scheduler: { enable: true, configfile: 'schedule.yaml' } },
  })
  const from = cluster.nodes[0]!
  const due = (Math.floor(Date.now() / 60_000) + 3) * 60_000
  for (let n = 0; n < count; n++) await addSchedule(from, n, due + Math.floor((n * 60) / count) * 1000)
  if (Date.now() > due) throw new Error('the schedules were added too late')
  await Bun.sleep(due - Date.now())
  let kills = 0
  while (Date.now() < due + 60_000) {
    await Bun.sleep(5000)
    const leader = await cluster.untilLed()
    await leader.kill()
    kills += 1
    await cluster.untilLed({ not: leader })
    await leader.start()
  }
  await cluster.untilJoined()
  const runsOf = (node: ClusterNode) => node.rows<{ outcome: string | null }>('SELECT outcome FROM schedule_run')
  // The tasks of this site do not end.
  const settled = () => [
    from.rows(`SELECT 1 FROM schedule_run WHERE state <> 'running'`).length,
    from.rows('SELECT 1 FROM task_start').length,
  ]
  await until(() => settled().reduce((sum, n) => sum + n) >= count, {
    timeout: 120_000,
    what: 'all schedules to be started or given up',
    state: settled,
  })
  await untilSame(cluster.nodes, 60_000)
  const starts = await cluster.site.starts()
  const started = new Set(starts.map(({ task }) => task))
  const outcomes = new Map<string, number>()
  for (const { outcome } of runsOf(from))
    outcomes.set(outcome ?? 'started', (outcomes.get(outcome ?? 'started') ?? 0) + 1)
  const silent = count - started.size - (outcomes.get('unknown') ?? 0)
  const name = `cluster, ${count} schedules due in a minute`
  return [
    {
      name: `${name}: started twice`,
      unit: 'tasks',
      atMost: 0,
      value: starts.length - started.size,
      note: `${kills} leaders killed; ${[...outcomes].map(([outcome, n]) => `${n} ${outcome}`).join(', ')}`,
    },
    { name: `${name}: neither started nor reported`, value: Math.max(silent, 0), unit: 'tasks', atMost: 0 },
  ]
}

const PAIRS = '/v4/keyvalues/bench'

async function manyPairs(): Promise<Measurement[]> {
  const [each, reads] = [200, 10_000]
  await using cluster = await startCluster()
  const pairOf = async (node: ClusterNode, key: string) =>
    (await (await node.call('GET', `${PAIRS}?key=${key}&meta=true`)).json()) as { value: string; revision: number }
  const put = (node: ClusterNode, body: Record<string, unknown>) => node.call('POST', PAIRS, body)
  await put(cluster.nodes[0]!, { key: 'sum', value: '0' })

  async function increment(node: ClusterNode): Promise<void> {
    for (;;) {
      const { value, revision } = await pairOf(node, 'sum')
      const { status } = await put(node, { key: 'sum', value: String(Number(value) + 1), ifRevision: revision })
      if (status === 201) return
      if (status !== 412) throw new Error(`a conditional write was answered with ${status}`)
    }
  }
  await Promise.all(
    cluster.nodes.map(async (node) => {
      for (let n = 0; n < each; n++) await increment(node)
    }),
  )
  const sums = await Promise.all(cluster.nodes.map(async (node) => Number((await pairOf(node, 'sum')).value)))
  const wanted = each * cluster.nodes.length

  let old = 0
  for (let n = 0; n < reads; n++) {
    const [writer, reader] = [cluster.nodes[n % 3]!, cluster.nodes[(n + 1 + (n % 2)) % 3]!]
    await put(writer, { key: 'newest', value: String(n) })
    if ((await pairOf(reader, 'newest')).value !== String(n)) old += 1
  }
  return [
    {
      name: `cluster, ${wanted} conditional writes: missing`,
      unit: '',
      atMost: 0,
      atLeast: 0,
      value: wanted - Math.min(...sums),
    },
    { name: `cluster, ${reads} reads after a write elsewhere: old`, value: old, unit: '', atMost: 0 },
  ]
}

const EVENTS = 1_000_000
const NODES = 12
const CATCH_UP_S = 120
const LAG_MS = 1000
/** More than these cannot be followed by twelve nodes on two processors. */
const PER_SECOND = 10
const SECONDS = 60

async function manyNodes(): Promise<Measurement[]> {
  // The history is as long as seven months.
  const retention = { events: '400d', history: '400d' }
  await using cluster = await startCluster({ nodes: NODES, start: false, butler: { footman: { retention } } })
  const [first, second, ...others] = cluster.nodes as [ClusterNode, ClusterNode, ...ClusterNode[]]
  const single = await residentOfSingle(first)

  const shipS = await seconds(async () => {
    await first.start()
    await until(() => first.lines.some((line) => line.includes('The store of this node is in the shared database')), {
      timeout: 1_200_000,
      what: 'the history to be in the database',
    })
  })
  const catchUpS = await seconds(async () => {
    await second.start()
    await until(() => second.rows<{ n: number }>('SELECT count(*) AS n FROM event')[0]!.n >= EVENTS, {
      timeout: 1_200_000,
      what: 'a new node to have the history',
    })
    await cluster.untilJoined(600_000)
  })
  // As long as a single node gets after a busy time.
  await Bun.sleep(60_000)
  const follower = memoryOf(second.process.pid)?.rss ?? null

  // The others begin with a copy, as ten more would measure the same.
  await second.stop()
  for (const node of others) copyData(second, node)
  await second.start()
  for (const node of others) await node.start()
  await cluster.untilJoined(300_000)
  const lags = await lagsWhile(cluster, cluster.send({ count: PER_SECOND * SECONDS, perSecond: PER_SECOND }))
  const { lost, repeated } = await cluster.untilDelivered(DRAIN_MS)

  const name = `cluster of ${NODES}, ${EVENTS} events`
  const growth = follower === null || single === null ? null : follower - single
  return [
    { name: `${name}: first node joins`, value: shipS, unit: 's' },
    { name: `${name}: a new node has caught up`, value: catchUpS, unit: 's', atMost: CATCH_UP_S },
    {
      name: `${name}: resident memory of a follower beyond a single node`,
      unit: 'MB',
      atMost: 20,
      value: growth,
      note: `${Math.round(follower ?? 0)} and ${Math.round(single ?? 0)} MB`,
    },
    {
      name: `${name}: followers behind the database, p99 at ${PER_SECOND} failures/s`,
      unit: 'ms',
      atMost: LAG_MS,
      value: quantile(lags, 0.99),
      note: `of ${lags.length} looks; longest ${Math.round(Math.max(...lags))} ms`,
    },
    { name: `${name}: lost or repeated`, value: lost.length + repeated, unit: 'alerts', atMost: 0 },
  ]
}

/** Of a node that has the history and no cluster, in megabytes. */
async function residentOfSingle(node: ClusterNode): Promise<number | null> {
  let clustered: unknown
  node.configure(({ footman, ...butler }) => {
    const { cluster, ...rest } = footman as { readonly cluster: unknown }
    clustered = cluster
    return { ...butler, footman: rest }
  })
  await node.start()
  await node.stop()
  growHistory(
    node.file('footman.db'),
    { events: EVENTS, deliveries: 1, executions: 1 },
    Array.from({ length: 500 }, (_, n) => guidOf('task', n)),
  )
  await node.start()
  await Bun.sleep(10_000)
  const resident = memoryOf(node.process.pid)?.rss ?? null
  await node.stop()
  node.configure(({ footman, ...butler }) => ({
    ...butler,
    footman: { ...(footman as object), cluster: clustered },
  }))
  return resident
}

function copyData(from: ClusterNode, to: ClusterNode): void {
  cpSync(from.file(''), to.file(''), { recursive: true })
  const file = to.file('cluster.json')
  const identity = JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>
  writeFileSync(file, JSON.stringify({ ...identity, dataId: crypto.randomUUID() }))
}

/** How long followers take to have what the database has, in milliseconds; one of them is asked at a time. */
async function lagsWhile(cluster: TestCluster, work: Promise<unknown>): Promise<readonly number[]> {
  const lags: number[] = []
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  const leader = await cluster.leader()
  const followers = cluster.nodes.filter((node) => node !== leader)
  while (!isOver) {
    for (const node of followers) {
      const [head] = await cluster.database.sql<{ rev: string }>('SELECT rev FROM footman.head')
      const began = performance.now()
      await until(async () => (await appliedBy(node)) >= Number(head?.rev), { what: `${node.name} to follow` })
      lags.push(performance.now() - began)
    }
  }
  await ended
  return lags
}

async function appliedBy(node: ClusterNode): Promise<number> {
  const answer = await node.call('GET', '/v4/cluster')
  return ((await answer.json()) as { readonly appliedRev: number }).appliedRev
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const began = performance.now()
  await work()
  return (performance.now() - began) / 1000
}

export const SCALE_CHECKS = { manyFailures, manySchedules, manyPairs, manyNodes }
