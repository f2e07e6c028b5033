/** The nodes of the cluster: each one's sign of life, and the list of all. */
import { StartError } from '../platform/errors.ts'
import type { Queryable } from '../platform/postgres/types.ts'
import { PROTOCOL } from './migrations.ts'
import type { Leadership, NodeInfo, NodeMode } from './types.ts'

export interface NodeIdentity {
  readonly name: string
  /** Id of this process. */
  readonly instance: string
  /** Id of the data directory. */
  readonly dataId: string
  readonly version: string
  readonly candidate: boolean
  readonly url: string | null
  /** Milliseconds since 1970, by the own clock. */
  readonly startedAt: number
  /** Hash by section of the configuration. */
  readonly config: () => Readonly<Record<string, string>>
}

export interface NodeState {
  readonly mode: NodeMode
  readonly appliedRev: number
  readonly waiting: number
  readonly offsetMs: number
  readonly health: Readonly<Record<string, unknown>>
}

export interface NodeList {
  readonly nodes: readonly NodeInfo[]
  /** The newest first, at most 20. */
  readonly leaderships: readonly Leadership[]
}

export interface Nodes {
  /**
   * Takes the name. False: another process may live under it with a copy of the data directory; to be asked again soon. Rejects
   * with a `StartError` when it does, or when another data directory uses the name.
   */
  register(state: NodeState): Promise<boolean>
  /** Also reads the list. Rejects with a `StartError` when another process uses a copy of the data directory and was first. */
  beat(state: NodeState): Promise<void>
  /** The rows of an outage are in the database: other nodes need not wait for this one. */
  returned(): Promise<void>
  /** How many nodes that lived shortly before have not come back since, up to the clock of the database. */
  awaited(sinceMs: number): Promise<number>
  /** The nodes that the database had at the last beat, which may be two seconds ago. */
  readonly list: NodeList
  /** Whether another node runs that may lead. */
  hasCandidate(): Promise<boolean>
  /** `runs`: it has given a sign of life lately, and stays on the list. */
  remove(name: string): Promise<'removed' | 'runs' | 'unknown'>
}

const MS = (column: string) => `(extract(epoch FROM ${column}) * 1000)::float8`

const TAKEN = `SELECT data_id FROM node WHERE name = $1 AND data_id <> $2 AND removed_at IS NULL
  AND seen_at > clock_timestamp() - interval '30 s'`
const CLONED = `SELECT name FROM node WHERE data_id = $1 AND name <> $2 AND removed_at IS NULL AND mode <> 'leaving'
  AND seen_at > clock_timestamp() - interval '30 s'`
const SIGN = `SELECT instance, mode, removed_at IS NOT NULL AS "isRemoved", seen_at::text AS "key", ${MS('seen_at')} AS "seenAt",
    ${MS('clock_timestamp()')} AS now
  FROM node WHERE name = $1`
const WRITE = `INSERT INTO node (name, instance, data_id, version, protocol, candidate, mode, url, started_at, seen_at,
    applied_rev, waiting, offset_ms, config, health)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, to_timestamp($9 / 1000.0::float8), clock_timestamp(), $10, $11, $12, $13, $14)
  ON CONFLICT (name) DO UPDATE SET instance = excluded.instance, data_id = excluded.data_id, version = excluded.version,
    protocol = excluded.protocol, candidate = excluded.candidate, mode = excluded.mode, url = excluded.url,
    started_at = excluded.started_at, seen_at = excluded.seen_at, applied_rev = excluded.applied_rev,
    waiting = excluded.waiting, offset_ms = excluded.offset_ms, config = excluded.config, health = excluded.health,
    removed_at = NULL`
/** Only one process finds the row as it was. */
const CLAIM = `${WRITE} WHERE node.seen_at = $15::timestamptz RETURNING name`
/** The sub-select sees the row as it was before. */
const BEAT = `${WRITE} RETURNING (SELECT instance FROM node WHERE name = $1) AS instance,
    (SELECT ${MS('started_at')} FROM node WHERE name = $1) AS "startedAt"`
const NODES = `SELECT name, mode, version, candidate, url, ${MS('started_at')} AS "startedAt", ${MS('seen_at')} AS "seenAt",
    applied_rev AS "appliedRev", waiting, offset_ms AS "clockOffsetMs", config, health
  FROM node WHERE removed_at IS NULL ORDER BY name`
const LEADERSHIPS = `SELECT epoch, node, ${MS('from_at')} AS "from", reason FROM leadership ORDER BY epoch DESC LIMIT 20`
const REMOVE = `UPDATE node SET removed_at = clock_timestamp() WHERE name = $1 AND removed_at IS NULL
  AND (mode = 'leaving' OR seen_at < clock_timestamp() - interval '30 s') RETURNING name`
const AWAITED = `SELECT count(*) AS missing FROM node WHERE removed_at IS NULL AND name <> $1
  AND seen_at > to_timestamp($2 / 1000.0::float8) - interval '1 min' AND mode <> 'leaving'
  AND coalesce(returned_at, '-infinity') < to_timestamp($2 / 1000.0::float8)`

const CANDIDATES = `SELECT 1 FROM node WHERE removed_at IS NULL AND name <> $1 AND candidate AND mode <> 'leaving'
  AND seen_at > clock_timestamp() - interval '10 s' LIMIT 1`

/** Each writes its sign of life so often, in milliseconds. */
export const BEAT_MS = 2000
/** A process without a sign of life for so long has ended, in milliseconds. */
const SILENT_MS = BEAT_MS * 1.5
/** The last beat of a process that has ended may come late, once. */
const BEATS_OF_ANOTHER = 2

