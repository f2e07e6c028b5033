/** `footman cluster status`, `step-down`, `leave` and `remove`: over the REST API of a running node. */
import { setTimeout as pause } from 'node:timers/promises'
import { lacksOf } from '../../cluster/fitness.ts'
import { NODE_LOST_MS } from '../../cluster/types.ts'
import { CLUSTER, type ClusterNode, REMOVE_NODE, type SharedCluster, STEP_DOWN } from '../../console/contract.ts'
import type { ZoneTimes } from '../../platform/zone-times.ts'
import { type CommandIo, EXIT } from '../io.ts'
import { CommandFailure, OLD, type Remote, type RemoteOptions, withRemote } from '../remote/client.ts'
import { facts, table } from '../table.ts'
import { zonedTimeText } from '../time.ts'

/** Nodes report every two seconds; by then another one leads. */
const SILENT_MS = 10_000
const LOOK_MS = 500
const HAND_OVER_MS = 30_000
const LEAVE_MS = 60_000

async function read(remote: Remote, what: string): Promise<SharedCluster> {
  const cluster = await remote.ask(CLUSTER, { what, switchedOff: OLD })
  if (cluster.mode !== 'single') return cluster
  throw new CommandFailure(EXIT.badInput, what, 'this Footman works on its own (Butler.footman.cluster.enable)')
}

const leads = ({ nodes, leader }: SharedCluster): boolean =>
  nodes.some(({ name, mode, seenAgoMs }) => name === leader?.node && mode === 'leader' && seenAgoMs < NODE_LOST_MS)

export function runClusterStatus(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const cluster = await read(remote, 'cluster status')
    const isWell = cluster.database.up && leads(cluster)
    io.out(options.json ? JSON.stringify(cluster) : statusText(cluster, await remote.times()))
    return isWell ? EXIT.ok : EXIT.unreachable
  })
}

/** The node that answers knows best what it is. */
function partOf({ name, mode, seenAgoMs }: ClusterNode, cluster: SharedCluster): string {
  if (name === cluster.node) return cluster.mode
  return seenAgoMs < SILENT_MS ? mode : 'silent'
}

function statusText(cluster: SharedCluster, times: ZoneTimes): string {
  const { database, leader, nodes, headRev, configDiffers } = cluster
  const rows = nodes.map((node) => [
    node.name,
    partOf(node, cluster),
    node.version,
    node.seenAgoMs < NODE_LOST_MS ? `${Math.round(node.seenAgoMs / 1000)} s` : 'gone',
    String(Math.max(headRev - node.appliedRev, 0)),
    String(node.waiting),
    `${node.clockOffsetMs} ms`,
  ])
  const unfit = nodes
    .filter(({ seenAgoMs }) => seenAgoMs < NODE_LOST_MS)
    .flatMap(({ name, health = {} }) => Object.values(lacksOf(health)).map((lack) => `${name}: ${lack}`))
  const differences = Object.entries(configDiffers).map(([section, names]) => `${section} (${names.join(', ')})`)
  return [
    table([['node', 'part', 'version', 'seen', 'rows behind', 'waiting', 'clock'], ...rows]),
    '',
    facts([
      [
        'database',
        database.up
          ? database.host
          : `${database.refused ? 'cannot be used' : 'cannot be reached'}: ${database.reason}`,
      ],
      [
        'leader',
        database.up
          ? leader && `${leader.node} since ${zonedTimeText(leader.from, times)} (term ${leader.epoch})`
          : 'unknown meanwhile',
      ],
      ['cannot lead', unfit.length > 0 ? unfit.join('; ') : null],
      ['differs', differences.length > 0 ? differences.join(', ') : null],
    ]),
  ].join('\n')
}

export function runStepDown(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const what = 'cluster step-down'
    const { leader: before } = await read(remote, what)
    await remote.ask(STEP_DOWN, { what, switchedOff: OLD })
    const after = await until(remote, what, HAND_OVER_MS, (now) => now.leader?.epoch !== before?.epoch && leads(now))
    if (!after) throw new CommandFailure(EXIT.unreachable, what, 'no other node leads yet; see footman cluster status')
    io.out(`${after.leader?.node} leads now`)
    return EXIT.ok
  })
}

export function runLeave(options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const what = 'cluster leave'
    const isWhole = ({ appliedRev, headRev, waiting, database }: SharedCluster) =>
      database.up && appliedRev >= headRev && waiting === 0
    await read(remote, what).catch((error: unknown) => {
      if (!(error instanceof CommandFailure) || error.exitCode !== EXIT.unreachable) throw error
      const next =
        'a node that does not run has nothing to wait for: set Butler.footman.cluster.enable: false and start it; messages in its journal and pairs of its last moments may be missing from the cluster. On another node run: footman cluster remove NAME'
      throw new CommandFailure(EXIT.unreachable, what, `${error.message.replace(/^cluster leave: /, '')}; ${next}`)
    })
    const whole = await until(remote, what, LEAVE_MS, isWhole)
    if (!whole) {
      throw new CommandFailure(
        EXIT.unreachable,
        what,
        'this node has not got everything yet; see footman cluster status',
      )
    }
    io.out(
      `${whole.node} has everything. Set Butler.footman.cluster.enable: false on it and restart it; on another node run: footman cluster remove ${whole.node}`,
    )
    return EXIT.ok
  })
}

/** Null when the time is over before. The node is away for a moment while it gets another part. */
async function until(
  remote: Remote,
  what: string,
  ms: number,
  holds: (cluster: SharedCluster) => boolean,
): Promise<SharedCluster | null> {
  const end = performance.now() + ms
  while (performance.now() < end) {
    const cluster = await read(remote, what).catch((error: unknown) => {
      if (error instanceof CommandFailure && error.status === undefined && error.exitCode === EXIT.unreachable)
        return null
      throw error
    })
    if (cluster && holds(cluster)) return cluster
    await pause(LOOK_MS)
  }
  return null
}

export function runRemoveNode(name: string, options: RemoteOptions, io: CommandIo): Promise<number> {
  return withRemote(options, io, async (remote) => {
    const missing = { code: 'NODE_NOT_FOUND', why: 'the cluster has no such node' }
    await remote.ask(REMOVE_NODE, { params: { name }, what: `node ${name}`, switchedOff: OLD, missing })
    io.out(`${name} is off the list`)
    return EXIT.ok
  })
}
