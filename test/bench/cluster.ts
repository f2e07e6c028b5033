/** Three nodes, one database and faults at random: nothing may be lost or fired twice, and repeats stay within their bound. */

import { startCluster, type TestCluster } from '../support/cluster/cluster.ts'
import { anyOf, between, during, pauseFor, REPEATS_PER_END, seeded, takeoverMs } from '../support/cluster/faults.ts'
import type { ClusterNode } from '../support/cluster/node.ts'
import { differences, untilSame } from '../support/cluster/same.ts'
import { postgresPrograms } from '../support/postgres.ts'
import { SCALE_CHECKS } from './cluster-scale.ts'
import { guidOf } from './large-site-ids.ts'
import type { Measurement } from './report.ts'
import { formatValue, quantile } from './report.ts'

export interface ClusterBenchSettings {
  /** The large checks too. */
  readonly full: boolean
  /** Of the run with faults. */
  readonly seconds: number
  /** The same seed makes the same faults in the same order; their times depend on the machine. */
  readonly seed: number
}

/** Three nodes, the database, site and receivers share the processors: with more, the rest waits until the faults are over. */
const PER_SECOND = 10
const FAILOVERS = 5
const FULL_FAILOVERS = 20
const SCHEDULES = 20
/** By the promises of a cluster. */
const FAILOVER_MS = 10_000
/** For what has waited, once the faults are over. */
const DRAIN_MS = 600_000

export async function measureCluster(settings: ClusterBenchSettings): Promise<Measurement[]> {
  if (!postgresPrograms()) {
    return [
      { name: 'cluster', value: null, unit: '', note: 'PostgreSQL is not installed (apt-get install postgresql)' },
    ]
  }
  const checks = {
    withoutFaults,
    failovers: () => failovers(settings.full ? FULL_FAILOVERS : FAILOVERS),
    ...(settings.full && SCALE_CHECKS),
    randomFaults: () => randomFaults(settings),
  }
  const all: Measurement[] = []
  for (const [check, measure] of Object.entries(checks)) {
    const measured = await measure().catch((error: Error) => [failed(check, error)])
    // The whole takes long.
    for (const { name, value, unit } of measured) console.log(`    ${name}: ${formatValue(value)} ${unit}`)
    all.push(...measured)
  }
  return all
}

const failed = (check: string, { message }: Error): Measurement => ({
  name: `cluster, ${check}`,
  value: null,
  unit: '',
  atMost: 0,
  note: message.split('\n', 1)[0] ?? '',
})

async function withoutFaults(): Promise<Measurement[]> {
  const count = 2000
  await using cluster = await startCluster()
  await cluster.begin()
  const started = performance.now()
  await cluster.send({ count, perSecond: 500 })
  await cluster.untilDelivered(DRAIN_MS)
  const seconds = (performance.now() - started) / 1000
  const { lost, repeated, unlike } = cluster.ledger()
  const name = `cluster, ${count} failures to all three nodes`
  return [
    { name: `${name}: lost`, value: lost.length, unit: 'alerts', atMost: 0 },
    { name: `${name}: repeated`, value: repeated + unlike.length, unit: 'alerts', atMost: 0 },
    { name: `${name}: alerts a second`, value: (2 * count) / seconds, unit: '/s' },
  ]
}

async function failovers(count: number): Promise<Measurement[]> {
  await using cluster = await startCluster()
  const times: number[] = []
  for (let n = 0; n < count; n++) {
    const leader = await cluster.untilLed()
    await leader.kill()
    times.push(await takeoverMs(cluster, leader))
    await leader.start()
    await cluster.untilJoined()
  }
  const note = `median ${Math.round(quantile(times, 0.5))} ms`
  return [
    {
      name: `cluster, leader killed ${count} times: longest until the next`,
      value: Math.max(...times),
      unit: 'ms',
      atMost: FAILOVER_MS,
      note,
    },
  ]
}

/** Counts of one run; faults that a leader or the database suffered. */
interface Faults {
  readonly counts: Map<string, number>
  /** The database was away for so long, in milliseconds, that nodes may have worked alone. */
  awayMs: number
  /** A node was cut off for so long. */
  cutMs: number
}

type Fault = (cluster: TestCluster, random: () => number, faults: Faults) => Promise<void>

const sleep = (random: () => number, least: number, most: number): Promise<void> =>
  Bun.sleep(between(random, least, most))

async function someNode(cluster: TestCluster, random: () => number): Promise<ClusterNode> {
  const leader = random() < 0.5 ? await cluster.leader().catch(() => null) : null
  return leader ?? anyOf(random, cluster.nodes)
}

/** Each of them is over when it resolves. */
const FAULTS: Readonly<Record<string, Fault>> = {
  async kill(cluster, random) {
    const node = await someNode(cluster, random)
    await node.kill()
    await sleep(random, 500, 8000)
    await node.start()
  },
  async 'two killed'(cluster, random) {
    const [one, two] = [anyOf(random, cluster.nodes), anyOf(random, cluster.nodes)]
    await Promise.all([one.kill(), two.kill()])
    await sleep(random, 500, 3000)
    for (const node of new Set([one, two])) await node.start()
  },
  async stop(cluster, random) {
    const node = await someNode(cluster, random)
    await node.stop()
    await sleep(random, 200, 3000)
    await node.start()
  },
  async freeze(cluster, random) {
    const node = await someNode(cluster, random)
    node.freeze()
    await sleep(random, 1000, 15_000)
    node.thaw()
  },
  async 'silent network'(cluster, random, faults) {
    const node = await someNode(cluster, random)
    const began = performance.now()
    node.silence()
    await sleep(random, 1000, 20_000)
    await node.heal()
    faults.cutMs += performance.now() - began
  },
  async 'cut network'(cluster, random, faults) {
    const node = await someNode(cluster, random)
    const began = performance.now()
    await node.cut()
    await sleep(random, 500, 15_000)
    await node.heal()
    faults.cutMs += performance.now() - began
  },
  async 'database restarted'(cluster, random) {
    await cluster.postgres.restart(random() < 0.5 ? 'fast' : 'immediate')
  },
  async 'database killed'(cluster, random, faults) {
    const began = performance.now()
    await cluster.postgres.kill()
    await sleep(random, 500, 15_000)
    await cluster.postgres.start()
    faults.awayMs += performance.now() - began
  },
  async 'database paused'(cluster, random, faults) {
    const began = performance.now()
    cluster.postgres.pause()
    await sleep(random, 500, 15_000)
    cluster.postgres.resume()
    faults.awayMs += performance.now() - began
  },
}

