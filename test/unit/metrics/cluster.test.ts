/** Metrics of a cluster. */
import { expect, test } from 'bun:test'
import type { ClusterStatus } from '../../../src/cluster/types.ts'
import { clusterFamilies } from '../../../src/metrics/prometheus/cluster.ts'
import { expose } from '../../../src/metrics/prometheus/http.ts'
import { clusterStatus, nodeInfo } from '../../support/cluster/status.ts'

const now = () => Date.UTC(2026, 2, 2, 6)

/** Lines with a value, without the names of the help. */
async function scrape(status: ClusterStatus | null): Promise<string[]> {
  const { text } = await expose(
    clusterFamilies(() => status, now),
    '',
  )
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
}

test('a node of its own has none', async () => {
  expect(await scrape(null)).toEqual([])
})

test('the leader says how many nodes there are and how many messages wait', async () => {
  const nodes = [nodeInfo(now, { name: 'node-1', mode: 'leader' }), nodeInfo(now, { seenAgoMs: 61_000 })]
  const lines = await scrape(clusterStatus(now, { nodes, inboxOpen: 4 }))
  expect(lines).toContain('footman_cluster_mode{mode="leader"} 1')
  expect(lines).toContain('footman_cluster_mode{mode="alone"} 0')
  expect(lines).toContain('footman_cluster_nodes{state="seen"} 1')
  expect(lines).toContain('footman_cluster_nodes{state="lost"} 1')
  expect(lines).toContain('footman_cluster_inbox_open 4')
  expect(lines).toContain('footman_cluster_epoch 3')
  expect(lines).toContain('footman_cluster_clock_offset_seconds 0.012')
  expect(lines).toContain('footman_cluster_offers_total{result="known"} 5')
  expect(lines).toContain('footman_cluster_takeovers_total{reason="expired"} 1')
  expect(lines).toContain('footman_cluster_ship_duration_seconds_bucket{le="0.1"} 4')
  expect(lines).toContain('footman_cluster_ship_duration_seconds_bucket{le="+Inf"} 5')
  expect(lines).toContain('footman_cluster_ship_duration_seconds_count 5')
})

test('shared state is given by the leader alone, so that a sum over the nodes is right', async () => {
  const lines = await scrape(clusterStatus(now, { mode: 'follower', followLagMs: 1500, inboxOpen: 4 }))
  expect(lines.filter((line) => /_nodes|_inbox_open/.test(line))).toEqual([])
  expect(lines).toContain('footman_cluster_mode{mode="follower"} 1')
  expect(lines).toContain('footman_cluster_follow_lag_seconds 1.5')
})
