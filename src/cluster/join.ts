/**
 * How the store of a node becomes a part of a cluster. The first node ships its store. Another one that has worked on its own
 * adds its history and what waits to be sent; what only a leader changes becomes that of the cluster, except pairs whose keys
 * are new there.
 */
import { randomUUID } from 'node:crypto'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorText } from '../platform/errors.ts'
import type { PostgresPool } from '../platform/postgres/types.ts'
import { createPrivateFile } from '../platform/private-file.ts'
import type { Database } from '../platform/sqlite.ts'
import type { Logger } from '../platform/types.ts'
import { backUp } from '../platform/upgrade.ts'
import { VERSION } from '../platform/version.ts'
import { silently } from './changes.ts'
import { beginFirstShip, isFirstShipUnderWay } from './first-ship.ts'
import { shipAsMaker } from './replica.ts'
import { createRows, type TableRows } from './rows.ts'
import type { ForwardedAnswer, ForwardedRequest } from './types.ts'

export interface MembershipDeps {
  readonly db: Database
  readonly pool: PostgresPool
  readonly log: Logger
  /** The name of this node. */
  readonly node: string
  readonly dataDirectory: string
  /** Runs a REST call at the leader; rejects while none answers. */
  readonly ask: (request: ForwardedRequest) => Promise<ForwardedAnswer>
}

export interface Membership {
  /**
   * True when the store is that of the cluster, which it becomes now if it must; false while the shared database is empty, as
   * nothing can be said then. Rejects with a `PostgresError`; what is done is done again then.
   */
  ensure(): Promise<boolean>
  /** The store has been a part of a cluster before. */
  readonly isKnown: boolean
  /** This node leads: its store is that of the cluster, and is shipped if the database is empty. */
  lead(clusterId: string): void
  /** Adds pairs of the former store to those of the cluster. Resolves also when some have to wait. */
  addPairs(): Promise<void>
}

interface FormerPair {
  readonly namespace: string
  readonly key: string
  readonly value: string
  /** Milliseconds since 1970. */
  readonly expiresAt: number | null
}

const MEMBER = 'cluster.member'
const PAGE = 500
const FORMER = `CREATE TABLE IF NOT EXISTS cluster_former_pair (namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,
  expires_at INTEGER, PRIMARY KEY (namespace, key)) WITHOUT ROWID;`