async function strikeAtRandom(cluster: TestCluster, random: () => number, signal: AbortSignal): Promise<Faults> {
  const faults: Faults = { counts: new Map(), awayMs: 0, cutMs: 0 }
  while (!signal.aborted) {
    await pauseFor(between(random, 500, 5000), signal)
    if (signal.aborted) break
    const name = anyOf(random, Object.keys(FAULTS))
    faults.counts.set(name, (faults.counts.get(name) ?? 0) + 1)
    console.log(`    ${Math.round(performance.now() / 1000)} s: ${name}`)
    await FAULTS[name]!(cluster, random, faults)
  }
  return faults
}

async function randomFaults({ seconds, seed }: ClusterBenchSettings): Promise<Measurement[]> {
  console.log(`    faults at random for ${seconds} s, --seed ${seed}`)
  const random = seeded(seed)
  await using cluster = await startCluster({ butler: { scheduler: { enable: true, configfile: 'schedule.yaml' } } })
  await cluster.begin()
  const schedules = await addSchedules(cluster.nodes[0]!)
  const faults = await during(cluster.send({ count: seconds * PER_SECOND, perSecond: PER_SECOND }), (signal) =>
    strikeAtRandom(cluster, random, signal),
  )
  await cluster.recover()
  // Nodes are compared when nothing happens any more.
  await cluster.nodes[0]!.call('PUT', '/v4/schedules/stopall')
  await cluster.untilDelivered(DRAIN_MS).catch((error: Error) => console.log(`    ${error.message}`))
  await untilSame(cluster.nodes, 60_000).catch(() => undefined)
  const { lost, repeated, unlike, mostCopies, wanted } = cluster.ledger()
  const ends = await cluster.takeovers()
  // While nodes work alone each alerts about what it has accepted: two lanes, every node.
  const alone = Math.ceil(((faults.awayMs * 2 + faults.cutMs) / 1000) * PER_SECOND * 2)
  const bound = ends * REPEATS_PER_END + alone
  const name = `cluster, faults for ${seconds} s`
  const struck = [...faults.counts].map(([fault, count]) => `${count} ${fault}`).join(', ')
  return [
    {
      name: `${name}: lost`,
      value: lost.length,
      unit: 'alerts',
      atMost: 0,
      note: `of ${wanted}; seed ${seed}; ${struck}`,
    },
    {
      name: `${name}: repeated`,
      value: repeated,
      unit: 'alerts',
      atMost: bound,
      note: `${ends} takeovers, at most ${mostCopies} copies`,
    },
    { name: `${name}: copies of one alert`, value: mostCopies, unit: '', atMost: cluster.nodes.length + ends },
    { name: `${name}: repeats with another key`, value: unlike.length, unit: 'alerts', atMost: 0 },
    { name: `${name}: schedules fired twice`, value: await firedTwice(cluster, schedules), unit: 'runs', atMost: 0 },
    {
      name: `${name}: tables in which nodes differ`,
      value: differences(cluster.nodes).length,
      unit: '',
      atMost: 0,
      note: differences(cluster.nodes).join('; '),
    },
  ]
}

/** Tasks 400 on are started every ten seconds. */
const FIRST_SCHEDULED = 400

/** Ids of the schedules, by the number of their task. */
type Schedules = ReadonlyMap<number, string>

async function addSchedules(node: ClusterNode): Promise<Schedules> {
  const schedules = new Map<number, string>()
  for (let n = 0; n < SCHEDULES; n++) {
    const answer = await node.call('POST', '/v4/schedules', {
      name: `Every ten seconds ${n}`,
      cronSchedule: `${n % 10}/10 * * * * *`,
      timezone: 'UTC',
      qlikSenseTaskId: guidOf('task', FIRST_SCHEDULED + n),
      startupState: 'started',
      tags: [],
    })
    if (answer.status !== 201) throw new Error(`a schedule was refused: ${answer.status} ${await answer.text()}`)
    schedules.set(FIRST_SCHEDULED + n, ((await answer.json()) as { id: string }).id)
  }
  return schedules
}

/** Starts of tasks beyond the runs of their schedules, as each run starts one task once, and due times with two runs. */
async function firedTwice(cluster: TestCluster, schedules: Schedules): Promise<number> {
  const node = cluster.nodes[0]!
  const runs = new Map<string, number>()
  for (const { id } of node.rows<{ id: string }>(
    `SELECT schedule_id AS id FROM schedule_run WHERE state <> 'skipped'`,
  )) {
    runs.set(id, (runs.get(id) ?? 0) + 1)
  }
  const starts = await cluster.site.starts()
  let twice = node.rows('SELECT 1 FROM schedule_run GROUP BY schedule_id, due_at HAVING count(*) > 1').length
  for (const [number, id] of schedules) {
    const started = starts.filter(({ task }) => task === number).length
    twice += Math.max(0, started - (runs.get(id) ?? 0))
  }
  return twice
}
