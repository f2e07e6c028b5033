/**
 * The hash chain of the audit. Each node writes a chain of its own: the hash of an entry covers the entry and the hash of the one
 * before, so that none can be changed, taken out or put in without all that follow. Retention removes the beginning of a
 * chain; the number and hash of the last removed entry stay as its anchor.
 */
import { createHash, randomBytes } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Database, Migration } from '../platform/sqlite.ts'
import type { ChainCheck } from './contract.ts'

export const auditChainMigrations: readonly Migration[] = [
  {
    name: 'audit-003',
    sql: `
      ALTER TABLE audit ADD COLUMN chain TEXT;
      ALTER TABLE audit ADD COLUMN n INTEGER;
      ALTER TABLE audit ADD COLUMN prev TEXT;
      ALTER TABLE audit ADD COLUMN hash TEXT;
      CREATE INDEX audit_chain_order ON audit (chain, n);
      -- Own: the chain that this database continues. Head: its newest entry. First: the id of its first one.
      CREATE TABLE audit_chain (
        chain TEXT PRIMARY KEY,
        own INTEGER NOT NULL DEFAULT 0,
        anchor_n INTEGER NOT NULL DEFAULT 0,
        anchor_hash TEXT,
        head_n INTEGER,
        head_hash TEXT,
        first TEXT
      ) WITHOUT ROWID;`,
  },
  {
    name: 'audit-004',
    // How many entries without a hash there were when the chain began; null of chains that began without this column.
    sql: 'ALTER TABLE audit_chain ADD COLUMN unchained INTEGER;',
  },
]

/** The place of an entry in the chain of its node. */
export interface Link {
  /** Name of the node and a random part, as each database begins a chain of its own. */
  readonly chain: string
  /** From 1. */
  readonly n: number
  /** Hash of the entry before; of the first one: 64 zeros. */
  readonly prev: string
  /** SHA-256 in hex, see `hashOf`. */
  readonly hash: string
}

/** The columns of the table `audit` that a hash covers. */
export interface ChainedRow {
  readonly id: string
  /** Milliseconds since 1970. */
  readonly at: number
  readonly actor: string
  readonly address: string | null
  readonly action: string
  /** JSON. */
  readonly target: string
  readonly status: number | null
  readonly outcome: string
  readonly request_id: string | null
  readonly detail: string | null
  readonly via: string | null
}

const NOTHING = '0'.repeat(64)

/** The hash of a JSON list without blanks: chain, n, prev, then the columns of the entry in order; see docs/security.md. */
function hashOf({ chain, n, prev }: Omit<Link, 'hash'>, row: ChainedRow): string {
  const { id, at, actor, address, action, target, status, outcome, request_id, detail, via } = row
  const covered = [chain, n, prev, id, at, actor, address, action, target, status, outcome, request_id, detail, via]
  return createHash('sha256').update(JSON.stringify(covered)).digest('hex')
}

interface ChainRow {
  readonly chain: string
  readonly anchor_n: number
  readonly anchor_hash: string | null
  readonly head_n: number | null
  readonly head_hash: string | null
  readonly first: string | null
}

/** Continues the own chain. Runs in the transaction that stores the entry. `node`: name of this node. */
export function nextLink(tx: Database, node: string, row: ChainedRow): Link {
  const own = tx.get<ChainRow>('SELECT * FROM audit_chain WHERE own = 1')
  const chain = own?.chain ?? `${node}-${randomBytes(4).toString('hex')}`
  const place = { chain, n: (own?.head_n ?? 0) + 1, prev: own?.head_hash ?? NOTHING }
  const hash = hashOf(place, row)
  if (own) tx.run('UPDATE audit_chain SET head_n = ?, head_hash = ? WHERE chain = ?', place.n, hash, chain)
  else {
    tx.run(
      `INSERT INTO audit_chain (chain, own, head_n, head_hash, first, unchained)
         VALUES (?, 1, ?, ?, ?, (SELECT count(*) FROM audit WHERE chain IS NULL))`,
      chain,
      place.n,
      hash,
      row.id,
    )
  }
  return { ...place, hash }
}

/** The chains with entries; walks the index instead of all entries. */
const CHAINS = `WITH RECURSIVE names (chain) AS (SELECT min(chain) FROM audit UNION ALL
    SELECT (SELECT min(chain) FROM audit WHERE chain > names.chain) FROM names WHERE names.chain IS NOT NULL)
  SELECT chain FROM names WHERE chain IS NOT NULL`

/**
 * Removes up to `limit` entries with ids before `bound`; returns how many. Of a chain only its beginning is removed, so that a clock
 * that was wrong for a while makes no hole. Runs in a transaction.
 */
export function purgeEntries(tx: Database, bound: string, limit: number): number {
  let removed = tx.run(
    'DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE chain IS NULL AND id < ? LIMIT ?)',
    bound,
    limit,
  ).changes
  for (const { chain } of tx.all<{ chain: string }>(CHAINS)) {
    if (removed === limit) break
    removed += purgeBeginning(tx, chain, bound, limit - removed)
  }
  return removed
}

function purgeBeginning(tx: Database, chain: string, bound: string, limit: number): number {
  const oldest = tx.all<{ id: string; n: number; hash: string }>(
    'SELECT id, n, hash FROM audit WHERE chain = ? ORDER BY n LIMIT ?',
    chain,
    limit,
  )
  const young = oldest.findIndex(({ id }) => id >= bound)
  const old = young < 0 ? oldest : oldest.slice(0, young)
  for (const { id } of old) tx.run('DELETE FROM audit WHERE id = ?', id)
  const last = old.at(-1)
  if (!last) return 0
  tx.run(
    `INSERT INTO audit_chain (chain, anchor_n, anchor_hash) VALUES (?, ?, ?) ON CONFLICT (chain) DO UPDATE
       SET anchor_n = excluded.anchor_n, anchor_hash = excluded.anchor_hash`,
    chain,
    last.n,
    last.hash,
  )
  return old.length
}