export function createMembership(deps: MembershipDeps): Membership {
  const { db, pool, log, node, dataDirectory } = deps
  let isMember = false
  let conflicts = ''

  async function ensure(): Promise<boolean> {
    if (isMember) return true
    const [info] = await pool.query<{ id: string; head: number }>('SELECT id, rev AS head FROM cluster_info, head')
    if (!info) return false
    const isShipped = !isFirstShipUnderWay(db)
    isMember = isShipped && db.get('SELECT 1 FROM meta WHERE key = ? AND value = ?', MEMBER, info.id) !== undefined
    if (isMember || info.head === 0) return isMember
    await joinWithStore(info.id)
    isMember = true
    return true
  }

  async function joinWithStore(clusterId: string): Promise<void> {
    const tables = [...createRows(db).values()]
    if (saveStore(tables)) {
      // The first node may have lost the lead before its store was there: what is new in it is that of the cluster too.
      const isFirst = isFirstShipUnderWay(db)
      for (const rows of tables) {
        const isWhole = rows.table.class === 'union' || isFirst
        if (isWhole || rows.table.stays) await shipRows(rows, isWhole)
      }
    }
    db.exec('PRAGMA foreign_keys = OFF')
    try {
      db.transaction(() => exchange(tables, clusterId))
    } finally {
      db.exec('PRAGMA foreign_keys = ON')
    }
  }

  /** False: there is nothing in it. */
  function saveStore(tables: readonly TableRows[]): boolean {
    if (!tables.some(hasRows)) return false
    const directory = join(dataDirectory, 'backup')
    const path = backUp(db, { directory, name: 'footman', version: VERSION, now: Date.now() })
    log.info(`CLUSTER The store of this node becomes a part of the cluster; it is saved as ${path}`)
    return true
  }

  async function shipRows(rows: TableRows, isWhole: boolean): Promise<void> {
    let after: string | null = null
    for (;;) {
      const keys: string[] = rows.keys(after, PAGE)
      if (keys.length === 0) return
      await shipAsMaker(
        pool,
        node,
        keys
          .filter((key) => isWhole || rows.stays(key))
          .map((key) => rows.read(key))
          .filter(({ body }) => body !== null),
      )
      after = keys.at(-1)!
    }
  }

  /** Everything that only a leader changes is read from the database from now on, after what waits here was brought there. */
  function exchange(tables: readonly TableRows[], clusterId: string): void {
    db.exec(FORMER)
    db.run('INSERT OR IGNORE INTO cluster_former_pair SELECT namespace, key, value, expires_at FROM kv')
    silently(db, () => {
      for (const { table } of tables) {
        if (table.class === 'leader') db.run(`DELETE FROM ${table.name} WHERE NOT (${table.brought ?? 'false'})`)
      }
    })
    db.run('DELETE FROM cluster_change')
    db.run("DELETE FROM meta WHERE key IN ('cluster.applied', 'cluster.first_ship')")
    db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', MEMBER, clusterId)
  }

  const hasRows = ({ table }: TableRows): boolean =>
    table.key.length > 0 && db.get(`SELECT 1 FROM ${table.name} LIMIT 1`) !== undefined

  async function addPairs(): Promise<void> {
    if (!db.get("SELECT 1 FROM sqlite_schema WHERE name = 'cluster_former_pair'")) return
    const pairs = db.all<FormerPair>(
      'SELECT namespace, key, value, expires_at AS expiresAt FROM cluster_former_pair LIMIT 100',
    )
    for (const pair of pairs) {
      if (!(await isSettled(pair))) return
      db.run('DELETE FROM cluster_former_pair WHERE namespace = ? AND key = ?', pair.namespace, pair.key)
    }
    if (pairs.length === 0) db.exec('DROP TABLE cluster_former_pair')
  }

  /** False: no leader answers now. */
  async function isSettled(pair: FormerPair): Promise<boolean> {
    if (pair.expiresAt !== null && pair.expiresAt <= Date.now()) return true
    const { namespace, key, value } = pair
    const here = db.get<{ value: string }>('SELECT value FROM kv WHERE namespace = ? AND key = ?', namespace, key)
    if (here) {
      if (here.value !== value) keepConflict(pair)
      return true
    }
    try {
      const { status } = await deps.ask(addition(pair))
      if (status === 412) return false
      if (status >= 400) keepConflict(pair)
      return true
    } catch (error) {
      log.verbose(`CLUSTER Pairs of the former store wait for the leader: ${errorText(error)}`)
      return false
    }
  }

  /** Refused where the key exists. */
  function addition({ namespace, key, value, expiresAt }: FormerPair): ForwardedRequest {
    const ttl = expiresAt === null ? 0 : expiresAt - Date.now()
    return {
      method: 'POST',
      url: `/v4/keyvalues/${encodeURIComponent(namespace)}`,
      headers: { 'content-type': 'application/json', 'if-none-match': '*' },
      body: new TextEncoder().encode(JSON.stringify({ key, value, ttl })),
      caller: {
        actor: `node ${node}`,
        client: '',
        via: null,
        session: null,
        scopes: { 'kv:write': { startFilter: null, keyValueNamespaces: null } },
        sees: [],
      },
      requestId: randomUUID(),
      signal: new AbortController().signal,
    }
  }

  function keepConflict(pair: FormerPair): void {
    if (conflicts === '') {
      conflicts = join(dataDirectory, `kv-conflicts-${new Date().toISOString().replace(/[-:.]/g, '')}.ndjson`)
      createPrivateFile(conflicts)
      log.warn(
        `CLUSTER Pairs of this node have other values in the cluster, which count. Those of this node: ${conflicts}`,
      )
    }
    appendFileSync(conflicts, `${JSON.stringify(pair)}\n`)
  }

  return {
    ensure,
    get isKnown() {
      return db.get('SELECT 1 FROM meta WHERE key = ?', MEMBER) !== undefined
    },
    lead(clusterId) {
      const known = db.get('SELECT 1 FROM meta WHERE key = ? AND value = ?', MEMBER, clusterId) !== undefined
      isMember = true
      if (known) return
      saveStore([...createRows(db).values()])
      db.transaction(() => {
        beginFirstShip(db)
        db.run('INSERT OR REPLACE INTO meta VALUES (?, ?)', MEMBER, clusterId)
      })
    },
    addPairs,
  }
}
