/** The state of a cluster of two nodes in which all is well; a test changes what it is about. */
import type { ClusterStatus, NodeInfo } from '../../../src/cluster/types.ts'

type Changeable<T> = { -readonly [K in keyof T]: T[K] }

/** `node-1` leads and is the one that is asked; its clock is `now`. */
export function clusterStatus(now: () => number, changes: Partial<ClusterStatus> = {}): Changeable<ClusterStatus> {
  const leadership = { epoch: 3, node: 'node-1', from: now() - 7_200_000, reason: 'expired' }
  const timing = { bounds: [0.1, 1], counts: [4, 1, 0], sum: 0.7 }
  return {
    node: 'node-1',
    mode: 'leader',
    modeSince: now() - 7_200_000,
    clusterId: '6a3dd6ad-3a83-4b45-8e3f-0b8d0f2a0c11',
    database: {
      host: 'pg1.acme.example:5432',
      timeline: 1,
      isUp: true,
      isRefused: false,
      isWaitedFor: false,
      reason: '',
      downForMs: 0,
    },
    leader: leadership,
    nodes: [nodeInfo(now, { name: 'node-1', mode: 'leader' }), nodeInfo(now, { name: 'node-2' })],
    leaderlessForMs: 0,
    leaderships: [leadership],
    appliedRev: 4711,
    headRev: 4711,
    followLagMs: 0,
    clockOffsetMs: 12,
    unshippedRows: 0,
    waiting: 0,
    inboxOpen: 0,
    inboxOldestAt: null,
    configDiffers: {},
    rewoundAgoMs: null,
    counters: {
      offers: { new: 20, known: 5 },
      shippedRows: 300,
      appliedRows: 40,
      takeovers: { expired: 1 },
      commands: { answered: 7 },
      fenced: 0,
      aloneSeconds: 0,
      duplicateEvents: 0,
      rewinds: 0,
      timings: { ship: timing, command: timing, barrier: timing },
    },
    ...changes,
  }
}

/** Seen just now, at every time; `seenAgoMs` makes it older. */
export function nodeInfo(
  now: () => number,
  changes: Partial<NodeInfo> & { readonly seenAgoMs?: number } = {},
): NodeInfo {
  const { seenAgoMs = 500, ...rest } = changes
  return {
    name: 'node-2',
    mode: 'follower',
    version: '0.1.0',
    candidate: true,
    url: 'https://node-2.acme.example:8080',
    startedAt: now() - 7_200_000,
    get seenAt() {
      return now() - seenAgoMs
    },
    appliedRev: 4711,
    waiting: 0,
    clockOffsetMs: -3,
    config: {},
    health: { cluster: 'up' },
    ...rest,
  }
}
