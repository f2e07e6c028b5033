/** `/v4/cluster`: the nodes, who leads, and how it got there. */
import { lacksOf } from '../cluster/fitness.ts'
import type { Cluster } from '../cluster/index.ts'
import {
  type ClusterStatus,
  ForwardingError,
  type Leadership,
  type NodeInfo,
  type SharedState,
} from '../cluster/types.ts'
import { CLUSTER, REMOVE_NODE, type SharedCluster, STEP_DOWN } from '../console/contract.ts'
import type { CheckState } from '../http/contract.ts'
import { type ApiRoute, route } from '../http/endpoint/route.ts'
import { refusal } from '../http/errors.ts'
import { forwardingRefusal } from '../http/forwarding.ts'
import { PostgresError } from '../platform/postgres/errors.ts'
import type { Clock } from '../platform/types.ts'

export interface ClusterRouteDeps {
  readonly shared: Pick<SharedState, 'status' | 'mode'>
  readonly clock: Clock
  /** Null on a node of its own. */
  readonly cluster: Pick<Cluster, 'stepDown' | 'nodes'> | null
}

const iso = (ms: number): string => new Date(ms).toISOString()
const shown = ({ from, ...rest }: Leadership) => ({ ...rest, from: iso(from) })

function nodeOf({ startedAt, seenAt, config, ...rest }: NodeInfo, now: number) {
  return { ...rest, startedAt: iso(startedAt), seenAt: iso(seenAt), seenAgoMs: Math.max(Math.round(now - seenAt), 0) }
}

function answerOf(status: ClusterStatus, now: number): SharedCluster {
  const { database, leader, nodes, leaderships } = status
  return {
    mode: status.mode,
    node: status.node,
    modeSince: iso(status.modeSince),
    clusterId: status.clusterId,
    database: {
      host: database.host,
      timeline: database.timeline,
      up: database.isUp,
      reason: database.reason,
      refused: database.isRefused,
    },
    leader: leader && shown(leader),
    appliedRev: status.appliedRev,
    headRev: status.headRev,
    followLagMs: Math.round(status.followLagMs),
    clockOffsetMs: status.clockOffsetMs,
    waiting: status.waiting,
    unshippedRows: status.unshippedRows,
    inboxOpen: status.inboxOpen,
    nodes: nodes.map((node) => nodeOf(node, now)),
    configDiffers: status.configDiffers,
    leaderships: leaderships.map(shown),
  }
}

export function clusterRoutes({ shared, clock, cluster }: ClusterRouteDeps): ApiRoute[] {
  const ours = () => {
    if (cluster && shared.status) return { cluster, status: shared.status }
    throw refusal('NO_CLUSTER', ALONE)
  }
  return [
    route({
      ...CLUSTER,
      scope: 'admin',
      at: 'here',
      summary: 'Report the nodes of the cluster and who leads',
      examples: [{ name: 'single', status: 200, answer: { mode: 'single' } }],
      handle: (_, answer) => answer(200, shared.status ? answerOf(shared.status, clock.now()) : { mode: 'single' }),
    }),
    route({
      ...STEP_DOWN,
      scope: 'admin',
      action: 'cluster.stepDown',
      at: 'leader',
      summary: 'Let another node lead',
      description: 'The leader hands over and does not lead again until another node does, at most for 15 seconds.',
      examples: [{ name: 'no-cluster', status: 404, answer: refusal('NO_CLUSTER', ALONE).body }],
      async handle(_, answer) {
        const { cluster: own, status } = ours()
        if (!(await answered(status, () => own.nodes.hasCandidate()))) {
          throw refusal('NO_CANDIDATE', 'No other node runs that may lead; GET /v4/cluster lists them')
        }
        // The answer leaves before this node is built anew as a follower.
        setTimeout(() => void own.stepDown().catch(() => undefined), HAND_OVER_MS)
        return answer(202, { node: status.node })
      },
    }),
    route({
      ...REMOVE_NODE,
      scope: 'admin',
      action: 'cluster.removeNode',
      at: 'here',
      summary: 'Take a node that is gone off the list',
      description:
        'The other nodes do not wait for it any more. Stop it before, or wait until it has been silent for 30 seconds. Messages that it accepted and had not offered are in its own journal: start it once more to offer them.',
      examples: [
        { name: 'no-cluster', params: { name: 'node-2' }, status: 404, answer: refusal('NO_CLUSTER', ALONE).body },
      ],
      async handle({ params }, answer) {
        const { cluster: own, status } = ours()
        const outcome = await answered(status, () => own.nodes.remove(params.name))
        if (outcome === 'unknown') throw refusal('NODE_NOT_FOUND', `The cluster has no node "${params.name}"`)
        if (outcome === 'runs') throw refusal('NODE_RUNS', `"${params.name}" has given a sign of life in the last 30 s`)
        return answer(204)
      },
    }),
  ]
}

const HAND_OVER_MS = 250
const ALONE = 'This node works on its own (Butler.footman.cluster.enable)'
const AWAY = 'The database of the cluster cannot be used by this node. Nothing was done; repeat the call'
const CUT_OFF = 'The connection to the database broke before it answered. GET /v4/cluster shows whether it was done'

/** Work in the database. Rejects as other changes do while the database is away; a node alone does not try. */
async function answered<T>({ mode }: ClusterStatus, work: () => Promise<T>): Promise<T> {
  if (mode === 'alone') throw forwardingRefusal(new ForwardingError('CLUSTER_UNAVAILABLE', AWAY))
  return work().catch((error: unknown) => {
    if (!(error instanceof PostgresError)) throw error
    const fault = error.isUndone
      ? new ForwardingError('CLUSTER_UNAVAILABLE', AWAY)
      : new ForwardingError('OUTCOME_UNKNOWN', CUT_OFF)
    throw forwardingRefusal(fault)
  })
}

/** A node is behind, or messages wait, for longer than this: something is wrong. */
const LATE_MS = 30_000

/** The check `cluster` of `/health`; null on a node of its own. */
export function clusterHealth(
  status: ClusterStatus | null,
  now: number,
): { readonly state: CheckState; readonly reason: string } | null {
  if (!status) return null
  const { database, mode, leader, followLagMs, inboxOldestAt } = status
  if (database.isWaitedFor) return { state: 'down', reason: `the database of the cluster: ${database.reason}` }
  if (mode === 'alone') return { state: 'down', reason: `this node works alone: ${database.reason}` }
  if (!database.isUp)
    return { state: 'degraded', reason: `the database of the cluster: ${database.reason || 'not reached yet'}` }
  const led = leader && status.nodes.some(({ name, seenAt }) => name === leader.node && now - seenAt < LATE_MS)
  if (status.leaderlessForMs > LATE_MS || (!led && now - status.modeSince > LATE_MS)) {
    const unfit = status.nodes.flatMap(({ name, health }) =>
      Object.values(lacksOf(health)).map((it) => `${name}: ${it}`),
    )
    return { state: 'down', reason: ['no node leads the cluster', ...unfit].join('; ') }
  }
  if (followLagMs > LATE_MS)
    return { state: 'degraded', reason: `${Math.round(followLagMs / 1000)} s behind the leader` }
  if (inboxOldestAt !== null && now - inboxOldestAt > LATE_MS) {
    return { state: 'degraded', reason: `${status.inboxOpen} messages wait for the leader` }
  }
  return { state: 'up', reason: '' }
}
