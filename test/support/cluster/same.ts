/** Whether all nodes hold the same. */
import { until } from '../wait.ts'
import type { ClusterNode } from './node.ts'

/** The rows that all nodes must agree on, as one text each. Node-local numbers are left out. */
const SHARED: Readonly<Record<string, string>> = {
  event: 'SELECT id || state FROM event',
  delivery: `SELECT id || state || coalesce(reason, '') FROM delivery`,
  // Each node removes by itself what is over.
  dedup: 'SELECT key FROM dedup WHERE expires_at > (SELECT max(received_at) FROM event)',
  kv: 'SELECT namespace || key || value || revision FROM kv',
  snooze: 'SELECT id FROM snooze',
  schedule_run: 'SELECT id || state FROM schedule_run',
  task_start: 'SELECT id FROM task_start',
}

/** Rows of a node by table, sorted. */
export function sharedRows(node: ClusterNode): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    Object.entries(SHARED).map(([table, sql]) => {
      const rows = node.rows<Record<string, string>>(sql).map((row) => String(Object.values(row)[0]))
      return [table, rows.sort()]
    }),
  )
}

/** Names the tables in which nodes differ, with their numbers of rows and an example. */
export function differences(nodes: readonly ClusterNode[]): readonly string[] {
  const [first, ...others] = nodes.map((node) => ({ name: node.name, rows: sharedRows(node) }))
  if (!first) return []
  return others.flatMap(({ name, rows }) =>
    Object.keys(SHARED).flatMap((table) => {
      const [mine = [], theirs = []] = [first.rows[table], rows[table]]
      if (mine.join('\n') === theirs.join('\n')) return []
      const [ours, other] = [new Set(mine), new Set(theirs)]
      const example = mine.find((row) => !other.has(row)) ?? theirs.find((row) => !ours.has(row)) ?? ''
      return [`${table}: ${first.name} has ${mine.length} rows, ${name} ${theirs.length}; ${example}`]
    }),
  )
}

/** Resolves when these nodes hold the same rows. */
export async function untilSame(nodes: readonly ClusterNode[], timeout = 20_000): Promise<void> {
  const now = { found: [] as readonly string[] }
  await until(
    () => {
      now.found = differences(nodes)
      return now.found.length === 0
    },
    { timeout, what: 'all nodes to hold the same', state: () => now.found },
  )
}
