/** Metrics of a cluster: its nodes and its leader, and the work that keeps them equal. None on a node of its own. */
import { type ClusterCounters, type ClusterStatus, NODE_LOST_MS, type Timed } from '../../cluster/types.ts'
import {
  byLabel,
  counter,
  distributionSamples,
  gauge,
  gauges,
  histogram,
  type MetricFamily,
  single,
} from './families.ts'

const MODES = ['joining', 'follower', 'leader', 'alone', 'leaving'] as const

/** `status` is asked at each scrape; the state that all share is given by the leader alone, so that sums are right. */
export function clusterFamilies(status: () => ClusterStatus | null, now: () => number): MetricFamily[] {
  const value = (read: (status: ClusterStatus) => number | null) => () => {
    const known = status()
    return known && read(known)
  }
  const ofLeader = (read: (status: ClusterStatus) => number) =>
    value((known) => (known.mode === 'leader' ? read(known) : null))
  const counted = (read: (counters: ClusterCounters) => number) => single(value(({ counters }) => read(counters)))
  const countedBy = (label: string, read: (counters: ClusterCounters) => Readonly<Record<string, number>>) =>
    byLabel(label, () => {
      const known = status()
      return known ? Object.entries(read(known.counters)) : []
    })
  const timed = (what: Timed) => ({
    labels: [],
    samples() {
      const known = status()
      return known ? distributionSamples(known.counters.timings[what], {}) : []
    },
  })

  return [
    gauges(
      'footman_cluster_mode',
      'The part of this node in its cluster: 1 for the one that it has.',
      byLabel('mode', () => {
        const known = status()
        return known ? MODES.map((mode) => [mode, Number(mode === known.mode)]) : []
      }),
    ),
    gauges(
      'footman_cluster_nodes',
      'Nodes that were heard of within the last minute, and others; by the leader.',
      byLabel('state', () => {
        const known = status()
        if (known?.mode !== 'leader') return []
        const lost = known.nodes.filter(({ seenAt }) => now() - seenAt > NODE_LOST_MS).length
        return [
          ['seen', known.nodes.length - lost],
          ['lost', lost],
        ]
      }),
    ),
    gauge('footman_cluster_epoch', 'Number of the leadership; it grows with each takeover.', () => {
      return status()?.leader?.epoch ?? null
    }),
    gauge(
      'footman_cluster_database_up',
      'Whether the database of the cluster answers.',
      value(({ database }) => Number(database.isUp)),
    ),
    gauge(
      'footman_cluster_clock_offset_seconds',
      'Clock of the database minus the clock of this machine.',
      value(({ clockOffsetMs }) => clockOffsetMs / 1000),
    ),
    gauge(
      'footman_cluster_waiting',
      'Messages that this node has accepted and not passed on yet.',
      value(({ waiting }) => waiting),
    ),
    gauge(
      'footman_cluster_inbox_open',
      'Messages that wait for the leader; by the leader.',
      ofLeader(({ inboxOpen }) => inboxOpen),
    ),
    gauge(
      'footman_cluster_unshipped_rows',
      'Changes of this node that the database does not have yet.',
      value(({ unshippedRows }) => unshippedRows),
    ),
    gauge(
      'footman_cluster_follow_lag_seconds',
      'How far this node is behind the leader.',
      value(({ followLagMs }) => followLagMs / 1000),
    ),
    counter(
      'footman_cluster_offers_total',
      'Messages that this node has passed on: new ones, and those known from other nodes.',
      countedBy('result', ({ offers }) => ({ ...offers })),
    ),
    counter(
      'footman_cluster_shipped_rows_total',
      'Rows that this node has stored in the database.',
      counted(({ shippedRows }) => shippedRows),
    ),
    counter(
      'footman_cluster_applied_rows_total',
      'Rows of other nodes that this node has taken over.',
      counted(({ appliedRows }) => appliedRows),
    ),
    histogram('footman_cluster_ship_duration_seconds', 'Time until the database had the changes.', timed('ship')),
    histogram(
      'footman_cluster_command_duration_seconds',
      'Time until the leader had answered a call that this node received.',
      timed('command'),
    ),
    histogram(
      'footman_cluster_barrier_duration_seconds',
      'Time that reads waited for the newest rows.',
      timed('barrier'),
    ),
    counter(
      'footman_cluster_takeovers_total',
      'How often this node became the leader.',
      countedBy('reason', ({ takeovers }) => takeovers),
    ),
    counter(
      'footman_cluster_commands_total',
      'Calls of other nodes that this node carried out as the leader.',
      countedBy('result', ({ commands }) => commands),
    ),
    counter(
      'footman_cluster_fenced_total',
      'How often this node learned that another one leads.',
      counted(({ fenced }) => fenced),
    ),
    counter(
      'footman_cluster_alone_seconds_total',
      'How long this node worked alone.',
      counted(({ aloneSeconds }) => aloneSeconds),
    ),
    counter(
      'footman_cluster_duplicate_events_total',
      'Events of this node that another one made too, as they could not reach each other.',
      counted(({ duplicateEvents }) => duplicateEvents),
    ),
    counter(
      'footman_cluster_rewinds_total',
      'How often the database was found to be in an earlier state.',
      counted(({ rewinds }) => rewinds),
    ),
  ]
}