/** A process under the name of this one, by the clock of the database: `seenAt` of its newest sign of life, in milliseconds. */
export interface Sign {
  readonly mode: NodeMode
  readonly isRemoved: boolean
  readonly seenAt: number
}

/** Whether a process that starts may work under its name. `beats`: signs of life since the first look. */
export type Watch =
  | { readonly is: 'free' }
  | { readonly is: 'waiting'; readonly seenAt: number; readonly beats: number }
  | { readonly is: 'taken' }

/** After one more look at the name. `now`: by the clock of the database, in milliseconds. */
export function nextWatch(watch: Watch, seen: Sign | null, now: number): Watch {
  if (seen === null || seen.isRemoved || seen.mode === 'leaving' || now - seen.seenAt >= SILENT_MS)
    return { is: 'free' }
  const before = watch.is === 'waiting' ? watch : { seenAt: seen.seenAt, beats: 0 }
  const beats = before.beats + (seen.seenAt > before.seenAt ? 1 : 0)
  return beats >= BEATS_OF_ANOTHER ? { is: 'taken' } : { is: 'waiting', seenAt: seen.seenAt, beats }
}

export function createNodes(db: Queryable, self: NodeIdentity): Nodes {
  let watch: Watch = { is: 'free' }
  /** How many beats in a row found one of an older process. */
  let found = 0
  let list: NodeList = { nodes: [], leaderships: [] }

  const rowOf = ({ mode, appliedRev, waiting, offsetMs, health }: NodeState): readonly unknown[] => [
    self.name,
    self.instance,
    self.dataId,
    self.version,
    PROTOCOL,
    self.candidate,
    mode,
    self.url,
    self.startedAt,
    appliedRev,
    waiting,
    offsetMs,
    JSON.stringify(self.config()),
    JSON.stringify(health),
  ]
  const usedTwice = () =>
    new StartError(`Another process works as node "${self.name}" with a copy of this data directory`, {
      hint: `${CLONE_HINT} Choose another Butler.footman.node.name`,
    })

  return {
    async register(state) {
      const original = await cloneOf(db, self.name, self.dataId)
      if (original !== null) {
        throw new StartError(`Node "${original}" of the cluster works with the same data directory, or a copy of it`, {
          hint: `${CLONE_HINT} After a change of Butler.footman.node.name wait 30 seconds`,
        })
      }
      if (await isNameTaken(db, self.name, self.dataId)) {
        throw new StartError(`Another node of the cluster is called "${self.name}"`, {
          hint: 'Give this one a name of its own in Butler.footman.node.name. A node that was set up anew can start 30 seconds after the old one has ended',
        })
      }
      const [seen] = await db.query<Sign & { instance: string; key: string; now: number }>(SIGN, [self.name])
      // The answer to an earlier claim may have been lost.
      const other = seen && seen.instance !== self.instance ? seen : null
      watch = nextWatch(watch, other, seen?.now ?? 0)
      if (watch.is === 'taken') throw usedTwice()
      if (watch.is === 'waiting') return false
      return (await db.query(CLAIM, [...rowOf(state), seen?.key ?? null])).length > 0
    },
    async beat(state) {
      const [before] = await db.query<{ instance: string | null; startedAt: number | null }>(BEAT, rowOf(state))
      const isOther = before !== undefined && before.instance !== null && before.instance !== self.instance
      found = isOther && (before.startedAt ?? 0) < self.startedAt ? found + 1 : 0
      if (found === BEATS_OF_ANOTHER) throw usedTwice()
      list = await readNodes(db)
    },
    async returned() {
      await db.query('UPDATE node SET returned_at = clock_timestamp() WHERE name = $1', [self.name])
    },
    async awaited(sinceMs) {
      const [row] = await db.query<{ missing: number }>(AWAITED, [self.name, sinceMs])
      return row?.missing ?? 0
    },
    get list() {
      return list
    },
    hasCandidate: async () => (await db.query(CANDIDATES, [self.name])).length > 0,
    async remove(name) {
      const [removed] = await db.query(REMOVE, [name])
      if (removed) {
        list = await readNodes(db)
        return 'removed'
      }
      const [known] = await db.query('SELECT 1 FROM node WHERE name = $1 AND removed_at IS NULL', [name])
      return known ? 'runs' : 'unknown'
    },
  }
}

/** The list as the database has it. */
export async function readNodes(db: Queryable): Promise<NodeList> {
  const nodes = await db.query<NodeInfo>(NODES)
  const leaderships = await db.query<Leadership>(LEADERSHIPS)
  return { nodes, leaderships }
}

/** Whether another data directory uses the name of a node, and has given a sign of life in the last 30 seconds. */
export async function isNameTaken(db: Queryable, name: string, dataId: string): Promise<boolean> {
  return (await db.query(TAKEN, [name, dataId])).length > 0
}

/** The name of another node with the same identity that has given a sign of life in the last 30 seconds; null = none. */
export async function cloneOf(db: Queryable, name: string, dataId: string): Promise<string | null> {
  const [found] = await db.query<{ name: string }>(CLONED, [dataId, name])
  return found?.name ?? null
}

export const CLONE_HINT =
  'On a cloned machine remove footman.db, journal.db, their companions and cluster.json from the data directory.'

/** Sections whose hash differs from that of the leader, with the nodes that have another one. */
export function differingSections(
  nodes: readonly NodeInfo[],
  leader: string | null,
): Readonly<Record<string, readonly string[]>> {
  const reference = nodes.find(({ name }) => name === leader) ?? nodes[0]
  if (!reference) return {}
  const found = Object.entries(reference.config).map(([section, hash]) => {
    const others = nodes.filter(({ config }) => config[section] !== undefined && config[section] !== hash)
    return [section, others.map(({ name }) => name)] as const
  })
  return Object.fromEntries(found.filter(([, others]) => others.length > 0))
}
