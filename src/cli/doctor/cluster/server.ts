/** The server of the shared database: its version, its speed, its clock, its standbys, and a pooler in front of it. */
import { randomBytes } from 'node:crypto'
import { errorText } from '../../../platform/errors.ts'
import type { Finding } from '../types.ts'
import { type Examination, nodeName } from './examination.ts'

const OLDEST = 12
/** Last days of the versions, by the project's plan: five years after the first release. */
const MAINTAINED_UNTIL: Readonly<Record<number, string>> = {
  12: '2024-11-21',
  13: '2025-11-13',
  14: '2026-11-12',
  15: '2027-11-11',
  16: '2028-11-09',
  17: '2029-11-08',
  18: '2030-11-14',
}

const POOLER_WAIT_MS = 2000
const STATEMENTS = 50
const COMMITS = 10
/** A slow way needs fewer examples. */
const LONGEST_MS = 5000
const SLOW_MS = 20
const TOO_FAR_MS = 50
const SKEW_MS = 2000

export async function versionFindings({ context, connection }: Examination): Promise<readonly Finding[]> {
  const [row] = await connection.query<{ number: number }>(
    `SELECT current_setting('server_version_num')::int AS number`,
  )
  return versionFinding(Math.floor((row?.number ?? 0) / 10_000), connection.host, context.clock.now())
}

/** `version`: 15; `now`: milliseconds since 1970. */
export function versionFinding(version: number, target: string, now: number): readonly Finding[] {
  const code = 'cluster.version'
  if (version < OLDEST) {
    const message = `is PostgreSQL ${version}; Footman needs ${OLDEST} or newer`
    return [{ level: 'error', code, target, message, fix: 'upgrade the server', key: 'footman.cluster.hosts' }]
  }
  const until = MAINTAINED_UNTIL[version]
  if (until === undefined || now < Date.parse(until)) return []
  const message = `is PostgreSQL ${version}, which has got no corrections since ${until}`
  return [{ level: 'warning', code, target, message, fix: 'upgrade the server', key: 'footman.cluster.hosts' }]
}

/** A pooler that gives each transaction another session loses notifications. */
export async function poolerFindings({ connection, second }: Examination): Promise<readonly Finding[]> {
  const channel = `footman_doctor_${randomBytes(6).toString('hex')}`
  const { promise: heard, resolve } = Promise.withResolvers<boolean>()
  connection.onNotification((name) => void (name === channel && resolve(true)))
  await connection.query(`LISTEN ${channel}`)
  const timer = setTimeout(() => resolve(false), POOLER_WAIT_MS)
  try {
    await second.query('SELECT pg_notify($1, $2)', [channel, ''])
    if (await heard) return []
  } finally {
    clearTimeout(timer)
  }
  return [
    {
      level: 'error',
      code: 'cluster.pooler',
      target: connection.host,
      message: 'notifications (LISTEN) do not arrive, as behind a pooler that works by transaction',
      fix: 'name the server itself in Butler.footman.cluster.hosts, or let the pooler work by session (pool_mode = session)',
      key: 'footman.cluster.hosts',
    },
  ]
}

export async function timingFindings({ connection }: Examination): Promise<readonly Finding[]> {
  const statements = await timesOf(STATEMENTS, () => connection.query('SELECT 1'))
  // A notification, even for no one, is written down by the commit as a row would be.
  const commits = await timesOf(COMMITS, () => connection.query(`SELECT pg_notify('footman_doctor', '')`))
  const spread = (times: readonly number[]) =>
    `${shown(at(times, 0.5))} ms, the slowest hundredth ${shown(at(times, 0.99))} ms`
  const message = `a statement usually takes ${spread(statements)}, a commit ${spread(commits)}`
  const found = { code: 'cluster.round-trip', target: connection.host, message } as const
  const median = at(statements, 0.5)
  if (median <= SLOW_MS) return [{ level: 'ok', ...found }]
  const fix =
    median > TOO_FAR_MS
      ? 'a cluster is no use over this distance: every alert waits for several of these times. Use a server near the nodes'
      : 'use a server nearer to the nodes: every alert waits for several of these times'
  return [{ level: 'warning', ...found, fix, key: 'footman.cluster.hosts' }]
}

/** Milliseconds, sorted. */
async function timesOf(count: number, work: () => Promise<unknown>): Promise<readonly number[]> {
  const start = performance.now()
  const times: number[] = []
  while (times.length < count && performance.now() - start < LONGEST_MS) {
    const before = performance.now()
    await work()
    times.push(performance.now() - before)
  }
  return times.sort((a, b) => a - b)
}

const at = (sorted: readonly number[], part: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0
const shown = (ms: number): string => ms.toFixed(1)

/** The clock of this machine against that of the server. */
export async function clockFindings({ context, connection }: Examination): Promise<readonly Finding[]> {
  const before = context.clock.now()
  const [row] = await connection.query<{ now: number }>(
    'SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS now',
  )
  const offset = (row?.now ?? 0) - (before + context.clock.now()) / 2
  return Math.abs(offset) > SKEW_MS ? [clockFinding('this machine', offset)] : []
}

/** `offset`: clock of the database minus that of the node, in milliseconds. */
export function clockFinding(target: string, offset: number): Finding {
  const message = `its clock is ${(Math.abs(offset) / 1000).toFixed(1)} s ${offset > 0 ? 'behind' : 'ahead of'} that of the database`
  const fix =
    'let nodes and database take their time from one server; Footman corrects it, logs and other programs do not'
  return { level: 'warning', code: 'cluster.clock', target, message, fix }
}

const STANDBYS = `SELECT (SELECT count(*) FROM pg_stat_replication) AS standbys,
    current_setting('synchronous_standby_names') <> '' AS "isSynchronous"`

/** For information: what the end of the server would mean. */
export async function standbyFindings({ connection }: Examination): Promise<readonly Finding[]> {
  const [row] = await connection.query<{ standbys: number; isSynchronous: boolean }>(STANDBYS)
  const target = connection.host
  if (!row || (row.standbys > 0 && row.isSynchronous)) return []
  if (row.standbys > 0) {
    const message =
      'its standby gets changes a moment later: when it takes over, the nodes add what they have, and only what died with both is lost. synchronous_standby_names closes the gap'
    return [{ level: 'info', code: 'cluster.standby-async', target, message }]
  }
  const message =
    'has no standby: while it is down, each node alerts on its own, and schedules and retries stop. A standby in Butler.footman.cluster.hosts takes over'
  return [{ level: 'info', code: 'cluster.no-standby', target, message }]
}

/** Changes nothing, and writes it all the same. */
const WRITE = 'UPDATE node SET seen_at = seen_at WHERE name = $1'

/** A server whose disk is full, or that was made read-only, may answer everything else. May end the connection. */
export async function writeFindings({ context, connection }: Examination): Promise<readonly Finding[]> {
  // Before the first start there are no tables.
  const [row] = await connection.query<{ isThere: boolean }>(`SELECT to_regclass('node') IS NOT NULL AS "isThere"`)
  if (!row?.isThere) return []
  try {
    await connection.query(WRITE, [nodeName(context)])
    return []
  } catch (error) {
    return [
      {
        level: 'error',
        code: 'cluster.no-writes',
        target: connection.host,
        message: `takes no writes (${errorText(error)}), so that the nodes work alone`,
        fix: 'free space on the disk of the server, or end its read-only mode: SHOW default_transaction_read_only',
        key: 'footman.cluster.hosts',
      },
    ]
  }
}