type CheckedChain = ChainCheck['chains'][number]
type BrokenLink = NonNullable<ChainCheck['broken']>
type StoredLink = ChainedRow & Link

/** Rows that are hashed before others get their turn. */
const CHUNK = 500

/**
 * Checks all entries in this database. `alone`: no other node writes into it, so that an entry without hash behind the first one with
 * a hash was put in by hand.
 */
export async function checkChains(db: Database, { alone }: { readonly alone: boolean }): Promise<ChainCheck> {
  const names = db.all<{ chain: string }>(`${CHAINS} UNION SELECT chain FROM audit_chain ORDER BY chain`)
  const chains: CheckedChain[] = []
  let checked = 0
  let broken = alone ? putIn(db) : null
  for (const { chain } of names) {
    const result = await checkChain(db, chain)
    checked += result.checked
    broken ??= result.broken
    chains.push(result.chain)
  }
  const { unchained } = db.get<{ unchained: number }>('SELECT count(*) AS unchained FROM audit WHERE chain IS NULL')!
  return { checked, unchained, chains, broken }
}

type Place = Pick<Link, 'n' | 'hash'>

async function checkChain(db: Database, chain: string) {
  const known = () => db.get<ChainRow>('SELECT * FROM audit_chain WHERE chain = ?', chain)
  let before = beginningOf(known())
  let first: number | null = null
  let checked = 0
  let broken: ChainCheck['broken'] = null
  for (let position: readonly [number, string] = [0, '']; ; await nextTurn()) {
    const rows = db.all<StoredLink>(
      'SELECT * FROM audit WHERE chain = ? AND (n, id) > (?, ?) ORDER BY n, id LIMIT ?',
      chain,
      ...position,
      CHUNK,
    )
    for (const row of rows) {
      first ??= row.n
      // Retention may have gone on meanwhile.
      if (before && row.n > before.n + 1) before = laterOf(before, beginningOf(known()))
      broken ??= faultOf(row, before)
      before = row
      checked += 1
    }
    const last = rows.at(-1)
    if (!last || rows.length < CHUNK) break
    position = [last.n, last.id]
  }
  const head = known()
  broken ??= faultAtEnd(chain, head, before)
  const end = first === null ? null : before
  const own = head !== undefined && head.head_n !== null
  return { checked, broken, chain: { chain, own, first, last: end?.n ?? null, hash: end?.hash ?? null } }
}

/** The entry before the oldest one that has to be there; null for the chain of another node, whose beginning may never have come. */
function beginningOf(known: ChainRow | undefined): Place | null {
  if (known?.anchor_hash) return { n: known.anchor_n, hash: known.anchor_hash }
  return known === undefined || known.head_n === null ? null : { n: 0, hash: NOTHING }
}

const laterOf = (one: Place, other: Place | null): Place => (other !== null && other.n > one.n ? other : one)

function faultOf(row: StoredLink, before: Place | null): ChainCheck['broken'] {
  const { chain, n, id, prev, hash } = row
  const broken = (reason: string): BrokenLink => ({ chain, n, id, reason })
  const expected = before === null ? n : before.n + 1
  if (n > expected) {
    const missing = n - expected === 1 ? `entry ${expected} is missing` : `entries ${expected} to ${n - 1} are missing`
    return { chain, n: expected, id: null, reason: missing }
  }
  if (n < expected) return broken(`there are two entries ${n}, or one that was removed has come back`)
  if (hash !== hashOf(row, row)) return broken('the entry was changed')
  if (before !== null && prev !== before.hash) return broken('the entry before was replaced')
  return null
}

function faultAtEnd(chain: string, known: ChainRow | undefined, last: Place | null) {
  if (!known || known.head_n === null) return null
  const end = last?.n ?? 0
  if (end < known.head_n) {
    return { chain, n: end + 1, id: null, reason: `entries ${end + 1} to ${known.head_n}, the newest, are missing` }
  }
  const isOther = end > known.head_n || last?.hash !== known.head_hash
  return isOther ? { chain, n: end, id: null, reason: 'the newest entry is not the one that was written' } : null
}

/** An entry without hash behind the first one with a hash, or more before it than there were when the chain began. */
function putIn(db: Database): ChainCheck['broken'] {
  const found = db.get<{ id: string; chain: string }>(
    `SELECT audit.id, audit_chain.chain FROM audit, audit_chain
       WHERE audit.chain IS NULL AND audit_chain.own = 1 AND audit.id > audit_chain.first ORDER BY audit.id LIMIT 1`,
  )
  if (found) return { chain: found.chain, n: 0, id: found.id, reason: 'the entry has no hash, although newer ones do' }
  // The newest stands for all: which of them was put in cannot be said. Other nodes may have brought old ones.
  const more = db.get<{ id: string; chain: string; there: number; were: number }>(
    `SELECT max(audit.id) AS id, audit_chain.chain, count(*) AS there, audit_chain.unchained AS were FROM audit, audit_chain
       WHERE audit.chain IS NULL AND audit_chain.own = 1
       AND (SELECT count(*) FROM audit_chain) = 1 AND NOT EXISTS (SELECT 1 FROM audit AS other WHERE other.chain <> audit_chain.chain)
       GROUP BY audit_chain.chain HAVING count(*) > audit_chain.unchained`,
  )
  if (!more) return null
  const reason = `there are ${more.there} entries without a hash, and were ${more.were} when the chain began`
  return { chain: more.chain, n: 0, id: more.id, reason }
}
