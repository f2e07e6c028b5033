/**
 * Conditions of several nodes. All nodes see most of them: the first of those that live and can write, by name, reports them,
 * so that there is one alert. Its own clock, and a database that it cannot reach, each node reports for itself.
 */
import { lacksOf } from '../../cluster/fitness.ts'
import { type ClusterStatus, NODE_LOST_MS, type NodeInfo } from '../../cluster/types.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import type { Condition, Finding, SelfCode } from './types.ts'

/** Null on a node of its own. */
export type ReadCluster = () => ClusterStatus | null

const LIVES_MS = 30_000
const DOWN_MS = 60_000
const NO_LEADER_MS = 30_000
const HOUR_MS = 3_600_000
const TOO_MANY_TAKEOVERS = 5
const PLANNED: ReadonlySet<string> = new Set(['first', 'handedOver'])
const CLOCK_OFF_MS = 2000
/** The alert ends only below this, so that a clock at the limit is reported once. */
const CLOCK_RIGHT_MS = 1500

const bad = (text: string, subject = ''): Finding => ({ subject, state: 'bad', text })
const good: readonly Finding[] = [{ subject: '', state: 'good' }]
const ended = (raised: readonly string[]): Finding[] => raised.map((subject) => ({ subject, state: 'good' }))
const secondsOf = (ms: number): string => `${Math.round(ms / 1000)} s`

/** All conditions of a cluster that are measured; what was raised ends on a node that is of no cluster any more. */
export function clusterConditions(read: ReadCluster, times: ZoneTimes): Condition[] {
  return [
    ownCondition('CLUSTER_DATABASE_DOWN', read, databaseDown),
    commonCondition('CLUSTER_NODE_LOST', read, nodesLost(times)),
    commonCondition('CLUSTER_NODE_UNFIT', read, nodesUnfit),
    commonCondition('CLUSTER_NO_LEADER', read, noLeader),
    commonCondition('CLUSTER_FLAPPING', read, flapping),
    ownCondition('CLUSTER_CLOCK', read, clockOff),
    ownCondition('CLUSTER_REWOUND', read, rewound),
  ]
}

type Look = (status: ClusterStatus, now: number, raised: readonly string[]) => readonly Finding[]

function ownCondition(code: SelfCode, read: ReadCluster, look: Look): Condition {
  return {
    code,
    look(now, raised) {
      const status = read()
      return status ? look(status, now, raised) : ended(raised)
    },
  }
}

/** A condition of the state that all nodes see, judged by one of them. While the database is away nothing is known. */
function commonCondition(code: SelfCode, read: ReadCluster, look: Look): Condition {
  return ownCondition(code, read, (status, now, raised) => {
    const own = status.nodes.find(({ name }) => name === status.node)
    if (!status.database.isUp || !own || now - own.seenAt > LIVES_MS) return []
    const findings = look(status, now, raised)
    if (firstLiving(status.nodes, now) === status.node) return findings
    // Another one reports; what this one has reported it ends.
    return findings.filter(({ state, subject }) => state !== 'bad' || raised.includes(subject))
  })
}

/** A node that cannot write its disk can store no alert, so it reports only where no other one can. */
function firstLiving(nodes: readonly NodeInfo[], now: number): string | undefined {
  const living = nodes.filter(({ mode, seenAt }) => mode !== 'leaving' && now - seenAt <= LIVES_MS)
  const writing = living.filter(({ health }) => lacksOf(health).disk === undefined)
  return (writing.length > 0 ? writing : living).map(({ name }) => name).toSorted()[0]
}

/** Also reported with `whenDatabaseDown: wait`, as soon as it is back. */
const databaseDown: Look = ({ mode, node, database: { isUp, isRefused, isWaitedFor, reason, downForMs } }) => {
  if (isUp) return good
  if (isRefused && mode === 'alone') {
    const result = isWaitedFor
      ? 'The node keeps what it receives, and sends and starts nothing until it is let in; where no other node works either, alerts wait'
      : 'The node alerts about what it receives, as no node may be let in; schedules and retries rest'
    return [
      bad(`The database of the cluster has not let node ${node} in for ${secondsOf(downForMs)}: ${reason}. ${result}.`),
    ]
  }
  if (mode !== 'alone' && downForMs < DOWN_MS) return []
  const result = mode === 'alone' ? 'This node works alone until it is back' : 'Alerts wait until it is back'
  return [bad(`The database of the cluster has not answered for ${secondsOf(downForMs)}: ${reason}. ${result}.`)]
}

const nodesLost =
  (times: ZoneTimes): Look =>
  ({ nodes }, now, raised) => [
    ...nodes.map(({ name, mode, seenAt }): Finding => {
      const isLost = mode !== 'leaving' && now - seenAt > NODE_LOST_MS
      if (!isLost) return { subject: name, state: 'good' }
      const text = `Node ${name} of the cluster was last heard of at ${times.text(seenAt)}. The others do its work.`
      return bad(text, name)
    }),
    ...raised
      .filter((subject) => !nodes.some(({ name }) => name === subject))
      .map((subject) => ({ subject, state: 'gone' }) as const),
  ]

/** The repository has a condition of its own; that of a single node counts where others reach it. */
const nodesUnfit: Look = ({ nodes }, now, raised) => {
  const living = nodes.filter(({ mode, seenAt }) => mode !== 'leaving' && now - seenAt <= LIVES_MS)
  const reachesRepository = living.some(({ health }) => health.qrs === 'up')
  return [
    ...living.map(({ name, health }): Finding => {
      const { disk, repository, queue } = lacksOf(health)
      const lack = disk ?? queue ?? (reachesRepository ? repository : undefined)
      if (lack === undefined) return { subject: name, state: 'good' }
      return bad(`Node ${name} of the cluster cannot lead: ${lack}. Another node does the work where one can.`, name)
    }),
    ...raised
      .filter((subject) => !nodes.some(({ name }) => name === subject))
      .map((subject) => ({ subject, state: 'gone' }) as const),
  ]
}

const noLeader: Look = ({ leader, leaderlessForMs, nodes, modeSince }, now) => {
  const seenAt = nodes.find(({ name }) => name === leader?.node)?.seenAt ?? modeSince
  if (now - seenAt <= NO_LEADER_MS && leaderlessForMs <= NO_LEADER_MS) return good
  const last = leader ? `${leader.node} was heard of last` : 'none has ever led'
  return [bad(`No node leads the cluster (${last}): messages wait, and nothing is started.`)]
}

/** Those that were asked for do not count. */
const flapping: Look = ({ leaderships }, now) => {
  const recent = leaderships.filter(({ from, reason }) => now - from < HOUR_MS && !PLANNED.has(reason))
  if (recent.length < TOO_MANY_TAKEOVERS) return good
  const names = [...new Set(recent.map(({ node }) => node))].toSorted().join(', ')
  return [bad(`The cluster has changed its leader ${recent.length} times within an hour (${names}).`)]
}

const clockOff: Look = ({ node, clockOffsetMs }) => {
  const off = Math.abs(clockOffsetMs)
  if (off <= CLOCK_OFF_MS) return off < CLOCK_RIGHT_MS ? good : []
  const way = clockOffsetMs > 0 ? 'behind' : 'ahead of'
  return [bad(`The clock of node ${node} is ${secondsOf(off)} ${way} that of the database.`)]
}

const rewound: Look = ({ rewoundAgoMs }) => {
  if (rewoundAgoMs === null || rewoundAgoMs >= HOUR_MS) return good
  return [
    bad(
      'The database of the cluster was put back to an earlier state, by a backup or a standby that had not received everything. The nodes have added what they still knew.',
    ),
  ]
}
